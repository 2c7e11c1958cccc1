package main

import (
	"time"
)

// settle is how long a process may take to come to rest before its memory is
// read.
const settle = 300 * time.Millisecond

// startUp measures a fresh process: exec to ready, and what is resident then.
// In a chain the stages start one after the other, as the wrapper starts them.
func startUp(t *target, _ options) (sample, error) {
	s := sample{}
	for _, p := range t.stages {
		s["ready"] += float64(p.ready) / float64(time.Millisecond)
	}
	time.Sleep(settle)
	return s, addMemory(s, t, "idle", "VmRSS", nil)
}

// openTunnels measures what is resident while many tunnels are open and idle,
// the handshake inside done.
func openTunnels(t *target, o options) (sample, error) {
	conns, err := dialMany(t.client, o.tunnels)
	defer closeAll(conns)
	if err != nil {
		return nil, err
	}
	time.Sleep(settle)
	s := sample{}
	return s, addMemory(s, t, "tunnels", "VmRSS", nil)
}

// bigBody measures by how much the resident memory grows, at its peak, while
// one big body passes.
func bigBody(up bool, key string) func(*target, options) (sample, error) {
	return func(t *target, o options) (sample, error) {
		conn, err := t.client.dial(nil)
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		if err := move(t.client, conn, up, false, 1e6); err != nil {
			return nil, err
		}
		before := make([]float64, len(t.stages))
		for i, p := range t.stages {
			if err := p.resetPeak(); err != nil {
				return nil, err
			}
			if before[i], err = p.memory("VmRSS"); err != nil {
				return nil, err
			}
		}
		if err := move(t.client, conn, up, false, int64(o.body)*1e6); err != nil {
			return nil, err
		}
		s := sample{}
		return s, addMemory(s, t, key, "VmHWM", before)
	}
}

// addMemory sets key to the stages' memory in all, and key+".most" to that of
// the stage with the most, each less what it was before.
func addMemory(s sample, t *target, key, field string, before []float64) error {
	for i, p := range t.stages {
		mb, err := p.memory(field)
		if err != nil {
			return err
		}
		if before != nil {
			mb -= before[i]
		}
		s[key] += mb
		s[key+".most"] = max(s[key+".most"], mb)
	}
	return nil
}
