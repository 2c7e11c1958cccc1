package filter

import (
	"mime"
	"strings"

	"bottle/lib/dlp"
	"bottle/lib/redact"
)

// scanner is a set of rules with the reading of the text that they are used on.
type scanner interface {
	redact.Scanner
	stream() stream
}

// stream is what dlp's streams have in common.
type stream interface {
	Scan(p []byte) (clean int64, found []dlp.Finding)
	Finish() []dlp.Finding
	Settled() int64
	Size() int
	Release()
}

// asText reads bytes as they are, asForm those of a form or a query too, in which +
// stands for a space.
type (
	asText struct{ *dlp.Rules }
	asForm struct{ dlp.Form }
)

func (t asText) stream() stream { return t.NewStream() }
func (f asForm) stream() stream { return f.NewStream() }

// bodyRules are the rules for the request's body.
func (r *ruling) bodyRules() scanner {
	if kind, _, err := mime.ParseMediaType(r.req.Header.Get("Content-Type")); err == nil && kind == "application/x-www-form-urlencoded" {
		return asForm{r.rules.all.Form()}
	}
	return asText{r.rules.all}
}

// readingOf are rules for a header's value: one with a query in it, as Referer
// has, is read as that.
func readingOf(rules *dlp.Rules, value string) redact.Scanner {
	if strings.Contains(value, "+") && (strings.Contains(value, "?") || strings.Contains(value, "&")) {
		return rules.Form()
	}
	return rules
}
