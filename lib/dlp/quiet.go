package dlp

import "unicode/utf8"

// quietChars are no part of an encoding, of a run or of most keywords. Encoders of JSON write them as \u003c all the same, for HTML, and
// terminals use the last. Where they are part of a value whose name or begin stands before, the candidate breaks off there, which is a
// cue as well.
const quietChars = "<>'\x1b"

// quietWide are what Chinese and Japanese write in full width between words, of which the same is true.
const quietWide = ",;!?()[]"

// quiet are the characters that hide nothing.
type quiet struct {
	escaped class // by escapes of JSON
	wide    class // in full width
}

// quiet returns those that hide nothing with the rules r; nil where it is not known what they look for.
func (r *Rules) quiet() *quiet {
	if len(r.expressions.all) > 0 {
		return nil
	}
	in := func(list string) (c class) {
		for _, b := range []byte(list) {
			c[b] = r.auto.column[b] == 0 && (r.known == nil || !r.known.bytes[b]) && r.words == nil // between words there may be tags
		}
		return c
	}
	return &quiet{escaped: in(quietChars), wide: in(quietWide)}
}

// silences reports whether an escape that goes on with b, from its u on, is of a quiet character, or of an & behind which stands nothing
// that is a character reference or a name.
func (s *sniffer) silences(b []byte) (quiet, short bool) {
	for {
		c, ok, short := hexDigits(b[1:], 4)
		switch {
		case short || !ok:
			return false, short
		case c < utf8.RuneSelf && s.quiet.escaped[c]:
			return true, false
		case c != '&':
			return false, false
		}
		b = b[5:]
		n := 0
		for n < len(b) && n < maxEscape && (alnum[b[n]] || b[n] == '#') {
			n++
		}
		switch {
		case n == len(b):
			return false, true
		case n < maxEscape && b[n] != ';' && b[n] != '=' && !mayEscape[b[n]]: // as in most code
			return true, false
		case n > 0:
			return false, false
		}
		i := backslashesOf(b)
		switch {
		case i == len(b) && i <= mostBackslashes:
			return false, true
		case i == 0 || i > mostBackslashes:
			return false, false
		case !hidden[b[i]]: // as at a line's end
			return true, false
		case b[i] != 'u':
			return false, false
		}
		b = b[i:]
	}
}
