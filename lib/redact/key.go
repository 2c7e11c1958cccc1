package redact

import (
	"bytes"

	"bottle/lib/dlp"
)

// keySample is how dlp shows a value that begins with a BEGIN line.
const keySample = "----…"

// BeginsKey reports whether f, found in raw, is the beginning of a private
// key's block, of which the rest has to go too.
func BeginsKey(f dlp.Finding, raw []byte) bool {
	return f.Sample == keySample && !bytes.Contains(raw, []byte("-----END"))
}

// Tail overwrites the rest of a private key's block as it comes, after the
// finding that its beginning was. It leaves line ends and escapes as they are,
// so that the text stays well-formed, and the END line to be read. The zero
// value is ready.
type Tail struct {
	keep    int  // bytes of an escape that are still to come
	escaped bool // the byte before was a backslash
	dashes  int
}

// State says whether a key's block goes on.
type State int

const (
	Inside State = iota // what was overwritten is part of the block
	Ended               // the END line has begun: nothing after it is the key's
	Broken              // this cannot be in a block; its rest may stand elsewhere
)

// Next returns what stands in the place of c, and whether c belongs to the
// block.
func (t *Tail) Next(c byte) (byte, State) {
	switch {
	case t.escaped:
		t.escaped = c == '\\' // of JSON in JSON: \\n
		switch c {
		case 'u':
			t.keep = 4
		case 'x':
			t.keep = 2
		}
		return c, Inside
	case t.keep > 0 && alphabets[2].value[c] != noValue:
		t.keep--
		return c, Inside
	}
	t.keep = 0
	if c == '-' {
		if t.dashes++; t.dashes == 5 {
			return c, Ended
		}
		return c, Inside
	}
	t.dashes = 0
	switch {
	case c == '\\':
		t.escaped = true
	case c == '%':
		t.keep = 2
	case alphabets[0].value[c] != noValue, c == '=':
		return '*', Inside
	case isWrap(c), bytes.IndexByte([]byte(":,.();@<>&#"), c) >= 0: // headers of the block and its line ends in HTML
	default:
		return c, Broken
	}
	return c, Inside
}

// keyEnd returns where the block ends that has begun before from; false: it
// does not.
func keyEnd(text []byte, from int) (int, bool) {
	var t Tail
	for i := from; i < len(text); i++ {
		switch _, s := t.Next(text[i]); s {
		case Ended:
			return i + 1, true
		case Broken:
			return i, false
		}
	}
	return len(text), true // cut off, and nothing of it follows
}

func maskKey(text []byte) {
	var t Tail
	for i, c := range text {
		text[i], _ = t.Next(c)
	}
}
