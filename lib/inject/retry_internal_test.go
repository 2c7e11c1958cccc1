package inject

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"bottle/lib/credential"
	"bottle/lib/secret"
)

// counted is a source that takes its time, and finds what was put into it.
type counted struct {
	mu      sync.Mutex
	held    credential.State
	there   credential.State
	reads   atomic.Int64
	failing bool
}

func stateOf(version uint64) credential.State {
	v, err := secret.New(fmt.Sprint("token ", version))
	if err != nil {
		panic(err)
	}
	return credential.State{Token: v, Version: version}
}

func (c *counted) Current() (credential.State, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held, nil
}

func (c *counted) Refetch(context.Context) (credential.State, error) {
	c.reads.Add(1)
	time.Sleep(time.Second)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failing {
		return credential.State{}, errors.New("unreadable")
	}
	c.held = c.there
	return c.held, nil
}

func (c *counted) String() string { return "counted" }
func (c *counted) Close() error   { return nil }

// ask has n requests, all of which had version sent, ask l at once.
func ask(l *looker, n int, sent uint64) (newer int64) {
	var found atomic.Int64
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if l.newer(context.Background(), stateOf(sent)) {
				found.Add(1)
			}
		})
	}
	wg.Wait()
	return found.Load()
}

func TestOneLookForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counted{held: stateOf(1), there: stateOf(2)}
		l := &looker{source: c}
		require.EqualValues(t, 100, ask(l, 100, 1))
		require.EqualValues(t, 1, c.reads.Load())
		require.EqualValues(t, 100, ask(l, 100, 1), "it is known already")
		require.EqualValues(t, 1, c.reads.Load())
		require.Zero(t, ask(l, 100, 2), "there is no newer one")
		require.EqualValues(t, 2, c.reads.Load())
		require.Zero(t, ask(l, 100, 2), "which holds for a while")
		require.EqualValues(t, 2, c.reads.Load())
		time.Sleep(lookPause)
		c.there = stateOf(3)
		require.EqualValues(t, 10, ask(l, 10, 2))
		require.EqualValues(t, 3, c.reads.Load())
	})
}

func TestARefusedCredentialIsRenewedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counted{held: stateOf(1), there: stateOf(1)}
		var renewals atomic.Int64
		l := &looker{source: c}
		var renewer renewFunc = func(_ context.Context, refused secret.Value) (bool, error) {
			require.Equal(t, "token 1", refused.Expose())
			renewals.Add(1)
			c.mu.Lock()
			defer c.mu.Unlock()
			c.there = stateOf(2)
			return true, nil
		}
		l.renew.Store(&renewer)
		require.EqualValues(t, 100, ask(l, 100, 1))
		require.EqualValues(t, 1, renewals.Load())
	})
}

func TestALookThatFailsFindsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counted{held: stateOf(1), failing: true}
		l := &looker{source: c}
		var renewer renewFunc = func(context.Context, secret.Value) (bool, error) { return false, errors.New("no") }
		l.renew.Store(&renewer)
		require.Zero(t, ask(l, 100, 1))
		require.EqualValues(t, 1, c.reads.Load())
	})
}

// One that had the newer credential already is not told of the older one's end.
func TestALookIsForOneVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counted{held: stateOf(1), there: stateOf(2)}
		l := &looker{source: c}
		var wg sync.WaitGroup
		wg.Go(func() { require.EqualValues(t, 1, ask(l, 1, 1)) })
		synctest.Wait() // the look is under way
		c.mu.Lock()
		c.held = stateOf(2)
		c.mu.Unlock()
		require.Zero(t, ask(l, 1, 2))
		wg.Wait()
		require.EqualValues(t, 2, c.reads.Load())
	})
}

func TestAClientThatLeavesDoesNotEndTheLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counted{held: stateOf(1), there: stateOf(2)}
		l := &looker{source: c}
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() { require.False(t, l.newer(ctx, stateOf(1))) })
		synctest.Wait()
		wg.Go(func() { require.EqualValues(t, 5, ask(l, 5, 1)) })
		synctest.Wait()
		cancel()
		wg.Wait()
		require.EqualValues(t, 1, c.reads.Load())
	})
}
