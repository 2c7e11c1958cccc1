package locate

import (
	"encoding/json"
	"strconv"
	"strings"
)

const (
	// deepest is how many levels of a path are shown.
	deepest = 32
	// mostFrames bounds the memory; nothing honest nests deeper.
	mostFrames = 1000
)

// frame is an array or object that is open.
type frame struct {
	object     bool
	start, end int // of the member's name that was read last, with its quotes
	index      int // of the element, in an array
}

// jsonPath says in which value of a JSON text the range begins: "json path
// messages[3].content", or "json" for the outermost. It reads the text up to
// there and expects no more of it than that its strings and brackets are those of
// JSON; of several texts in a row (NDJSON) it says which.
func jsonPath(text []byte, at Range, hides Hides) string {
	var stack []frame
	value, name := 0, false // of the texts in a row; the next string is a name
	for i := 0; i < len(text) && int64(i) <= at.Start; i++ {
		switch c := text[i]; c {
		case '{', '[':
			if len(stack) == 0 {
				value++
			}
			if len(stack) == mostFrames {
				return "json"
			}
			stack = append(stack, frame{object: c == '{', start: -1})
			name = c == '{'
		case '}', ']':
			if len(stack) == 0 || stack[len(stack)-1].object != (c == '}') {
				return ""
			}
			stack, name = stack[:len(stack)-1], false
		case ',':
			if len(stack) > 0 {
				top := &stack[len(stack)-1]
				top.index++
				name = top.object
			}
		case '"':
			end := stringEnd(text, i)
			if int64(end) > at.Start {
				if name {
					return jsonWhere(text, stack, value, at, hides) + ", in a name"
				}
				return jsonWhere(text, stack, value, at, hides)
			}
			if name {
				top := &stack[len(stack)-1]
				top.start, top.end, name = i, end, false
			}
			i = end - 1
		}
	}
	return jsonWhere(text, stack, value, at, hides)
}

// stringEnd returns the index after the string that begins at i.
func stringEnd(text []byte, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

// jsonWhere renders the way to the innermost frame.
func jsonWhere(text []byte, stack []frame, value int, at Range, hides Hides) string {
	var b strings.Builder
	for level, f := range stack {
		if level == deepest {
			b.WriteString("…")
			break
		}
		if !f.object {
			b.WriteString("[" + strconv.Itoa(f.index) + "]")
			continue
		}
		if f.start < 0 {
			break // no name yet: a text that is cut off
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(memberName(text[f.start:f.end], f.start, at, hides))
	}
	what := "json"
	if value > 1 {
		what += " text " + strconv.Itoa(value)
	}
	if b.Len() == 0 {
		return what
	}
	return what + " path " + b.String()
}

// memberName returns the name in a string that begins at start of the text.
func memberName(quoted []byte, start int, at Range, hides Hides) string {
	var s string
	switch {
	case at.overlaps(start, start+len(quoted)), hides != nil && hides(quoted):
		return hidden
	case json.Unmarshal(quoted, &s) != nil:
		return hidden
	}
	return name([]byte(s), hides)
}
