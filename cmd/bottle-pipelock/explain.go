package main

import (
	"fmt"
	"io"
	"strings"

	"bottle/lib/allowlist"
	"bottle/lib/authority"
	"bottle/lib/dlp"
	"bottle/lib/filter"
	"bottle/lib/locate"
)

// explainer knows what the allowlist silences, says why something is taken for
// a secret, and what would silence it. A nil one does nothing.
type explainer struct {
	words bool // say it
	about []dlp.Rule
	rules *dlp.Rules
	list  *allowlist.List
	fresh bool // its key is not in any file yet
	where *locate.Stream
}

// take follows the input.
func (e *explainer) take(p []byte) {
	if e != nil {
		e.where.Feed(p)
	}
}

// settle says that nothing is found any more that begins before offset n.
func (e *explainer) settle(n int64) {
	if e != nil {
		e.where.Settle(n)
	}
}

func (e *explainer) location(f dlp.Finding) string {
	return e.where.At(locate.Range{Start: f.Start, End: f.End}, func(name []byte) bool { return e.rules.Scan(name) != nil })
}

// allows reports whether the allowlist silences a finding.
func (e *explainer) allows(f dlp.Finding) bool {
	return e != nil && e.list.Knows(f.Rule, f.Label) && e.list.Allows(f.Rule, e.location(f), f.Label, authority.Authority{})
}

// print writes the explanation of a finding.
func (e *explainer) print(w io.Writer, f dlp.Finding) error {
	location := e.location(f)
	var b strings.Builder
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%-10s %s\n", name+":", text)
		}
	}
	for _, pair := range filter.Explain(e.about, f.Rule) {
		line(pair[0], pair[1])
	}
	line("bytes", fmt.Sprintf("%d to %d", f.Start, f.End))
	line("location", location)
	line("undone", f.Encoding)
	line("sample", f.Sample)
	if e.allows(f) {
		line("allowed", "by the allowlist")
	} else {
		b.WriteString("\n# If it is no secret, this in the allowlist silences it:\n")
		if e.fresh {
			b.WriteString("# (once, at the top of the file)\n" + e.list.KeyLine())
			e.fresh = false
		}
		b.WriteString(allowlist.Entry(f.Rule, location, f.Label))
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}
