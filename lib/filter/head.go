package filter

import (
	"net/http"

	"bottle/lib/dlp"
	"bottle/lib/refusal"
)

// found makes a finding a refusal. where is "header", "URL", "body" and the
// like; location says it more exactly. Neither they nor the masked sample
// hold the value.
func found(f dlp.Finding, where, location string) *refusal.Refusal {
	r := refusal.New(refusal.SecretInRequest, "request %s contains secret: %s in %s (%s); remove it from the request", where, f.Rule, location, f.Sample)
	r.Rule, r.Location = f.Rule, location
	return r
}

// scanHead judges everything of a request but its body.
func scanHead(rules *dlp.Rules, req *http.Request) error {
	uri := []byte(req.URL.RequestURI())
	if fs := rules.Scan(uri); fs != nil {
		return found(fs[0], "URL", "URL")
	}
	if decoded := dlp.AppendPercentDecoded(nil, uri); len(decoded) != len(uri) {
		if fs := rules.Scan(decoded); fs != nil {
			return found(fs[0], "URL", "URL, percent-encoded")
		}
	}
	return scanFields(rules, req.Header, "header")
}

// scanFields judges header or trailer fields.
func scanFields(rules *dlp.Rules, h http.Header, where string) error {
	var line []byte
	for name, values := range h {
		for _, v := range values {
			line = append(line[:0], name...)
			line = append(line, ": "...)
			line = append(line, v...)
			fs := rules.Scan(line)
			if fs == nil {
				continue
			}
			location := name
			if fs[0].Start < int64(len(name)) { // never print the value, wherever it stands
				location = "the name of a " + where
			}
			return found(fs[0], where, location)
		}
	}
	return nil
}
