package wsframe

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
)

// relay is a reverse proxy that guards upgraded connections, before a server that runs serve on each.
type relay struct {
	url   string
	conns chan *Conn
	seen  func() []string
}

func newRelay(t *testing.T, o Options, accept *websocket.AcceptOptions, serve func(context.Context, *websocket.Conn)) *relay {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, accept)
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(-1)
		serve(ctx, c)
	}))
	target, err := url.Parse(origin.URL)
	require.NoError(t, err)
	rec := &record{}
	r := &relay{conns: make(chan *Conn, 1)}
	if o.Refused == nil {
		o.Refused = func(error) []byte { return []byte(refusalText) }
	}
	transport := &http.Transport{}
	front := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(p *httputil.ProxyRequest) { p.SetURL(target) },
		Transport: transport,
		ModifyResponse: func(res *http.Response) error {
			if res.StatusCode != http.StatusSwitchingProtocols {
				return nil
			}
			o := o
			var err error
			if o.Deflate, err = ParseExtensions(res.Header.Values("Sec-WebSocket-Extensions")); err != nil {
				return err
			}
			o.Inspector = rec
			c := Guard(res.Body.(io.ReadWriteCloser), o)
			r.conns <- c
			res.Body = c
			return nil
		},
	})
	r.url = front.URL
	r.seen = func() []string { return rec.messages }
	t.Cleanup(func() {
		cancel()
		front.Close()
		origin.Close()
		transport.CloseIdleConnections()
	})
	return r
}

// slowConn writes one byte at a time.
type slowConn struct{ net.Conn }

func (c slowConn) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := c.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

func dial(t *testing.T, r *relay, mode websocket.CompressionMode, bytewise bool) *websocket.Conn {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if bytewise && err == nil {
			c = slowConn{c}
		}
		return c, err
	}}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	c, _, err := websocket.Dial(ctx, r.url, &websocket.DialOptions{CompressionMode: mode, CompressionThreshold: 1, HTTPClient: &http.Client{Transport: transport}})
	require.NoError(t, err)
	c.SetReadLimit(-1)
	t.Cleanup(func() {
		c.CloseNow()
		cancel()
		transport.CloseIdleConnections()
	})
	return c
}

func echo(ctx context.Context, c *websocket.Conn) {
	for {
		typ, b, err := c.Read(ctx)
		if err != nil {
			return
		}
		if err := c.Write(ctx, typ, b); err != nil {
			return
		}
	}
}

var modes = map[string]websocket.CompressionMode{
	"plain":       websocket.CompressionDisabled,
	"takeover":    websocket.CompressionContextTakeover,
	"no takeover": websocket.CompressionNoContextTakeover,
}

func TestConversationThroughARelay(t *testing.T) {
	long := strings.Repeat("turn ", 20_000)
	for mode, compression := range modes {
		for _, bytewise := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, bytewise %v", mode, bytewise), func(t *testing.T) {
				r := newRelay(t, Options{}, &websocket.AcceptOptions{CompressionMode: compression, CompressionThreshold: 1}, echo)
				c := dial(t, r, compression, bytewise)
				ctx := t.Context()
				messages := []string{"prewarm", strings.Repeat("short ", 100), noise(1, 3000), "", strings.Repeat("short ", 100), "end"}
				if !bytewise {
					messages = append(messages, long, noise(2, 100_000), long)
				}
				for _, want := range messages {
					require.NoError(t, c.Write(ctx, websocket.MessageBinary, []byte(want)))
					_, got, err := c.Read(ctx)
					require.NoError(t, err)
					require.Equal(t, want, string(got))
				}
				require.NoError(t, c.Close(websocket.StatusNormalClosure, "bye"))
				conn := <-r.conns
				require.NoError(t, conn.Err())
				want := make([]string, len(messages))
				for i := range want {
					want[i] = "binary:" + messages[i]
				}
				require.Equal(t, append(want, "close:\x03\xe8bye"), r.seen())
			})
		}
	}
}

func TestFragmentsAndPingsThroughARelay(t *testing.T) {
	for mode, compression := range modes {
		t.Run(mode, func(t *testing.T) {
			r := newRelay(t, Options{}, &websocket.AcceptOptions{CompressionMode: compression, CompressionThreshold: 1}, echo)
			c := dial(t, r, compression, false)
			ctx := t.Context()
			var want strings.Builder
			w, err := c.Writer(ctx, websocket.MessageText)
			require.NoError(t, err)
			read := make(chan string, 1)
			go func() {
				_, b, err := c.Read(ctx) // answers arrive here; pongs, too
				if err != nil {
					b = []byte(err.Error())
				}
				read <- string(b)
			}()
			for i := range 30 {
				part := fmt.Sprintf("part %d %s;", i, strings.Repeat("x", i*97))
				want.WriteString(part)
				_, err := io.Copy(w, iotest.OneByteReader(strings.NewReader(part)))
				require.NoError(t, err)
				// The message is not finished and held; the ping must come back all the same.
				require.NoError(t, c.Ping(ctx))
			}
			require.NoError(t, w.Close())
			require.Equal(t, want.String(), <-read)
		})
	}
}

func TestRefusalThroughARelay(t *testing.T) {
	for mode, compression := range modes {
		t.Run(mode, func(t *testing.T) {
			serverSaw := make(chan error, 1)
			var got []string
			r := newRelay(t, Options{}, &websocket.AcceptOptions{CompressionMode: compression, CompressionThreshold: 1}, func(ctx context.Context, c *websocket.Conn) {
				for {
					_, b, err := c.Read(ctx)
					if err != nil {
						serverSaw <- err
						return
					}
					got = append(got, string(b))
				}
			})
			c := dial(t, r, compression, false)
			ctx := t.Context()
			require.NoError(t, c.Write(ctx, websocket.MessageText, []byte("prewarm")))
			require.NoError(t, c.Write(ctx, websocket.MessageText, []byte(strings.Repeat("turn ", 10_000)+" SECRET "+strings.Repeat("turn ", 10_000))))
			_, b, err := c.Read(ctx)
			require.NoError(t, err)
			require.Equal(t, refusalText, string(b))
			_, _, err = c.Read(ctx)
			require.Equal(t, websocket.StatusPolicyViolation, websocket.CloseStatus(err), err)

			require.Equal(t, websocket.StatusGoingAway, websocket.CloseStatus(<-serverSaw))
			require.Equal(t, []string{"prewarm"}, got)
			require.ErrorIs(t, (<-r.conns).Err(), errSecret)
		})
	}
}

func TestRefusalAmidAStreamThroughARelay(t *testing.T) {
	// The server talks all the time, in fragments; the client must see whole messages, then the refusal.
	r := newRelay(t, Options{}, nil, func(ctx context.Context, c *websocket.Conn) {
		for i := 0; ; i++ {
			w, err := c.Writer(ctx, websocket.MessageText)
			if err != nil {
				return
			}
			for range 5 {
				if _, err := fmt.Fprintf(w, "event %d;%s", i, strings.Repeat("x", 5000)); err != nil {
					return
				}
			}
			if err := w.Close(); err != nil {
				return
			}
		}
	})
	for range 10 {
		c := dial(t, r, websocket.CompressionDisabled, false)
		ctx := t.Context()
		for i := 0; ; i++ {
			_, b, err := c.Read(ctx)
			require.NoError(t, err)
			if string(b) == refusalText {
				break
			}
			require.Equal(t, strings.Repeat(fmt.Sprintf("event %d;%s", i, strings.Repeat("x", 5000)), 5), string(b))
			if i == 20 {
				require.NoError(t, c.Write(ctx, websocket.MessageText, []byte("SECRET")))
			}
		}
		_, _, err := c.Read(ctx)
		require.Equal(t, websocket.StatusPolicyViolation, websocket.CloseStatus(err), err)
		<-r.conns
	}
}

func TestBothDirectionsAtOnceThroughARelay(t *testing.T) {
	const n = 200
	r := newRelay(t, Options{Hold: 10_000}, nil, func(ctx context.Context, c *websocket.Conn) {
		var wg sync.WaitGroup
		wg.Go(func() {
			for range n {
				if c.Write(ctx, websocket.MessageBinary, make([]byte, 20_000)) != nil {
					return
				}
			}
		})
		for range n {
			_, b, err := c.Read(ctx)
			if err != nil || len(b) != 30_000 {
				c.Close(websocket.StatusInternalError, fmt.Sprint(len(b), err))
				return
			}
		}
		wg.Wait()
		c.Close(websocket.StatusNormalClosure, "")
	})
	c := dial(t, r, websocket.CompressionDisabled, false)
	ctx := t.Context()
	var wg sync.WaitGroup
	wg.Go(func() {
		for range n {
			if c.Write(ctx, websocket.MessageBinary, make([]byte, 30_000)) != nil {
				return
			}
		}
	})
	for range n {
		_, b, err := c.Read(ctx)
		require.NoError(t, err)
		require.Len(t, b, 20_000)
	}
	_, _, err := c.Read(ctx)
	require.Equal(t, websocket.StatusNormalClosure, websocket.CloseStatus(err), err)
	wg.Wait()
	require.NoError(t, (<-r.conns).Err())
}

// A refusal of the upgrade itself: no server is involved, and the client must understand the answer.
func TestUpgradeAnsweredWithARefusal(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, brw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprintf(brw, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
			Accept(r.Header.Get("Sec-WebSocket-Key")))
		brw.Write(AppendClose(AppendText(nil, []byte(refusalText)), 1008, "refused by policy"))
		brw.Flush()
		conn.(*net.TCPConn).CloseWrite()
		conn.SetReadDeadline(time.Now().Add(patience))
		io.Copy(io.Discard, conn)
	}))
	defer s.Close()
	c := dial(t, &relay{url: s.URL}, websocket.CompressionDisabled, false)
	_, b, err := c.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, refusalText, string(b))
	_, _, err = c.Read(t.Context())
	require.Equal(t, websocket.StatusPolicyViolation, websocket.CloseStatus(err))
}

// A client that writes on and closes nothing must still be able to read all of its answer.
func TestRawClientReadsItsRefusal(t *testing.T) {
	r := newRelay(t, Options{}, nil, echo)
	target, err := url.Parse(r.url)
	require.NoError(t, err)
	conn, err := net.Dial("tcp", target.Host)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", target.Host)
	br := bufio.NewReader(conn)
	res, err := http.ReadResponse(br, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, res.StatusCode)
	write(t, conn, append(wire(frame{op: Text, payload: "SECRET"}), bytes.Repeat(wire(frame{op: Text, payload: "on and on"}), 1000)...))
	got, err := io.ReadAll(br)
	require.NoError(t, err)
	require.Equal(t, policyAnswer, string(got))
}
