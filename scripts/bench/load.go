package main

import (
	"crypto/tls"
	"errors"
	"slices"
	"sync"
	"time"
)

// sample is what one round of one measure found for one variant, by row.
type sample map[string]float64

// keepAlive measures requests per second and their latency over n connections
// that stay open, and the processor time of the stages per request.
func keepAlive(n int, key string) func(*target, options) (sample, error) {
	return func(t *target, o options) (sample, error) {
		conns, err := dialMany(t.client, n)
		defer closeAll(conns)
		if err != nil {
			return nil, err
		}
		// The warm-up fills the upstream pools.
		if _, err := hammer(t.client, conns, o.duration/5); err != nil {
			return nil, err
		}
		before, err := stagesCPU(t)
		if err != nil {
			return nil, err
		}
		began := time.Now()
		took, err := hammer(t.client, conns, o.duration)
		elapsed := time.Since(began)
		if err != nil {
			return nil, err
		}
		after, err := stagesCPU(t)
		if err != nil {
			return nil, err
		}
		slices.Sort(took)
		s := sample{
			"rps" + key: float64(len(took)) / elapsed.Seconds(),
			"p50" + key: microseconds(percentile(took, 50)),
			"p99" + key: microseconds(percentile(took, 99)),
		}
		if len(t.stages) > 0 {
			s["cpu"+key] = microseconds(after-before) / float64(len(took))
		}
		return s, nil
	}
}

// hammer keeps every connection busy with the small request for d, and returns
// how long each exchange took.
func hammer(c *client, conns []*conn, d time.Duration) ([]time.Duration, error) {
	end := time.Now().Add(d)
	took := make([][]time.Duration, len(conns))
	err := each(len(conns), func(i int) error {
		conn := conns[i]
		conn.extend()
		began := time.Now()
		for began.Before(end) {
			if _, err := conn.exchange(c.json); err != nil {
				return err
			}
			now := time.Now()
			took[i] = append(took[i], now.Sub(began))
			began = now
		}
		return nil
	})
	return slices.Concat(took...), err
}

// newConnections measures how many times a second eight workers connect, ask
// for a tunnel, shake hands, send one request and leave.
func newConnections(resume bool, key string) func(*target, options) (sample, error) {
	const workers = 8
	return func(t *target, o options) (sample, error) {
		end := time.Now().Add(o.duration)
		began := time.Now()
		took := make([][]time.Duration, workers)
		resumed := make([]int, workers)
		err := each(workers, func(i int) error {
			var sessions tls.ClientSessionCache
			if resume {
				sessions = tls.NewLRUClientSessionCache(1)
			}
			for time.Now().Before(end) {
				began := time.Now()
				conn, err := t.client.dial(sessions)
				if err != nil {
					return err
				}
				_, err = conn.exchange(t.client.json)
				if conn.ConnectionState().DidResume {
					resumed[i]++
				}
				conn.Close()
				if err != nil {
					return err
				}
				took[i] = append(took[i], time.Since(began))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		elapsed := time.Since(began)
		all := slices.Concat(took...)
		slices.Sort(all)
		s := sample{
			"conn" + key:    float64(len(all)) / elapsed.Seconds(),
			"connp50" + key: microseconds(percentile(all, 50)),
		}
		if resume {
			total := 0
			for _, n := range resumed {
				total += n
			}
			s["resumed"] = 100 * float64(total) / float64(len(all))
		}
		return s, nil
	}
}

// dialMany opens n connections, eight at a time. What was opened is returned
// also with an error.
func dialMany(c *client, n int) ([]*conn, error) {
	const workers = 8
	conns := make([]*conn, n)
	err := each(workers, func(w int) error {
		for i := w; i < n; i += workers {
			var err error
			if conns[i], err = c.dial(nil); err != nil {
				return err
			}
		}
		return nil
	})
	return slices.DeleteFunc(conns, func(c *conn) bool { return c == nil }), err
}

func closeAll(conns []*conn) {
	for _, c := range conns {
		c.Close()
	}
}

// each runs f(0) to f(n-1) at the same time and waits for all.
func each(n int, f func(int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err // one is enough: the others are mostly the same
		}
	}
	return nil
}

// stagesCPU is the processor time of all stages of a variant.
func stagesCPU(t *target) (time.Duration, error) {
	var sum time.Duration
	var errs error
	for _, p := range t.stages {
		d, err := p.cpu()
		sum += d
		errs = errors.Join(errs, err)
	}
	return sum, errs
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
