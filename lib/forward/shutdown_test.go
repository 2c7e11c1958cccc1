package forward_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"bottle/lib/forward"
	"bottle/lib/refusal"
)

// busy is an origin whose answers to /stream and whose WebSockets end when the
// test says so.
type busy struct{ goOn chan struct{} }

func (b busy) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	switch req.URL.Path {
	case "/stream":
		io.WriteString(rw, "first ")
		http.NewResponseController(rw).Flush()
		select {
		case <-b.goOn:
		case <-req.Context().Done():
			return
		}
		io.WriteString(rw, "last")
	case "/ws":
		webSocket(websocket.CompressionDisabled)(rw, req)
	}
}

// shutDown starts a shutdown that may take up to timeout.
func (w *world) shutDown(timeout time.Duration) <-chan error {
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		done <- w.engine.Shutdown(ctx)
	}()
	// The listener is closed first of all.
	require.Eventually(w.t, func() bool {
		c, err := net.Dial("tcp", w.proxy)
		if err == nil {
			c.Close()
		}
		return err != nil
	}, patience, time.Millisecond)
	return done
}

func TestDrainWaitsForAStream(t *testing.T) {
	overBoth(t, func(t *testing.T, http2 bool) {
		origin := busy{make(chan struct{})}
		w := newWorld(t, allowAll(), origin)
		res, err := w.client(http2).Get("https://origin.test/stream")
		require.NoError(t, err)
		b := make([]byte, len("first "))
		_, err = io.ReadFull(res.Body, b)
		require.NoError(t, err)
		done := w.shutDown(patience)
		close(origin.goOn)
		require.Equal(t, "last", readAll(t, res))
		require.NoError(t, receive(t, done, "end of the drain"))
	})
}

func TestDrainWaitsForWebSocketsAndTunnels(t *testing.T) {
	w := newWorld(t, allowAll(), busy{})
	c, _, err := w.websocket(websocket.CompressionDisabled)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, _, err = c.Read(ctx) // the greeting
	require.NoError(t, err)
	config := w.config
	config.Policy = passAll()
	w.engine.Swap(config)
	tunnel := w.tunnel()
	exchangeOK := func() {
		require.Equal(t, 200, exchange(t, tunnel, "GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n").StatusCode)
	}
	exchangeOK()

	done := w.shutDown(patience)
	exchangeOK() // a passthrough tunnel is one piece of work
	require.NoError(t, c.Write(ctx, websocket.MessageText, []byte("still there")))
	_, b, err := c.Read(ctx)
	require.NoError(t, err)
	require.Equal(t, "still there", string(b))
	require.NoError(t, c.Close(websocket.StatusNormalClosure, ""))
	select {
	case <-done:
		require.Fail(t, "the drain did not wait for the tunnel")
	default:
	}
	exchangeOK()
	tunnel.Close()
	require.NoError(t, receive(t, done, "end of the drain"))
}

func TestDrainCutsOffWhatDoesNotEnd(t *testing.T) {
	w := newWorld(t, allowAll(), busy{make(chan struct{})})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	res, err := w.client(false).Get("https://origin.test/stream")
	require.NoError(t, err)
	res2, err := w.client(true).Get("https://origin.test/stream")
	require.NoError(t, err)
	ws, _, err := w.websocket(websocket.CompressionDisabled)
	require.NoError(t, err)
	_, _, err = ws.Read(ctx)
	require.NoError(t, err)
	config := w.config
	config.Policy = passAll()
	w.engine.Swap(config)
	tunnel := w.tunnel()

	require.ErrorIs(t, receive(t, w.shutDown(50*time.Millisecond), "end of the drain"), context.DeadlineExceeded)
	for _, r := range []*http.Response{res, res2} {
		_, err := io.ReadAll(r.Body)
		require.Error(t, err, "a cut answer must not look whole")
		r.Body.Close()
	}
	_, _, err = ws.Read(ctx)
	require.Error(t, err)
	_, err = tunnel.Read(make([]byte, 1))
	require.Error(t, err)
}

func TestIdleConnectionsDoNotHoldUpTheDrain(t *testing.T) {
	w := newWorld(t, allowAll(), busy{})
	idle := w.dial()
	refusalIn(t, exchange(t, idle, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 400, refusal.NotAProxyRequest)
	kept := w.tunnel()
	require.Equal(t, 200, exchange(t, kept, "GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n").StatusCode)
	kept2 := newFrames(t, w.tunnel("h2"))
	kept2.ask(":method= GET", ":scheme= https", ":path= /", ":authority= origin.test")
	kept2.answer()
	began := time.Now()
	require.NoError(t, receive(t, w.shutDown(patience), "end of the drain"))
	require.Less(t, time.Since(began), 3*time.Second)
}

func TestCloseEndsEverythingAtOnce(t *testing.T) {
	w := newWorld(t, allowAll(), busy{make(chan struct{})})
	res, err := w.client(true).Get("https://origin.test/stream")
	require.NoError(t, err)
	defer res.Body.Close()
	handshake, _ := w.connect(w.host) // no ClientHello yet
	w.engine.Close()
	require.NoError(t, receive(t, w.served, "end of Serve"))
	w.served <- nil // for the clean-up
	_, err = io.ReadAll(res.Body)
	require.Error(t, err)
	_, err = handshake.Read(make([]byte, 1))
	require.Error(t, err)
	_, err = net.Dial("tcp", w.proxy)
	require.Error(t, err)
}

func TestServeFailsWithItsListener(t *testing.T) {
	w := newWorld(t, allowAll(), busy{})
	e := forward.New(forward.Options{Stage: stageName}, w.config)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l.Close()
	require.Error(t, e.Serve(l))
}

func openFiles(t *testing.T) int {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc here")
	}
	return len(names)
}

func TestNoFileDescriptorIsLeft(t *testing.T) {
	before := -1
	for round := range 3 {
		t.Run(fmt.Sprint("round ", round), func(t *testing.T) {
			w := newWorld(t, allowAll(), busy{})
			for range 5 {
				w.works()
				w.tunnelNamed("other.test").Close()
				c, _ := w.connect("origin.test:443")
				io.WriteString(c, "not TLS\r\n")
				io.Copy(io.Discard, c)
				c.Close()
				_, res := w.connect("origin.test:444") // nobody there
				res.Body.Close()
				ws, _, err := w.websocket(websocket.CompressionDisabled)
				require.NoError(t, err)
				ws.CloseNow()
				exchange(t, w.dial(), "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").Body.Close()
			}
		})
		runtimeSettle(t, before)
		n := openFiles(t)
		if before >= 0 {
			require.LessOrEqual(t, n, before)
		}
		before = n
	}
}

// runtimeSettle waits until the sockets of a finished subtest are closed.
func runtimeSettle(t *testing.T, want int) {
	if want < 0 {
		return
	}
	deadline := time.Now().Add(patience)
	for openFiles(t) > want && time.Now().Before(deadline) {
		r, w := io.Pipe() // yields
		go w.Close()
		io.Copy(io.Discard, r)
	}
}

func TestManyAgentsAtOnce(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(echo))
	errs := make(chan error)
	const agents = 16
	for i := range agents {
		go func() {
			c := w.client(i%2 == 0)
			var err error
			for j := 0; j < 10 && err == nil; j++ {
				var res *http.Response
				if res, err = c.Post("https://origin.test/x", "text/plain", strings.NewReader(fmt.Sprint(i, j))); err != nil {
					break
				}
				b, rerr := bufio.NewReader(res.Body).ReadString(0)
				res.Body.Close()
				if rerr != io.EOF || !strings.HasSuffix(b, "|"+fmt.Sprint(i, j)) {
					err = fmt.Errorf("answer %q: %v", b, rerr)
				}
			}
			errs <- err
		}()
	}
	for range agents {
		require.NoError(t, receive(t, errs, "agent"))
	}
}
