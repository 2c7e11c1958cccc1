// Package filter is the policy of bottle-pipelock: which hosts an agent may
// reach, how often, which tunnels stay closed to its eyes, and that no secret
// leaves in the requests that it can read.
//
// Nothing is resolved or dialled before the verdict. A request's head and
// body are judged as they are sent; package dlp knows the secrets, package
// decode the compressions, package wsframe the WebSocket messages.
package filter

import (
	"net/http"

	"golang.org/x/time/rate"

	"bottle/lib/allowlist"
	"bottle/lib/authority"
	"bottle/lib/dlp"
	"bottle/lib/forward"
	"bottle/lib/refusal"
)

// Stage is the name of the program in refusals that are made midway.
const Stage = "bottle-pipelock"

// Filter is an immutable policy. It is safe for concurrent use.
type Filter struct {
	allow         *authority.Set
	passthrough   *authority.Set
	statusHosts   *authority.Set
	status        map[authority.Pattern]int
	limiters      map[authority.Pattern]*rate.Limiter // none: no limit
	rules         func() compiled
	expectedHosts *authority.Set
	actions       actions
	bounds        bounds
	about         []dlp.Rule // for explanations
	held          *held
	onUndecodable string          // one of the constants; "": by type
	allowed       *allowlist.List // known false alarms; nil: none
}

// Policy returns the engine's policy.
func (f *Filter) Policy() *forward.Policy {
	return &forward.Policy{
		Tunnel:   f.tunnel,
		Named:    f.named,
		Opened:   f.opened,
		Judge:    judge{f},
		Strip:    narrowExtensions{},
		Response: watchWebSocket{f},
	}
}

// tunnel judges a CONNECT. The rate of a tunnel that will be intercepted is
// counted by its requests.
func (f *Filter) tunnel(a authority.Authority) forward.Verdict {
	p, ok := f.allow.Match(a)
	if !ok {
		return forward.Verdict{Refusal: f.notAllowed(a)}
	}
	v := forward.Verdict{Route: p.String(), RefusalStatus: f.refusalStatus(a)}
	if _, through := f.passthrough.Match(a); through {
		v.Treatment = forward.Passthrough
	}
	return v
}

// opened counts a passthrough tunnel as one request: it is all that can be
// seen of it.
func (f *Filter) opened(a authority.Authority) *refusal.Refusal {
	p, ok := f.allow.Match(a)
	if !ok {
		return f.notAllowed(a)
	}
	return f.countRate(p, a)
}

func (f *Filter) notAllowed(a authority.Authority) *refusal.Refusal {
	return refusal.New(refusal.HostNotAllowed, "%s is not on the list of allowed hosts; ask the operator to add it, or do without", a)
}

func (f *Filter) refusalStatus(a authority.Authority) int {
	if p, ok := f.statusHosts.Match(a); ok {
		return f.status[p]
	}
	return 0
}

type judge struct{ f *Filter }

// ModifyRequest refuses a host that is not allowed, a rate that is too high,
// and a secret in the head or the body, unless the host's action is another. A
// body that cannot be judged whole beforehand is judged as it flows.
func (j judge) ModifyRequest(req *http.Request) error {
	x := forward.ExchangeOf(req)
	p, ok := j.f.allow.Match(x.Destination)
	if !ok {
		return j.f.notAllowed(x.Destination)
	}
	x.Route, x.RefusalStatus = p.String(), j.f.refusalStatus(x.Destination)
	if r := j.f.countRate(p, x.Destination); r != nil {
		return r
	}
	r := j.f.ruling(req, x)
	x.OnMatch = r.action.String()
	if p.IsWildcard() {
		if err := r.scanHostname(req.Host, p); err != nil {
			return hostless(err, p)
		}
	}
	if err := r.scanHead(); err != nil {
		return err
	}
	return r.scanBody()
}
