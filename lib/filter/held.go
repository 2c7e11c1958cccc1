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
	// small bodies do not count towards what is held, so that they never wait
	// behind large ones.
	small = 64 << 10
	// longestWait bounds how long one waits for the budget, bodyTime how long a
	// body may take to arrive that is judged whole.
	longestWait = 5 * time.Second
	bodyTime    = 60 * time.Second
)

// held is the memory budget of what is being judged whole: bodies and
// compressed WebSocket messages.
type held struct{ *semaphore.Weighted }

// newHeld returns a budget of most bytes for all of them together.
func newHeld(most int64) *held { return &held{semaphore.NewWeighted(most)} }

// claim opens a claim on the budget, for nothing yet. It is given back at the
// latest when ctx is done.
func (h *held) claim(ctx context.Context) *claim {
	c := &claim{held: h}
	context.AfterFunc(ctx, c.close)
	return c
}

// claim is a part of the budget, which grows with what has really arrived: who
// announces much and sends nothing takes nothing. It is safe for concurrent use.
type claim struct {
	held   *held
	mu     sync.Mutex
	n      int64
	closed bool
}

// step is by how much a claim grows at a time.
const step = 256 << 10

// grow makes the claim cover n bytes, waiting a while for others to give some
// back. It reports whether it could.
func (c *claim) grow(ctx context.Context, n int64) bool {
	c.mu.Lock()
	have := c.n
	c.mu.Unlock()
	if n <= max(have, small) {
		return true
	}
	more := (n - have + step - 1) / step * step
	ctx, cancel := context.WithTimeout(ctx, longestWait)
	defer cancel()
	if c.held.Acquire(ctx, more) != nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed { // meanwhile; nobody would give it back
		c.held.Release(more)
		return false
	}
	c.n += more
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
	if c.n > n {
		c.held.Release(c.n - n)
		c.n = n
	}
}

// arriving scans a body while it is being read, so that little is left to do
// when its last byte has come. What is found is not judged before.
type arriving struct {
	rules  scanner
	off    bool   // the body is not to be scanned as it is sent
	stream stream // nil until there is more than a small body
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
// has been sent: an answer may take much longer than that.
type heldBody struct {
	mu    sync.Mutex
	src   *bytes.Reader // nil once closed
	claim *claim
}

func (b *heldBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.src == nil {
		return 0, http.ErrBodyReadAfterClose
	}
	return b.src.Read(p)
}

func (b *heldBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.src = nil
	b.claim.keep(0)
	return nil
}
