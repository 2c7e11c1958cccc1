package filter

import (
	"errors"
	"net/http"

	"bottle/lib/dlp"
	"bottle/lib/forward"
	"bottle/lib/locate"
	"bottle/lib/redact"
	"bottle/lib/refusal"
)

// ruling is what is done about matches in one request.
type ruling struct {
	filter *Filter
	x      *forward.Exchange
	req    *http.Request
	action action
	rules  hostRules

	located int // findings so far, see mostLocated
}

func (f *Filter) ruling(req *http.Request, x *forward.Exchange) *ruling {
	return &ruling{filter: f, x: x, req: req, action: f.action(x.Destination), rules: f.hostRules(x.Destination)}
}

// part is what of a request a place belongs to.
type part int

const (
	head part = iota
	body
	message // of a WebSocket
)

// place is where something was found.
type place struct {
	where    string // in a message: "header", "URL", "body" and the like
	location string // more exactly, as far as the place alone tells
	// locate says where in the place a range is; nil: as location does.
	locate  func(locate.Range) string
	coding  string // undone before the scanner looked: "gzip"
	coded   bool   // still encoded: what is found here is found again in what it decodes to
	offsets bool   // the scanner's offsets mean something to whoever sent it
	part    part
	fixed   bool   // what stands here cannot be replaced
	flowing bool   // the head has left already
	tally   *tally // of what flows, which is recorded at its end; nil: at once
}

// judgeFindings says what becomes of findings at a place: those that it
// returns are to be replaced, and recorded when they are; an error refuses the
// request.
func (f *Filter) judgeFindings(r *ruling, fs []dlp.Finding, p place) ([]dlp.Finding, error) {
	if len(fs) == 0 {
		return nil, nil
	}
	fs, err := r.screen(fs, p)
	if err != nil || len(fs) == 0 {
		return nil, err
	}
	switch {
	case r.action == doLog:
		r.record(fs, p)
		return nil, nil
	case r.action == doBlock:
		return nil, r.found(fs[0], p)
	case p.fixed:
		return nil, r.cannot(fs[0], p)
	}
	if by := signature(r.req, p); by != "" {
		return nil, r.signed(fs[0], p, by)
	}
	return fs, nil
}

// isFinding reports whether err refuses a finding.
func isFinding(err error) bool {
	e, ok := errors.AsType[*refusal.Refusal](err)
	return ok && e.Rule != ""
}

// cannot refuses a finding that was to be replaced.
func (r *ruling) cannot(f dlp.Finding, p place) *refusal.Refusal {
	e := r.found(f, p)
	e.Message += ": it cannot be replaced there"
	return e
}

// signed refuses a finding that was to be replaced in what header by covers.
func (r *ruling) signed(f dlp.Finding, p place, by string) *refusal.Refusal {
	e := r.found(f, p)
	e.Code = refusal.SecretInSigned
	e.Message += ": it cannot be replaced, because " + by + " covers the request"
	return e
}

// replaced returns src with placeholders for fs, which judgeFindings returned
// for p, and records that.
func (r *ruling) replaced(rules redact.Scanner, src []byte, fs []dlp.Finding, p place, n redact.Notation) ([]byte, error) {
	out, err := redact.Text(unlisted{r, rules}, src, fs, n)
	if errors.Is(err, redact.ErrUnsound) {
		return nil, r.cannot(fs[0], p)
	}
	if err != nil {
		return nil, err
	}
	r.record(fs, p)
	return out, nil
}

// record writes down findings of a request that goes on, one record for all of
// a rule in one place.
func (r *ruling) record(fs []dlp.Finding, p place) {
	if p.tally != nil {
		p.tally.add(fs, p)
		return
	}
	t := newTally(r)
	t.add(fs, p)
	t.flush()
}

// tally counts findings of what flows, for its records.
type tally struct {
	r     *ruling
	order []*forward.Match
	by    map[[2]string]*forward.Match
}

func newTally(r *ruling) *tally { return &tally{r: r, by: map[[2]string]*forward.Match{}} }

// mostRecords bounds the records of one place; what is beyond counts with the
// last.
const mostRecords = 64

func (t *tally) add(fs []dlp.Finding, p place) {
	for _, f := range fs {
		location := t.r.at(f, p)
		key := [2]string{f.Rule, location}
		m := t.by[key]
		if m == nil && len(t.order) == mostRecords {
			m = t.order[mostRecords-1]
		}
		if m == nil {
			m = &forward.Match{Rule: f.Rule, Location: location, Sample: f.Sample, Action: t.r.action.String()}
			t.by[key] = m
			t.order = append(t.order, m)
		}
		m.Count++
	}
}

func (t *tally) flush() {
	for _, m := range t.order {
		t.r.x.Matched(*m)
	}
	t.order = nil
	clear(t.by)
}
