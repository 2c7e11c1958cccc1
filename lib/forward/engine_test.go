package forward_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"bottle/lib/audit"
	"bottle/lib/authority"
	"bottle/lib/forward"
	"bottle/lib/mintca"
)

// world is an origin, an engine in front of it, and a client's view of both.
type world struct {
	t      *testing.T
	origin *httptest.Server
	host   string // origin.test:443, connected to the origin by the engine
	engine *forward.Engine
	proxy  string
	roots  *x509.CertPool
	dialer *forward.Dialer
	config forward.Config
	audit  string
	log    *bytes.Buffer
}

// originNames are what the origin's certificate is for.
var originNames = []string{"origin.test", "other.test", "fourth.test"}

func newWorld(t *testing.T, policy *forward.Policy, handler http.Handler, change ...func(*world, *forward.Options)) *world {
	t.Helper()
	w := &world{t: t, host: "origin.test:443", log: &bytes.Buffer{}}
	originCA, err := mintca.New(mintca.Options{Hosts: originNames})
	require.NoError(t, err)
	w.origin = httptest.NewUnstartedServer(handler)
	w.origin.EnableHTTP2 = true
	w.origin.TLS = &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) { return originCA.Leaf(h.ServerName) }}
	w.origin.StartTLS()

	ca, err := mintca.New(mintca.Options{Hosts: append(originNames, "10.0.0.1")})
	require.NoError(t, err)
	w.roots = x509.NewCertPool()
	require.True(t, w.roots.AppendCertsFromPEM(ca.CertPEM()))
	require.True(t, w.roots.AppendCertsFromPEM(originCA.CertPEM())) // for passthrough

	upstream := x509.NewCertPool()
	require.True(t, upstream.AppendCertsFromPEM(originCA.CertPEM()))
	ct, err := forward.ParseConnectTo(":443:" + w.origin.Listener.Addr().String())
	require.NoError(t, err)
	w.dialer = &forward.Dialer{ConnectTo: []forward.ConnectTo{ct}}
	w.config = forward.Config{Policy: policy, Dialer: w.dialer, UpstreamRoots: upstream, Leaf: mintca.NewLeafCache(ca, 16).Get}

	w.audit = filepath.Join(t.TempDir(), "audit.jsonl")
	records, err := audit.Open(w.audit)
	require.NoError(t, err)
	o := forward.Options{Stage: "bottle-test", Audit: records, Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for _, c := range change {
		c(w, &o)
	}
	w.engine = forward.New(o, w.config)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w.proxy = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- w.engine.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		require.NoError(t, w.engine.Shutdown(ctx))
		require.NoError(t, <-served)
		w.origin.Close()
		records.Close()
		goleak.VerifyNone(t)
	})
	return w
}

// dial opens a connection to the proxy.
func (w *world) dial() net.Conn {
	c, err := net.Dial("tcp", w.proxy)
	require.NoError(w.t, err)
	require.NoError(w.t, c.SetDeadline(time.Now().Add(10*time.Second)))
	w.t.Cleanup(func() { c.Close() })
	return c
}

// connect opens a tunnel and returns it with the proxy's answer.
func (w *world) connect(host string) (net.Conn, *http.Response) {
	c := w.dial()
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", host, host)
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: "CONNECT"})
	require.NoError(w.t, err)
	return c, res
}

// tunnel opens a TLS connection through a tunnel to the origin.
func (w *world) tunnel(protos ...string) *tls.Conn {
	c, res := w.connect(w.host)
	require.Equal(w.t, 200, res.StatusCode)
	tc := tls.Client(c, &tls.Config{ServerName: "origin.test", RootCAs: w.roots, NextProtos: protos})
	require.NoError(w.t, tc.Handshake())
	return tc
}

// client is an ordinary HTTP client that uses the proxy.
func (w *world) client(http2 bool) *http.Client {
	tr := &http.Transport{
		Proxy:              func(*http.Request) (*urlT, error) { return parseURL("http://" + w.proxy) },
		TLSClientConfig:    &tls.Config{RootCAs: w.roots},
		ForceAttemptHTTP2:  http2,
		DisableCompression: true,
	}
	w.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (w *world) auditText() string {
	b, err := os.ReadFile(w.audit)
	require.NoError(w.t, err)
	return string(b)
}

// allowAll intercepts every host.
func allowAll() *forward.Policy {
	return &forward.Policy{
		Tunnel: func(authority.Authority) forward.Verdict { return forward.Verdict{Route: "all"} },
		Judge:  requestFunc(func(*http.Request) error { return nil }),
	}
}

type requestFunc func(*http.Request) error

func (f requestFunc) ModifyRequest(req *http.Request) error { return f(req) }

func echo(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	fmt.Fprintf(w, "%s %s %s %s|%s", req.Method, req.Host, req.URL.RequestURI(), req.Proto, body)
}

func TestRelayOverBothProtocols(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(echo))
	for _, http2 := range []bool{false, true} {
		res, err := w.client(http2).Post("https://origin.test/a/b?c=%zz;d", "text/plain", strings.NewReader("body"))
		require.NoError(t, err)
		b, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		res.Body.Close()
		proto := "HTTP/1.1"
		if http2 {
			proto = "HTTP/2.0"
		}
		require.Equal(t, "POST origin.test /a/b?c=%zz;d "+proto+"|body", string(b))
		require.Equal(t, proto, res.Proto)
	}
	require.Contains(t, w.auditText(), `"decision":"allow"`)
}
