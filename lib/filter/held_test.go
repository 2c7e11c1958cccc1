package filter

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const mostHeld = defaultHeld

// whole reports whether nothing of the budget is taken.
func (h *held) whole() bool {
	if !h.TryAcquire(mostHeld) {
		return false
	}
	h.Release(mostHeld)
	return true
}

func TestClaimsGiveEverythingBack(t *testing.T) {
	h := newHeld(mostHeld)
	var all sync.WaitGroup
	for range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		c := h.claim(ctx)
		all.Go(func() {
			for n := int64(small); n < 1<<20; n += step {
				c.grow(ctx, n+1)
			}
			c.keep(100)
			c.close()
		})
		all.Go(cancel) // meanwhile
	}
	all.Wait()
	require.True(t, h.whole())
}

func TestClosedClaimDoesNotGrow(t *testing.T) {
	h := newHeld(mostHeld)
	c := h.claim(t.Context())
	require.True(t, c.grow(t.Context(), 1<<20))
	require.False(t, h.whole())
	c.close()
	require.True(t, h.whole())
	require.False(t, c.grow(t.Context(), 1<<20))
	require.True(t, h.whole())
}

func TestSmallClaimsTakeNothing(t *testing.T) {
	h := newHeld(mostHeld)
	c := h.claim(t.Context())
	require.True(t, c.grow(t.Context(), small))
	require.True(t, h.whole())
}

func TestClaimWaitsForWhatOthersGiveBack(t *testing.T) {
	h := newHeld(mostHeld)
	first, second := h.claim(t.Context()), h.claim(t.Context())
	require.True(t, first.grow(t.Context(), mostHeld))
	grown := make(chan bool)
	go func() { grown <- second.grow(t.Context(), 1<<20) }()
	first.keep(0)
	require.True(t, <-grown)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.True(t, first.grow(t.Context(), mostHeld-1<<20))
	require.False(t, h.claim(ctx).grow(ctx, 1<<20), "the client has gone away")
}
