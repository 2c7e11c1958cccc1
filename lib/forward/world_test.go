package forward_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"bottle/lib/audit"
	"bottle/lib/authority"
	"bottle/lib/forward"
	"bottle/lib/mintca"
	"bottle/lib/refusal"
)

const stageName = "bottle-test"

// patience is how long a test waits for what must come; only a bug uses it up.
const patience = 10 * time.Second

// originNames are what the origin's certificate is for.
var originNames = []string{"origin.test", "other.test", "fourth.test"}

// world is an origin, an engine in front of it, and a client's view of both.
type world struct {
	t        *testing.T
	origin   *httptest.Server
	originCA *mintca.CA
	accepts  atomic.Int64 // connections that the origin got
	host     string       // origin.test:443, connected to the origin by the engine
	engine   *forward.Engine
	network  string // of the proxy's address
	proxy    string
	roots    *x509.CertPool
	dialer   *forward.Dialer
	config   forward.Config
	audit    string
	log      *lockedBuffer
	served   chan error
}

type change func(*world, *forward.Options)

// newWorld starts an engine with policy in front of an origin with handler.
// Every name at port 443 is the origin. Changes come before the engine starts.
// At the end of the test everything must stop and no goroutine be left.
func newWorld(t *testing.T, policy *forward.Policy, handler http.Handler, changes ...change) *world {
	t.Helper()
	noLeaks(t)
	w := &world{t: t, host: "origin.test:443", network: "tcp", log: &lockedBuffer{}, served: make(chan error, 1)}
	var err error
	w.originCA, err = mintca.New(mintca.Options{Hosts: originNames})
	require.NoError(t, err)
	w.origin = httptest.NewUnstartedServer(handler)
	w.origin.Listener = &countingListener{w.origin.Listener, &w.accepts}
	w.origin.EnableHTTP2 = true
	w.origin.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	w.origin.TLS = w.originTLS()
	w.origin.StartTLS()

	ca, err := mintca.New(mintca.Options{Hosts: append(originNames, "10.0.0.1", "localhost", "refused.test")})
	require.NoError(t, err)
	w.roots = pool(t, ca, w.originCA) // the origin's for passthrough
	w.dialer = &forward.Dialer{}
	w.connectTo(":443:" + w.origin.Listener.Addr().String())
	w.config = forward.Config{Policy: policy, Dialer: w.dialer, UpstreamRoots: pool(t, w.originCA), Leaf: mintca.NewLeafCache(ca, 16).Get}

	w.audit = filepath.Join(t.TempDir(), "audit.jsonl")
	records, err := audit.Open(w.audit)
	require.NoError(t, err)
	o := forward.Options{Stage: stageName, Audit: records, Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for _, c := range changes {
		c(w, &o)
	}
	w.engine = forward.New(o, w.config)
	if w.proxy == "" {
		w.proxy = "127.0.0.1:0"
	}
	l, err := net.Listen(w.network, w.proxy)
	require.NoError(t, err)
	w.proxy = l.Addr().String()
	go func() { w.served <- w.engine.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, w.engine.Shutdown(ctx))
		require.NoError(t, <-w.served)
		w.origin.Close()
		records.Close()
		if t.Failed() {
			t.Logf("log of the engine:\n%s", w.log)
		}
	})
	return w
}

// noLeaks makes t fail if a goroutine is left when all other clean-up of the
// test, registered later, is done. Only a test's first call counts.
func noLeaks(t *testing.T) {
	if _, twice := leakChecked.LoadOrStore(t, true); !twice {
		t.Cleanup(func() { goleak.VerifyNone(t) })
	}
}

var leakChecked sync.Map

func pool(t *testing.T, cas ...*mintca.CA) *x509.CertPool {
	p := x509.NewCertPool()
	for _, ca := range cas {
		require.True(t, p.AppendCertsFromPEM(ca.CertPEM()))
	}
	return p
}

// originTLS is the TLS configuration of an origin that the engine trusts.
func (w *world) originTLS() *tls.Config {
	return &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) { return w.originCA.Leaf(h.ServerName) }}
}

func (w *world) connectTo(texts ...string) {
	w.dialer.ConnectTo = nil
	for _, text := range texts {
		ct, err := forward.ParseConnectTo(text)
		require.NoError(w.t, err)
		w.dialer.ConnectTo = append(w.dialer.ConnectTo, ct)
	}
}

// withLimits sets limits.
func withLimits(l forward.Limits) change {
	return func(_ *world, o *forward.Options) { o.Limits = l }
}

// rawOrigin puts serve, given connections after their TLS handshake, in the
// origin's place.
func rawOrigin(serve func(net.Conn)) change {
	return func(w *world, _ *forward.Options) {
		l := listenLoop(w.t, func(c net.Conn) {
			w.accepts.Add(1)
			tc := tls.Server(c, w.originTLS())
			if tc.Handshake() == nil {
				serve(tc)
			}
		})
		w.connectTo(":443:" + l)
	}
}

// listenLoop serves every connection to the address that it returns, and ends
// with the test.
func listenLoop(t *testing.T, serve func(net.Conn)) string {
	noLeaks(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var running sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			c.SetDeadline(time.Now().Add(patience))
			running.Go(func() {
				serve(c)
				c.Close()
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return l.Addr().String()
}

// dial opens a connection to the proxy.
func (w *world) dial() net.Conn {
	w.t.Helper()
	c, err := net.Dial(w.network, w.proxy)
	require.NoError(w.t, err)
	require.NoError(w.t, c.SetDeadline(time.Now().Add(patience)))
	w.t.Cleanup(func() { c.Close() })
	return c
}

// connect opens a tunnel and returns it with the proxy's answer.
func (w *world) connect(host string) (net.Conn, *http.Response) {
	w.t.Helper()
	c := w.dial()
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", host, host)
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: "CONNECT"})
	require.NoError(w.t, err)
	return c, res
}

// tunnel opens a TLS connection through a tunnel to the origin.
func (w *world) tunnel(protos ...string) *tls.Conn {
	w.t.Helper()
	return w.tunnelNamed("origin.test", protos...)
}

// tunnelNamed is tunnel with a server name of its own; "" sends none.
func (w *world) tunnelNamed(name string, protos ...string) *tls.Conn {
	w.t.Helper()
	c, res := w.connect(w.host)
	require.Equal(w.t, 200, res.StatusCode)
	config := &tls.Config{ServerName: name, RootCAs: w.roots, NextProtos: protos}
	if name+":443" != w.host {
		config.InsecureSkipVerify = true // the proxy's certificate is for the CONNECT host
	}
	tc := tls.Client(c, config)
	require.NoError(w.t, tc.Handshake())
	return tc
}

// client is an ordinary HTTP client that uses the proxy.
func (w *world) client(http2 bool) *http.Client {
	tr := &http.Transport{
		Proxy:              http.ProxyURL(&url.URL{Scheme: "http", Host: w.proxy}),
		TLSClientConfig:    &tls.Config{RootCAs: w.roots},
		ForceAttemptHTTP2:  http2,
		DisableCompression: true,
		// Long enough that a test of 100-continue never sees it.
		ExpectContinueTimeout: patience,
	}
	w.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 2 * patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// works makes an ordinary request on a new connection.
func (w *world) works() {
	w.t.Helper()
	c := w.client(false)
	res, err := c.Get("https://" + strings.TrimSuffix(w.host, ":443") + "/works")
	require.NoError(w.t, err)
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	require.NoError(w.t, err)
	require.Equal(w.t, 200, res.StatusCode)
	c.CloseIdleConnections()
}

// records waits for n audit records, which are written after the answers, and
// returns them.
func (w *world) records(n int) []audit.Record {
	w.t.Helper()
	var out []audit.Record
	require.Eventually(w.t, func() bool {
		out = w.recordsNow()
		return len(out) >= n
	}, patience, time.Millisecond)
	require.Len(w.t, out, n)
	return out
}

func (w *world) recordsNow() []audit.Record {
	b, err := os.ReadFile(w.audit)
	require.NoError(w.t, err)
	var out []audit.Record
	for line := range bytes.Lines(b) {
		var r audit.Record
		require.NoError(w.t, json.Unmarshal(line, &r))
		out = append(out, r)
	}
	return out
}

// refusalIn checks that res is a refusal as the project gives them, and
// returns its body.
func refusalIn(t *testing.T, res *http.Response, status int, code refusal.Code) refusal.PayloadError {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	res.Body.Close()
	require.Equal(t, status, res.StatusCode, "body: %s", b)
	var p refusal.Payload
	require.NoError(t, json.Unmarshal(b, &p), "body: %s", b)
	e := p.Error
	require.Equal(t, code, e.Code, "body: %s", b)
	require.Equal(t, refusal.PayloadType, e.Type)
	require.Equal(t, stageName, e.Stage)
	require.Regexp(t, `^[a-z0-9]{12}$`, e.RequestID)
	require.Equal(t, refusal.Lookup(code).Retry, e.Retry)
	require.True(t, strings.HasPrefix(e.Message, stageName+": "), e.Message)
	require.Equal(t, fmt.Sprintf("%s; error=%s; details=%q", stageName, refusal.Lookup(code).ProxyStatus, string(code)), res.Header.Get("Proxy-Status"))
	require.Equal(t, "application/json", res.Header.Get("Content-Type"))
	require.Equal(t, status == http.StatusTooManyRequests, res.Header.Get("Retry-After") != "")
	return e
}

// allowAll intercepts every host.
func allowAll() *forward.Policy {
	return &forward.Policy{
		Tunnel: func(authority.Authority) forward.Verdict { return forward.Verdict{Route: "all"} },
		Judge:  requestFunc(func(*http.Request) error { return nil }),
	}
}

// passAll lets every tunnel through unread.
func passAll() *forward.Policy {
	return &forward.Policy{
		Tunnel: func(authority.Authority) forward.Verdict {
			return forward.Verdict{Route: "all", Treatment: forward.Passthrough}
		},
	}
}

type requestFunc func(*http.Request) error

func (f requestFunc) ModifyRequest(req *http.Request) error { return f(req) }

type responseFunc func(*http.Response) error

func (f responseFunc) ModifyResponse(res *http.Response) error { return f(res) }

func echo(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintf(w, "%s %s %s %s|%s", req.Method, req.Host, req.URL.RequestURI(), req.Proto, body)
}

// readAll returns a response's body and closes it.
func readAll(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	res.Body.Close()
	return string(b)
}

// receive waits for a value.
func receive[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		require.Fail(t, "nothing came", what)
		panic("unreachable")
	}
}

type countingListener struct {
	net.Listener
	n *atomic.Int64
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.n.Add(1)
	}
	return c, err
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// isClosed reports whether err is how a read ends on a connection that the
// peer has ended.
func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "reset by peer")
}
