package forward_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bottle/lib/refusal"
)

func TestEventsPassOneByOne(t *testing.T) {
	seen := make(chan struct{})
	for _, tc := range []struct{ name, contentType, length, first, second string }{
		{"server-sent events", "text/event-stream", "", "data: 1\n\n", "data: 2\n\n"},
		{"NDJSON", "application/x-ndjson", "", "{\"a\":1}\n", "{\"a\":2}\n"},
		{"no type at all", "", "", "1", "2"},
		{"a body whose length is known", "application/octet-stream", "10", "12345", "67890"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, allowAll(), http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
				if tc.contentType != "" {
					rw.Header().Set("Content-Type", tc.contentType)
				}
				if tc.length != "" {
					rw.Header().Set("Content-Length", tc.length)
				}
				flush := http.NewResponseController(rw).Flush
				flush() // the head alone
				for _, part := range []string{tc.first, tc.second} {
					select {
					case <-seen: // what went before has arrived
					case <-req.Context().Done():
						return
					}
					io.WriteString(rw, part)
					flush()
				}
			}))
			overBoth(t, func(t *testing.T, http2 bool) {
				res, err := w.client(http2).Get("https://origin.test/")
				require.NoError(t, err)
				defer res.Body.Close()
				for _, part := range []string{tc.first, tc.second} {
					seen <- struct{}{}
					b := make([]byte, len(part))
					_, err := io.ReadFull(res.Body, b)
					require.NoError(t, err)
					require.Equal(t, part, string(b))
				}
				_, err = res.Body.Read(make([]byte, 1))
				require.ErrorIs(t, err, io.EOF)
			})
		})
	}
}

// duplex answers every line of a request while the request is still open.
func duplex(rw http.ResponseWriter, req *http.Request) {
	rc := http.NewResponseController(rw)
	if req.ProtoMajor == 1 {
		if err := rc.EnableFullDuplex(); err != nil {
			panic(err)
		}
	}
	rc.Flush()
	lines := bufio.NewReader(req.Body)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		fmt.Fprintf(rw, "got %s", line)
		rc.Flush()
	}
}

func TestBothDirectionsStreamAtOnce(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(duplex))
	overBoth(t, func(t *testing.T, http2 bool) {
		pr, pw := io.Pipe()
		defer pw.Close()
		res, err := w.client(http2).Post("https://origin.test/", "application/grpc", pr)
		require.NoError(t, err)
		answers := bufio.NewReader(res.Body)
		for i := range 3 {
			_, err := fmt.Fprintf(pw, "%d\n", i)
			require.NoError(t, err)
			line, err := answers.ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, fmt.Sprintf("got %d\n", i), line)
		}
		pw.Close()
		require.Empty(t, readAll(t, res))
	})
}

func TestUploadPassesChunkByChunk(t *testing.T) {
	got := make(chan string)
	w := newWorld(t, allowAll(), http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if req.ContentLength != -1 || strings.Join(req.TransferEncoding, "") != "chunked" {
			panic("the body was given a length")
		}
		b := make([]byte, 64)
		for {
			n, err := req.Body.Read(b)
			if n > 0 {
				got <- string(b[:n])
			}
			if err != nil {
				return
			}
		}
	}))
	c := w.tunnel()
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: origin.test\r\nTransfer-Encoding: chunked\r\n\r\n")
	for _, part := range []string{"first", "second"} {
		fmt.Fprintf(c, "%x\r\n%s\r\n", len(part), part)
		require.Equal(t, part, receive(t, got, "chunk"))
	}
	require.Equal(t, 200, exchange(t, c, "0\r\n\r\n").StatusCode)
}

func TestRefusalDoesNotWaitForTheBody(t *testing.T) {
	policy := allowAll()
	policy.Judge = requestFunc(func(req *http.Request) error {
		if req.URL.Path == "/no" {
			return refusal.New(refusal.PathNotAllowed, "no")
		}
		return nil
	})
	w := newWorld(t, policy, http.HandlerFunc(echo))
	overBoth(t, func(t *testing.T, http2 bool) {
		pr, pw := io.Pipe()
		defer pw.Close()
		res, err := w.client(http2).Post("https://origin.test/no", "text/plain", pr)
		require.NoError(t, err)
		refusalIn(t, res, 403, refusal.PathNotAllowed)
	})
	require.Zero(t, w.accepts.Load())
}

func TestAnswerBeforeTheEndOfTheBodyIsPassedOn(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		rw.WriteHeader(401)
	}))
	overBoth(t, func(t *testing.T, http2 bool) {
		pr, pw := io.Pipe()
		defer pr.Close()
		go func() {
			for { // the client closes the pipe when it has its answer
				if _, err := pw.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		}()
		res, err := w.client(http2).Post("https://origin.test/", "text/plain", pr)
		require.NoError(t, err)
		require.Empty(t, readAll(t, res))
		require.Equal(t, 401, res.StatusCode)
		pr.Close()
		w.works401()
	})
}

// works401 is works for an origin that answers 401.
func (w *world) works401() {
	w.t.Helper()
	res := exchange(w.t, w.tunnel(), "GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n")
	require.Equal(w.t, 401, res.StatusCode)
}

func TestMalformedChunkIsRefusedAndEndsTheConnection(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(echo))
	c := w.tunnel()
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: origin.test\r\nTransfer-Encoding: chunked\r\n\r\n")
	res := exchange(t, c, "4\r\nbody\r\n0x4\r\nbody\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: origin.test\r\n\r\n")
	refusalIn(t, res, 400, refusal.BadChunk)
	_, err := io.Copy(io.Discard, c)
	require.True(t, err == nil || isClosed(err), err)
	w.works()
}

// zeros is a body of n bytes that are made as they are read.
type zeros struct {
	n    int64
	peak *atomic.Int64
}

func (z *zeros) Read(p []byte) (int, error) {
	if z.n == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.n)
	z.n -= n
	if z.n%(16<<20) < n {
		watchHeap(z.peak)
	}
	return int(n), nil
}

// watchHeap notes the live heap.
func watchHeap(peak *atomic.Int64) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if n := int64(m.HeapAlloc); n > peak.Load() {
		peak.Store(n)
	}
}

func TestLargeBodiesPassInBoundedMemory(t *testing.T) {
	const size = 64 << 20
	var peak atomic.Int64
	w := newWorld(t, allowAll(), http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if req.Method == "GET" {
			io.Copy(rw, &zeros{size, &peak})
			return
		}
		n, _ := io.Copy(io.Discard, req.Body)
		fmt.Fprint(rw, n)
	}))
	overBoth(t, func(t *testing.T, http2 bool) {
		c := w.client(http2)
		watchHeap(&peak)
		before := peak.Load()
		res, err := c.Post("https://origin.test/", "application/octet-stream", &zeros{size, &peak})
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(size), readAll(t, res))
		res, err = c.Get("https://origin.test/")
		require.NoError(t, err)
		n, err := io.Copy(io.Discard, res.Body)
		require.NoError(t, err)
		require.EqualValues(t, size, n)
		res.Body.Close()
		require.Less(t, peak.Load()-before, int64(16<<20))
	})
}

func TestSlowReaderHoldsTheOriginBack(t *testing.T) {
	// An answer that nobody reads must not pile up in the stage.
	var sent atomic.Int64
	w := newWorld(t, allowAll(), http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		b := make([]byte, 64<<10)
		for {
			http.NewResponseController(rw).SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
			n, err := rw.Write(b)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	}))
	overBoth(t, func(t *testing.T, http2 bool) {
		sent.Store(0)
		res, err := w.client(http2).Get("https://origin.test/")
		require.NoError(t, err)
		_, err = res.Body.Read(make([]byte, 1))
		require.NoError(t, err)
		last := int64(-1)
		require.Eventually(t, func() bool { // until the origin stands still
			n := sent.Load()
			still := n == last
			last = n
			return still
		}, patience, 200*time.Millisecond)
		require.Less(t, last, int64(48<<20), "bytes taken from the origin with no reader")
		res.Body.Close()
	})
}

func TestBodyMayGoOnAfterTheAnswer(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		http.NewResponseController(rw).EnableFullDuplex() // an origin that does not wait either
		rw.WriteHeader(401)
	}))
	for range 4 {
		c := w.tunnel()
		res := exchange(t, c, "POST / HTTP/1.1\r\nHost: origin.test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n")
		require.Equal(t, 401, res.StatusCode)
		res = exchange(t, c, "4\r\nbody\r\n0\r\n\r\nPOST / HTTP/1.1\r\nHost: origin.test\r\nContent-Length: 0\r\n\r\n")
		require.Equal(t, 401, res.StatusCode, "the connection is kept")
	}
	for _, r := range w.records(8) {
		require.Equal(t, 401, r.Status)
	}
}
