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

// mostLocated is how much of the input is kept to say where in it something
// stands.
const mostLocated = 16 << 20

// explainer says why something is taken for a secret, and what silences it. A
// nil one does nothing.
type explainer struct {
	about []dlp.Rule
	rules *dlp.Rules
	list  *allowlist.List
	fresh bool // its key is not in any file yet
	text  []byte
}

// take keeps the beginning of the input.
func (e *explainer) take(p []byte) {
	if e != nil {
		e.text = append(e.text, p[:min(len(p), mostLocated-len(e.text))]...)
	}
}

// print writes the explanation of a finding.
func (e *explainer) print(w io.Writer, f dlp.Finding) error {
	location := "body"
	if f.Start < int64(len(e.text)) {
		location = locate.Text(e.text, locate.Range{Start: f.Start, End: f.End}, func(name []byte) bool { return e.rules.Scan(name) != nil })
	}
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
	if e.list.Allows(f.Rule, location, f.Label, authority.Authority{}) {
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
