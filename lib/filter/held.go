package filter

import (
	"bytes"
	"context"
	"net/http"
	"sync"

	"golang.org/x/sync/semaphore"
)

const (
	// mostHeld bounds what all bodies that are being judged whole may take;
	// small ones do not count, so that they never wait behind large ones.
	mostHeld = 64 << 20
	small    = 64 << 10
)

// held is the memory budget of bodies that are judged whole.
type held struct{ *semaphore.Weighted }

func newHeld() *held { return &held{semaphore.NewWeighted(mostHeld)} }

// claim waits for n bytes of the budget, until ctx is done. They are given back
// at the latest when ctx is done.
func (h *held) claim(ctx context.Context, n int64) (*claim, error) {
	if n <= small {
		return &claim{}, nil
	}
	if err := h.Acquire(ctx, n); err != nil {
		return nil, err
	}
	c := &claim{held: h, n: n}
	context.AfterFunc(ctx, func() { c.keep(0) })
	return c, nil
}

// claim is a part of the budget. It is safe for concurrent use.
type claim struct {
	held *held
	mu   sync.Mutex
	n    int64
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
