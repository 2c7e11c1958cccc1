package dlp

import "unicode/utf8"

// origins are those of bytes that a view is given.
type origins struct {
	of []origin
	at spot // if there are none: the bytes are the raw stream's, from here on
}

// span returns the origin of what is undone from bytes [i, j) as kind says.
func (o origins) span(i, j int, kind escapes) origin {
	if o.of == nil {
		return origin{start: o.at + spot(i), width: uint16(j - i), undone: kind}
	}
	start, end := o.of[i].start, o.of[j-1].end()
	for _, x := range o.of[i:j] {
		kind |= x.undone
	}
	return origin{start: start, width: width(start, end), undone: kind}
}

// short is the short way of push for what comes most: it undoes what b begins with, if that can be no part of another escape, and returns
// how many bytes that is; 0: push must see.
func (v *view) short(b []byte, from origins) int {
	if from.of != nil {
		if all := from.span(0, min(len(b), maxEscape), 0); all.width > maxMargin {
			return 0
		}
	}
	switch c := b[0]; {
	case c == '%':
		return v.percent(b, from)
	case c == '\\':
		return v.backslashes(b, from)
	case c == '&':
		return v.ampersand(b, from)
	case c >= utf8.RuneSelf:
		return v.character(b, from)
	}
	return 0
}

// undo takes c for what stands at o.
func (v *view) undo(c byte, o origin) {
	o.undone |= v.dropped
	v.buf, v.origins, v.dropped = append(v.buf, c), append(v.origins, o), 0
}

// percent undoes a percent escape, or takes the sign for itself where none can become of it.
func (v *view) percent(b []byte, from origins) int {
	switch {
	case len(b) >= 3 && isHex(b[1]) && isHex(b[2]):
		c := unhex(b[1])<<4 | unhex(b[2])
		if mayEscape[c] {
			return 0
		}
		v.undo(c, from.span(0, 3, percent))
		return 3
	case len(b) >= 2 && !isHex(b[1]) && !mayEscape[b[1]]:
		v.undo('%', from.span(0, 1, 0))
		return 1
	}
	return 0
}

// ampersand takes one for itself where no character reference can become of it.
func (v *view) ampersand(b []byte, from origins) int {
	for i := 1; i < min(len(b), maxEscape); i++ {
		switch c := b[i]; {
		case alnum[c] || c == '#' && i == 1:
		case c == ';' || mayEscape[c]:
			return 0
		default:
			v.undo('&', from.span(0, 1, 0))
			return 1
		}
	}
	return 0
}

// character folds a character, or leaves it where it looks like none of ASCII.
func (v *view) character(b []byte, from origins) int {
	r, n := utf8.DecodeRune(b)
	if r == utf8.RuneError {
		return 0
	}
	as, ok := foldRune(r)
	switch {
	case !ok:
		for i, c := range b[:n] {
			v.undo(c, from.span(i, i+1, 0))
		}
	case as == 0 || mayEscape[as]:
		return 0
	default:
		v.undo(byte(as), from.span(0, n, lookalike))
	}
	return n
}

// longEscape are the letters of escapes that have digits, but for the one of JSON.
var longEscape = set("xU01")

// mostBackslashes is how many of them backslashes takes: those of escapes that are in as many others as are undone.
const mostBackslashes = 1 << escapeDepth

// backslashes undoes what b begins with, if it is backslashes and one character that their number makes an escape of JSON's or
// leaves as it is, and returns how much that is; 0: it is something else. Most of it is JSON in strings of JSON.
func (v *view) backslashes(b []byte, from origins) int {
	n := backslashesOf(b)
	if n == len(b) || n > mostBackslashes || mayEscape[b[n]] || longEscape[b[n]] || b[n] == 'u' && n+1 < len(b) && b[n+1] == '{' {
		return 0
	}
	var widths [mostBackslashes]uint8 // of what each stands for
	for i := range n {
		widths[i] = 1
	}
	taken, c, width := n+1, b[n], uint8(1)
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
	at := 0
	for _, width := range widths[:n] {
		v.undo('\\', from.span(at, at+int(width), undoneIn(width)))
		at += int(width)
	}
	v.undo(c, from.span(at, at+int(width), undoneIn(width)))
	return taken
}

// undoneIn says what was undone for a character that stands for width bytes of JSON.
func undoneIn(width uint8) escapes {
	if width == 1 {
		return 0
	}
	return jsonEscape
}
