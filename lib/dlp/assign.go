package dlp

import (
	"bytes"
	"fmt"
	"strings"
)

// assignment is a rule for a credential that only the name before it gives away: DATADOG_API_KEY=….
type assignment struct {
	name   string
	what   string
	names  string // separated by |, in lower case; matched in any case, with any of wordBreak or nothing for _
	body   string // forms in notation, separated by |
	source string

	structure string
	check     func(value []byte) bool
}

func fromAssignments(table []assignment) []Rule {
	rules := make([]Rule, len(table))
	for i, a := range table {
		kinds := kindsOf(notation(first(a.body)))
		rules[i] = Rule{
			Name:    a.name,
			Matches: fmt.Sprintf("%s: %s after %s", a.what, a.body, strings.ReplaceAll(a.names, "|", " or ")),
			Source:  a.source,
			Check:   checkLine(kinds, a.structure),
			patterns: assigning(a.names, a.body, func(v []byte) bool {
				return varied(v, kinds) && !placeholder(v) && (a.check == nil || a.check(v))
			}),
		}
	}
	return rules
}

// assigning returns the patterns of values of one of the forms behind one of the names.
func assigning(names, forms string, ok func(value []byte) bool) []pattern {
	keywords := strings.Split(names, "|")
	var patterns []pattern
	for form := range strings.SplitSeq(forms, "|") {
		steps := notation(form)
		between, after := gapBefore(steps), union(alnum, steps[len(steps)-1].class)
		for _, name := range keywords {
			patterns = append(patterns, pattern{
				keywords: []string{name},
				fold:     true,
				spelled:  true,
				steps:    seq([]step{gapStep(between)}, steps),
				after:    after,
				joins:    joinLines,
				joinFrom: 1,
				aside:    firstOfRow,
				check: func(m []byte) (int, int, bool) {
					end := lengthOf(name, m)
					n, _ := between(m[end:min(len(m), end+gapMax)])
					from := end + n
					return from, len(m), ok(m[from:])
				},
			})
		}
	}
	return patterns
}

// assigned is what may stand between a name and its value, in the languages that agents write.
var assigned = set(" \t\r\n\"'`\\:=<>,;()[]{}|?")

const (
	// gapMax is how many bytes may stand between a name and its value.
	gapMax = 64
	// assignedMax is how many of them may be of assigned in a row, and binaryMax how many if they are no text.
	assignedMax = 24
	binaryMax   = 8
)

// links are words that may stand between a name and its value: those of lists whose elements have a name and a value (Kubernetes,
// Compose, cloud consoles), of types, and of prose.
var links = []string{"value", "is", "was", "are", "str", "string", "default", "val", "parametervalue", "defaultvalue", "plain", "plaintext", "to", "type", "securestring",
	"get", "set", "init", "private", "secretstr", "secretstring", "some", "new", "q", "qq", "qw", "body"}

// gapBefore returns the gap between a name and a value of the form steps.
func gapBefore(steps []step) func(rest []byte) (n int, short bool) {
	shortest, longest := 0, 0
	for _, s := range steps {
		shortest, longest = shortest+s.min, longest+s.max
	}
	first := steps[0].class
	return func(rest []byte) (int, bool) {
		if len(rest) == 0 {
			return 0, true
		}
		if c := rest[0]; beginsBinary(c) && !(c == '\x1b' && len(rest) > 1 && rest[1] == '[') {
			return binaryGap(rest, shortest, longest, first)
		}
		return textGap(rest)
	}
}

// gapStep is the step of such a gap.
func gapStep(gap func(rest []byte) (n int, short bool)) step {
	return step{class: assigned, min: 1, max: gapMax, gap: gap, begins: beginsGap}
}

// beginsBinary reports whether c can begin what binaryGap takes; 'x' begins a string of CBOR.
func beginsBinary(c byte) bool { return isBinary(c) || c == 'x' || c >= 0x80 }

// beginsGap is what either can begin with.
var beginsGap = func() *class {
	c := *assigned
	for b := range c {
		c[b] = c[b] || beginsBinary(byte(b))
	}
	return &c
}()

// binaryGap takes what stands between two strings in protobuf, MessagePack or CBOR. It ends in the length of the value.
func binaryGap(rest []byte, shortest, longest int, first *class) (n int, short bool) {
	for i := 1; i <= binaryMax; i++ {
		if i >= len(rest) {
			return 0, true
		}
		length := int(rest[i-1])
		if length&0xE0 == 0xA0 { // MessagePack's fixstr
			length &= 0x1F
		}
		ok := length >= shortest && length <= longest || i > 1 && longest > 0xFF
		if ok && first[rest[i]] && (i > 1 || rest[0] != 'x') {
			return i, false
		}
	}
	return 0, false
}

// textGap takes punctuation, and the words that stand amid it.
func textGap(rest []byte) (n int, short bool) {
	for words := 0; ; words++ {
		begin := n
		for n < len(rest) && n-begin < assignedMax {
			if c := rest[n]; assigned[c] && c != '\\' {
				n++
				continue
			}
			skip, short := between(rest, n)
			if short {
				return len(rest), true
			}
			if skip == 0 {
				break
			}
			n += skip
		}
		switch {
		case n == len(rest):
			return n, true
		case n == begin:
			return 0, false
		case rest[n] == '-' && rest[n-1] == ':': // ${NAME:-value}
			return n + 1, false
		}
		if rest[n] == '&' {
			skip, short := reference(rest[n:])
			if short {
				return n, true
			}
			n += skip
		}
		end := n
		for end < len(rest) && letter[rest[end]] {
			end++
		}
		switch {
		case end == len(rest) && end-n <= maxLink:
			return n, true
		case words == maxLinks || end == len(rest) || !assigned[rest[end]] || !isLink(rest[n:end]) && !(rest[n-1] == '/' && end-n <= maxLink): // a tag that ends has any name
			return n, false
		}
		n = end
	}
}

// between returns how long the punctuation is that stands at rest[n]: a byte of assigned, the / of a tag that ends, the letter of an
// escaped line's end, what sets a terminal's colors, the hyphens of a command's next option, or the letter before a string in quotation marks.
func between(rest []byte, n int) (length int, short bool) {
	c, after := rest[n], rest[n+1:]
	switch {
	case isLongEscape(rest[n:]):
		return 0, false
	case c == '\\' && len(after) > 0 && isShortEscape(after[0]):
		return 2, false
	case assigned[c], c == '/' && n > 0 && rest[n-1] == '<':
		return 1, false
	case c == '\x1b':
		return color(rest[n:])
	case c == '-' && n > 0 && rest[n-1] == ' ':
		switch {
		case len(after) == 0 || after[0] == '-' && len(after) == 1:
			return 0, true
		case after[0] == '-' && lower[after[1]]:
			return 2, false
		}
	case stringLetter[c] && n > 0 && (rest[n-1] == '=' || rest[n-1] == ' ' || rest[n-1] == '('):
		if len(after) == 0 {
			return 0, true
		}
		if after[0] == '"' || after[0] == '\'' {
			return 2, false
		}
	}
	return 0, false
}

// stringLetter are the letters that stand before strings of bytes, raw and formatted ones, in Python, Rust, C and C#.
var stringLetter = set("brufLNR@")

// color returns how long what sets a terminal's colors is at the begin of b, which begins with the escape character.
func color(b []byte) (length int, short bool) {
	for i := 1; i < colorLen; i++ {
		switch {
		case i == len(b):
			return 0, true
		case i == 1 && b[i] == '[', i > 1 && (digit[b[i]] || b[i] == ';'):
		case i > 1 && (b[i] == 'm' || b[i] == 'K'):
			return i + 1, false
		default:
			return 0, false
		}
	}
	return 0, false
}

// reference returns how long what stands before str is in Rust's &str and &'static str.
func reference(rest []byte) (n int, short bool) {
	for _, word := range []string{"&str", "&'static str"} {
		switch {
		case bytes.HasPrefix(rest, []byte(word)):
			return len(word) - len("str"), false
		case strings.HasPrefix(word, string(rest)):
			short = true
		}
	}
	return 0, short
}

// isLongEscape reports whether b begins with the escape of a character, which is undone elsewhere.
func isLongEscape(b []byte) bool {
	return len(b) > 1 && b[0] == '\\' && (b[1]|0x20 == 'u' || b[1] == 'x' || len(b) > 3 && (b[1] == '0' || b[1] == '1') && isOctal(b[2]) && isOctal(b[3]))
}

const (
	maxLink  = 14 // letters
	maxLinks = 4
)

func isLink(word []byte) bool {
	if len(word) > maxLink {
		return false
	}
	for _, l := range links {
		if len(l) == len(word) && bytes.EqualFold([]byte(l), word) {
			return true
		}
	}
	return false
}
