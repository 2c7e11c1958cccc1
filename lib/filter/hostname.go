package filter

import (
	"net/http"
	"strings"

	"bottle/lib/authority"
	"bottle/lib/forward"
	"bottle/lib/refusal"
)

// named judges the name in a CONNECT, as it was written, before anybody looks
// it up.
func (f *Filter) named(written string, a authority.Authority) *refusal.Refusal {
	p, ok := f.allow.Match(a)
	if !ok {
		return f.notAllowed(a)
	}
	if !p.IsWildcard() {
		return nil // the operator chose the name
	}
	r := f.ruling(&http.Request{Header: http.Header{}}, &forward.Exchange{Destination: a})
	if err := r.scanHostname(written, p); err != nil {
		return hostless(err, p)
	}
	return nil
}

// hostless is a refusal that does not repeat the host's name, which may be the
// secret, but the pattern that allowed it.
func hostless(err error, p authority.Pattern) *refusal.Refusal {
	r := refusal.From(err)
	r.Host = p.String()
	return r
}

// scanHostname judges the labels of a host that the wildcard p allows: a name
// is sent to name servers, and its labels are the client's choice.
func (r *ruling) scanHostname(written string, p authority.Pattern) error {
	if i := strings.LastIndexByte(written, ':'); i >= 0 {
		written = written[:i]
	}
	written = strings.TrimSuffix(written, ".")
	suffix := "." + p.Host()
	if len(written) <= len(suffix) || !strings.EqualFold(written[len(written)-len(suffix):], suffix) {
		return nil // another spelling of the name; what is looked up is the canonical one
	}
	labels := written[:len(written)-len(suffix)]
	if len(labels) < knownShortest {
		return nil
	}
	// As a whole, each by itself, and as one text that was cut to fit: a label
	// has 63 bytes at most (RFC 1035, section 2.3.4).
	joined := strings.ReplaceAll(labels, ".", "")
	texts := append([]string{labels, joined}, strings.Split(labels, ".")...)
	// Names come in lower case; base32 is written in capitals, as are some tokens.
	for _, text := range []string{joined, labels} {
		texts = append(texts, strings.ToUpper(text))
	}
	for _, label := range strings.Split(labels, ".") {
		texts = append(texts, strings.ToUpper(label))
	}
	for _, text := range texts {
		at := place{where: "host name", location: "host name", fixed: true}
		if _, err := r.filter.judgeFindings(r, r.rules.all.Scan([]byte(text)), at); err != nil {
			return err
		}
	}
	return nil
}

// knownShortest is the length of the shortest known secret.
const knownShortest = 8
