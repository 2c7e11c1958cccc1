package filter

import (
	"net/url"
	"slices"
	"strings"

	"bottle/lib/dlp"
	"bottle/lib/locate"
	"bottle/lib/redact"
)

// scanHead judges everything of a request but its body.
func (r *ruling) scanHead() error {
	f, req, rules := r.filter, r.req, r.rules.head
	if _, err := f.judgeFindings(r, rules.Scan([]byte(req.Method)), place{where: "method", location: "the method", fixed: true}); err != nil {
		return err
	}
	for name := range req.Trailer { // announced before the body; the values come after it
		if err := r.scanName(rules, name, "trailer"); err != nil {
			return err
		}
	}
	if err := r.scanURL(); err != nil {
		return err
	}
	for name, values := range req.Header {
		rules := rules
		if name == "Authorization" {
			rules = r.rules.authorization
		}
		if err := r.scanField(rules, name, values, "header"); err != nil {
			return err
		}
	}
	return nil
}

func (r *ruling) scanURL() error {
	f, rules := r.filter, r.rules.head.Form()
	uri := []byte(r.req.URL.RequestURI())
	p := place{where: "URL", location: "URL", locate: func(at locate.Range) string { return locate.URL(uri, at, r.hides) }}
	fs := rules.Scan(uri)
	if fs == nil {
		if decoded := dlp.AppendPercentDecoded(nil, uri); len(decoded) != len(uri) {
			p = place{where: "URL", location: "URL", coding: "percent", fixed: true}
			_, err := f.judgeFindings(r, rules.Scan(decoded), p)
			return err
		}
		return nil
	}
	fs, err := f.judgeFindings(r, fs, p)
	if err != nil || fs == nil {
		return err
	}
	text, err := r.replaced(rules, uri, fs, p, redact.Percent)
	if err != nil {
		return err
	}
	u, err := url.ParseRequestURI(string(text))
	if err != nil || r.req.URL.Opaque != "" || u.RequestURI() != string(text) {
		return r.cannot(fs[0], p)
	}
	to := *r.req.URL
	to.Path, to.RawPath, to.RawQuery, to.ForceQuery = u.Path, u.RawPath, u.RawQuery, u.ForceQuery
	r.req.URL = &to
	if strings.HasPrefix(r.req.RequestURI, "/") {
		r.req.RequestURI = string(text)
	} else {
		r.req.RequestURI = to.String()
	}
	return nil
}

// scanTrailer judges what came after the body. Digests of a body that was
// changed are taken out.
func (r *ruling) scanTrailer(changed bool) error {
	for name, values := range r.req.Trailer {
		if changed && isDigest(name) {
			delete(r.req.Trailer, name)
			continue
		}
		if err := r.scanField(r.rules.head, name, values, "trailer"); err != nil {
			return err
		}
	}
	return nil
}

// scanField judges a header or trailer field, and replaces in values.
func (r *ruling) scanField(rules *dlp.Rules, name string, values []string, where string) error {
	if err := r.scanName(rules, name, where); err != nil {
		return err
	}
	for i, v := range values {
		rules := readingOf(rules, v)
		// Some rules want the name beside the value.
		line := make([]byte, 0, 256)
		line = append(append(append(line, name...), ": "...), v...)
		fs := rules.Scan(line)
		if fs == nil {
			continue
		}
		p := place{where: where, location: where + " " + r.fieldName(name), fixed: unchangeable[name]}
		if fs[0].Start < int64(len(name)) { // never print the value, wherever it stands
			p.location, p.fixed = "the name of a "+where, true
		} else if name == "Cookie" {
			p.locate = func(at locate.Range) string {
				n := int64(len(name) + len(": "))
				return locate.Cookie([]byte(v), locate.Range{Start: at.Start - n, End: at.End - n}, r.hides)
			}
		}
		fs, err := r.filter.judgeFindings(r, fs, p)
		if err != nil {
			return err
		}
		if fs == nil {
			continue
		}
		line, err = r.replaced(rules, line, fs, p, redact.Plain)
		if err != nil {
			return err
		}
		if !strings.HasPrefix(string(line), name+": ") {
			return r.cannot(fs[0], p)
		}
		values[i] = string(line[len(name)+2:])
	}
	return nil
}

const (
	// shortestToken is less than the length of any secret that is known by its
	// form.
	shortestToken = 16
	// shortestKnown is the length of the shortest known secret.
	shortestKnown = 8
)

// scanName judges a field's name, in the lower case that HTTP/2 sends: net/http
// shows it with other capitals, which hide the secret from the rules. Those for
// names do without what the case tells.
func (r *ruling) scanName(rules *dlp.Rules, name, where string) error {
	if len(name) < r.rules.shortest {
		return nil
	}
	p := place{where: where, location: "the name of a " + where, fixed: true}
	if len(name) >= shortestToken {
		for _, spelling := range spellings(name) {
			if _, err := r.filter.judgeFindings(r, rules.Scan([]byte(spelling)), p); err != nil {
				return err
			}
		}
	}
	_, err := r.filter.judgeFindings(r, r.rules.names.Scan([]byte(name)), p)
	return err
}

// spellings are those of a field's name that net/http does not show: of HTTP/2,
// and in capitals, as HTTP/1 may have sent it.
func spellings(name string) []string { return []string{strings.ToLower(name), strings.ToUpper(name)} }

// fieldName is how a field's name is shown.
func (r *ruling) fieldName(name string) string {
	return locate.Name(name, func([]byte) bool {
		return len(name) >= r.rules.shortest && (r.rules.names.Scan([]byte(name)) != nil ||
			slices.ContainsFunc(spellings(name), func(s string) bool { return r.hides([]byte(s)) }))
	})
}
