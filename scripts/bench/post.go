package main

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"bottle/scripts/corpus"
)

// largeTurn is an LLM turn as an agent sends it, of about a megabyte.
var largeTurn = sync.OnceValue(func() []byte { return corpus.Turn(13, 900_000) })

// postLarge measures how long a POST of a large JSON body takes over a warm
// connection, from its first byte to the end of the answer.
func postLarge(t *target, o options) (sample, error) {
	conn, err := t.client.dial(nil)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	body := largeTurn()
	request := append(t.client.head("POST", "/sink", fmt.Sprintf("Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))), body...)
	var took []time.Duration
	for began := time.Now(); len(took) < 3 || time.Since(began) < o.duration; {
		conn.extend()
		sent := time.Now()
		if _, err := conn.exchange(request); err != nil {
			return nil, err
		}
		took = append(took, time.Since(sent))
	}
	slices.Sort(took)
	return sample{"post": microseconds(percentile(took, 50))}, nil
}
