package forward_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bottle/lib/audit"
	"bottle/lib/authority"
	"bottle/lib/forward"
	"bottle/lib/refusal"
)

// clientHello returns the first bytes of a TLS client that asks for name.
func clientHello(t *testing.T, name string) []byte {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		tls.Client(b, &tls.Config{ServerName: name, InsecureSkipVerify: true}).Handshake()
	}()
	head := make([]byte, 5)
	_, err := io.ReadFull(a, head)
	require.NoError(t, err)
	body := make([]byte, int(head[3])<<8|int(head[4]))
	_, err = io.ReadFull(a, body)
	require.NoError(t, err)
	a.Close()
	<-done
	return append(head, body...)
}

// plainOrigin puts serve, given plain connections, in the origin's place: for
// passthrough, where the origin may speak anything after a ClientHello.
func plainOrigin(serve func(net.Conn)) change {
	return func(w *world, _ *forward.Options) {
		w.connectTo(":443:" + listenLoop(w.t, func(c net.Conn) {
			w.accepts.Add(1)
			serve(c)
		}))
	}
}

func TestPassthroughIsBetweenTheAgentAndTheOriginAlone(t *testing.T) {
	w := newWorld(t, passAll(), http.HandlerFunc(echo))
	overBoth(t, func(t *testing.T, http2 bool) {
		c := w.client(http2)
		// Only the origin's own CA is trusted.
		c.Transport.(*http.Transport).TLSClientConfig.RootCAs = pool(t, w.originCA)
		res, err := c.Post("https://origin.test/x", "text/plain", bytes.NewReader([]byte("body")))
		require.NoError(t, err)
		require.Equal(t, "POST origin.test /x "+res.Proto+"|body", readAll(t, res))
		c.CloseIdleConnections()
		w.records(map[bool]int{false: 2, true: 4}[http2])
	})
	rs := w.records(4)
	for i, r := range rs {
		require.Equal(t, audit.Allow, r.Decision)
		require.Equal(t, "tunnel", r.Protocol)
		require.Equal(t, "CONNECT", r.Method)
		if i%2 == 0 {
			require.Equal(t, audit.EventTunnelOpen, r.Event)
			continue
		}
		require.Equal(t, audit.EventTunnelClose, r.Event)
		require.Equal(t, rs[i-1].RequestID, r.RequestID)
		require.Greater(t, r.Up, int64(200))
		require.Greater(t, r.Down, int64(200))
	}
}

func TestPassthroughCarriesEveryByte(t *testing.T) {
	const size = 16 << 20
	hello := clientHello(t, "origin.test")
	sums := make(chan [32]byte, 1)
	w := newWorld(t, passAll(), http.NotFoundHandler(), plainOrigin(func(c net.Conn) {
		h := sha256.New()
		io.Copy(h, io.TeeReader(c, c)) // and back
		sums <- [32]byte(h.Sum(nil))
		c.(*net.TCPConn).CloseWrite()
	}))
	c, _ := w.connect(w.host)
	data := append(bytes.Clone(hello), bytes.Repeat([]byte("0123456789abcdef"), size/16)...)
	go func() {
		c.Write(data)
		c.(*net.TCPConn).CloseWrite()
	}()
	h := sha256.New()
	n, err := io.Copy(h, c)
	require.NoError(t, err)
	require.EqualValues(t, len(data), n)
	want := sha256.Sum256(data)
	require.Equal(t, want, receive(t, sums, "sum at the origin"))
	require.Equal(t, want, [32]byte(h.Sum(nil)))
	c.Close()
	r := w.records(2)[1]
	require.EqualValues(t, len(data), r.Up)
	require.EqualValues(t, len(data), r.Down)
}

func TestPassthroughEndsEachDirectionByItself(t *testing.T) {
	hello := clientHello(t, "origin.test")
	ends := make(chan string, 1)
	w := newWorld(t, passAll(), http.NotFoundHandler(), plainOrigin(func(c net.Conn) {
		io.ReadFull(c, make([]byte, len(hello)))
		io.WriteString(c, "from the origin")
		c.(*net.TCPConn).CloseWrite()
		b, _ := io.ReadAll(c)
		ends <- string(b)
	}))
	c, _ := w.connect(w.host)
	c.Write(hello)
	b, err := io.ReadAll(c)
	require.NoError(t, err)
	require.Equal(t, "from the origin", string(b))
	_, err = io.WriteString(c, "from the agent, after the origin's end")
	require.NoError(t, err)
	require.NoError(t, c.(*net.TCPConn).CloseWrite())
	require.Equal(t, "from the agent, after the origin's end", receive(t, ends, "end at the origin"))
}

func TestPassthroughLooksAtTheServerName(t *testing.T) {
	got := make(chan []byte, 1)
	w := newWorld(t, passAll(), http.HandlerFunc(echo), func(w *world, o *forward.Options) {
		spy := listenLoop(w.t, func(c net.Conn) {
			b, _ := io.ReadAll(c)
			got <- b
		})
		w.connectTo("other.test:443:"+w.origin.Listener.Addr().String(), ":443:"+spy)
		o.Limits.Handshake = 500 * time.Millisecond
	})
	w.host = "other.test:443" // for works
	for _, tc := range []struct {
		name  string
		sent  []byte
		alert byte
		code  string
	}{
		{"another name", clientHello(t, "other.test"), 112, "sni_mismatch"},
		{"a name below", clientHello(t, "www.origin.test"), 112, "sni_mismatch"},
		{"no name", clientHello(t, ""), 112, "sni_mismatch"},
		{"HTTP", []byte("GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n"), 40, "not_tls"},
		{"SSH", []byte("SSH-2.0-OpenSSH_9.9\r\n"), 40, "not_tls"},
		{"a TLS record that is no handshake", []byte{23, 3, 3, 0, 1, 0}, 40, "not_tls"},
		{"a handshake that is no ClientHello", []byte{22, 3, 1, 0, 4, 2, 0, 0, 0}, 40, "not_tls"},
		{"nothing", nil, 40, "not_tls"},
		{"half a ClientHello", clientHello(t, "origin.test")[:100], 40, "not_tls"},
		{"a ClientHello without end", append([]byte{22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff}, make([]byte, 1<<20)...), 40, "not_tls"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := len(w.recordsNow())
			c, res := w.connect("origin.test:443")
			require.Equal(t, 200, res.StatusCode)
			go c.Write(tc.sent)
			alert := make([]byte, 7)
			_, err := io.ReadFull(c, alert)
			require.NoError(t, err)
			require.Equal(t, []byte{21, 3, 1, 0, 2, 2, tc.alert}, alert)
			n, err := c.Read(make([]byte, 1))
			require.Zero(t, n)
			require.Error(t, err)
			require.Empty(t, receive(t, got, "end at the origin"), "bytes at the origin")
			r := w.records(before + 1)[before]
			require.Equal(t, tc.code, r.Code)
			require.Equal(t, audit.Refuse, r.Decision)
			w.works()
			w.records(before + 3)
		})
	}
}

// pieces cuts b into n-byte pieces.
func pieces(b []byte, n int) (out [][]byte) {
	for len(b) > n {
		out, b = append(out, b[:n]), b[n:]
	}
	return append(out, b)
}

func TestClientHelloMayComeInAnyPieces(t *testing.T) {
	hello := clientHello(t, "origin.test")
	body := hello[5:]
	records := []byte{}
	for _, p := range pieces(body, 50) { // a handshake message over several records
		records = append(records, 22, 3, 1, 0, byte(len(p)))
		records = append(records, p...)
	}
	got := make(chan []byte, 1)
	w := newWorld(t, passAll(), http.NotFoundHandler(), plainOrigin(func(c net.Conn) {
		b, _ := io.ReadAll(c)
		got <- b
	}))
	for _, tc := range []struct {
		name string
		sent [][]byte
	}{
		{"at once", [][]byte{hello}},
		{"byte by byte", pieces(hello, 1)},
		{"over several records", [][]byte{records}},
		{"over several records in small pieces", pieces(records, 7)},
		{"with bytes behind it", [][]byte{append(bytes.Clone(hello), "more"...)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, _ := w.connect(w.host)
			for _, p := range tc.sent {
				_, err := c.Write(p)
				require.NoError(t, err)
			}
			c.(*net.TCPConn).CloseWrite()
			require.Equal(t, bytes.Join(tc.sent, nil), receive(t, got, "bytes at the origin"))
			c.Close()
		})
		t.Run(tc.name+" in one packet with CONNECT", func(t *testing.T) {
			c := w.dial()
			_, err := c.Write(append([]byte("CONNECT origin.test:443 HTTP/1.1\r\nHost: origin.test:443\r\n\r\n"), bytes.Join(tc.sent, nil)...))
			require.NoError(t, err)
			c.(*net.TCPConn).CloseWrite()
			require.Equal(t, bytes.Join(tc.sent, nil), receive(t, got, "bytes at the origin"))
		})
	}
}

// eagerConn sends its first write together with what is in early.
type eagerConn struct {
	net.Conn
	early []byte
	br    *bufio.Reader
}

func (c *eagerConn) Write(p []byte) (int, error) {
	if c.early == nil {
		return c.Conn.Write(p)
	}
	if _, err := c.Conn.Write(append(c.early, p...)); err != nil {
		return 0, err
	}
	c.early = nil
	return len(p), nil
}

func (c *eagerConn) Read(p []byte) (int, error) {
	if c.br == nil {
		c.br = bufio.NewReader(c.Conn)
		res, err := http.ReadResponse(c.br, &http.Request{Method: "CONNECT"})
		if err != nil || res.StatusCode != 200 {
			return 0, fmt.Errorf("CONNECT: %v", err)
		}
	}
	return c.br.Read(p)
}

func TestAgentNeedNotWaitForTheAnswerToCONNECT(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(echo))
	c := tls.Client(&eagerConn{Conn: w.dial(), early: []byte("CONNECT origin.test:443 HTTP/1.1\r\nHost: origin.test:443\r\n\r\n")},
		&tls.Config{ServerName: "origin.test", RootCAs: w.roots})
	require.Equal(t, "GET origin.test / HTTP/1.1|", readAll(t, exchange(t, c, "GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n")))
}

func TestPassthroughToAnAddressNeedsNoServerName(t *testing.T) {
	hello := clientHello(t, "")
	got := make(chan []byte, 2)
	w := newWorld(t, passAll(), http.NotFoundHandler(), plainOrigin(func(c net.Conn) {
		b, _ := io.ReadAll(c)
		got <- b
	}))
	c, _ := w.connect("10.0.0.1:443")
	c.Write(hello)
	c.(*net.TCPConn).CloseWrite()
	require.Equal(t, hello, receive(t, got, "bytes at the origin"))
}

func TestSilentPassthroughTunnelIsClosed(t *testing.T) {
	const idle = 150 * time.Millisecond
	hello := clientHello(t, "origin.test")
	ended := make(chan time.Time, 1)
	w := newWorld(t, passAll(), http.NotFoundHandler(), plainOrigin(func(c net.Conn) {
		io.ReadFull(c, make([]byte, len(hello)))
		ticker := time.NewTicker(idle / 5)
		defer ticker.Stop()
		for range 15 { // three times the limit, in one direction only
			if _, err := c.Write([]byte("x")); err != nil {
				break
			}
			<-ticker.C
		}
		io.Copy(io.Discard, c)
		ended <- time.Now()
	}), withLimits(forward.Limits{TunnelIdle: idle}))
	c, _ := w.connect(w.host)
	c.Write(hello)
	b := make([]byte, 15)
	_, err := io.ReadFull(c, b)
	require.NoError(t, err, "data in one direction keeps both open")
	_, err = c.Read(b)
	require.ErrorIs(t, err, io.EOF)
	receive(t, ended, "end at the origin")
}

func TestSwapClosesTunnelsThatAreNoLongerAllowed(t *testing.T) {
	w := newWorld(t, passAll(), http.NotFoundHandler(), plainOrigin(func(c net.Conn) {
		io.Copy(c, c)
	}))
	open := func(host string) net.Conn {
		c, res := w.connect(host + ":443")
		require.Equal(t, 200, res.StatusCode)
		h := clientHello(t, host)
		c.Write(h)
		_, err := io.ReadFull(c, make([]byte, len(h)))
		require.NoError(t, err)
		return c
	}
	kept, refused, looked := open("origin.test"), open("other.test"), open("fourth.test")
	c := w.config
	c.Policy = &forward.Policy{Tunnel: func(a authority.Authority) forward.Verdict {
		switch a.Host {
		case "other.test":
			return forward.Verdict{Refusal: refusal.New(refusal.HostNotAllowed, "no")}
		case "fourth.test":
			return forward.Verdict{Treatment: forward.Intercept}
		}
		return forward.Verdict{Treatment: forward.Passthrough}
	}}
	w.engine.Swap(c)
	for _, c := range []net.Conn{refused, looked} {
		_, err := c.Read(make([]byte, 1))
		require.True(t, isClosed(err), err)
	}
	io.WriteString(kept, "still")
	b := make([]byte, 5)
	_, err := io.ReadFull(kept, b)
	require.NoError(t, err)
	require.Equal(t, "still", string(b))
}

func TestSwapCatchesATunnelThatIsBeingOpened(t *testing.T) {
	dialled, goOn := make(chan struct{}), make(chan struct{})
	w := newWorld(t, passAll(), http.NotFoundHandler(), func(w *world, _ *forward.Options) {
		hop := listenLoop(w.t, func(c net.Conn) {
			http.ReadRequest(bufio.NewReader(c))
			close(dialled)
			<-goOn
			io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
			io.Copy(c, c)
		})
		w.dialer.ConnectTo = nil
		var err error
		w.dialer.NextHop, err = forward.ParseNextHop("http://" + hop)
		require.NoError(w.t, err)
	})
	c := w.dial()
	io.WriteString(c, "CONNECT origin.test:443 HTTP/1.1\r\nHost: origin.test:443\r\n\r\n")
	receive(t, dialled, "CONNECT at the next hop")
	config := w.config
	config.Policy = nil
	w.engine.Swap(config)
	close(goOn)
	br := bufio.NewReader(c)
	if res, err := http.ReadResponse(br, &http.Request{Method: "CONNECT"}); err == nil && res.StatusCode == 200 {
		hello := clientHello(t, "origin.test")
		c.Write(hello)
		n, err := br.Read(make([]byte, 1))
		require.Zero(t, n, "bytes pass by a policy that is no longer in force")
		require.True(t, isClosed(err), err)
	}
}

func TestSwapTakesEffectInsideOpenTunnels(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) { io.WriteString(rw, req.Header.Get("X-Policy")) }))
	mark := func(name string) forward.Config {
		c := w.config
		c.Policy = allowAll()
		c.Policy.Inject = requestFunc(func(req *http.Request) error { req.Header.Set("X-Policy", name); return nil })
		return c
	}
	w.engine.Swap(mark("first"))
	h1, h2 := w.tunnel(), newFrames(t, w.tunnel("h2"))
	ask := func() (*http.Response, *http.Response) {
		h2.ask(":method= GET", ":scheme= https", ":path= /", ":authority= origin.test")
		return exchange(t, h1, "GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n"), h2.answer()
	}
	for _, name := range []string{"first", "second", "third"} {
		w.engine.Swap(mark(name))
		a, b := ask()
		require.Equal(t, name, readAll(t, a))
		require.Equal(t, name, readAll(t, b))
	}
	none := w.config
	none.Policy = nil
	w.engine.Swap(none)
	a, b := ask()
	refusalIn(t, a, 403, refusal.HostNotAllowed)
	refusalIn(t, b, 403, refusal.HostNotAllowed)
	w.engine.Swap(mark("last"))
	a, b = ask()
	require.Equal(t, "last", readAll(t, a))
	require.Equal(t, "last", readAll(t, b))
}

func TestBudgetOfPassthroughTunnelsIsAskedBeforeTheDial(t *testing.T) {
	policy := passAll()
	policy.Opened = func(a authority.Authority) *refusal.Refusal {
		r := refusal.New(refusal.RateLimited, "wait")
		r.RetryAfter = 1500 * time.Millisecond
		return r
	}
	w := newWorld(t, policy, http.HandlerFunc(echo))
	_, res := w.connect(w.host)
	refusalIn(t, res, 429, refusal.RateLimited)
	require.Equal(t, "2", res.Header.Get("Retry-After"))
	require.Zero(t, w.accepts.Load())
}

func TestTunnelsShareSessionTickets(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(echo))
	cache := tls.NewLRUClientSessionCache(4)
	var resumed []bool
	for range 2 {
		c, _ := w.connect(w.host)
		tc := tls.Client(c, &tls.Config{ServerName: "origin.test", RootCAs: w.roots, ClientSessionCache: cache})
		require.NoError(t, tc.Handshake())
		resumed = append(resumed, tc.ConnectionState().DidResume)
		readAll(t, exchange(t, tc, "GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n")) // reads the ticket too
		tc.Close()
	}
	require.Equal(t, []bool{false, true}, resumed)
}

func TestHostThatTheCAMayNotVouchForIsRefusedAtOnce(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(echo))
	_, res := w.connect("elsewhere.test:443")
	refusalIn(t, res, 500, refusal.InternalError)
	require.Contains(t, w.log.String(), "outside the CA's name constraints", "the operator learns why")
}

func TestAgentThatDoesNotTrustTheCAIsLogged(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(echo))
	c, _ := w.connect(w.host)
	tc := tls.Client(c, &tls.Config{ServerName: "origin.test", RootCAs: pool(t, w.originCA)})
	require.Error(t, tc.Handshake())
	require.Eventually(t, func() bool {
		return bytes.Contains([]byte(w.log.String()), []byte("does not trust the bottle's CA"))
	}, patience, time.Millisecond)
	w.works()
}
