package forward_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"bottle/lib/forward"
	"bottle/lib/refusal"
)

// rotating is a policy whose credential can change: the origin wants the
// newest, and the policy has an old one until it is told of a 401.
type rotating struct {
	have, newest atomic.Int64
	asked        atomic.Int64 // times that Retry was called
	tries        atomic.Int64 // requests that came to the origin
	never        bool         // the origin is never content
}

func newRotating() *rotating {
	r := &rotating{}
	r.newest.Store(1)
	return r
}

func (r *rotating) policy() *forward.Policy {
	p := allowAll()
	p.Inject = requestFunc(func(req *http.Request) error {
		req.Header.Add("Authorization", strconv.FormatInt(r.have.Load(), 10))
		req.URL.RawQuery += "&key=" + strconv.FormatInt(r.have.Load(), 10)
		forward.ExchangeOf(req).Credential = forward.CredentialReal
		return nil
	})
	p.Retry = func(res *http.Response) (bool, error) {
		if res.StatusCode != http.StatusUnauthorized {
			return false, nil
		}
		r.asked.Add(1)
		return r.have.Swap(r.newest.Load()) != r.newest.Load() || r.never, nil
	}
	return p
}

// origin answers 401 before it reads the body if early, else after it.
func (r *rotating) origin(early bool, then http.HandlerFunc) http.HandlerFunc {
	return func(rw http.ResponseWriter, req *http.Request) {
		r.tries.Add(1)
		want := strconv.FormatInt(r.newest.Load(), 10)
		if a := req.Header["Authorization"]; len(a) != 1 || a[0] != want || req.URL.RawQuery != "q=1&key="+want || r.never {
			if !early {
				io.Copy(io.Discard, req.Body)
			}
			rw.WriteHeader(401)
			io.WriteString(rw, "first answer")
			return
		}
		then(rw, req)
	}
}

func echoSum(rw http.ResponseWriter, req *http.Request) {
	b, err := io.ReadAll(req.Body)
	fmt.Fprintf(rw, "%d %x %v", len(b), sum(b), err)
}

func sum(b []byte) (n uint64) {
	for _, c := range b {
		n = n*31 + uint64(c)
	}
	return n
}

func TestAChangedCredentialIsTriedOnce(t *testing.T) {
	random := make([]byte, 3<<20)
	rand.Read(random)
	for _, tc := range []struct {
		name    string
		size    int
		chunked bool
		expect  bool
		early   bool // the origin answers before it reads
		status  int
	}{
		{name: "no body", size: 0, status: 200},
		{name: "a body that is gathered", size: 100, status: 200},
		{name: "a body in memory", size: 300 << 10, status: 200},
		{name: "a body of unknown length", size: 300 << 10, chunked: true, status: 200},
		{name: "the most", size: 1<<20 - 64<<10, status: 200},
		{name: "a body that is too large", size: 2 << 20, status: 401},
		{name: "a body of unknown length that is too large", size: 2 << 20, chunked: true, status: 401},
		{name: "an expectation that is refused", size: 2 << 20, expect: true, early: true, status: 200},
		{name: "an answer before a small body is read", size: 100 << 10, early: true, status: 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, http2 bool) {
				if tc.expect && http2 {
					t.Skip("the HTTP/2 server of net/http takes the expectation off")
				}
				r := newRotating()
				w := newWorld(t, r.policy(), r.origin(tc.early, echoSum))
				var body io.Reader
				if tc.size > 0 {
					body = bytes.NewReader(random[:tc.size])
				}
				if tc.chunked {
					body = struct{ io.Reader }{body}
				}
				req, err := http.NewRequest("POST", "https://origin.test/x?q=1", body)
				require.NoError(t, err)
				if tc.expect {
					req.Header.Set("Expect", "100-continue")
				}
				res, err := w.client(http2).Do(req)
				require.NoError(t, err)
				got := readAll(t, res)
				require.Equal(t, tc.status, res.StatusCode, got)
				require.EqualValues(t, 1, r.asked.Load())
				tries := map[int]int64{200: 2, 401: 1}[tc.status]
				require.Equal(t, tries, r.tries.Load())
				if tc.status == 200 {
					require.Equal(t, fmt.Sprintf("%d %x <nil>", tc.size, sum(random[:tc.size])), got)
				} else {
					require.Equal(t, "first answer", got)
				}
				rec := w.records(1)[0]
				require.Equal(t, tc.status == 200, rec.Replayed)
				require.Equal(t, tc.status, rec.Status)
				if tc.status == 200 {
					require.EqualValues(t, tc.size, rec.Up, "a body that is sent twice counts once")
				}
			})
		})
	}
}

func TestAnOriginThatIsNeverContentIsAskedTwice(t *testing.T) {
	overBoth(t, func(t *testing.T, http2 bool) {
		r := newRotating()
		r.never = true
		w := newWorld(t, r.policy(), r.origin(false, nil))
		for n := range int64(3) {
			res, err := w.client(http2).Post("https://origin.test/x?q=1", "text/plain", strings.NewReader("body"))
			require.NoError(t, err)
			require.Equal(t, 401, res.StatusCode)
			require.Equal(t, "first answer", readAll(t, res))
			require.Equal(t, 2*(n+1), r.tries.Load())
			require.Equal(t, n+1, r.asked.Load())
		}
	})
}

func TestA401IsPassedOnWhereTheCredentialIsTheSame(t *testing.T) {
	r := newRotating()
	r.have.Store(1)
	w := newWorld(t, r.policy(), http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		r.tries.Add(1)
		rw.Header().Set("Www-Authenticate", "Bearer")
		rw.WriteHeader(401)
		io.WriteString(rw, "why")
	}))
	res, err := w.client(false).Get("https://origin.test/x?q=1")
	require.NoError(t, err)
	require.Equal(t, 401, res.StatusCode)
	require.Equal(t, "Bearer", res.Header.Get("Www-Authenticate"))
	require.Equal(t, "why", readAll(t, res))
	require.EqualValues(t, 1, r.tries.Load())
}

func TestARequestWithoutTheRealCredentialIsNotTriedAgain(t *testing.T) {
	r := newRotating()
	p := r.policy()
	p.Inject = requestFunc(func(req *http.Request) error { return nil })
	w := newWorld(t, p, r.origin(false, nil))
	res, err := w.client(false).Get("https://origin.test/x?q=1")
	require.NoError(t, err)
	require.Equal(t, 401, res.StatusCode)
	readAll(t, res)
	require.Zero(t, r.asked.Load())
	require.EqualValues(t, 1, r.tries.Load())
}

func TestAWebSocketIsTriedAgain(t *testing.T) {
	r := newRotating()
	ws := webSocket(websocket.CompressionDisabled)
	w := newWorld(t, r.policy(), http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		r.tries.Add(1)
		if req.Header.Get("Authorization") != "1" {
			rw.WriteHeader(401)
			return
		}
		ws(rw, req)
	}))
	c, res, err := w.websocket(websocket.CompressionDisabled)
	require.NoError(t, err)
	require.Equal(t, 101, res.StatusCode)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, b, err := c.Read(ctx)
	require.NoError(t, err)
	require.Equal(t, "hello", string(b))
	require.NoError(t, c.Write(ctx, websocket.MessageText, []byte("close")))
	_, _, err = c.Read(ctx)
	require.EqualValues(t, 4002, websocket.CloseStatus(err))
	require.EqualValues(t, 2, r.tries.Load())
	require.True(t, w.records(1)[0].Replayed)
}

func TestASecondAttemptGoesToTheSameHost(t *testing.T) {
	r := newRotating()
	p := r.policy()
	inject := p.Inject
	p.Inject = requestFunc(func(req *http.Request) error {
		err := inject.ModifyRequest(req)
		if r.asked.Load() > 0 {
			req.URL.Host, req.Host, req.URL.Scheme = "other.test", "other.test", "http"
		}
		return err
	})
	var hosts sync.Map
	w := newWorld(t, p, http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		hosts.Store(req.Host, true)
		r.origin(false, echoSum)(rw, req)
	}))
	res, err := w.client(false).Get("https://origin.test/x?q=1")
	require.NoError(t, err)
	require.Equal(t, 200, res.StatusCode)
	readAll(t, res)
	hosts.Range(func(host, _ any) bool {
		require.Equal(t, "origin.test", host)
		return true
	})
}

// A body that is still coming when the origin says no goes on into the second
// attempt.
func TestABodyUnderWayIsTakenOver(t *testing.T) {
	overBoth(t, func(t *testing.T, http2 bool) {
		r := newRotating()
		pr, pw := io.Pipe()
		defer pw.Close()
		w := newWorld(t, r.policy(), http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
			if r.tries.Add(1) == 1 {
				http.NewResponseController(rw).EnableFullDuplex()
				io.ReadFull(req.Body, make([]byte, 5))
				rw.WriteHeader(401)
				http.NewResponseController(rw).Flush()
				return
			}
			go func() {
				io.WriteString(pw, " second")
				pw.Close()
			}()
			echoSum(rw, req)
		}))
		go io.WriteString(pw, "first")
		res, err := w.client(http2).Post("https://origin.test/x?q=1", "text/plain", pr)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("12 %x <nil>", sum([]byte("first second"))), readAll(t, res))
	})
}

func TestManyRequestsAreTriedAgainAtOnce(t *testing.T) {
	overBoth(t, func(t *testing.T, http2 bool) {
		r := newRotating()
		w := newWorld(t, r.policy(), r.origin(false, echoSum))
		// All have the old credential on them before the first answer comes.
		var held sync.WaitGroup
		held.Add(50)
		inject := r.policy().Inject
		p := r.policy()
		p.Inject = requestFunc(func(req *http.Request) error {
			err := inject.ModifyRequest(req)
			if req.Header.Get("Authorization") == "0" {
				held.Done()
				held.Wait()
			}
			return err
		})
		p.Retry = func(res *http.Response) (bool, error) {
			if res.StatusCode == 401 {
				r.have.Store(1)
			}
			return res.StatusCode == 401, nil
		}
		w.config.Policy = p
		w.engine.Swap(w.config)
		client := w.client(http2)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				res, err := client.Post("https://origin.test/x?q=1", "text/plain", strings.NewReader(strings.Repeat("x", 10<<10)))
				if err != nil {
					t.Error(err)
					return
				}
				if b, _ := io.ReadAll(res.Body); res.StatusCode != 200 {
					t.Errorf("%d %s", res.StatusCode, b)
				}
				res.Body.Close()
			})
		}
		wg.Wait()
		require.EqualValues(t, 100, r.tries.Load())
	})
}

func TestAPolicyThatPanicsAtTheRetryRefuses(t *testing.T) {
	r := newRotating()
	p := r.policy()
	p.Retry = func(*http.Response) (bool, error) { panic(inside) }
	w := newWorld(t, p, r.origin(false, echoSum))
	res, err := w.client(false).Get("https://origin.test/x?q=1")
	require.NoError(t, err)
	refusalIn(t, res, 500, "internal_error")
	require.Contains(t, w.log.String(), inside)
}

func TestAPolicyMayRefuseInTheAnswersPlace(t *testing.T) {
	r := newRotating()
	p := r.policy()
	p.Retry = func(*http.Response) (bool, error) {
		return true, refusal.New(refusal.LoginEnded, "the login has ended")
	}
	w := newWorld(t, p, r.origin(false, echoSum))
	overBoth(t, func(t *testing.T, http2 bool) {
		res, err := w.client(http2).Get("https://origin.test/x?q=1")
		require.NoError(t, err)
		refusalIn(t, res, 403, refusal.LoginEnded)
	})
	require.EqualValues(t, 2, r.tries.Load(), "one of each")
}
