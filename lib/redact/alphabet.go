package redact

import "bytes"

// alphabet is an encoding that writes bytes as characters of a few bits.
type alphabet struct {
	name  string // as dlp calls it
	bits  int
	step  int // bits between the places at which a byte can begin
	chars string
	value [256]uint8
}

const noValue = 0xff

var alphabets = [...]alphabet{
	newAlphabet("base64", 6, 2, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"),
	newAlphabet("base32", 5, 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
	newAlphabet("hex", 4, 4, "0123456789abcdef"),
}

func newAlphabet(name string, bits, step int, chars string) alphabet {
	a := alphabet{name: name, bits: bits, step: step, chars: chars}
	for i := range a.value {
		a.value[i] = noValue
	}
	for i := range len(chars) {
		a.value[chars[i]] = uint8(i)
	}
	switch name {
	case "base64":
		a.value['-'], a.value['_'] = 62, 63
	case "hex":
		for c := byte('A'); c <= 'F'; c++ {
			a.value[c] = c - 'A' + 10
		}
	}
	return a
}

// isURL reports whether raw is base64url; what tells neither is not.
func (a *alphabet) isURL(raw []byte) bool {
	return a.name == "base64" && bytes.ContainsAny(raw, "-_") && !bytes.ContainsAny(raw, "+/")
}

// char writes a value.
func (a *alphabet) char(v uint8, url, upper bool) byte {
	c := a.chars[v]
	switch {
	case url && v == 62:
		return '-'
	case url && v == 63:
		return '_'
	case upper && a.name == "hex" && c >= 'a':
		return c - 'a' + 'A'
	}
	return c
}

// symbol is a character and how it is written.
type symbol struct {
	value    uint8
	changed  bool
	at, size int // in raw: 1 for itself, 2 \/, 3 %XX, 4 \xXX, 6 \uXXXX
}

// write puts c into the symbol's place of raw; false: it has no way to say it.
func (s symbol) write(raw []byte, c byte) bool {
	switch s.size {
	case 1:
		raw[s.at] = c
	case 3, 4, 6:
		const digits = "0123456789ABCDEF"
		raw[s.at+s.size-2], raw[s.at+s.size-1] = digits[c>>4], digits[c&15]
	default:
		return c == '/' && raw[s.at+1] == '/'
	}
	return true
}

// symbolAt reads one character of raw, escaped or not; size 0: it is none.
func symbolAt(raw []byte) (c byte, size int) {
	switch {
	case raw[0] == '%' && len(raw) >= 3:
		if c, ok := hexByte(raw[1:3]); ok {
			return c, 3
		}
	case raw[0] == '\\' && len(raw) >= 2:
		switch raw[1] {
		case 'n':
			return '\n', 2
		case 'r':
			return '\r', 2
		case 't':
			return '\t', 2
		case '/':
			return '/', 2
		case 'x':
			if len(raw) >= 4 {
				if c, ok := hexByte(raw[2:4]); ok {
					return c, 4
				}
			}
		case 'u':
			if len(raw) >= 6 && raw[2] == '0' && raw[3] == '0' {
				if c, ok := hexByte(raw[4:6]); ok {
					return c, 6
				}
			}
		}
		return 0, 0
	}
	return raw[0], 1
}

func hexByte(b []byte) (byte, bool) {
	hex := &alphabets[2]
	hi, lo := hex.value[b[0]], hex.value[b[1]]
	return hi<<4 | lo, hi != noValue && lo != noValue
}

func isWrap(c byte) bool { return c == '\n' || c == '\r' || c == ' ' || c == '\t' }

// split returns raw's characters of the alphabet; nil if it holds others than
// those, padding and line ends.
func (a *alphabet) split(raw []byte) []symbol {
	chars := make([]symbol, 0, len(raw))
	for at := 0; at < len(raw); {
		c, size := symbolAt(raw[at:])
		switch {
		case size == 0:
			return nil
		case a.value[c] != noValue:
			chars = append(chars, symbol{value: a.value[c], at: at, size: size})
		case c != '=' && !isWrap(c):
			return nil
		}
		at += size
	}
	return chars
}

// run returns where the run of characters reaches that text[from:to] is part
// of, over its line ends but not over its padding.
func (a *alphabet) run(text []byte, from, to int) (int, int) {
	for from > 0 {
		c := text[from-1]
		if a.value[c] == noValue || escaped(text, from-1) {
			break
		}
		from--
	}
	for to < len(text) {
		c, size := symbolAt(text[to:])
		if size == 0 || a.value[c] == noValue && !isWrap(c) {
			break
		}
		if isWrap(c) { // only between two lines of the run
			next := to
			for next < len(text) {
				if c, n := symbolAt(text[next:]); n > 0 && isWrap(c) {
					next += n
					continue
				}
				break
			}
			line := next
			for line < len(text) && a.value[text[line]] != noValue {
				line++
			}
			if line-next < 16 && line < len(text) && text[line] != '=' {
				break
			}
			to = max(line, next)
			continue
		}
		to += size
	}
	for to > from && isWrap(text[to-1]) {
		to--
	}
	return from, to
}

// escaped reports whether text[at] may be the last character of an escape.
func escaped(text []byte, at int) bool {
	for _, n := range [...]int{1, 2, 3, 5} {
		if at < n {
			break
		}
		if _, size := symbolAt(text[at-n:]); size == n+1 {
			return true
		}
	}
	return false
}

// decode returns the bytes of chars from bit skip on.
func (a *alphabet) decode(chars []symbol, skip int) []byte {
	out := make([]byte, 0, len(chars)*a.bits/8)
	var acc uint32
	bits := -skip
	for _, c := range chars {
		acc = acc<<a.bits | uint32(c.value)
		if bits += a.bits; bits >= 8 {
			bits -= 8
			out = append(out, byte(acc>>bits))
		}
	}
	return out
}

// encode writes the bytes in which text differs from was, which decode
// returned, back into chars.
func (a *alphabet) encode(chars []symbol, skip int, was, text []byte) {
	for i := range text {
		diff := was[i] ^ text[i]
		for bit := 0; diff != 0; bit++ {
			if diff&0x80 != 0 {
				at := skip + i*8 + bit
				c := &chars[at/a.bits]
				c.value ^= 1 << (a.bits - 1 - at%a.bits)
				c.changed = true
			}
			diff <<= 1
		}
	}
}
