package dlp

import "unicode/utf8"

// short is the short way of push for what comes most: it undoes what b begins with, if that can be no part of another escape, and returns
// how many bytes that is; 0: push must see.
func (v *view) short(b []byte, at int64) int {
	switch c := b[0]; {
	case c == '%':
		return v.percent(b, at)
	case c == '\\':
		return v.backslashes(b, at)
	case c == '&':
		return v.ampersand(b, at)
	case c >= utf8.RuneSelf:
		return v.character(b, at)
	}
	return 0
}

// percent undoes a percent escape, or takes the sign for itself where none can become of it.
func (v *view) percent(b []byte, at int64) int {
	switch {
	case len(b) >= 3 && isHex(b[1]) && isHex(b[2]):
		c := unhex(b[1])<<4 | unhex(b[2])
		if mayEscape[c] {
			return 0
		}
		v.append(symbol{c: c, undone: percent, start: at, end: at + 3})
		return 3
	case len(b) >= 2 && !isHex(b[1]) && !mayEscape[b[1]]:
		v.append(symbol{c: '%', start: at, end: at + 1})
		return 1
	}
	return 0
}

// ampersand takes one for itself where no character reference can become of it.
func (v *view) ampersand(b []byte, at int64) int {
	for i := 1; i < min(len(b), maxEscape); i++ {
		switch c := b[i]; {
		case alnum[c] || c == '#' && i == 1:
		case c == ';' || mayEscape[c]:
			return 0
		default:
			v.append(symbol{c: '&', start: at, end: at + 1})
			return 1
		}
	}
	return 0
}

// character folds a character, or leaves it where it looks like none of ASCII.
func (v *view) character(b []byte, at int64) int {
	r, n := utf8.DecodeRune(b)
	if r == utf8.RuneError {
		return 0
	}
	as, ok := foldRune(r)
	switch {
	case !ok:
		for i, c := range b[:n] {
			v.append(symbol{c: c, start: at + int64(i), end: at + int64(i) + 1})
		}
	case as == 0 || mayEscape[as]:
		return 0
	default:
		v.append(symbol{c: byte(as), undone: lookalike, start: at, end: at + int64(n)})
	}
	return n
}

// longEscape are the letters of escapes that have digits, but for the one of JSON.
var longEscape = set("xU01")

// mostBackslashes is how many of them backslashes takes: those of escapes that are in as many others as are undone.
const mostBackslashes = 1 << escapeDepth

// backslashes undoes what b begins with, if it is backslashes and one character that their number makes an escape of JSON's or
// leaves as it is, and returns how much that is; 0: it is something else. Most of it is JSON in strings of JSON.
func (v *view) backslashes(b []byte, at int64) int {
	n := backslashesOf(b)
	if n == len(b) || n > mostBackslashes || mayEscape[b[n]] || longEscape[b[n]] || b[n] == 'u' && n+1 < len(b) && b[n+1] == '{' {
		return 0
	}
	var widths [mostBackslashes]uint16 // of what each stands for
	for i := range n {
		widths[i] = 1
	}
	taken, c, width := n+1, b[n], uint16(1)
	number, ok, short := rune(0), false, false // behind u
	if c == 'u' {
		number, ok, short = hexDigits(b[n+1:], 4)
	}
	if short || ok && (number >= utf8.RuneSelf || mayEscape[number] || number == 'u' || longEscape[number]) {
		return 0
	}
	for stage := 0; stage < escapeDepth && n > 0; stage++ {
		last, pairs := widths[n-1], n/2
		for i := range pairs {
			widths[i] = widths[2*i] + widths[2*i+1]
		}
		if n&1 == 0 {
			n = pairs
		} else if ok && width == 1 {
			n, c, width, taken = pairs, byte(number), width+4+last, taken+4
		} else if u, _ := backslash([]byte{'\\', c}); u.taken > 0 {
			n, c, width = pairs, u.bytes[0], width+last
		} else {
			n, widths[pairs] = pairs+1, last
		}
	}
	if n > 0 && (c == 'u' || longEscape[c]) { // what follows may make it an escape
		return 0
	}
	for i := range n {
		v.append(symbol{c: '\\', start: at, end: at + int64(widths[i]), undone: undoneIn(widths[i])})
		at += int64(widths[i])
	}
	v.append(symbol{c: c, start: at, end: at + int64(width), undone: undoneIn(width)})
	return taken
}

// undoneIn says what was undone for a character that stands for width bytes of JSON.
func undoneIn(width uint16) escapes {
	if width == 1 {
		return 0
	}
	return jsonEscape
}
