// Package inject is the policy of bottle-egress: which hosts have a route, what
// the agent's request may carry there, and which credential is put on instead.
//
// The work on a request is three martian modifiers, run by package forward in
// this order: [judge] decides and changes nothing, [strip] removes the agent's
// credentials, [put] sets the real one. [redaction] sees that it does not come back.
package inject

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/martian/v3/fifo"

	"bottle/lib/authority"
	"bottle/lib/credential"
	"bottle/lib/forward"
	"bottle/lib/refusal"
)

// Policy returns the engine's policy for the routes. Everything is
// intercepted; a host without a route is refused.
func (t *Routes) Policy() *forward.Policy {
	remove := fifo.NewGroup()
	remove.AddRequestModifier(strip{})
	remove.AddRequestModifier(narrow{t})
	return &forward.Policy{
		Tunnel:   t.tunnel,
		Judge:    judge{t},
		Strip:    remove,
		Inject:   put{},
		Answer:   t.answer,
		Retry:    t.retry,
		Response: redaction{t},
	}
}

func (t *Routes) tunnel(a authority.Authority) forward.Verdict {
	r := t.match(a)
	if r == nil {
		return forward.Verdict{Refusal: noRoute(a)}
	}
	return forward.Verdict{Treatment: forward.Intercept, Route: r.Pattern.String(), RefusalStatus: r.RefusalStatus}
}

func noRoute(a authority.Authority) *refusal.Refusal {
	return refusal.New(refusal.NoRoute, "no route leads to %s; ask the operator to add one to bottle.toml, or do without", a)
}

func cleartext(a authority.Authority) *refusal.Refusal {
	return refusal.New(refusal.CleartextRefused, "the route to %s carries a credential; use https://", a)
}

// decision is what judge tells put, and put those that look at the answer.
type decision struct {
	route  *Route
	inject bool
	// given is what the agent sent in the places of the route's credential, if
	// that was this bottle's dummy; as long as route.auth.
	given []given
	// sent is every real value on the request, longest first; empty until put
	// has run. A second put, of the same request sent again, replaces it.
	sent []Sent
	// source and expiry describe what was sent: where all of it comes from, and
	// when the first of it ends.
	source string
	expiry time.Time
	// states are what put took from each source.
	states map[credential.Source]credential.State
}

// given is a dummy, and the value that it stood in.
type given struct{ dummy, whole string }

type judge struct{ routes *Routes }

// ModifyRequest refuses what the route does not allow, and decides whether the
// real credential goes on.
func (j judge) ModifyRequest(req *http.Request) error {
	x := forward.ExchangeOf(req)
	r := j.routes.match(x.Destination)
	if r == nil && x.Scheme == "http" && j.routes.match(authority.Authority{Host: x.Destination.Host, Port: authority.DefaultPort}) != nil {
		return refusal.New(refusal.CleartextRefused, "the route to %s is for https://; ask for that", x.Destination.Host)
	}
	if r == nil {
		return noRoute(x.Destination)
	}
	x.Route, x.RefusalStatus = r.Pattern.String(), r.RefusalStatus
	if x.Scheme != "https" && (!r.open() || r.endpoint != nil) {
		return cleartext(x.Destination)
	}
	if r.Methods != nil && !slices.Contains(r.Methods, req.Method) {
		return refusal.New(refusal.MethodNotAllowed, "the route to %s allows %s only; ask the operator to add it to the route's methods in bottle.toml, or do without", x.Destination, strings.Join(r.Methods, ", "))
	}
	if name := overrides(req.Header, r); name != "" {
		return refusal.New(refusal.MethodNotAllowed, "%s can change what the request asks for, and the route to %s has a rule about that; send it without", name, x.Destination)
	}
	switch ok, err := r.paths.Match(req.URL.EscapedPath()); {
	case err != nil:
		return refusal.New(refusal.AmbiguousPath, "the path can be read in two ways, and the route to %s has a path rule; send it without dot segments, empty segments or encoded slashes", x.Destination)
	case !ok:
		return refusal.New(refusal.PathNotAllowed, "the route to %s does not cover this path; ask the operator to add it to the route's paths in bottle.toml, or do without", x.Destination)
	}
	if err := j.routes.judgeGit(x, req, r); err != nil {
		return err
	}
	if r.endpoint != nil {
		if no := r.endpoint.Judge(req); no != nil {
			return no
		}
	}
	d := &decision{route: r}
	if err := j.wantsCredential(req, d, x.Destination); err != nil {
		return err
	}
	x.State, x.Redacts = d, d.redacts()
	return nil
}

// wantsCredential decides whether the real credential goes on req, and notes
// the dummies that it came with.
func (j judge) wantsCredential(req *http.Request, d *decision, a authority.Authority) error {
	r := d.route
	if len(req.Header["Authorization"]) > 1 {
		return refusal.New(refusal.AmbiguousCredential, "the request carries more than one Authorization; send one")
	}
	if r.open() {
		return nil
	}
	d.given = make([]given, len(r.auth))
	d.inject = r.Mode == Always
	if r.Mode == Replace {
		if name := otherCredential(req.Header, r); name != "" {
			return refusal.New(refusal.ForeignCredential, "the request to %s carries a credential in %s; only this bottle's own dummy login is accepted there", a, name)
		}
	}
	for i := range r.auth {
		p := &r.auth[i]
		if !p.secret() {
			continue
		}
		sent := p.sent(req)
		if len(sent) > 1 && r.Mode == Replace {
			return refusal.New(refusal.AmbiguousCredential, "the request carries more than one credential in %s; send one", p)
		}
		for _, value := range sent {
			token, ok := p.tokenOf(value)
			if ok = ok && j.routes.isDummy(token); ok {
				d.given[i], d.inject = given{token, value}, true
			} else if r.Mode == Replace {
				return refusal.New(refusal.ForeignCredential, "the request to %s carries a credential that is not this bottle's dummy login; use the login that the bottle gave you", a)
			}
		}
	}
	return nil
}

type strip struct{}

// ModifyRequest removes the credentials that the agent sent, or announced to
// send after the body: a name that is not in Trailer does not get through.
func (strip) ModifyRequest(req *http.Request) error {
	stripCredentials(req.Header)
	stripCredentials(req.Trailer)
	return nil
}

type put struct{}

// ModifyRequest sets the real credential where judge said so.
func (put) ModifyRequest(req *http.Request) error {
	x := forward.ExchangeOf(req)
	d, ok := x.State.(*decision)
	if !ok {
		return refusal.New(refusal.CredentialUnavailable, "the request was not judged; nothing is sent")
	}
	x.Credential = "none"
	if d.route.endpoint != nil {
		x.Credential = forward.CredentialDummy
	}
	if !d.inject {
		return nil
	}
	if x.Scheme != "https" { // judge has seen to it; a credential is worth a second look
		return cleartext(x.Destination)
	}
	if err := d.put(req); err != nil {
		return refusal.New(refusal.CredentialUnavailable, "the credential of the route to %s cannot be used; the operator's log has the cause", x.Destination).Because(err)
	}
	if x.Recorded() {
		for _, sent := range d.sent {
			x.Secrets = append(x.Secrets, sent.Real)
		}
		for _, s := range d.route.beside(d.states) {
			x.Secrets = append(x.Secrets, s.Real)
		}
	}
	x.Credential, x.CredentialSource, x.CredentialExpiry = "real", d.source, d.expiry
	return nil
}

// put sets every part of the route's credential on req and notes what it sent.
// Parts of one source get one state of it, so that a rotation in between
// cannot pair the token of one login with the account of another. After an
// error req is as it was.
func (d *decision) put(req *http.Request) error {
	states := map[credential.Source]credential.State{}
	dummies := map[credential.Source]string{}
	texts := make([]string, len(d.route.auth))
	for i := range d.route.auth {
		p := &d.route.auth[i]
		if p.source != nil {
			st, ok := states[p.source]
			if !ok {
				var err error
				if st, err = p.source.Current(); err != nil {
					return p.unavailable(err)
				}
				states[p.source] = st
			}
			if d.route.RedactResponses && len(st.Token.Expose()) < MinRedacted {
				return p.unavailable(errTooShort)
			}
			if g := d.given[i].dummy; g != "" {
				dummies[p.source] = g
			}
		}
		var err error
		if texts[i], err = p.render(states[p.source]); err != nil {
			return p.unavailable(err)
		}
	}
	d.sent, d.states, d.source, d.expiry = nil, states, "", time.Time{}
	for i := range d.route.auth {
		p := &d.route.auth[i]
		p.put(req, texts[i])
		for _, s := range p.sentOf(states[p.source], texts[i], dummies[p.source], d.given[i].whole) {
			same := func(o Sent) bool { return o.Real.Expose() == s.Real.Expose() }
			if !slices.ContainsFunc(d.sent, same) {
				d.sent = append(d.sent, s)
			}
		}
		if st, ok := states[p.source]; ok && p.source != nil {
			d.describe(p.source, st)
		}
	}
	slices.SortStableFunc(d.sent, func(a, b Sent) int { return len(b.Real.Expose()) - len(a.Real.Expose()) })
	return nil
}

// describe adds one source to what was sent.
func (d *decision) describe(s credential.Source, st credential.State) {
	if name := s.String(); d.source == "" {
		d.source = name
	} else if !slices.Contains(strings.Split(d.source, ", "), name) {
		d.source += ", " + name
	}
	if !st.Expiry.IsZero() && (d.expiry.IsZero() || st.Expiry.Before(d.expiry)) {
		d.expiry = st.Expiry
	}
}

// MinRedacted is the shortest credential, in bytes, that answers can be
// searched for: replacing every occurrence of a shorter one would eat what
// only looks like it.
const MinRedacted = 8

var errTooShort = fmt.Errorf("the credential is shorter than the %d bytes that answers can be searched for", MinRedacted)
