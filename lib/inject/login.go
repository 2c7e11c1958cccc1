package inject

import (
	"context"
	"encoding/hex"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"bottle/lib/credential"
	"bottle/lib/dummyauth"
	"bottle/lib/dummyset"
	"bottle/lib/forward"
	"bottle/lib/grant"
	"bottle/lib/renew"
	"bottle/lib/secret"
)

// hostLogin is a [[login]]: what is done with it besides putting its token on
// requests.
type hostLogin struct {
	config   LoginConfig
	kind     renew.Kind
	path     string
	source   credential.Source // nil: on no route
	endpoint *grant.Endpoint   // nil: the agent's refresh is not answered
}

// hostLogins are those of one configuration.
type hostLogins struct {
	list []*hostLogin

	stop    context.CancelFunc
	running sync.WaitGroup
}

// loginOf returns the hostLogin with a name, made at its first use; nil if
// there is none that can be used.
func (a *auths) loginOf(name string) *hostLogin {
	for _, l := range a.hostLogins.list {
		if l.config.Name == name {
			return l
		}
	}
	c, ok := a.logins[name]
	kind, known := renew.KindOf(c.Kind)
	if !ok || !known || c.File == "" {
		return nil // told where the login is
	}
	l := &hostLogin{config: c, kind: kind, path: a.file.Resolve(c.File)}
	a.hostLogins.list = append(a.hostLogins.list, l)
	return l
}

// endpoint makes the token endpoint that stands at a route for a login.
func (a *auths) endpoint(at, name string, c *Config, dummies *dummyset.Set) *grant.Endpoint {
	if _, ok := a.logins[name]; !ok {
		a.complain(at, "no login is called %q", name).WithHint("add a [[login]] with that name")
		return nil
	}
	l := a.loginOf(name)
	if l == nil || dummies == nil {
		return nil
	}
	if l.endpoint != nil {
		return l.endpoint
	}
	if c.Dummies.Seed == "" {
		a.complain(at, "needs dummies.seed, which new dummies are made from").WithHint("bottle-prepare writes it")
		return nil
	}
	data, err := secret.ReadPrivateFile(a.file.Resolve(c.Dummies.Seed), 1<<10)
	if err != nil {
		a.complainOf("dummies.seed", err)
		return nil
	}
	seed, err := hex.DecodeString(strings.TrimSpace(string(data)))
	if err != nil || len(seed) != dummyauth.SeedSize {
		a.complain("dummies.seed", "holds no seed").WithHint("run bottle-prepare again")
		return nil
	}
	if l.endpoint, err = grant.New(grant.Options{Kind: l.kind, Path: l.path, Seed: seed, Dummies: dummies}); err != nil {
		a.complainOf(at, err)
		return nil
	}
	return l.endpoint
}

// complainOf complains of err with its hint.
func (a *auths) complainOf(key string, err error) {
	p := a.complain(key, "%w", err)
	if h, ok := err.(interface{ HintText() string }); ok {
		p.Hint = h.HintText()
	}
}

// openDummies opens the set of this bottle's dummies.
func (a *auths) openDummies(c *Config) *dummyset.Set {
	path := ""
	if c.Dummies.Minted != "" {
		path = a.file.Resolve(c.Dummies.Minted)
	}
	s, err := dummyset.Open(path, c.Dummies.SHA256)
	if err != nil {
		a.complainOf("dummies.minted", err)
	}
	return s
}

// allLogins returns the logins, each with its source.
func (a *auths) allLogins() *hostLogins {
	for name := range a.logins {
		if l := a.loginOf(name); l != nil {
			if i, ok := a.opened["login "+l.config.Kind+" "+l.path]; ok && i >= 0 {
				l.source = a.sources[i]
			}
		}
	}
	return &a.hostLogins
}

// start begins to answer and to renew. transport reaches token endpoints.
func (h *hostLogins) start(transport http.RoundTripper, lookers map[credential.Source]*looker, log *slog.Logger) {
	ctx, stop := context.WithCancel(context.Background())
	h.stop = stop
	for _, l := range h.list {
		var renewer renewFunc
		if l.config.Refresh == RefreshProxy {
			r := renew.New(renew.Options{Kind: l.kind, Path: l.path, Transport: transport, Log: log})
			renewer = r.Renew
			h.running.Go(func() { r.Run(ctx) })
			if look := lookers[l.source]; look != nil {
				look.renew.Store(&renewer)
			}
		}
		if l.endpoint != nil {
			l.endpoint.Start(log, renewer)
		}
	}
}

// close ends the renewing. A renewal under way comes to its end first.
func (h *hostLogins) close() {
	if h.stop != nil {
		h.stop()
		h.running.Wait()
	}
}

// StartLogins begins to answer the agent's refreshes by the rules of each login,
// and to renew those that are egress's own. transport reaches token endpoints;
// see [renew.Transport]. Close ends it.
func (t *Routes) StartLogins(transport http.RoundTripper, log *slog.Logger) {
	if t.logins != nil {
		t.logins.start(transport, t.lookers, log)
	}
}

// answer answers what goes to a token endpoint that stands here.
func (t *Routes) answer(req *http.Request) (*forward.Answer, error) {
	d, ok := forward.ExchangeOf(req).State.(*decision)
	if !ok || d.route.endpoint == nil {
		return nil, nil
	}
	return d.route.endpoint.Answer(req)
}
