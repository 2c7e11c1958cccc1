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
	stream() Stream
}

// Stream is what dlp's streams have in common.
type Stream interface {
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

func (t asText) stream() Stream { return t.NewStream() }
func (f asForm) stream() Stream { return f.NewStream() }

// bodyRules are the rules for the request's body.
func (r *ruling) bodyRules() scanner { return bodyRules(r.rules.all, r.req.Header.Get("Content-Type")) }

func bodyRules(rules *dlp.Rules, contentType string) scanner {
	if kind, _, err := mime.ParseMediaType(contentType); err == nil && kind == "application/x-www-form-urlencoded" {
		return asForm{rules.Form()}
	}
	return asText{rules}
}

// NewStream returns a stream that reads as the filter does a body of the given
// Content-Type that flows: in a form + is a space, too.
func NewStream(rules *dlp.Rules, contentType string) Stream {
	return bodyRules(rules, contentType).stream()
}

// readingOf are rules for a header's value: one with a query in it, as Referer
// has, is read as that.
func readingOf(rules *dlp.Rules, value string) redact.Scanner {
	if strings.Contains(value, "+") && (strings.Contains(value, "?") || strings.Contains(value, "&")) {
		return rules.Form()
	}
	return rules
}
