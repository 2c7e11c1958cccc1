package tomlfile

import (
	"bytes"
	"fmt"

	"github.com/BurntSushi/toml"
)

// The decoder knows the line of a key, but not of a key in the second element
// of an array of tables, and not once decoding is done. So the source is
// scanned once more, for its shape alone: which key path starts at which line.
//
// The scanner is only as strict as that takes. At anything that it does not
// understand it stops, and the decoder, which reads the same text with the
// whole grammar, reports the error; FuzzParse holds the two together.

type scanner struct {
	src    []byte
	pos    int
	line   int
	lines  map[string]int
	counts map[string]int // elements so far of each array of tables
	base   string         // key path of the table that the last header opened
	deep   *Error         // set when MaxDepth is passed
}

// scan returns the line of every key path in src. The error is for sources
// that nest too deep to be given to the decoder.
func scan(src []byte) (map[string]int, *Error) {
	s := scanner{src: src, line: 1, lines: map[string]int{}, counts: map[string]int{}}
	for _, bom := range []string{"\xff\xfe", "\xfe\xff", "\xef\xbb\xbf"} { // as the decoder does
		if bytes.HasPrefix(src, []byte(bom)) {
			s.pos = len(bom)
			break
		}
	}
	for ok := true; ok; {
		s.blank()
		switch c := s.peek(); {
		case c == 0:
			ok = false
		case c == '[':
			ok = s.header()
		default:
			ok = s.pair(s.base, 0)
		}
	}
	return s.lines, s.deep
}

// peek returns the next byte, or 0 at the end (TOML has no NUL).
func (s *scanner) peek() byte {
	if s.pos < len(s.src) {
		return s.src[s.pos]
	}
	return 0
}

func (s *scanner) take(c byte) bool {
	if s.peek() != c || c == 0 {
		return false
	}
	if c == '\n' {
		s.line++
	}
	s.pos++
	return true
}

func (s *scanner) has(prefix string) bool {
	return bytes.HasPrefix(s.src[s.pos:], []byte(prefix))
}

// space skips spaces and tabs, blank also comments and line ends.
func (s *scanner) space() {
	for s.take(' ') || s.take('\t') {
	}
}

func (s *scanner) blank() {
	for {
		s.space()
		switch s.peek() {
		case '\n', '\r':
			s.take(s.peek())
		case '#':
			for c := s.peek(); c != 0 && c != '\n'; c = s.peek() {
				s.pos++
			}
		default:
			return
		}
	}
}

// set records the first line at which a path is mentioned.
func (s *scanner) set(path string, line int) {
	if _, ok := s.lines[path]; !ok {
		s.lines[path] = line
	}
}

func (s *scanner) tooDeep(path string, depth int) bool {
	if depth <= MaxDepth {
		return false
	}
	s.deep = &Error{Line: s.line, Message: fmt.Sprintf("nests more than %d levels deep", MaxDepth)}
	return true
}

// header reads [a.b] or [[a.b]].
func (s *scanner) header() bool {
	line := s.line
	s.take('[')
	array := s.take('[')
	keys, ok := s.keys()
	if !ok || !s.take(']') || array && !s.take(']') {
		return false
	}
	path := ""
	for i, k := range keys {
		path = Key(path, k)
		last := i == len(keys)-1
		if !last || !array {
			s.set(path, line)
		}
		n, isArray := s.counts[path]
		switch {
		case last && array:
			s.set(path, line)
			s.counts[path] = n + 1
			path = Index(path, n)
			s.set(path, line)
		case isArray: // the header means the table inside the latest element
			path = Index(path, n-1)
		}
	}
	s.base = path
	return true
}

// keys reads a key, dotted or not.
func (s *scanner) keys() ([]string, bool) {
	var keys []string
	for {
		s.space()
		k, ok := s.key()
		if !ok {
			return nil, false
		}
		keys = append(keys, k)
		if s.tooDeep(k, len(keys)) {
			return nil, false
		}
		s.space()
		if !s.take('.') {
			return keys, true
		}
	}
}

func (s *scanner) key() (string, bool) {
	start := s.pos
	switch c := s.peek(); c {
	case '"', '\'':
		if !s.text(c) {
			return "", false
		}
		// The decoder knows the escapes.
		var v struct {
			K string `toml:"k"`
		}
		if _, err := toml.Decode("k="+string(s.src[start:s.pos]), &v); err != nil {
			return "", false
		}
		return v.K, true
	}
	for isBare(s.peek()) {
		s.pos++
	}
	return string(s.src[start:s.pos]), s.pos > start
}

func isBare(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// pair reads key = value in the table at path base.
func (s *scanner) pair(base string, depth int) bool {
	line := s.line
	keys, ok := s.keys()
	if !ok || !s.take('=') {
		return false
	}
	path := base
	for _, k := range keys {
		path = Key(path, k)
		s.set(path, line)
	}
	s.space()
	return s.value(path, depth+1)
}

func (s *scanner) value(path string, depth int) bool {
	if s.tooDeep(path, depth) {
		return false
	}
	switch c := s.peek(); c {
	case 0:
		return false
	case '"', '\'':
		return s.text(c)
	case '[':
		return s.array(path, depth)
	case '{':
		return s.inline(path, depth)
	}
	for c := s.peek(); c != 0 && c != ',' && c != ']' && c != '}' && c != '#' && c != '\n' && c != '\r'; c = s.peek() {
		s.pos++
	}
	return true
}

func (s *scanner) array(path string, depth int) bool {
	s.take('[')
	for i := 0; ; i++ {
		s.blank()
		if s.take(']') {
			return true
		}
		at := Index(path, i)
		s.set(at, s.line)
		if !s.value(at, depth+1) {
			return false
		}
		s.blank()
		if !s.take(',') {
			return s.take(']')
		}
	}
}

func (s *scanner) inline(path string, depth int) bool {
	s.take('{')
	for {
		s.blank()
		if s.take('}') {
			return true
		}
		if !s.pair(path, depth) {
			return false
		}
		s.blank()
		if !s.take(',') {
			return s.take('}')
		}
	}
}

// text reads a string that starts with the quote q, in one line or several.
func (s *scanner) text(q byte) bool {
	if long := string([]byte{q, q, q}); s.has(long) {
		s.pos += 3
		for !s.has(long) {
			if !s.char(q) {
				return false
			}
		}
		s.pos += 3
		// Up to two quotes may stand before the closing three.
		for range 2 {
			s.take(q)
		}
		return true
	}
	s.take(q)
	for !s.take(q) {
		if s.peek() == '\n' || !s.char(q) {
			return false
		}
	}
	return true
}

// char reads one character of a string, or an escape.
func (s *scanner) char(q byte) bool {
	if q == '"' && s.take('\\') && s.peek() == 0 {
		return false
	}
	return s.peek() != 0 && s.take(s.peek())
}
