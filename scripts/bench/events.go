package main

import (
	"bufio"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	streams  = 8
	eventGap = 20 * time.Millisecond
)

// streamed measures, over warm connections, how long the first event takes
// from the request on, and each later one from the moment that the origin
// stamped it. Both clocks are the machine's.
func streamed(t *target, o options) (sample, error) {
	conns, err := dialMany(t.client, streams)
	defer closeAll(conns)
	if err != nil {
		return nil, err
	}
	// Requests that last make sure that each stream will find an upstream
	// connection open.
	wait := t.client.head("GET", "/wait?ms=50", "")
	if err := each(streams, func(i int) error {
		_, err := conns[i].exchange(wait)
		return err
	}); err != nil {
		return nil, err
	}
	n := max(2, int(o.duration/eventGap))
	request := t.client.head("GET", fmt.Sprintf("/events?n=%d&gap=%d", n, eventGap.Milliseconds()), "Accept-Encoding: identity\r\n")
	first := make([]time.Duration, streams)
	later := make([][]time.Duration, streams)
	err = each(streams, func(i int) error {
		// Spread over the gap, so that the streams do not wake each other up.
		time.Sleep(eventGap / streams * time.Duration(i))
		var err error
		first[i], later[i], err = readEvents(conns[i], request, n)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(first)
	all := slices.Concat(later...)
	slices.Sort(all)
	return sample{
		"first.p50": microseconds(percentile(first, 50)),
		"first.p99": microseconds(percentile(first, 99)),
		"event.p50": microseconds(percentile(all, 50)),
		"event.p99": microseconds(percentile(all, 99)),
	}, nil
}

func readEvents(c *conn, request []byte, want int) (first time.Duration, later []time.Duration, err error) {
	c.extend()
	began := time.Now()
	if _, err := c.Write(request); err != nil {
		return 0, nil, err
	}
	h, err := readHead(c.br)
	if err != nil {
		return 0, nil, err
	}
	if h.status != 200 {
		return 0, nil, fmt.Errorf("events: status %d", h.status)
	}
	lines := bufio.NewScanner(h.body(c.br))
	got := 0
	for lines.Scan() {
		text, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		now := time.Now()
		if got++; got == 1 {
			first = now.Sub(began)
			continue
		}
		sent, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, nil, err
		}
		later = append(later, time.Duration(now.UnixNano()-sent))
	}
	if err := lines.Err(); err != nil {
		return 0, nil, err
	}
	if got != want {
		return 0, nil, fmt.Errorf("%d events of %d", got, want)
	}
	return first, later, nil
}
