package inject

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"bottle/lib/credential"
	"bottle/lib/echo"
	"bottle/lib/forward"
	"bottle/lib/refusal"
	"bottle/lib/secret"
	"bottle/lib/unecho"
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
	err = unecho.Response(res, w, hits(x))
	if unreadable, ok := errors.AsType[*unecho.UnreadableError](err); ok {
		if res.StatusCode == http.StatusSwitchingProtocols {
			return refusal.New(refusal.UpgradeUnsupported, "the WebSocket that %s accepted cannot be searched for the credential", x.Destination).Because(unreadable)
		}
		return refusal.New(refusal.UndecodableAnswer, "the answer of %s cannot be searched for the credential: %s", x.Destination, unreadable.Reason).Because(unreadable)
	}
	return err
}

func hits(x *forward.Exchange) unecho.Hit {
	return func(where unecho.Where, source string) { x.Echoed(string(where), source) }
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
	unecho.Request(req)
	x.Informational = func(h http.Header) {
		w, err := n.routes.echoes.rewriter(d)
		if err != nil {
			clear(h)
			return
		}
		unecho.Fields(h, w, func(source string) { x.Echoed(string(unecho.Header), source) })
	}
	return nil
}

// How many values of a source are looked for, the latest ones: an origin may
// repeat a token that has rotated meanwhile. One that it was never sent it has
// from elsewhere, if at all.
const (
	mostPast       = 8
	mostPastBeside = 2
)

// mostRewriters bounds the rewriters that are kept. There is one for each
// combination of a credential and the dummy that came for it.
const mostRewriters = 32

// echoes knows what to look for in answers.
type echoes struct {
	mu      sync.Mutex
	history map[kept]*history
	made    map[combination]*echo.Rewriter
}

// combination names the credentials of a request: for each the part of the
// route that it is from, its version and length, and what came in its place.
type combination struct {
	route *Route
	sent  string
}

// kept names what a source holds: its token and what is made of it as "", what
// is beside that by its name.
type kept struct {
	source credential.Source
	name   string
}

// history is the values that a source has had, the latest last.
type history struct {
	values []past
	most   int
}

// past is a value, and the forms in which it is looked for: made once, since a
// rotation must not hold up the requests around it.
type past struct {
	value secret.Value
	forms *echo.Forms
}

func newEchoes() *echoes {
	return &echoes{history: map[kept]*history{}, made: map[combination]*echo.Rewriter{}}
}

// rewriter returns what replaces the credentials of d's request and the earlier
// ones of their sources. A request that went without is treated like one that
// did not: the origin may have kept what an earlier one brought.
func (e *echoes) rewriter(d *decision) (*echo.Rewriter, error) {
	sent, states := d.sent, d.states
	if len(sent) == 0 {
		var err error
		if sent, states, err = d.route.current(); err != nil {
			return nil, err
		}
	}
	// The version of a source's state tells what is beside the token, too.
	var space [256]byte
	text := space[:0]
	for i := range sent {
		s := &sent[i]
		part := slices.IndexFunc(d.route.auth, func(p part) bool { return p.source == s.Source })
		for _, n := range [...]uint64{uint64(part), s.Version, uint64(len(s.Real.Expose()))} {
			text = append(strconv.AppendUint(text, n, 10), ' ')
		}
		text = append(append(text, s.Dummy...), '\n')
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if w := e.made[combination{d.route, string(text)}]; w != nil {
		return w, nil
	}
	all := d.route.beside(states)
	for _, s := range slices.Backward(sent) {
		all = slices.Insert(all, 0, sought{s, ""})
	}
	for _, s := range all {
		h := e.history[s.kept()]
		if h == nil {
			h = &history{most: mostPast}
			if s.name != "" {
				h.most = mostPastBeside
			}
			e.history[s.kept()] = h
		}
		added, err := h.add(s.Real)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Source, err)
		}
		if added { // which those that are made do not look for
			clear(e.made)
		}
	}
	var creds []echo.Credential
	add := func(p past, s Sent) {
		creds = append(creds, echo.Credential{Real: p.value, StandIn: fit(s.Dummy, len(p.value.Expose())), Source: s.Source.String(), Forms: p.forms})
	}
	for _, s := range all {
		add(*e.history[s.kept()].find(s.Real), s.Sent)
	}
	for _, s := range all {
		for _, p := range e.history[s.kept()].values {
			add(p, s.Sent)
		}
	}
	w, err := echo.New(creds)
	if err != nil {
		return nil, err
	}
	if len(e.made) >= mostRewriters {
		clear(e.made)
	}
	e.made[combination{d.route, string(text)}] = w
	return w, nil
}

// add reports whether v is new.
func (h *history) add(v secret.Value) (bool, error) {
	if h.find(v) != nil {
		return false, nil
	}
	forms, err := echo.NewForms(v)
	if err != nil {
		return false, err
	}
	h.values = append(h.values, past{v, forms})
	if len(h.values) > h.most {
		h.values = h.values[1:]
	}
	return true, nil
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
func (r *Route) current() ([]Sent, map[credential.Source]credential.State, error) {
	var out []Sent
	states := map[credential.Source]credential.State{}
	for i := range r.auth {
		p := &r.auth[i]
		if !p.secret() {
			continue
		}
		st, err := p.source.Current()
		if err != nil {
			return nil, nil, p.unavailable(err)
		}
		states[p.source] = st
		text, err := p.render(st)
		if err != nil {
			return nil, nil, p.unavailable(err)
		}
		out = append(out, p.sentOf(st, text, "", "")...)
	}
	return out, states, nil
}

// sought is a value that is looked for in answers, and its name if it is beside
// what is sent.
type sought struct {
	Sent
	name string
}

func (s sought) kept() kept { return kept{s.Source, s.name} }

// beside lists the secrets that states hold beside what is sent, each source's
// in one order. A text too short to be searched for is no refresh token.
func (r *Route) beside(states map[credential.Source]credential.State) []sought {
	var out []sought
	done := map[credential.Source]bool{}
	for i := range r.auth {
		p := &r.auth[i]
		st, ok := states[p.source]
		if !ok || done[p.source] {
			continue
		}
		done[p.source] = true
		for _, name := range slices.Sorted(maps.Keys(st.Beside)) {
			if v := st.Beside[name]; len(v.Expose()) >= MinRedacted {
				out = append(out, sought{Sent{v, redactedName + name, p.source, st.Version}, name})
			}
		}
	}
	return out
}
