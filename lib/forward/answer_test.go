package forward_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/audit"
	"bottle/lib/forward"
	"bottle/lib/refusal"
)

// answering answers /mine with the body it gets, and lets the rest go on.
func answering() *forward.Policy {
	p := allowAll()
	p.Answer = func(req *http.Request) (*forward.Answer, error) {
		if !strings.HasPrefix(req.URL.Path, "/mine") {
			return nil, nil
		}
		b, err := io.ReadAll(io.LimitReader(req.Body, 1<<20))
		if err != nil {
			return nil, &forward.BodyError{Err: err}
		}
		switch req.URL.Path {
		case "/mine/refused":
			return nil, refusal.New(refusal.MethodNotAllowed, "not this")
		case "/mine/failed":
			return nil, errors.New(inside)
		case "/mine/panic":
			panic(inside)
		}
		forward.ExchangeOf(req).Credential = forward.CredentialDummy
		return &forward.Answer{Status: 201, Header: http.Header{"Content-Type": {"text/plain"}}, Body: append([]byte("got "), b...)}, nil
	}
	return p
}

func TestAPolicyAnswersItself(t *testing.T) {
	w := newWorld(t, answering(), http.HandlerFunc(echo))
	overBoth(t, func(t *testing.T, http2 bool) {
		accepts := w.accepts.Load()
		client := w.client(http2)
		for _, expect := range []bool{false, true} {
			for _, size := range []int{0, 10, 100 << 10} {
				body := bytes.Repeat([]byte("x"), size)
				req, err := http.NewRequest("POST", "https://origin.test/mine", bytes.NewReader(body))
				require.NoError(t, err)
				if expect && size > 0 {
					req.Header.Set("Expect", "100-continue")
				}
				res, err := client.Do(req)
				require.NoError(t, err)
				require.Equal(t, 201, res.StatusCode)
				require.Equal(t, "got "+string(body), readAll(t, res))
				require.Equal(t, stageName+`; details="answered_here"`, res.Header.Get("Proxy-Status"))
				require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
				require.Equal(t, "text/plain", res.Header.Get("Content-Type"))
			}
		}
		for path, want := range map[string]struct {
			status int
			code   refusal.Code
		}{
			"/mine/refused": {403, refusal.MethodNotAllowed}, "/mine/failed": {500, refusal.InternalError}, "/mine/panic": {500, refusal.InternalError},
		} {
			res, err := client.Post("https://origin.test"+path, "text/plain", strings.NewReader("x"))
			require.NoError(t, err)
			p := refusalIn(t, res, want.status, want.code)
			require.NotContains(t, p.Message, inside)
		}
		require.Equal(t, accepts, w.accepts.Load(), "nothing is dialled")
		w.works()
	})
	answered := 0
	for _, r := range w.records(20) {
		if r.Credential == forward.CredentialDummy {
			require.Equal(t, audit.Allow, r.Decision)
			require.Equal(t, 201, r.Status)
			require.Equal(t, r.Down, r.Up+int64(len("got ")))
			answered++
		}
	}
	require.Equal(t, 12, answered)
}

// The guard of the connection stands in front of an answer as of a relay.
func TestFramingIsGuardedWhereAPolicyAnswers(t *testing.T) {
	w := newWorld(t, answering(), http.HandlerFunc(echo))
	for raw, code := range map[string]refusal.Code{
		"POST /mine HTTP/1.1\r\nHost: origin.test\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n": refusal.FramingConflict,
		"POST /mine HTTP/1.1\r\nHost: origin.test\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n":                         refusal.BadChunk,
	} {
		res := exchange(t, w.tunnel("http/1.1"), raw)
		refusalIn(t, res, 400, code)
	}
	require.Zero(t, w.accepts.Load())
	w.works()
}

func TestAnAnswerCutOffInItsBodyLeavesTheStageWorking(t *testing.T) {
	w := newWorld(t, answering(), http.HandlerFunc(echo))
	c := w.tunnel("http/1.1")
	_, err := io.WriteString(c, "POST /mine HTTP/1.1\r\nHost: origin.test\r\nContent-Length: 30\r\n\r\nhalf")
	require.NoError(t, err)
	c.Close()
	w.works()
}
