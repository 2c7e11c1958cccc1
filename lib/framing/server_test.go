package framing

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

type guardKey struct{}

// guardOf returns the guard that r came through.
func guardOf(r *http.Request) *Conn { return r.Context().Value(guardKey{}).(*Conn) }

// guarding wraps what a listener accepts.
type guarding struct {
	net.Listener
	tls    *tls.Config
	limits Limits
}

func (l guarding) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if l.tls == nil {
		return NewConn(c, l.limits), nil
	}
	t := tls.Server(c, l.tls)
	if err := t.Handshake(); err != nil {
		return nil, err
	}
	return NewTLSConn(t, l.limits), nil
}

// origin is a real server behind the guard.
type origin struct {
	network, addr string
	roots         *x509.CertPool
}

// overAll runs test over TCP, over TLS and over a unix socket.
func overAll(t *testing.T, limits Limits, handler http.HandlerFunc, test func(*testing.T, *origin)) {
	for _, kind := range []string{"tcp", "tls", "unix"} {
		t.Run(kind, func(t *testing.T) {
			test(t, start(t, kind, limits, handler))
		})
	}
}

func start(t *testing.T, kind string, limits Limits, handler http.HandlerFunc) *origin {
	ignore := goleak.IgnoreCurrent()
	o := &origin{network: "tcp", addr: "127.0.0.1:0"}
	if kind == "unix" {
		o.network, o.addr = "unix", filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(o.network, o.addr)
	require.NoError(t, err)
	o.addr = l.Addr().String()
	g := guarding{Listener: l, limits: limits}
	if kind == "tls" {
		g.tls, o.roots = selfSigned(t)
	}
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if v := guardOf(r).Violation(); v != nil {
				w.WriteHeader(v.Status())
				io.WriteString(w, v.Code)
				return
			}
			handler(w, r)
		}),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, guardKey{}, From(c))
		},
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(g)
	}()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		<-done
		goleak.VerifyNone(t, ignore)
	})
	return o
}

func selfSigned(t *testing.T) (*tls.Config, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a.example"}, DNSNames: []string{"a.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, roots
}

func (o *origin) dialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, o.network, o.addr)
	if err != nil || o.roots == nil {
		return c, err
	}
	t := tls.Client(c, &tls.Config{RootCAs: o.roots, ServerName: "a.example"})
	return t, t.HandshakeContext(ctx)
}

func (o *origin) dial(t *testing.T) net.Conn {
	c, err := o.dialContext(t.Context(), "", "")
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second)))
	return c
}

func (o *origin) client(t *testing.T) *http.Client {
	tr := &http.Transport{DialContext: o.dialContext}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// answers reads responses until the server closes.
func answers(t *testing.T, r io.Reader) (all []string) {
	br := bufio.NewReader(r)
	for {
		if _, err := br.Peek(1); err != nil {
			require.ErrorIs(t, err, io.EOF)
			return all
		}
		resp, err := http.ReadResponse(br, nil)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		all = append(all, fmt.Sprintf("%d %s", resp.StatusCode, body))
	}
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		if v := guardOf(r).Violation(); v != nil {
			w.WriteHeader(v.Status())
			io.WriteString(w, v.Code)
			return
		}
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintf(w, "%s %s %s", r.Method, r.RequestURI, body)
}

func TestServerAnswersPipelinedRequestsInSequence(t *testing.T) {
	const bad = "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
	overAll(t, Limits{}, echo, func(t *testing.T, o *origin) {
		for _, whole := range []bool{true, false} {
			c := o.dial(t)
			stream := []byte(good + posting + chunkedHead + "5\r\nhello\r\n0\r\nA: b\r\n\r\n" + good + bad + good)
			for len(stream) > 0 {
				n := len(stream)
				if !whole {
					n = 1
				}
				_, err := c.Write(stream[:n])
				require.NoError(t, err)
				stream = stream[n:]
			}
			require.Equal(t, []string{"200 GET /first ", "200 POST /up hello", "200 POST /up hello", "200 GET /first ", "400 framing_conflict"}, answers(t, c))
		}
	})
}

// While a handler runs, net/http's background reader has already met the bad
// head that is pipelined behind. That must not show in this handler.
func TestViolationShowsOnlyInItsOwnHandler(t *testing.T) {
	for _, next := range []string{"GET / HTTP/1.1\r\nBad Name: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"} {
		entered, proceed := make(chan *Conn), make(chan struct{})
		handler := func(w http.ResponseWriter, r *http.Request) {
			guard := guardOf(r)
			entered <- guard
			<-proceed
			if guard.Violation() != nil {
				panic("the violation of a later request")
			}
		}
		overAll(t, Limits{}, handler, func(t *testing.T, o *origin) {
			c := o.dial(t)
			_, err := io.WriteString(c, good+next)
			require.NoError(t, err)
			guard := <-entered
			// The background reader holds the lock except while it has
			// returned: wait until it has consumed one byte of the stand-in.
			require.Eventually(t, func() bool {
				guard.reading.Lock()
				defer guard.reading.Unlock()
				return guard.given == 1
			}, 10*time.Second, time.Millisecond)
			require.Nil(t, guard.Violation())
			close(proceed)
			got := answers(t, c)
			require.Len(t, got, 2)
			require.Contains(t, got[1], "400 ")
			proceed = make(chan struct{})
		})
	}
}

func TestServerSeesBadChunkAsReadError(t *testing.T) {
	overAll(t, Limits{}, echo, func(t *testing.T, o *origin) {
		for _, split := range []bool{true, false} {
			c := o.dial(t)
			head, bad := chunkedHead+"5\r\nhello\r\n", "zz\r\n"+good
			if !split {
				head, bad = head+bad, ""
			}
			_, err := io.WriteString(c, head)
			require.NoError(t, err)
			_, err = io.WriteString(c, bad)
			require.NoError(t, err)
			require.Equal(t, []string{"400 bad_chunk"}, answers(t, c))
		}
	})
}

// The refusal must arrive though the client is still sending: closing with
// unread bytes would reset the connection and take the answer with it.
func TestRefusalSurvivesAClientThatKeepsSending(t *testing.T) {
	overAll(t, Limits{MaxHeadBytes: 8 << 10}, echo, func(t *testing.T, o *origin) {
		for range 5 {
			c := o.dial(t)
			_, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.example\r\nA: "+strings.Repeat("b", 100<<10))
			require.NoError(t, err)
			require.Equal(t, []string{"431 header_too_large"}, answers(t, c))
		}
	})
}

func TestServerAnswersSlowHead(t *testing.T) {
	overAll(t, Limits{HeadTimeout: 50 * time.Millisecond}, echo, func(t *testing.T, o *origin) {
		c := o.dial(t)
		_, err := io.WriteString(c, good+"GET / HT")
		require.NoError(t, err)
		require.Equal(t, []string{"200 GET /first ", "408 header_timeout"}, answers(t, c))
	})
}

func TestLargeBodiesPass(t *testing.T) {
	const size = 20 << 20
	block := bytes.Repeat([]byte("0123456789abcdef"), 4096)
	handler := func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		n, err := io.Copy(sum, r.Body)
		if err != nil || n != size {
			panic(fmt.Sprint(n, err))
		}
		w.Header().Set("Sum", fmt.Sprintf("%x", sum.Sum(nil)))
		for range size / len(block) {
			w.Write(block)
		}
	}
	want := sha256.New()
	for range size / len(block) {
		want.Write(block)
	}
	overAll(t, Limits{}, handler, func(t *testing.T, o *origin) {
		client := o.client(t)
		for _, length := range []int64{size, -1} {
			var up []io.Reader
			for range size / len(block) {
				up = append(up, bytes.NewReader(block))
			}
			r, err := http.NewRequest("POST", "http://a.example/", io.MultiReader(up...))
			require.NoError(t, err)
			r.ContentLength = length
			resp, err := client.Do(r)
			require.NoError(t, err)
			sum := sha256.New()
			_, err = io.Copy(sum, resp.Body)
			require.NoError(t, err)
			resp.Body.Close()
			require.Equal(t, fmt.Sprintf("%x", want.Sum(nil)), resp.Header.Get("Sum"))
			require.Equal(t, want.Sum(nil), sum.Sum(nil))
		}
	})
}

func TestFileResponseGoesThroughReadFrom(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(name, bytes.Repeat([]byte("x"), 1<<20), 0o600))
	handler := func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) }
	overAll(t, Limits{}, handler, func(t *testing.T, o *origin) {
		resp, err := o.client(t).Get("http://a.example/")
		require.NoError(t, err)
		n, err := io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		resp.Body.Close()
		require.EqualValues(t, 1<<20, n)
	})
}

func TestContinueAndKeepAlive(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		if (r.TLS != nil) != (r.Header.Get("Kind") == "tls") {
			panic("Request.TLS does not tell the truth")
		}
		echo(w, r)
	}
	overAll(t, Limits{}, handler, func(t *testing.T, o *origin) {
		c := o.dial(t)
		kind := "plain"
		if o.roots != nil {
			kind = "tls"
		}
		br := bufio.NewReader(c)
		for range 3 {
			_, err := io.WriteString(c, "POST /c HTTP/1.1\r\nHost: a.example\r\nKind: "+kind+"\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
			require.NoError(t, err)
			resp, err := http.ReadResponse(br, nil)
			require.NoError(t, err)
			require.Equal(t, 100, resp.StatusCode)
			_, err = io.WriteString(c, "hi")
			require.NoError(t, err)
			resp, err = http.ReadResponse(br, nil)
			require.NoError(t, err)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.Equal(t, "POST /c hi", string(body))
		}
	})
}

// hello is what a client sends in one packet with its CONNECT head: bytes that
// are no HTTP.
const (
	connect = "CONNECT b.example:443 HTTP/1.1\r\nHost: b.example:443\r\n\r\n"
	hello   = "\x16\x03\x01 hello\r\n\n\x00"
)

// tunnel answers CONNECT and echoes the tunnel's bytes.
func tunnel(detach bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			echo(w, r)
			return
		}
		c, brw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer c.Close()
		if brw.Reader.Buffered() != 0 {
			panic("the server holds bytes of the tunnel")
		}
		if !detach {
			// As io.Copy would: the status line must be seen there, too.
			c.(io.ReaderFrom).ReadFrom(strings.NewReader("HTTP/1.1 200 Connected\r\n\r\n"))
			io.Copy(c, c)
			return
		}
		raw, early := From(c).Detach()
		if _, ok := raw.(*Conn); ok {
			panic("still guarded")
		}
		io.WriteString(raw, "HTTP/1.1 200 Connected\r\n\r\n"+string(early))
		io.Copy(raw, raw)
	}
}

func TestTunnelAfterConnect(t *testing.T) {
	for _, detach := range []bool{true, false} {
		for _, coalesced := range []bool{true, false} {
			overAll(t, Limits{}, tunnel(detach), func(t *testing.T, o *origin) {
				c := o.dial(t)
				first, second := connect+hello, ""
				if !coalesced {
					first, second = connect, hello
				}
				_, err := io.WriteString(c, good+first)
				require.NoError(t, err)
				br := bufio.NewReader(c)
				resp, err := http.ReadResponse(br, nil)
				require.NoError(t, err)
				io.Copy(io.Discard, resp.Body)
				resp, err = http.ReadResponse(br, &http.Request{Method: http.MethodConnect})
				require.NoError(t, err)
				require.Equal(t, 200, resp.StatusCode)
				_, err = io.WriteString(c, second)
				require.NoError(t, err)
				got := make([]byte, len(hello))
				_, err = io.ReadFull(br, got)
				require.NoError(t, err)
				require.Equal(t, hello, string(got))
				big := bytes.Repeat([]byte("GET bad\n"), 64<<10)
				go c.Write(big)
				got = make([]byte, len(big))
				_, err = io.ReadFull(br, got)
				require.NoError(t, err)
				require.Equal(t, big, got)
			})
		}
	}
}

// The server's answer decides; a client cannot turn the guard off by asking.
func TestRefusedConnectOrUpgradeStaysGuarded(t *testing.T) {
	const upgrade = "GET /ws HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
	handler := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</HTTP/1.1 101>")
		w.WriteHeader(http.StatusEarlyHints)
		if r.Method == http.MethodConnect {
			w.WriteHeader(http.StatusForbidden)
		}
		echo(w, r)
	}
	overAll(t, Limits{}, handler, func(t *testing.T, o *origin) {
		for _, ask := range []string{connect, upgrade} {
			c := o.dial(t)
			_, err := io.WriteString(c, ask+good+"GET /smuggled HTTP/1.1\nHost: a.example\n\n")
			require.NoError(t, err)
			var codes []string
			for _, a := range answers(t, c) {
				if a[:3] != "103" {
					codes = append(codes, a[:3])
				}
			}
			want := []string{"200", "200", "400"}
			if ask == connect {
				want[0] = "403"
			}
			require.Equal(t, want, codes)
		}
	})
}

func wsEcho(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	c.SetReadLimit(1 << 20)
	for {
		kind, data, err := c.Read(r.Context())
		if err != nil || c.Write(r.Context(), kind, data) != nil {
			return
		}
	}
}

func wsTalk(t *testing.T, client *http.Client) {
	c, _, err := websocket.Dial(t.Context(), "ws://a.example/ws", &websocket.DialOptions{HTTPClient: client})
	require.NoError(t, err)
	defer c.CloseNow()
	c.SetReadLimit(1 << 20)
	for i := range 50 {
		frame := bytes.Repeat([]byte{byte(i), '\n'}, 1+i*500)
		require.NoError(t, c.Write(t.Context(), websocket.MessageBinary, frame))
		_, got, err := c.Read(t.Context())
		require.NoError(t, err)
		require.Equal(t, frame, got)
	}
	require.NoError(t, c.Close(websocket.StatusNormalClosure, ""))
}

func TestWebSocket(t *testing.T) {
	overAll(t, Limits{}, wsEcho, func(t *testing.T, o *origin) { wsTalk(t, o.client(t)) })
}

func TestWebSocketThroughReverseProxy(t *testing.T) {
	back := start(t, "tcp", Limits{}, wsEcho)
	target, err := url.Parse("http://" + back.addr)
	require.NoError(t, err)
	tr := new(http.Transport)
	t.Cleanup(tr.CloseIdleConnections)
	proxy := &httputil.ReverseProxy{Transport: tr, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	overAll(t, Limits{}, proxy.ServeHTTP, func(t *testing.T, o *origin) { wsTalk(t, o.client(t)) })
}

// A client that sends its first frame without waiting for the 101 breaks the
// rules, but loses nothing.
func TestFramesBeforeTheSwitchAreKept(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "echo")
		w.WriteHeader(http.StatusSwitchingProtocols)
		c, brw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer c.Close()
		io.Copy(c, brw)
	}
	overAll(t, Limits{}, handler, func(t *testing.T, o *origin) {
		c := o.dial(t)
		_, err := io.WriteString(c, "GET /ws HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"+hello)
		require.NoError(t, err)
		br := bufio.NewReader(c)
		resp, err := http.ReadResponse(br, nil)
		require.NoError(t, err)
		require.Equal(t, 101, resp.StatusCode)
		got := make([]byte, len(hello))
		_, err = io.ReadFull(br, got)
		require.NoError(t, err)
		require.Equal(t, hello, string(got))
	})
}

// net/http notices through its background read that a client is gone.
func TestClientGoneCancelsTheHandler(t *testing.T) {
	gone := make(chan struct{}, 1)
	entered := make(chan struct{})
	handler := func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-r.Context().Done()
		gone <- struct{}{}
	}
	overAll(t, Limits{}, handler, func(t *testing.T, o *origin) {
		for _, stream := range []string{good, connect, "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"} {
			c := o.dial(t)
			_, err := io.WriteString(c, stream)
			require.NoError(t, err)
			<-entered
			require.NoError(t, c.Close())
			<-gone
		}
	})
}
