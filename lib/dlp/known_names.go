package dlp

import "bytes"

// span is a range of the window.
type span struct{ from, to int }

// nameState is where in a name a trail is.
type nameState uint8

const (
	noName nameState = iota
	parameter
	member
)

const (
	// maxNames is how many names of parameters or members a value may be cut by.
	maxNames = 2
	// maxTrails is how many trails there are when a name is passed over in none.
	maxTrails = 64
)

// nameBehind returns what name may stand behind c, in a value that is cut by it: one&b=two, and "a":"one","b":"two".
func nameBehind(c byte) nameState {
	switch c {
	case '&':
		return parameter
	case ',':
		return member
	}
	return noName
}

// pass takes win[at] to the name that t passes over, and reports whether it goes on.
func (t *trail) pass(win []byte, at int) bool {
	name := &t.names[t.passed-1]
	c := win[at]
	name.to = at + 1
	switch end := t.in == parameter && c == '=' || t.in == member && c == ':'; {
	case at-name.from > maxName+maxLink:
		return false
	case end:
		t.in, t.last = noName, at
		return true
	}
	return nameChar[c] || t.in == member && bytes.IndexByte([]byte(" \t\r\n\"\\{}"), c) >= 0
}
