package providertest

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// echo answers for the hosts that are not the provider's: what arrived, with
// credentials as fingerprints.
func (s *Server) echo(w http.ResponseWriter, r *http.Request) {
	rec := s.describe(r)
	rec.BodyBytes, _ = io.Copy(io.Discard, r.Body)
	s.answer(w, rec, http.StatusOK, map[string]any{
		"host": rec.Host, "method": rec.Method, "path": rec.Path, "proto": rec.Proto,
		"bearer": rec.Bearer, "body_bytes": rec.BodyBytes, "headers": rec.Headers,
	})
}

// demoStream sends n events, delay_ms apart, as server-sent events. Each says
// when it was sent, in nanoseconds since 1970, so that a reader on the same
// machine can tell what the way cost:
//
//	data: {"event":1,"of":5,"sent_ns":1764000000000000000}
func (s *Server) demoStream(w http.ResponseWriter, r *http.Request) {
	rec := s.describe(r)
	n, err := number(r, "n", 5, 100_000)
	if err != nil {
		s.answer(w, rec, http.StatusBadRequest, errorBody("bad_query", err.Error()))
		return
	}
	delay, err := number(r, "delay_ms", 100, 60_000)
	if err != nil {
		s.answer(w, rec, http.StatusBadRequest, errorBody("bad_query", err.Error()))
		return
	}
	rec.Status = http.StatusOK
	s.rec.add(rec)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	flush := http.NewResponseController(w)
	for i := 1; i <= n; i++ {
		if i > 1 && delay > 0 {
			select {
			case <-time.After(time.Duration(delay) * time.Millisecond):
			case <-r.Context().Done():
				return
			}
		}
		if _, err := fmt.Fprintf(w, "data: {\"event\":%d,\"of\":%d,\"sent_ns\":%d}\n\n", i, n, time.Now().UnixNano()); err != nil {
			return
		}
		if flush.Flush() != nil {
			return
		}
	}
}

func number(r *http.Request, name string, standard, max int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return standard, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > max {
		return 0, fmt.Errorf("%s must be a number from 0 to %d", name, max)
	}
	return n, nil
}
