package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
)

// measure is one experiment that each round does once with each variant.
type measure struct {
	name  string
	fresh bool // with processes of its own, started for it
	run   func(*target, options) (sample, error)
}

func measures() []measure {
	return []measure{
		{"keepalive-1", false, keepAlive(1, "1")},
		{"keepalive-16", false, keepAlive(16, "16")},
		{"keepalive-256", false, keepAlive(256, "256")},
		{"connections", false, newConnections(false, "")},
		{"resumed", false, newConnections(true, "resume")},
		{"upload", false, transfer(true, false, "up.length")},
		{"upload-chunked", false, transfer(true, true, "up.chunked")},
		{"download", false, transfer(false, false, "down.length")},
		{"download-chunked", false, transfer(false, true, "down.chunked")},
		{"events", false, streamed},
		{"post", false, postLarge},
		{"start", true, startUp},
		{"tunnels", true, openTunnels},
		{"growth-up", true, bigBody(true, "growth.up")},
		{"growth-down", true, bigBody(false, "growth.down")},
	}
}

// run makes all measurements. What fails is described in problems and missing
// from the results; err is only for what stops the whole run.
func run(w *world, o options, interrupt <-chan os.Signal) (names []string, r results, problems []string, err error) {
	columns, err := findVariants(o.variants)
	if err != nil {
		return nil, nil, nil, err
	}
	if o.measures != nil && len(o.measures) == 0 {
		return nil, make(results), nil, nil // the scanner alone
	}
	var chosen []measure
	for _, m := range measures() {
		if len(o.measures) == 0 || slices.Contains(o.measures, m.name) {
			chosen = append(chosen, m)
		}
	}
	if len(chosen) == 0 || len(o.measures) > len(chosen) {
		return nil, nil, nil, fmt.Errorf("measures %q: at least one is unknown", o.measures)
	}
	lasting := make(map[string]*target)
	for _, v := range columns {
		names = append(names, v.name)
		t, err := v.start(w)
		if err != nil {
			return nil, nil, nil, err
		}
		lasting[v.name] = t
	}

	r = make(results)
	for _, m := range chosen {
		for round := range o.rounds {
			fmt.Fprintf(os.Stderr, "bench: %s, round %d of %d\n", m.name, round+1, o.rounds)
			for i := range columns {
				select {
				case <-interrupt:
					return nil, nil, nil, errors.New("interrupted")
				default:
				}
				v := columns[(i+round)%len(columns)]
				s, err := once(w, o, m, v, lasting[v.name])
				if err != nil {
					problems = append(problems, fmt.Sprintf("%s, %s, round %d: %v", m.name, v.name, round+1, err))
				}
				for key, value := range s {
					r.add(key, v.name, round, value)
				}
			}
		}
	}
	return names, r, problems, nil
}

// once makes one measurement.
func once(w *world, o options, m measure, v variant, t *target) (s sample, err error) {
	if m.fresh {
		if t.proxy == "" {
			return nil, nil // direct has no process to look at
		}
		if t, err = v.start(w); err != nil {
			return nil, err
		}
		defer t.stop()
	}
	s, err = m.run(t, o)
	if err == nil {
		return s, nil
	}
	for _, p := range t.stages {
		if words := p.lastWords(); words != "" {
			err = fmt.Errorf("%w; %s says: %s", err, p.name, words)
		}
	}
	return nil, err
}
