package filter

import (
	"bytes"
	"context"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/semaphore"

	"bottle/lib/dlp"
	"bottle/lib/secret"
)

const mostHeld = defaultHeld

// untaken reports whether nothing of the budget is taken.
func (h *held) untaken() bool {
	for budget, most := range map[*semaphore.Weighted]int64{h.whole: h.most, h.small: h.most, h.flowing: 2 * h.most, h.decoding: mostDecoding} {
		if !budget.TryAcquire(most) {
			return false
		}
		budget.Release(most)
	}
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
	require.True(t, h.untaken())
}

func TestClosedClaimDoesNotGrow(t *testing.T) {
	h := newHeld(mostHeld)
	c := h.claim(t.Context())
	require.True(t, c.grow(t.Context(), 1<<20))
	require.False(t, h.untaken())
	c.close()
	require.True(t, h.untaken())
	require.False(t, c.grow(t.Context(), 1<<20))
	require.True(t, h.untaken())
}

func TestSmallClaimsTakeNothingOfTheLargeOnes(t *testing.T) {
	h := newHeld(mostHeld)
	c := h.claim(t.Context())
	require.True(t, c.grow(t.Context(), small))
	require.False(t, h.untaken())
	require.True(t, h.whole.TryAcquire(mostHeld))
	h.whole.Release(mostHeld)
	require.True(t, c.grow(t.Context(), 2*small))
	require.True(t, h.small.TryAcquire(mostHeld), "what has become large is no small one any more")
	h.small.Release(mostHeld)
	c.close()
	require.True(t, h.untaken())
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

// What a body holds does not depend on how it arrives.
func TestWhatArrivesIsFoundAsInTheWhole(t *testing.T) {
	const value = "kX9vPz7Qm+2Lr8Tn4Wc5Yb"
	v, err := secret.NewAny(value)
	require.NoError(t, err)
	known, err := dlp.KnownRules([]dlp.KnownSecret{{Name: "V", Value: v}})
	require.NoError(t, err)
	all, err := dlp.Compile(append(dlp.Builtin(), known...), dlp.Options{})
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(1, 2))
	for name, rules := range map[string]scanner{"text": asText{all}, "form": asForm{all.Form()}} {
		for size := range map[int]bool{200: true, small: true, small + 1: true, 4 * small: true} {
			body := bytes.Repeat([]byte("some words, and more+of them. "), size/30+1)[:size]
			for at := 40; at < size-len(value); at += 1 + rng.IntN(size/3) {
				copy(body[at:], value)
			}
			want := rules.Scan(body)
			require.NotEmpty(t, want)
			a := &arriving{rules: rules}
			for n := 0; n < size; n = min(size, n+1+rng.IntN(40<<10)) {
				a.take(body[:n])
			}
			if size > 2*small {
				require.NotNil(t, a.stream, "nothing was scanned while it arrived")
			}
			require.Equal(t, want, a.findings(body), "%s of %d bytes", name, size)
			require.Nil(t, a.stream)
		}
	}
}
