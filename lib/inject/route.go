package inject

import (
	"bottle/lib/authority"
	"bottle/lib/pathrule"
	"bottle/lib/secret"
)

// Mode says when a route's credential is put on.
type Mode string

const (
	// Always drops whatever credential the agent sent and sets the real one.
	Always Mode = "always"
	// Replace sets the real credential only where the request carries this
	// bottle's own dummy. Any other credential is refused; a request without one
	// goes on bare. Login routes use it: a client whose login is broken must not
	// be handed the real one (Codex 0.169 then asks api.openai.com without any).
	Replace Mode = "replace"
)

// Route is one destination that egress serves.
type Route struct {
	Pattern authority.Pattern
	Methods []string // nil is all
	Mode    Mode
	// RefusalStatus replaces 403 on policy refusals; 0 keeps it.
	RefusalStatus int
	// Authorization is the header value to set: scheme, space, token. Zero on an
	// open route, to which no credential goes at all.
	Authorization secret.Value

	paths pathrule.Rule
}

// open reports that the route has no credential of its own.
func (r *Route) open() bool { return r.Authorization.IsZero() }

// Routes is an immutable table of routes.
type Routes struct {
	set     *authority.Set
	byHost  map[authority.Pattern]*Route
	dummies map[string]bool // SHA-256 of this bottle's dummies
}

// NewRoutes returns the table of rs. dummies are the lower-case hex SHA-256 of
// this bottle's dummy credentials.
func NewRoutes(rs []*Route, dummies []string) *Routes {
	t := &Routes{byHost: map[authority.Pattern]*Route{}, dummies: map[string]bool{}}
	var ps []authority.Pattern
	for _, r := range rs {
		ps = append(ps, r.Pattern)
		t.byHost[r.Pattern] = r
	}
	t.set = authority.NewSet(ps...)
	for _, d := range dummies {
		t.dummies[d] = true
	}
	return t
}

// match returns the route of a, or nil.
func (t *Routes) match(a authority.Authority) *Route {
	p, ok := t.set.Match(a)
	if !ok {
		return nil
	}
	return t.byHost[p]
}

// isDummy reports whether token is one of this bottle's dummies.
func (t *Routes) isDummy(token string) bool { return t.dummies[secret.SHA256(token)] }
