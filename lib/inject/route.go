package inject

import (
	"log/slog"

	"bottle/lib/authority"
	"bottle/lib/credential"
	"bottle/lib/dummyset"
	"bottle/lib/gitrule"
	"bottle/lib/grant"
	"bottle/lib/pathrule"
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
	// RedactResponses says that a real credential which an answer repeats is
	// replaced. Such a route takes no credential of less than 8 bytes.
	RedactResponses bool
	// Git is what git clients may do.
	Git gitrule.Access

	// endpoint answers what comes to this route, of which nothing goes upstream.
	endpoint *grant.Endpoint
	// auth is what goes on a request, all of it or nothing; nil on an open
	// route, to which no credential goes at all.
	auth  []part
	paths pathrule.Rule
}

// open reports that the route has no credential of its own.
func (r *Route) open() bool { return len(r.auth) == 0 }

// injects reports that the credential itself goes into the header name.
func (r *Route) injects(name string) bool {
	for i := range r.auth {
		if p := &r.auth[i]; p.place == inHeader && p.name == name && p.secret() {
			return true
		}
	}
	return false
}

// Routes is a table of routes. It is safe for concurrent use.
type Routes struct {
	set     *authority.Set
	byHost  map[authority.Pattern]*Route
	dummies *dummyset.Set
	echoes  *echoes
	logins  *hostLogins     // nil likewise
	sources *credential.Set // nil for routes that no file names
	lookers map[credential.Source]*looker
	batches chan struct{} // holds one for each body that judgeGit reads
}

// Follow begins to follow the credentials: a change is in force for the next
// request, at most a second later. What happens to them is logged to log.
func (t *Routes) Follow(log *slog.Logger) {
	if t.sources != nil {
		t.sources.Follow(log)
	}
}

// Close ends what Follow began. Requests under way keep what they have.
func (t *Routes) Close() error {
	if t.logins != nil {
		t.logins.close()
	}
	return t.sources.Close()
}

// NewRoutes returns the table of rs. dummies are the lower-case hex SHA-256 of
// this bottle's dummy credentials.
func NewRoutes(rs []*Route, dummies []string) *Routes {
	set, err := dummyset.Open("", dummies)
	if err != nil { // nothing was opened
		panic(err)
	}
	return newRoutes(rs, set)
}

func newRoutes(rs []*Route, dummies *dummyset.Set) *Routes {
	t := &Routes{byHost: map[authority.Pattern]*Route{}, dummies: dummies, echoes: newEchoes(), lookers: map[credential.Source]*looker{}, batches: make(chan struct{}, mostBatches)}
	var ps []authority.Pattern
	for _, r := range rs {
		ps = append(ps, r.Pattern)
		t.byHost[r.Pattern] = r
		for i := range r.auth {
			if source := r.auth[i].source; source != nil && t.lookers[source] == nil {
				t.lookers[source] = &looker{source: source}
			}
		}
	}
	t.set = authority.NewSet(ps...)
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
func (t *Routes) isDummy(token string) bool { return t.dummies.Has(token) }
