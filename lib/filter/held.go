package filter

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"bottle/lib/dlp"
)

const (
	// small bodies have a budget of their own, so that they never wait behind
	// large ones.
	small = 64 << 10
	// longestWait bounds how long one waits for the budget, bodyTime how long a
	// body may take to arrive that is judged whole.
	longestWait = 5 * time.Second
	bodyTime    = 60 * time.Second
	// mostDecoding bounds the bodies that are being decoded at one time. They are
	// at hand, so that they wait for the processor alone, and each decoder takes
	// up to twice a window of 8 MiB.
	mostDecoding = 8
	// newStream is what a scanner takes at first, and room for it to grow: that is
	// known only when it has.
	newStream, scanRoom = 96 << 10, 64 << 10
)

// held is the memory budget of what is being judged: the bodies, what the
// scanner knows of them, and what it takes to send them.
type held struct {
	whole    *semaphore.Weighted // bodies and compressed messages that are judged whole
	small    *semaphore.Weighted // the small ones among them
	flowing  *semaphore.Weighted // those judged as they flow, which may take for ever
	decoding *semaphore.Weighted // places, not bytes
	most     int64               // of whole and of small; flowing has twice that
	wait     time.Duration       // for any of them
}

// newHeld returns a budget of most bytes for each sort.
func newHeld(most int64) *held {
	return &held{semaphore.NewWeighted(most), semaphore.NewWeighted(most), semaphore.NewWeighted(2 * most), semaphore.NewWeighted(mostDecoding), most, longestWait}
}

// Memory is how many bytes the filter takes at most for what it judges: those of
// the budgets.
func (f *Filter) Memory() int64 { return 4 * f.held.most }

// claim opens a claim on the budget of what is judged whole, for nothing yet. It
// is given back at the latest when ctx is done.
func (h *held) claim(ctx context.Context) *claim {
	c := &claim{held: h, large: share{of: h.whole, most: h.most}, little: share{of: h.small, most: h.most}}
	context.AfterFunc(ctx, c.close)
	return c
}

// flow is claim for what flows.
func (h *held) flow(ctx context.Context) *claim {
	c := &claim{held: h, large: share{of: h.flowing, most: 2 * h.most}}
	context.AfterFunc(ctx, c.close)
	return c
}

// decode waits a while for a place to decode a body in. The function that it
// returns gives it back; nil: there was none.
func (h *held) decode(ctx context.Context) func() {
	if !h.acquire(ctx, h.decoding, 1) {
		return nil
	}
	return func() { h.decoding.Release(1) }
}

// acquire takes n of a budget, waiting a while, and reports whether it could.
func (h *held) acquire(ctx context.Context, budget *semaphore.Weighted, n int64) bool {
	if budget.TryAcquire(n) {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, h.wait)
	defer cancel()
	return budget.Acquire(ctx, n) == nil
}

// share is what a claim has of one budget.
type share struct {
	of   *semaphore.Weighted // nil: there is none
	most int64
	n    int64
}

// claim is a part of the budget, which grows with what has really arrived: who
// announces much and sends nothing takes nothing. It is safe for concurrent use.
type claim struct {
	held   *held
	mu     sync.Mutex
	large  share
	little share // as long as it is small
	closed bool
}

// step is by how much a claim grows at a time, littleStep by how much a small
// one does.
const step, littleStep = 64 << 10, 8 << 10

// grow makes the claim cover n bytes, or all that there is if that is less,
// waiting a while for others to give some back. It reports whether it could.
func (c *claim) grow(ctx context.Context, n int64) bool {
	s, by := &c.large, int64(step)
	if c.little.of != nil && n <= small+littleStep {
		s, by = &c.little, littleStep
	}
	c.mu.Lock()
	have, enough := s.n, n <= max(c.large.n, c.little.n)
	c.mu.Unlock()
	if enough {
		return true
	}
	more := min((n+by-1)/by*by, s.most) - have
	if more <= 0 {
		return true
	}
	if !c.held.acquire(ctx, s.of, more) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed { // meanwhile; nobody would give it back
		s.of.Release(more)
		return false
	}
	if s.n += more; s == &c.large {
		c.little.keep(0)
	}
	return true
}

// close gives back everything for good. A claim that grows at this moment is
// either part of it or finds the claim closed.
func (c *claim) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.keep(0)
}

// keep gives back all but n bytes.
func (c *claim) keep(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.large.keep(n)
	c.little.keep(n)
}

func (s *share) keep(n int64) {
	if s.n > n {
		s.of.Release(s.n - n)
		s.n = n
	}
}

// arriving scans a body while it is being read, so that little is left to do
// when its last byte has come. What is found is not judged before.
type arriving struct {
	rules  scanner
	off    bool   // the body is not to be scanned as it is sent
	stream Stream // nil until there is more than a small body
	taken  int
	found  []dlp.Finding
}

// take scans what body, of which all is at hand that has come, has more than
// when it was called last. A small body is scanned at once, later: it is not
// worth the memory of a stream while one waits for its rest.
func (a *arriving) take(body []byte) {
	if a.off || len(body) <= small {
		return
	}
	if a.stream == nil {
		a.stream = a.rules.stream()
	}
	for a.taken < len(body) {
		n := min(len(body)-a.taken, dlp.MaxMatch)
		_, fs := a.stream.Scan(body[a.taken : a.taken+n])
		a.found = append(a.found, fs...)
		a.taken += n
	}
}

// size is how much memory it takes to scan body on, which is not scanned yet where it has just become more than a small one.
func (a *arriving) size(body []byte) int64 {
	switch {
	case a.off || len(body) <= small:
		return 0
	case a.stream == nil:
		return newStream + scanRoom
	}
	return int64(a.stream.Size()) + scanRoom
}

// findings returns what rules.Scan would find in the whole body.
func (a *arriving) findings(body []byte) []dlp.Finding {
	if a.stream == nil {
		return a.rules.Scan(body)
	}
	a.take(body)
	a.found = append(a.found, a.stream.Finish()...)
	a.close()
	return a.found
}

// close gives the stream back.
func (a *arriving) close() {
	if a.stream != nil {
		a.stream.Release()
		a.stream = nil
	}
}

// heldBody is a body that was judged whole. It lets go of its memory when it
// has been read, but for what net/http may still have to send: an answer may
// take much longer than that, and net/http closes it when the answer has ended.
type heldBody struct {
	mu     sync.Mutex
	src    *bytes.Reader // nil once closed
	claim  *claim
	unsent int64
}

func (b *heldBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.src == nil {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.src.Read(p)
	if b.src.Len() == 0 {
		b.src = bytes.NewReader(nil)
		b.claim.keep(b.unsent)
	}
	return n, err
}

func (b *heldBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.src = nil
	b.claim.keep(0)
	return nil
}
