// Package inject is the policy of bottle-egress: which hosts have a route, what
// the agent's request may carry there, and which credential is put on instead.
//
// The work on a request is three martian modifiers, run by package forward in
// this order: [judge] decides and changes nothing, [strip] removes the agent's
// credentials, [put] sets the real one.
package inject

import (
	"net/http"
	"slices"
	"strings"

	"bottle/lib/authority"
	"bottle/lib/forward"
	"bottle/lib/refusal"
)

// Policy returns the engine's policy for the routes. Everything is
// intercepted; a host without a route is refused.
func (t *Routes) Policy() *forward.Policy {
	return &forward.Policy{
		Tunnel: t.tunnel,
		Judge:  judge{t},
		Strip:  strip{},
		Inject: put{},
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

// decision is what judge tells put.
type decision struct {
	route  *Route
	inject bool
}

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
	if x.Scheme != "https" && !r.open() {
		return cleartext(x.Destination)
	}
	if r.Methods != nil && !slices.Contains(r.Methods, req.Method) {
		return refusal.New(refusal.MethodNotAllowed, "the route to %s allows %s only", x.Destination, strings.Join(r.Methods, ", "))
	}
	if name := overrides(req.Header, r); name != "" {
		return refusal.New(refusal.MethodNotAllowed, "%s can change what the request asks for, and the route to %s has a rule about that; send it without", name, x.Destination)
	}
	switch ok, err := r.paths.Match(req.URL.EscapedPath()); {
	case err != nil:
		return refusal.New(refusal.AmbiguousPath, "the path can be read in two ways, and the route to %s has a path rule; send it without dot segments, empty segments or encoded slashes", x.Destination)
	case !ok:
		return refusal.New(refusal.PathNotAllowed, "the route to %s does not cover this path", x.Destination)
	}
	inject, err := j.wantsCredential(req.Header, r, x.Destination)
	if err != nil {
		return err
	}
	x.State = decision{r, inject}
	return nil
}

// wantsCredential decides whether the real credential goes on a request with
// these headers.
func (j judge) wantsCredential(h http.Header, r *Route, a authority.Authority) (bool, error) {
	sent := h["Authorization"]
	if len(sent) > 1 {
		return false, refusal.New(refusal.AmbiguousCredential, "the request carries more than one Authorization; send one")
	}
	if r.open() {
		return false, nil
	}
	if r.Mode == Always {
		return true, nil
	}
	if name := otherCredential(h); name != "" {
		return false, refusal.New(refusal.ForeignCredential, "the request to %s carries a credential in %s; only this bottle's own dummy login is accepted there", a, name)
	}
	if len(sent) == 0 {
		return false, nil
	}
	scheme, token, _ := strings.Cut(sent[0], " ")
	want, _, _ := strings.Cut(r.Authorization.Expose(), " ")
	if !strings.EqualFold(scheme, want) || !j.routes.isDummy(strings.TrimSpace(token)) {
		return false, refusal.New(refusal.ForeignCredential, "the request to %s carries a credential that is not this bottle's dummy login; use the login that the bottle gave you", a)
	}
	return true, nil
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
	d, ok := x.State.(decision)
	if !ok {
		return refusal.New(refusal.CredentialUnavailable, "the request was not judged; nothing is sent")
	}
	x.Credential = "none"
	if !d.inject {
		return nil
	}
	if x.Scheme != "https" { // judge has seen to it; a credential is worth a second look
		return cleartext(x.Destination)
	}
	req.Header["Authorization"] = []string{d.route.Authorization.Expose()}
	x.Credential = "real"
	return nil
}
