package redact

import (
	"bytes"

	"bottle/lib/dlp"
)

// BeginsKey reports whether f, found in raw, is the beginning of a private
// key's block, of which the rest has to go too.
func BeginsKey(f dlp.Finding, raw []byte) bool {
	return f.Begins && !bytes.Contains(raw, []byte("-----END"))
}

// Tail overwrites the rest of a private key's block as it comes, after the
// finding that its beginning was. It leaves line ends as they are, also escaped
// ones, so that the text stays well-formed, and the END line to be read. Make
// one with [NewTail].
type Tail struct {
	ending int // dashes in a row that end the block
	dashes int
	state  escapeState
}

// NewTail returns the Tail of a block that begins with f.
func NewTail(f dlp.Finding) *Tail {
	if f.Sample == pemSample {
		return &Tail{ending: len("-----")}
	}
	return &Tail{ending: 1} // PuTTY's lines are base64 up to Private-MAC
}

// pemSample is how dlp shows a value that begins with a BEGIN line.
const pemSample = "----…"

// State says whether a key's block goes on.
type State int

const (
	Inside State = iota // what was overwritten is part of the block
	Ended               // what ends it has begun: nothing after it is the key's
	Broken              // this cannot be in a block; its rest may stand elsewhere
)

// escapeState is how far an escape was read.
type escapeState int

const (
	none      escapeState = iota
	backslash             // one or more, of JSON in JSON
	zero                  // of \u00XX, both are still to come
	zeros                 // one is
	high                  // the first hex digit of a byte is next
	kept                  // the second one, of a control character
	mark                  // the second one, of punctuation
	masked                // the second one, of what was overwritten
	ampersand
	number // of a character reference in HTML
	hexNumber
)

// Next returns what stands in the place of c, and whether c belongs to the
// block. Of an escape it sees one character at a time, so that whatever may
// stand for a character of the key becomes an asterisk with its first digit.
func (t *Tail) Next(c byte) (byte, State) {
	state := t.state
	t.state = none
	hex := alphabets[2].value[c]
	isHex := hex != noValue
	switch {
	case state == none:
		return t.plain(c)
	case state == backslash:
		return t.escaped(c)
	case (state == zero || state == zeros) && c == '0':
		t.state = map[escapeState]escapeState{zero: zeros, zeros: high}[state]
		return c, Inside
	case state == high && isHex && hex < 2:
		t.state = kept
		return c, Inside
	case state == high && c == '2':
		t.state = mark
		return c, Inside
	case state == high && isHex && hex < 8:
		t.state, t.dashes = masked, 0
		return '2', Inside
	case state == kept && isHex:
		return c, Inside
	case state == masked && isHex:
		return 'A', Inside
	case state == mark && isHex:
		return t.punctuation(c, hex)
	case state == ampersand && c == '#':
		t.state = number
		return c, Inside
	case state == number && (c == 'x' || c == 'X'):
		t.state = hexNumber
		return c, Inside
	case state == number && c >= '0' && c <= '9':
		t.state = number
		return '9', Inside // 9, 99 and 999 are characters that may stand anywhere
	case state == hexNumber && isHex:
		t.state = hexNumber
		return 'A', Inside // as are A, AA and AAA
	case (state == number || state == hexNumber) && c == ';':
		return c, Inside
	}
	return c, Broken
}

func (t *Tail) plain(c byte) (byte, State) {
	switch c {
	case '-':
		return c, t.dash()
	case 0: // of UTF-16
		return c, Inside
	case '\\':
		t.state = backslash
		return c, Inside
	case '%':
		t.state = high
		return c, Inside
	}
	t.dashes = 0
	switch {
	case c == '&':
		t.state = ampersand
	case alphabets[0].value[c] != noValue, c == '=':
		return '*', Inside
	case isWrap(c), bytes.IndexByte([]byte(":,.();@<>"), c) >= 0: // headers of the block and its line ends in HTML
	default:
		return c, Broken
	}
	return c, Inside
}

func (t *Tail) dash() State {
	if t.dashes++; t.dashes == t.ending {
		return Ended
	}
	return Inside
}

func (t *Tail) escaped(c byte) (byte, State) {
	switch c {
	case '\\':
		t.state = backslash
	case 'u':
		t.state = zero
	case 'x':
		t.state = high
	case 'n', 'r', 't', '/', '\n', '\r':
		t.dashes = 0
	default:
		return c, Broken
	}
	return c, Inside
}

// punctuation takes the second digit of a byte from 20 to 2F.
func (t *Tail) punctuation(c byte, hex uint8) (byte, State) {
	if hex == '-'&15 {
		return c, t.dash()
	}
	t.dashes = 0
	switch '\x20' | hex {
	case '"', '\'', '%', '&': // the string's end, or an escape in an escape
		return c, Broken
	case '+', '/':
		return 'A', Inside
	}
	return c, Inside
}

// keyEnd returns where the block ends that f began before from: behind what
// ends it, at what breaks it, or, Inside, with the text.
func keyEnd(f dlp.Finding, text []byte, from int) (int, State) {
	t := NewTail(f)
	for i := from; i < len(text); i++ {
		switch _, s := t.Next(text[i]); s {
		case Ended:
			return i + 1, s
		case Broken:
			return i, s
		}
	}
	return len(text), Inside
}

func maskKey(f dlp.Finding, text []byte) {
	t := NewTail(f)
	for i, c := range text {
		text[i], _ = t.Next(c)
	}
}
