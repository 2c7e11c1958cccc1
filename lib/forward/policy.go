package forward

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/martian/v3"

	"bottle/lib/audit"
	"bottle/lib/authority"
	"bottle/lib/refusal"
	"bottle/lib/secret"
)

// What Exchange.Credential says.
const (
	CredentialReal  = "real"  // the real one is on the request
	CredentialNone  = "none"  // none is
	CredentialDummy = "dummy" // the stage answers itself, with a new dummy
)

// Treatment is what becomes of a tunnel that is not refused.
type Treatment int

const (
	// Intercept terminates TLS and judges every request inside. The zero value,
	// because looking is the safe default.
	Intercept Treatment = iota
	// Passthrough relays the tunnel's bytes unread, once its TLS server name is
	// seen to be the host it was opened for.
	Passthrough
)

func (t Treatment) String() string {
	if t == Passthrough {
		return "passthrough"
	}
	return "intercept"
}

// Verdict is the answer to a CONNECT.
type Verdict struct {
	Treatment Treatment
	// Route is the pattern that decided, for the audit log.
	Route string
	// RefusalStatus replaces the status of policy refusals on this host, where
	// its client gives up at once on another than 403. 0 keeps it.
	RefusalStatus int
	// Refusal refuses the tunnel.
	Refusal *refusal.Refusal
}

// Policy is what one stage decides; the engine is the same for all. The
// modifiers are martian's. They run in the order of the fields (see
// [Engine.serve]); an error refuses the request: a [*refusal.Refusal] with its
// own code, anything else as an internal error. Modifiers find the exchange
// with [ExchangeOf] and must be safe for concurrent use. nil ones do nothing,
// but a nil Tunnel refuses everything.
type Policy struct {
	// Tunnel judges a CONNECT, before any name is resolved.
	Tunnel func(authority.Authority) Verdict
	// Named, unless nil, is asked about the host of a CONNECT as the client wrote
	// it, capitals and all, after Tunnel has not refused it, and may refuse it:
	// a name is sent to name servers, and may say something.
	Named func(written string, a authority.Authority) *refusal.Refusal
	// Opened, unless nil, is told of each passthrough tunnel before it is
	// dialled and may refuse it: for budgets, which a mere question must not use
	// up.
	Opened func(authority.Authority) *refusal.Refusal
	// Judge decides whether a request may go on, and changes nothing that the
	// origin would see but what must not reach it; it may put a body that it
	// judges as it flows in the body's place, and count. For an http:// request
	// it is the only verdict.
	Judge martian.RequestModifier
	// Strip removes what must not pass: the agent's credentials, or offers that
	// the stage could not follow. Hop-by-hop headers are gone by then.
	Strip martian.RequestModifier
	// Inject adds the real credential. For a second attempt it runs again, on a
	// copy of the request as it was before.
	Inject martian.RequestModifier
	// Answer, unless nil, may answer a request that has come so far in the
	// origin's stead: nothing is dialled. It returns nil for one that goes on,
	// an error to refuse. It may read the body, and bounds what it reads in size
	// and time; a read that fails is a [*BodyError].
	Answer func(*http.Request) (*Answer, error)
	// Retry, unless nil, is asked about the origin's answer to each request that
	// has a real credential on it, once, before the agent gets anything: should
	// the request be sent again? It may take its time. If it says yes, and the
	// body can be sent a second time, the agent gets the second answer, whatever
	// it is; else the first. An error refuses in the first one's place.
	Retry func(*http.Response) (bool, error)
	// Response sees the origin's answer. For an accepted upgrade the body is an
	// io.ReadWriteCloser, which it may wrap. Rules about answers belong here: a
	// modifier may wrap any body to read along, and must not hold it back.
	Response martian.ResponseModifier
}

func (p *Policy) tunnel(a authority.Authority) (v Verdict) {
	if p == nil || p.Tunnel == nil {
		return Verdict{Refusal: refusal.New(refusal.HostNotAllowed, "%s is not allowed: the stage has no policy", a)}
	}
	defer func() {
		if err := panicked(recover()); err != nil {
			v = Verdict{Refusal: refusal.From(err)}
		}
	}()
	return p.Tunnel(a)
}

// named is what Named says.
func (p *Policy) named(written string, a authority.Authority) (r *refusal.Refusal) {
	if p.Named == nil {
		return nil
	}
	defer func() {
		if err := panicked(recover()); err != nil {
			r = refusal.From(err)
		}
	}()
	return p.Named(written, a)
}

// modifyRequest runs m. A policy that panics refuses: the agent gets an answer
// and the operator a record, as for any other failure.
func modifyRequest(m interface{ ModifyRequest(*http.Request) error }, req *http.Request) (err error) {
	defer func() {
		if p := panicked(recover()); p != nil {
			err = p
		}
	}()
	return m.ModifyRequest(req)
}

// modifyResponse is modifyRequest for the answer. Its errors are refusals.
func modifyResponse(m martian.ResponseModifier, res *http.Response) (err error) {
	defer func() {
		if p := panicked(recover()); p != nil {
			err = refusal.From(p)
		}
	}()
	if err := m.ModifyResponse(res); err != nil {
		return refusal.From(err)
	}
	return nil
}

// panicked makes what recover returned an error.
func panicked(p any) error {
	if p == nil {
		return nil
	}
	return fmt.Errorf("policy panicked: %v\n%s", p, debug.Stack())
}

// Exchange is one request on its way through a stage. The engine fills it;
// policies read it and set what is marked. It is used by one goroutine at a
// time.
type Exchange struct {
	// ID names the request in answers, logs and audit records of this stage.
	ID string
	// Destination is canonical; equal to the CONNECT authority, the SNI and the
	// Host of the request.
	Destination authority.Authority
	// Scheme is "https" inside a tunnel, "http" for an absolute-form request.
	Scheme string
	// Upgrade is "websocket" or "".
	Upgrade string

	// Route is the pattern that decided; set by the policy.
	Route string
	// RefusalStatus is as in [Verdict]; set by the policy, inherited from the
	// tunnel's verdict.
	RefusalStatus int
	// Credential says what became of it; set by the policy.
	Credential string
	// OnMatch is what becomes of a secret in a request to the destination, where
	// the policy looks for any; set by the policy.
	OnMatch string
	// CredentialSource says where that one comes from, and CredentialExpiry when
	// it ends, zero if it does not say; set by the policy.
	CredentialSource string
	CredentialExpiry time.Time
	// Redacts says that answers are searched for the real credential before the
	// agent gets them; set by the policy.
	Redacts bool
	// Replayed says that the origin was asked twice.
	Replayed bool
	// State is the policy's own, from one of its modifiers to the next.
	State any
	// Secrets are the real credentials on the request; set by the policy if the
	// exchange is Recorded. What records it must not write them down.
	Secrets []secret.Value
	// Informational, unless nil, sees the header of each 1xx answer that is
	// passed on, and may change it; set by the policy.
	Informational func(http.Header)

	before *uninjected // for a second attempt

	mu        sync.Mutex
	refused   *refusal.Refusal // why it was refused or cut off
	logged    bool
	matched   func(Match)       // nil: nobody keeps records
	undecoded func(code string) // as matched
	matches   []Match           // of a request that nobody sent
	echoes    []audit.Echo
	hopOut    string // see hopHeader

	hopIn  string
	start  time.Time
	up     atomic.Int64 // counted by the transport's goroutine
	down   atomic.Int64 // after an upgrade
	method string
	proto  string
	body   *http.ResponseController // for the deadline of reading
	rec    Recording                // nil: not recorded
}

// Cut records that a policy ended the exchange after it had begun: in the
// middle of its body, or at a WebSocket message. The engine answers with r if
// nothing was answered yet, and logs it in any case. It is safe for concurrent
// use; the first call counts.
func (x *Exchange) Cut(r *refusal.Refusal) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.refused == nil {
		x.refused = r
	}
}

// Recorded reports whether somebody writes down what passes.
func (x *Exchange) Recorded() bool { return x.rec != nil }

// Echoed records that a credential of source was repeated in a part of the
// answer, and replaced. It is safe for concurrent use.
func (x *Exchange) Echoed(where, source string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range x.echoes {
		if e := &x.echoes[i]; e.Where == where && e.Source == source {
			e.Count++
			return
		}
	}
	x.echoes = append(x.echoes, audit.Echo{Where: where, Source: source, Count: 1})
}

// Echoes returns what Echoed recorded.
func (x *Exchange) Echoes() []audit.Echo {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.echoes)
}

// Refused returns why the exchange was refused or cut off; nil if it was not.
func (x *Exchange) Refused() *refusal.Refusal {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.refused
}

// Match is what a policy found in a request that goes on nevertheless.
type Match struct {
	// Rule, Location and Sample are as in [refusal.Refusal].
	Rule, Location, Sample string
	// Action is what the policy did with it.
	Action string
	// Count is how many there were of this rule at this location.
	Count int
}

// Undecoded records that a body goes on that the policy could not read for what
// it says it is; code is the reason that would have refused it. It is safe for
// concurrent use.
func (x *Exchange) Undecoded(code string) {
	if x.undecoded != nil {
		x.undecoded(code)
	}
}

// Matched records m, in the log and the audit file, at once. It is safe for
// concurrent use.
func (x *Exchange) Matched(m Match) {
	if x.matched != nil {
		x.matched(m)
	}
}

// Matches returns what was recorded with Matched for a request that nobody sent
// (see [Check]).
func (x *Exchange) Matches() []Match { return x.matches }

// SetReadDeadline bounds the reading of the request's body; the zero time lifts
// the bound. It does nothing for a request that nobody sent (see [Check]).
func (x *Exchange) SetReadDeadline(t time.Time) error {
	if x.body == nil {
		return nil
	}
	return x.body.SetReadDeadline(t)
}

type exchangeKey struct{}

// ExchangeOf returns the exchange that req belongs to. It panics for a request
// that did not come through an [Engine] or [NewExchange]: a policy must not
// guess where a request goes.
func ExchangeOf(req *http.Request) *Exchange {
	x, ok := req.Context().Value(exchangeKey{}).(*Exchange)
	if !ok {
		panic("forward: request has no exchange")
	}
	return x
}

// WithExchange returns req with x attached, as the engine does it; for check
// commands, which ask the live policy about a request that nobody sent.
func WithExchange(req *http.Request, x *Exchange) *http.Request {
	return req.WithContext(context.WithValue(req.Context(), exchangeKey{}, x))
}

// Check asks p what would become of a request for destination a, sending
// nothing: first the tunnel's verdict (https), then Judge. The returned
// exchange holds the route. It calls the functions that decide live traffic.
func Check(p *Policy, req *http.Request, a authority.Authority, scheme string) (*Exchange, Verdict) {
	x := &Exchange{ID: "check", Destination: a, Scheme: scheme}
	x.matched = func(m Match) { x.matches = append(x.matches, m) }
	var v Verdict
	if scheme == "https" {
		v = p.tunnel(a)
		x.Route, x.RefusalStatus = v.Route, v.RefusalStatus
		if v.Refusal == nil {
			v.Refusal = p.named(req.URL.Host, a)
		}
		if v.Refusal != nil || v.Treatment == Passthrough {
			return x, v
		}
	}
	req = WithExchange(req, x)
	if err := modifyRequest(p.steps(), req); err != nil {
		v.Refusal = refusal.From(err)
	}
	v.Route, v.RefusalStatus = x.Route, x.RefusalStatus
	return x, v
}

var errNoPolicy = errors.New("stage has no policy")
