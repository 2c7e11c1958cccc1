package filter

import (
	"net/http"
	"strings"

	"bottle/lib/authority"
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
func (f *Filter) scanHead(req *http.Request, a authority.Authority) error {
	if fs := f.rules().all.Scan([]byte(req.Method)); fs != nil {
		return found(fs[0], "method", "the method")
	}
	for name := range req.Trailer { // announced before the body; the values come after it
		if err := scanName(f.rules().all, name, "trailer"); err != nil {
			return err
		}
	}
	uri := []byte(req.URL.RequestURI())
	if fs := f.rules().all.Scan(uri); fs != nil {
		return found(fs[0], "URL", "URL")
	}
	if decoded := dlp.AppendPercentDecoded(nil, uri); len(decoded) != len(uri) {
		if fs := f.rules().all.Scan(decoded); fs != nil {
			return found(fs[0], "URL", "URL, percent-encoded")
		}
	}
	for name, values := range req.Header {
		rules := f.rules().all
		if name == "Authorization" {
			rules = f.authorizationRules(a)
		}
		if err := scanField(rules, name, values, "header"); err != nil {
			return err
		}
	}
	return nil
}

// scanTrailer judges what came after the body.
func (f *Filter) scanTrailer(req *http.Request) error {
	for name, values := range req.Trailer {
		if err := scanField(f.rules().all, name, values, "trailer"); err != nil {
			return err
		}
	}
	return nil
}

func scanField(rules *dlp.Rules, name string, values []string, where string) error {
	if err := scanName(rules, name, where); err != nil {
		return err
	}
	for _, v := range values {
		// Some rules want the name beside the value.
		line := make([]byte, 0, 256)
		line = append(append(append(line, name...), ": "...), v...)
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
	return nil
}

// shortest is less than the length of any secret.
const shortest = 16

// scanName judges a field's name, in the lower case that HTTP/2 sends: net/http
// shows it with other capitals, which hide the secret from the rules.
func scanName(rules *dlp.Rules, name, where string) error {
	if len(name) < shortest {
		return nil
	}
	// And in capitals, in which HTTP/1 may have sent it.
	for _, spelling := range []string{strings.ToLower(name), strings.ToUpper(name)} {
		if fs := rules.Scan([]byte(spelling)); fs != nil {
			return found(fs[0], where, "the name of a "+where)
		}
	}
	return nil
}
