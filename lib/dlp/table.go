package dlp

import (
	"bytes"
	"fmt"
	"strings"
)

// row is a rule for a credential with a public prefix, as the tables have them.
type row struct {
	name     string
	what     string
	prefixes string // separated by |; with a class in front where the mark of a form is amid it: <a>{76}AZDO
	body     string // forms in notation, separated by |: what follows the prefix
	source   string

	structure string                  // what check looks for; empty with a nil check
	check     func(match []byte) bool // beyond what every row is checked for
}

// fromRows makes the rules of a table. They match words of their own: neither letter nor digit before them, nor more of the body's last class behind.
// Their bodies are as varied as random text of that length is at least, and no placeholder.
func fromRows(rows []row) []Rule {
	rules := make([]Rule, len(rows))
	for i, r := range rows {
		kinds := kindsOf(notation(first(r.body)))
		prefixes := strings.Split(r.prefixes, "|")
		rules[i] = Rule{
			Name:    r.name,
			Matches: fmt.Sprintf("%s: %s and %s", r.what, strings.Join(prefixes, " or "), strings.ReplaceAll(r.body, "|", " or ")),
			Source:  r.source,
			Check:   checkLine(kinds, r.structure),
		}
		for _, prefix := range prefixes {
			behind, prefix := tailOf(prefix)
			for form := range strings.SplitSeq(r.body, "|") {
				steps := notation(form)
				kinds := kinds
				if behind != nil { // most of what varies stands before the mark
					kinds = min((steps[0].min+1)/2, 3)
					if len(steps) > 1 && steps[1].min > 0 { // =
						kinds++
					}
				}
				p := pattern{keywords: []string{prefix}, behind: behind, steps: steps, after: behindRow(steps[len(steps)-1].class), joins: joiningOf(prefix, steps)}
				if behind != nil && behind.min > longTail {
					p.joins = joinChecked // what stands before it tells enough
				}
				if behind == nil && alnum[prefix[0]] {
					p.before = alnum
				}
				p.check = all(func(m []byte) bool {
					body := m[len(prefix):]
					return varied(body, kinds) && !placeholder(body) && (r.check == nil || r.check(m))
				})
				rules[i].patterns = append(rules[i].patterns, p)
			}
		}
	}
	return rules
}

// behindRow is what may not follow a form that ends in last. A path goes on with a slash, and a name of a parameter with =.
func behindRow(last *class) *class {
	after := *union(alnum, last)
	after['/'], after['='] = false, false
	return &after
}

// tailOf splits a prefix of a table into what must precede the mark and the mark.
func tailOf(prefix string) (*tail, string) {
	if prefix[0] != '<' && prefix[0] != '[' {
		return nil, prefix
	}
	end := strings.IndexByte(prefix, '}') + 1
	s := notation(prefix[:end])[0]
	t := &tail{class: s.class, min: s.min, max: s.max, segment: s.class}
	if s.class['/'] {
		segment := *s.class
		segment['/'] = false
		t.segment = &segment
	}
	return t, prefix[end:]
}

func first(forms string) string {
	form, _, _ := strings.Cut(forms, "|")
	return form
}

func checkLine(kinds int, structure string) string {
	line := fmt.Sprintf("exact form, a word of its own, at least %d different characters, no placeholder", kinds)
	if structure != "" {
		line = structure + "; " + line
	}
	return line
}

// kindsOf returns how many different characters random text in this form has at least, with much room: fewer than one in
// a million has not.
func kindsOf(steps []step) int {
	longest, size := 0, 0
	for _, s := range steps {
		if s.min <= longest {
			continue
		}
		longest, size = s.min, 0
		for _, in := range s.class {
			if in {
				size++
			}
		}
	}
	return min(max(longest/3, 3), max(size/3, 3), 12)
}

// placeholders are what documentation puts into the place of a credential.
var placeholders = []string{"example", "xxxxx", "your_", "your-", "yourtoken", "yourapi", "yoursecret", "placeholder", "changeme", "redacted", "12345678", "abcdefgh", "00000000", "01020304", "...", "****"}

// placeholder reports whether body stands for a credential instead of being one.
func placeholder(body []byte) bool {
	var folded [256]byte
	n := copy(folded[:], body)
	for i := range n {
		folded[i] = fold(folded[i])
	}
	for _, p := range placeholders {
		if bytes.Contains(folded[:n], []byte(p)) {
			return true
		}
	}
	return false
}

func union(a, b *class) *class {
	var c class
	for i := range c {
		c[i] = a[i] || b[i]
	}
	return &c
}
