package locate

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math/bits"
	"strconv"
	"strings"
)

const (
	// deepest is how many levels of a path are shown.
	deepest = 32
	// mostFrames bounds how deep a text may nest; nothing honest nests deeper.
	mostFrames = 1000
	// mostName is how long a name may be that is kept, in bytes as they are
	// written; a longer one is not shown.
	mostName = 256
)

// jsonPath follows a JSON text and knows in which value of it the next byte
// stands: "json path messages[3].content", or "json" in the outermost. It
// expects no more of the text than that its strings and brackets are those of
// JSON; of several texts in a row (NDJSON) it knows which.
type jsonPath struct {
	end jsonEnd

	depth    int              // arrays and objects that are open
	objects  [mostFrames]bool // which of them are objects
	object   bool             // the innermost is
	levels   [deepest]level   // the outermost of them
	names    []byte           // of the levels, without their quotes: mostName bytes for each
	texts    int              // that have begun
	wantName bool             // the next string is one

	inString bool
	inName   bool // the string is a name
	escaped  bool // the next byte of the string is
}

// jsonEnd says why nothing more can be told of a text.
type jsonEnd uint8

const (
	goesOn  jsonEnd = iota
	noJSON          // its brackets are not those of JSON
	tooDeep         // it nests deeper than mostFrames
)

// level is an open array or object.
type level struct {
	index    int // of the element, in an array
	name     nameState
	length   int // of the name in names
	from, to int // of the name in the piece, while it is there
}

// nameState is what is known of the name of an object's member.
type nameState uint8

const (
	noName   nameState = iota // none has come yet
	newName                   // it is in the piece that is taken
	hasName                   // it is in names
	longName                  // it is longer than mostName
)

func (j *jsonPath) reset() {
	*j = jsonPath{names: j.names}
}

// plainJSON are the bytes between strings that change nothing.
var plainJSON = func() (plain [256]bool) {
	for i := range plain {
		plain[i] = bytes.IndexByte([]byte(`{}[],"`), byte(i)) < 0
	}
	return plain
}()

// walk takes the next bytes of the text.
func (j *jsonPath) walk(p []byte) {
	i := 0
	if j.inString {
		i = j.goOn(p)
	}
	for i < len(p) && j.end == goesOn {
		c := p[i]
		i++
		if plainJSON[c] {
			continue
		}
		switch c {
		case '"':
			end, escaped := quote(p, i), false // mostly it is the first
			if end == len(p) || p[end-1] == '\\' {
				end, escaped = stringEnd(p, i, false)
			}
			if j.wantName {
				j.setName(i, end)
			}
			if end < len(p) {
				j.wantName = false
			} else { // it goes on in the next piece
				j.inString, j.escaped, j.inName = true, escaped, j.wantName
			}
			i = end + 1
		case ',':
			j.wantName = j.object
			if top := j.depth - 1; uint(top) < deepest {
				j.levels[top].index++
			}
		case '{', '[':
			j.push(c == '{')
		default:
			j.pop(c == '}')
		}
	}
	j.keepNames(p)
}

// goOn takes the bytes of p that belong to the string that broke off, and
// returns the index behind it.
func (j *jsonPath) goOn(p []byte) int {
	end, escaped := stringEnd(p, 0, j.escaped)
	if top := j.depth - 1; j.inName && top < deepest {
		j.addName(top, p[:end])
	}
	if end == len(p) {
		j.escaped = escaped
		return end
	}
	if j.inName {
		j.wantName = false
	}
	j.inString, j.inName, j.escaped = false, false, false
	return end + 1
}

// stringEnd returns the index of the quote that ends the string that p[from:]
// goes on with, len(p) if there is none. escaped says that its first byte is
// escaped, or afterwards the first behind p.
func stringEnd(p []byte, from int, escaped bool) (int, bool) {
	i := from
	if escaped {
		if i == len(p) {
			return i, true
		}
		i++
	}
	for {
		start := i
		i = quote(p, i)
		escaped = i > start && p[i-1] == '\\' && escapes(p[start:i])
		if i == len(p) || !escaped {
			return i, escaped
		}
		i++
	}
}

// quote returns the index of the first quote in p[i:], len(p) if there is none.
// Most are near: a search is set up for the others alone.
func quote(p []byte, i int) int {
	const each, high = 0x0101010101010101, 0x8080808080808080
	for range 3 {
		if i+8 > len(p) {
			break
		}
		x := binary.LittleEndian.Uint64(p[i:]) ^ '"'*each
		if at := (x - each) &^ x & high; at != 0 { // the lowest bit is of the first zero byte
			return i + bits.TrailingZeros64(at)/8
		}
		i += 8
	}
	if n := bytes.IndexByte(p[i:], '"'); n >= 0 {
		return i + n
	}
	return len(p)
}

// escapes reports whether what follows part of a string, which does not begin
// with something escaped, is escaped by its last byte.
func escapes(part []byte) bool {
	n := len(part)
	for n > 0 && part[n-1] == '\\' {
		n--
	}
	return (len(part)-n)%2 == 1
}

func (j *jsonPath) isObject(i int) bool { return j.objects[i] }

func (j *jsonPath) push(object bool) {
	if j.depth == 0 {
		j.texts++
	}
	if j.depth == mostFrames {
		j.end = tooDeep
		return
	}
	if j.depth < deepest {
		l := &j.levels[j.depth]
		l.index, l.name = 0, noName
	}
	j.objects[j.depth] = object
	j.depth++
	j.object, j.wantName = object, object
}

func (j *jsonPath) pop(object bool) {
	if j.depth == 0 || j.object != object {
		j.end = noJSON
		return
	}
	j.depth--
	j.object = j.depth > 0 && j.isObject(j.depth-1)
	j.wantName = false
}

// setName says that the name of another member stands at [from, to) of the
// piece, or begins there.
func (j *jsonPath) setName(from, to int) {
	if top := j.depth - 1; uint(top) < deepest {
		l := &j.levels[top]
		l.name, l.from, l.to = newName, from, to
	}
}

// keepNames keeps the names in p that are still of the way to what follows it.
func (j *jsonPath) keepNames(p []byte) {
	for i := range min(j.depth, deepest) {
		if l := &j.levels[i]; l.name == newName {
			l.name, l.length = hasName, 0
			j.addName(i, p[l.from:l.to])
		}
	}
}

// addName takes more bytes of a level's name.
func (j *jsonPath) addName(i int, p []byte) {
	l := &j.levels[i]
	if need := (i + 1) * mostName; need > len(j.names) {
		j.names = append(j.names, make([]byte, need-len(j.names))...)
	}
	if l.name == longName || l.length+len(p) > mostName {
		l.name = longName
		return
	}
	l.length += copy(j.names[i*mostName+l.length:], p)
}

// where says where next stands, the bytes that follow what was taken.
func (j *jsonPath) where(next []byte, hides Hides) string {
	if !j.inString {
		j.walk(next[:min(1, len(next))])
	}
	switch {
	case j.end == noJSON:
		return ""
	case j.end == tooDeep:
		return "json"
	case j.inName:
		return j.path(hides) + ", in a name"
	}
	return j.path(hides)
}

// path renders the way to the innermost value.
func (j *jsonPath) path(hides Hides) string {
	var b strings.Builder
	for i := range j.depth {
		if i == deepest {
			b.WriteString("…")
			break
		}
		l := &j.levels[i]
		if !j.isObject(i) {
			b.WriteString("[" + strconv.Itoa(l.index) + "]")
			continue
		}
		if l.name == noName || j.inName && i == j.depth-1 {
			break
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(memberName(l, j.names[i*mostName:][:l.length], hides))
	}
	what := "json"
	if j.texts > 1 {
		what += " text " + strconv.Itoa(j.texts)
	}
	if b.Len() == 0 {
		return what
	}
	return what + " path " + b.String()
}

// memberName returns the name of a level, which is written as raw between
// quotes.
func memberName(l *level, raw []byte, hides Hides) string {
	quoted := append(append([]byte{'"'}, raw...), '"')
	var s string
	if l.name == longName || hides != nil && hides(quoted) || json.Unmarshal(quoted, &s) != nil {
		return hidden
	}
	return name([]byte(s), hides)
}
