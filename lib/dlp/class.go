package dlp

import "bytes"

// class is a set of byte values.
type class [256]bool

// set builds a class from a list in the manner of a regular expression's brackets: "A-Za-z0-9_-". A '-' that is first or
// last stands for itself. There is no escaping and no negation.
func set(list string) *class {
	var c class
	for i := 0; i < len(list); i++ {
		if i+2 < len(list) && list[i+1] == '-' {
			for b := int(list[i]); b <= int(list[i+2]); b++ {
				c[b] = true
			}
			i += 2
			continue
		}
		c[list[i]] = true
	}
	return &c
}

// add makes those of d part of c.
func (c *class) add(d *class) {
	for b, in := range d {
		c[b] = c[b] || in
	}
}

// bytes lists those of c.
func (c *class) bytes() (list []byte) {
	for b, in := range c {
		if in {
			list = append(list, byte(b))
		}
	}
	return list
}

// The classes that rules share. Sharing the pointer matters: the engine remembers how far a run of one class reaches.
var (
	digit       = set("0-9")
	lower       = set("a-z")
	letter      = set("A-Za-z")
	upperLetter = set("A-Z")
	lowerHex    = set("0-9a-f")
	upperNum    = set("A-Z0-9")
	alnum       = set("A-Za-z0-9")
	base32      = set("A-Z2-7")
	base64Std   = set("A-Za-z0-9+/")
	base64URL   = set("A-Za-z0-9_-")
)

// escapeLen is how many bytes before a value an escape can take: \u000a.
const escapeLen = 6

// precededBy reports whether the byte before win[at] belongs to c, so that at is amid a longer word. A byte that ends an
// escape for another character (\n in JSON, %3D in a URL, \u003d) does not count: "\nAKIA…" starts a line.
func precededBy(win []byte, at int, c *class) bool {
	if at == 0 || !c[win[at-1]] {
		return false
	}
	if !escapeEnds[win[at-1]] {
		return true
	}
	before := win[max(0, at-escapeLen):at]
	n := len(before)
	switch {
	case n >= 2 && before[n-2] == '\\' && isShortEscape(before[n-1]):
		return false
	case n >= 4 && before[n-4] == '\\' && isOctal(before[n-3]) && isOctal(before[n-2]) && isOctal(before[n-1]):
		return false
	case n >= 3 && before[n-3] == '%' && isHex(before[n-2]) && isHex(before[n-1]):
		return false
	case n == escapeLen && before[0] == '\\' && before[1] == 'u' &&
		isHex(before[2]) && isHex(before[3]) && isHex(before[4]) && isHex(before[5]):
		return false
	}
	return !endsColor(win[:at])
}

// escapeEnds are the letters and digits that an escape, or what sets a color, can end in.
var escapeEnds = set("0-9A-Fa-fnrtvmK")

// colorLen is how many bytes of what sets a terminal's colors are looked at: [38;2;255;255;255m.
const colorLen = 18

// endsColor reports whether b ends in what sets a terminal's colors or clears the rest of a line (ECMA-48: SGR and EL), the escape
// character before it being written in any of the ways of programs: \x1b[31m.
func endsColor(b []byte) bool {
	if c := b[len(b)-1]; c != 'm' && c != 'K' {
		return false
	}
	i := len(b) - 2
	for i >= 0 && len(b)-i < colorLen && (digit[b[i]] || b[i] == ';') {
		i--
	}
	return i > 0 && b[i] == '[' && bytes.IndexByte([]byte("\x1bbB3e["), b[i-1]) >= 0
}

func isShortEscape(c byte) bool {
	switch c {
	case 'n', 'r', 't', 'b', 'f', 'v', '0':
		return true
	}
	return false
}

func isOctal(c byte) bool { return c >= '0' && c <= '7' }

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
