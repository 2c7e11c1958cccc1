package inject_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"bottle/lib/audit"
	"bottle/lib/authority"
	"bottle/lib/forward"
	"bottle/lib/inject"
	"bottle/lib/mintca"
	"bottle/lib/proxy"
	"bottle/lib/refusal"
	"bottle/lib/secret"
	"bottle/lib/tomlfile"
)

const patience = 10 * time.Second

// A token is made of its name, so that no literal looks like a credential.
func token(name string) string { return name + "-" + secret.SHA256(name)[:40] }

var (
	realToken  = token("real")
	otherReal  = token("other-real")
	dummyToken = token("dummy")
	foreign    = token("foreign")
)

// lookup gives the tokens of the tests' routes.
func lookup(name string) (string, bool) {
	v, ok := map[string]string{"EGRESS_TOKEN_0": realToken, "EGRESS_TOKEN_1": otherReal}[name]
	return v, ok
}

// parse reads the text of an egress.toml.
func parse(text string, lookup func(string) (string, bool)) (*inject.Routes, error) {
	var c inject.Config
	f, err := tomlfile.Parse("egress.toml", []byte(text), &c)
	if err != nil {
		return nil, err
	}
	return c.Routes(f, lookup)
}

var hosts = []string{"always.test", "replace.test", "status.test", "open.test", "rules.test", "wild.test", "auth.openai.com"}

// world is an agent, the engine with routes, and an origin for all hosts. It
// keeps every byte that the agent, the log and the audit file get.
type world struct {
	t      testing.TB
	engine *forward.Engine
	config forward.Config
	proxy  string
	roots  *x509.CertPool
	seen   chan *http.Request // at the origin
	leaks  *lockedBuffer      // agent's bytes and the log
	audit  string
	asked  int // requests, each of which ends in a record
}

// newWorld starts an engine with the routes of an egress.toml. answer, unless
// nil, is the origin; requests to it are on seen first.
func newWorld(t testing.TB, routes string, answer http.HandlerFunc) *world {
	t.Helper()
	if _, ok := t.(*testing.T); ok { // a benchmark has goroutines of its own
		t.Cleanup(func() { goleak.VerifyNone(t) })
	}
	w := &world{t: t, seen: make(chan *http.Request, 64), leaks: &lockedBuffer{}}
	ca, err := mintca.New(mintca.Options{Hosts: hosts})
	require.NoError(t, err)
	w.roots = x509.NewCertPool()
	w.roots.AppendCertsFromPEM(ca.CertPEM())

	handler := http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		io.Copy(io.Discard, req.Body)
		w.seen <- req
		if answer != nil {
			answer(rw, req)
		}
	})
	origin := httptest.NewUnstartedServer(handler)
	origin.EnableHTTP2 = true
	origin.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	origin.TLS = &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) { return ca.Leaf(h.ServerName) }}
	origin.StartTLS()
	plain := httptest.NewServer(handler)

	d := &forward.Dialer{}
	for _, text := range []string{":443:" + origin.Listener.Addr().String(), ":80:" + plain.Listener.Addr().String()} {
		ct, err := forward.ParseConnectTo(text)
		require.NoError(t, err)
		d.ConnectTo = append(d.ConnectTo, ct)
	}
	w.config = forward.Config{Policy: w.policy(routes), Dialer: d, UpstreamRoots: w.roots, Leaf: mintca.NewLeafCache(ca, 16).Get}
	w.audit = filepath.Join(t.TempDir(), "audit.jsonl")
	records, err := audit.Open(w.audit)
	require.NoError(t, err)
	w.engine = forward.New(forward.Options{
		Stage: "bottle-egress", Audit: records, Log: slog.New(slog.NewTextHandler(w.leaks, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}, w.config)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w.proxy = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- w.engine.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, w.engine.Shutdown(ctx))
		require.NoError(t, <-served)
		origin.Close()
		plain.Close()
		records.Close()
		w.nothingLeaked()
	})
	return w
}

func (w *world) policy(routes string) *forward.Policy {
	r, err := parse(routes, lookup)
	require.NoError(w.t, err)
	r.Follow(slog.New(slog.NewTextHandler(w.leaks, nil)))
	w.t.Cleanup(func() { require.NoError(w.t, r.Close()) })
	return r.Policy()
}

// nothingLeaked is the oracle: whatever the test did, no real credential went
// to the agent, the log or the audit file, in no encoding that is easily undone.
func (w *world) nothingLeaked() {
	b, err := os.ReadFile(w.audit)
	require.NoError(w.t, err)
	all := w.leaks.String() + string(b)
	require.NotEmpty(w.t, b, "the audit log is in the oracle's view")
	for _, s := range []string{realToken, otherReal} {
		requireAbsent(w.t, all, s)
	}
}

func requireAbsent(t testing.TB, where, value string) {
	t.Helper()
	for _, form := range []string{value, value[:24], value[len(value)-24:], base64.StdEncoding.EncodeToString([]byte(value)), fmt.Sprintf("%x", value), fmt.Sprintf("%d", []byte(value))} {
		require.False(t, strings.Contains(where, form), "a real credential came out")
	}
}

// recordedConn writes all that it reads into the oracle's view.
type recordedConn struct {
	net.Conn
	to io.Writer
}

func (c recordedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.to.Write(p[:n])
	return n, err
}

func (w *world) dial() net.Conn {
	c, err := net.Dial("tcp", w.proxy)
	require.NoError(w.t, err)
	c.SetDeadline(time.Now().Add(patience))
	w.t.Cleanup(func() { c.Close() })
	return recordedConn{c, w.leaks}
}

// ask sends one request with the given header lines and returns the answer.
func (w *world) ask(method, url string, lines ...string) *http.Response {
	w.t.Helper()
	w.asked++
	scheme, rest, _ := strings.Cut(url, "://")
	host, path, _ := strings.Cut(rest, "/")
	c := w.dial()
	target := "/" + path
	if scheme == "http" {
		target = url
	} else {
		fmt.Fprintf(c, "CONNECT %s:443 HTTP/1.1\r\nHost: %s:443\r\n\r\n", host, host)
		res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: "CONNECT"})
		require.NoError(w.t, err)
		if res.StatusCode != 200 {
			return res
		}
		tc := tls.Client(c, &tls.Config{ServerName: host, RootCAs: w.roots})
		require.NoError(w.t, tc.Handshake())
		c = recordedConn{tc, w.leaks}
	}
	fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", method, target, host, strings.Join(append(slices.Clone(lines), ""), "\r\n"))
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	require.NoError(w.t, err)
	return res
}

func (w *world) proxyURL(*http.Request) (*url.URL, error) {
	return &url.URL{Scheme: "http", Host: w.proxy}, nil
}

func authorityOf(t *testing.T, text string) authority.Authority {
	t.Helper()
	_, a, err := proxy.ParseDestination(text)
	require.NoError(t, err)
	return a
}

// records waits for n audit records, which are written after the answers.
func (w *world) records(n int) []audit.Record {
	w.t.Helper()
	var out []audit.Record
	require.Eventually(w.t, func() bool {
		b, err := os.ReadFile(w.audit)
		require.NoError(w.t, err)
		out = nil
		for line := range bytes.Lines(b) {
			var r audit.Record
			require.NoError(w.t, json.Unmarshal(line, &r))
			out = append(out, r)
		}
		return len(out) >= n
	}, patience, time.Millisecond)
	require.Len(w.t, out, n)
	return out
}

// refused checks that res is the refusal code and that the origin saw nothing.
func (w *world) refused(res *http.Response, status int, code refusal.Code, about string) {
	w.t.Helper()
	require.Equal(w.t, status, res.StatusCode, about)
	require.Contains(w.t, res.Header.Get("Proxy-Status"), `details="`+string(code)+`"`, about)
	require.Empty(w.t, w.seen, about)
	b, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	if res.Request.Method == http.MethodHead {
		return
	}
	var p refusal.Payload
	require.NoError(w.t, json.Unmarshal(b, &p), "%s: %d %s", about, res.StatusCode, b)
	require.Equal(w.t, code, p.Error.Code, "%s: %s", about, b)
}

// passed returns what the origin saw of an allowed request.
func (w *world) passed(res *http.Response, about string) *http.Request {
	w.t.Helper()
	b, _ := io.ReadAll(res.Body)
	require.Equal(w.t, 200, res.StatusCode, "%s: %s", about, b)
	require.Len(w.t, w.seen, 1, about)
	return <-w.seen
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
