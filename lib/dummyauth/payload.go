package dummyauth

import (
	"encoding/base64"
	"slices"
	"strconv"
)

// member is a member of a JSON object: value is a string, an int64, a bool or
// a []member.
type member struct {
	key   string
	value any
}

// payload writes JSON that every parser reads as the same value and whose
// text varies with the stream: the order of members, white space, and which
// characters are written as \u escapes. Equal claims in the real and the dummy
// token are equal text after base64 wherever they have the same offset modulo
// three; so each piece has several spellings, and the first that makes no
// window of avoid is taken.
type payload struct {
	s     stream
	avoid windows
	buf   []byte
	run   int // bytes written since the last escape
	limit int // prefer an escape for the next character when run reaches it
}

// encodeObject returns the base64url text of a JSON object with the members.
// It may have windows of avoid where no spelling was found.
func encodeObject(s stream, avoid windows, members []member) string {
	p := &payload{s: s, avoid: avoid, limit: 2 + s.below(4)}
	p.object(members, true)
	return base64.RawURLEncoding.EncodeToString(p.buf)
}

// put appends the first of the spellings that makes no window of avoid, or the
// first of all if each does.
func (p *payload) put(spellings ...string) {
	old := len(p.buf)
	take := slices.IndexFunc(spellings, func(text string) bool {
		p.buf = append(p.buf[:old], text...)
		return !p.meetsSince(old)
	})
	if take < 0 {
		take = 0
	}
	p.buf = append(p.buf[:old], spellings[take]...)
	if text := spellings[take]; text[0] == '\\' {
		p.run, p.limit = 0, 1+p.s.below(2)
	} else {
		p.run += len(text)
	}
}

// meetsSince reports whether the bytes from old on complete a window of avoid.
// Characters that a next byte can still change are not looked at.
func (p *payload) meetsSince(old int) bool {
	start := max(0, old-windowSize) / 3 * 3
	text := base64.RawURLEncoding.EncodeToString(p.buf[start:])
	return p.avoid.meets(text[:(len(p.buf)-start)*8/6])
}

// mark puts text with white space before it and, if after is set, behind it.
func (p *payload) mark(text string, after bool) {
	spellings := make([]string, 16)
	for i := range spellings {
		spellings[i] = p.space() + text
		if after {
			spellings[i] += p.space()
		}
	}
	p.put(spellings...)
}

func (p *payload) space() string {
	var space string
	for range p.s.below(3) {
		space += string(" \t\n\r"[p.s.below(4)])
	}
	return space
}

func (p *payload) object(members []member, outermost bool) {
	// No space before the first key: a JWT starts with eyJ, which is `{"`.
	p.put("{")
	order := make([]int, len(members))
	for i := range order {
		j := p.s.below(i + 1)
		order[i], order[j] = order[j], i
	}
	for i, m := range order {
		if i > 0 {
			p.mark(",", true)
		}
		p.string(members[m].key)
		p.mark(":", true)
		p.value(members[m].value)
	}
	p.mark("}", !outermost)
}

func (p *payload) value(v any) {
	switch v := v.(type) {
	case string:
		p.string(v)
	case int64:
		p.mark(strconv.FormatInt(v, 10), true)
	case bool:
		p.mark(strconv.FormatBool(v), true)
	case []member:
		p.object(v, false)
	}
}

// string puts s, which is visible ASCII. About every third character is an
// escape, and the last one is where it can be: what is left in clear between
// two escapes, quotes and colons included, seldom fills a window.
func (p *payload) string(s string) {
	p.put(`"`)
	for i := range len(s) {
		const hex = "0123456789abcdef"
		clear, escape := s[i:i+1], `\u00`+string(hex[s[i]>>4])+string(hex[s[i]&15])
		switch {
		case clear == `"`, clear == `\`:
			p.put(escape)
		case p.run < p.limit && i < len(s)-1:
			p.put(clear, escape)
		default:
			p.put(escape, clear)
		}
	}
	p.put(`"`)
}
