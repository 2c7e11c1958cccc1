package inject

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"bottle/lib/credential"
	"bottle/lib/echo"
	"bottle/lib/forward"
	"bottle/lib/redact"
	"bottle/lib/refusal"
	"bottle/lib/secret"
)

// redaction takes the route's credential out of what the origin answers.
type redaction struct{ routes *Routes }

func (r redaction) ModifyResponse(res *http.Response) error {
	x := forward.ExchangeOf(res.Request)
	d, ok := x.State.(*decision)
	if !ok || !d.redacts() {
		return nil
	}
	w, err := r.routes.echoes.rewriter(d)
	if err != nil {
		return refusal.New(refusal.CredentialUnavailable, "the answer of %s cannot be searched for the credential; the operator's log has the cause", x.Destination).Because(err)
	}
	err = redact.Response(res, w, hits(x))
	if unreadable, ok := errors.AsType[*redact.UnreadableError](err); ok {
		if res.StatusCode == http.StatusSwitchingProtocols {
			return refusal.New(refusal.UpgradeUnsupported, "the WebSocket that %s accepted cannot be searched for the credential", x.Destination).Because(unreadable)
		}
		return refusal.New(refusal.UndecodableAnswer, "the answer of %s cannot be searched for the credential: %s", x.Destination, unreadable.Reason).Because(unreadable)
	}
	return err
}

func hits(x *forward.Exchange) redact.Hit {
	return func(where redact.Where, source string) { x.Echoed(string(where), source) }
}

// redacts reports whether answers to the request are searched.
func (d *decision) redacts() bool { return d.route.RedactResponses && !d.route.open() }

// narrow leaves in a request only what is answered in a way that can be searched.
type narrow struct{ routes *Routes }

func (n narrow) ModifyRequest(req *http.Request) error {
	x := forward.ExchangeOf(req)
	d, ok := x.State.(*decision)
	if !ok || !d.redacts() {
		return nil
	}
	redact.Request(req)
	x.Informational = func(h http.Header) {
		w, err := n.routes.echoes.rewriter(d)
		if err != nil {
			clear(h)
			return
		}
		redact.Fields(h, w, func(source string) { x.Echoed(string(redact.Header), source) })
	}
	return nil
}

// mostPast is how many values of a source are looked for, the latest ones: an
// origin may repeat a token that has rotated meanwhile.
const mostPast = 8

// mostRewriters bounds the rewriters that are kept. There is one for each
// combination of a credential and the dummy that came for it.
const mostRewriters = 32

// echoes knows what to look for in answers.
type echoes struct {
	mu      sync.Mutex
	history map[credential.Source]*history
	made    map[string]*echo.Rewriter
}

// history is the values that a source has had, the latest last.
type history struct {
	values  []past
	changes int
}

// past is a value, and the forms in which it is looked for: made once, since a
// rotation must not hold up the requests around it.
type past struct {
	value secret.Value
	forms *echo.Forms
}

func newEchoes() *echoes {
	return &echoes{history: map[credential.Source]*history{}, made: map[string]*echo.Rewriter{}}
}

// rewriter returns what replaces the credentials of d's request and the earlier
// ones of their sources. A request that went without is treated like one that
// did not: the origin may have kept what an earlier one brought.
func (e *echoes) rewriter(d *decision) (*echo.Rewriter, error) {
	sent := d.sent
	if len(sent) == 0 {
		var err error
		if sent, err = d.route.current(); err != nil {
			return nil, err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var key strings.Builder
	for _, s := range sent {
		h := e.history[s.Source]
		if h == nil {
			h = &history{}
			e.history[s.Source] = h
		}
		if err := h.add(s.Real); err != nil {
			return nil, fmt.Errorf("%s: %w", s.Source, err)
		}
		fmt.Fprintf(&key, "%p %d %d %d %s\n", s.Source, s.Version, h.changes, len(s.Real.Expose()), s.Dummy)
	}
	if w := e.made[key.String()]; w != nil {
		return w, nil
	}
	var creds []echo.Credential
	add := func(p past, s Sent) {
		creds = append(creds, echo.Credential{Real: p.value, StandIn: fit(s.Dummy, len(p.value.Expose())), Source: s.Source.String(), Forms: p.forms})
	}
	for _, s := range sent {
		add(*e.history[s.Source].find(s.Real), s)
	}
	for _, s := range sent {
		for _, p := range e.history[s.Source].values {
			add(p, s)
		}
	}
	w, err := echo.New(creds)
	if err != nil {
		return nil, err
	}
	if len(e.made) >= mostRewriters {
		clear(e.made)
	}
	e.made[key.String()] = w
	return w, nil
}

func (h *history) add(v secret.Value) error {
	if h.find(v) != nil {
		return nil
	}
	forms, err := echo.NewForms(v)
	if err != nil {
		return err
	}
	h.values = append(h.values, past{v, forms})
	if len(h.values) > mostPast {
		h.values = h.values[1:]
	}
	h.changes++
	return nil
}

func (h *history) find(v secret.Value) *past {
	for i := range h.values {
		if h.values[i].value.Expose() == v.Expose() {
			return &h.values[i]
		}
	}
	return nil
}

// fit makes the name that stands for a credential without a dummy as long as
// it, so that no length changes. A dummy is not changed.
func fit(standIn string, length int) string {
	if !strings.HasPrefix(standIn, redactedName) {
		return standIn
	}
	if len(standIn) > length {
		return ""
	}
	return standIn + strings.Repeat("-", length-len(standIn))
}

// current lists what the route would put on a request now.
func (r *Route) current() ([]Sent, error) {
	var out []Sent
	for i := range r.auth {
		p := &r.auth[i]
		if !p.secret() {
			continue
		}
		st, err := p.source.Current()
		if err != nil {
			return nil, p.unavailable(err)
		}
		text, err := p.render(st)
		if err != nil {
			return nil, p.unavailable(err)
		}
		out = append(out, p.sentOf(st, text, "", "")...)
	}
	return out, nil
}
