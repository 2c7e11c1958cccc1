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
	prefixes string // separated by |
	body     string // in notation, what follows the prefix
	source   string

	structure string                  // what check looks for; empty with a nil check
	check     func(match []byte) bool // beyond what every row is checked for
}

// assignment is a rule for a credential that only the name before it gives away: DATADOG_API_KEY=….
type assignment struct {
	name   string
	what   string
	names  string // separated by |, in lower case; matched in any case, with _, - or nothing between words
	body   string
	source string

	structure string
	check     func(value []byte) bool
}

// rules of rows are words of their own: neither letter nor digit before them, nor more of the body's last class behind.
// Their bodies are as varied as random text of that length is at least, and no placeholder.
func fromRows(rows []row) []Rule {
	rules := make([]Rule, len(rows))
	for i, r := range rows {
		steps := notation(r.body)
		kinds := kindsOf(steps)
		prefixes := strings.Split(r.prefixes, "|")
		rules[i] = Rule{
			Name:    r.name,
			Matches: fmt.Sprintf("%s: %s and %s", r.what, strings.Join(prefixes, " or "), r.body),
			Source:  r.source,
			Check:   checkLine(kinds, r.structure),
		}
		for _, prefix := range prefixes {
			p := pattern{keywords: []string{prefix}, steps: steps, after: union(alnum, steps[len(steps)-1].class), joins: joiningOf(prefix, steps)}
			if alnum[prefix[0]] {
				p.before = alnum
			}
			p.check = all(func(m []byte) bool {
				body := m[len(prefix):]
				return varied(body, kinds) && !placeholder(body) && (r.check == nil || r.check(m))
			})
			rules[i].patterns = append(rules[i].patterns, p)
		}
	}
	return rules
}

// assigned is what may stand between a name and its value, in the languages that agents write.
var assigned = set(" \t\r\n\"'`\\:=>,;()[]{}|")

func fromAssignments(table []assignment) []Rule {
	rules := make([]Rule, len(table))
	for i, a := range table {
		steps := notation(a.body)
		kinds := kindsOf(steps)
		shortest := 0
		for _, s := range steps {
			shortest += s.min
		}
		rules[i] = Rule{
			Name:    a.name,
			Matches: fmt.Sprintf("%s: %s after %s", a.what, a.body, strings.ReplaceAll(a.names, "|", " or ")),
			Source:  a.source,
			Check:   checkLine(kinds, a.structure),
		}
		var keywords []string
		for _, name := range strings.Split(a.names, "|") {
			keywords = append(keywords, name, strings.ReplaceAll(name, "_", "-"), strings.ReplaceAll(name, "_", ""))
		}
		rules[i].patterns = []pattern{{
			keywords: unique(keywords),
			fold:     true,
			steps:    seq(run(assigned, 1, 24), steps),
			after:    union(alnum, steps[len(steps)-1].class),
			check: func(m []byte) (int, int, bool) {
				from := valueStart(m, shortest)
				v := m[from:]
				return from, len(m), varied(v, kinds) && !placeholder(v) && (a.check == nil || a.check(v))
			},
		}}
	}
	return rules
}

// valueStart returns where the value of an assignment begins: behind the last byte that can stand between, seen from
// where the value is at its shortest.
func valueStart(match []byte, shortest int) int {
	at := len(match) - shortest
	for at > 0 && !assigned[match[at-1]] {
		at--
	}
	return at
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
var placeholders = []string{"example", "xxxxx", "your_", "your-", "yourtoken", "yourapi", "yoursecret", "placeholder", "changeme", "redacted", "12345678", "abcdefgh", "00000000", "....", "****"}

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

func unique(list []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}
