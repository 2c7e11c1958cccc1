package filter_test

import (
	"bytes"
	"context"
	"crypto/sha256"
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
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"bottle/lib/audit"
	"bottle/lib/filter"
	"bottle/lib/forward"
	"bottle/lib/mintca"
	"bottle/lib/refusal"
	"bottle/lib/tomlfile"
)

// patience is how long a test waits for what must come; only a bug uses it up.
const patience = 10 * time.Second

const gitlab = "gitlab-personal-token" // the rule that finds what token makes

// token makes a secret of gitlab's form that no literal in this repository
// looks like.
func token(seed string) string {
	sum := sha256.Sum256([]byte(seed))
	return "gl" + "pat-" + base64.RawURLEncoding.EncodeToString(sum[:])[:20]
}

// allowed is the configuration of most tests.
const allowed = `
allow = ["origin.test", "provider.test", "passed.test", "*.wild.test", "port.test:8443"]
tls_passthrough = ["passed.test"]
[refusal_status]
"provider.test" = 400
[limits]
requests_per_minute = 0
`

// world is an origin that keeps what it receives, the filter in an engine
// before it, and a client's view of both.
type world struct {
	t        *testing.T
	origin   *httptest.Server
	accepts  atomic.Int64 // connections that the origin got
	requests atomic.Int64
	received lockedBuffer // heads, bodies, trailers and messages
	proxy    string
	roots    *x509.CertPool
	audit    string
	log      lockedBuffer
	answers  lockedBuffer
	secrets  []string
}

// newWorld starts a filter configured by text before an origin that keeps what
// it is sent and then lets handler answer (nil: with the body it got).
func newWorld(t *testing.T, text string, handler http.HandlerFunc) *world {
	t.Helper()
	return newWorldIn(t, t.TempDir(), text, handler)
}

// newWorldIn is newWorld for a configuration in dir.
func newWorldIn(t *testing.T, dir, text string, handler http.HandlerFunc) *world {
	t.Helper()
	policy, err := parseIn(dir, text)
	require.NoError(t, err)
	if _, twice := leakChecked.LoadOrStore(t, true); !twice {
		t.Cleanup(func() { goleak.VerifyNone(t) })
	}
	w := &world{t: t}
	if handler == nil {
		handler = w.echo
	}
	hosts := []string{"origin.test", "provider.test", "passed.test", "*.wild.test", "port.test", "refused.test"}
	originCA, err := mintca.New(mintca.Options{Hosts: hosts})
	require.NoError(t, err)
	w.origin = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		w.requests.Add(1)
		fmt.Fprintf(&w.received, "%s %s %s %v\n", req.Method, req.Host, req.RequestURI, req.Header)
		req.Body = &recordingBody{req.Body, req, &w.received}
		handler(rw, req)
	}))
	w.origin.Listener = &countingListener{w.origin.Listener, &w.accepts}
	w.origin.EnableHTTP2 = true
	w.origin.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	w.origin.TLS = &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) { return originCA.Leaf(h.ServerName) }}
	w.origin.StartTLS()

	ca, err := mintca.New(mintca.Options{Hosts: hosts})
	require.NoError(t, err)
	w.roots = pool(t, ca, originCA)
	d := &forward.Dialer{}
	for _, port := range []string{"443", "8443", "80"} {
		ct, err := forward.ParseConnectTo(":" + port + ":" + w.origin.Listener.Addr().String())
		require.NoError(t, err)
		d.ConnectTo = append(d.ConnectTo, ct)
	}
	w.audit = filepath.Join(t.TempDir(), "audit.jsonl")
	records, err := audit.Open(w.audit)
	require.NoError(t, err)
	engine := forward.New(forward.Options{
		Stage: filter.Stage, Audit: records, Log: slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}, forward.Config{Policy: policy.Policy(), Dialer: d, UpstreamRoots: pool(t, originCA), Leaf: mintca.NewLeafCache(ca, 16).Get})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w.proxy = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- engine.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, engine.Shutdown(ctx))
		require.NoError(t, <-served)
		w.origin.Close()
		records.Close()
		w.nothingLeaked()
		if t.Failed() {
			t.Logf("log of the engine:\n%s", w.log.String())
		}
	})
	return w
}

// leakChecked holds the tests that check for goroutines left behind: only the
// first clean-up registered runs last.
var leakChecked sync.Map

func parse(text string) (*filter.Filter, error) { return parseIn("", text) }

// parseIn reads text as the pipelock.toml in dir.
func parseIn(dir, text string) (*filter.Filter, error) {
	var c filter.Config
	file, err := tomlfile.Parse(filepath.Join(dir, "pipelock.toml"), []byte(text), &c)
	if err != nil {
		return nil, err
	}
	return c.Filter(file)
}

// secret makes a secret that this world must keep.
func (w *world) secret(seed string) string {
	s := token(w.t.Name() + seed)
	w.mustKeep(s)
	return s
}

func (w *world) mustKeep(s string) { w.secrets = append(w.secrets, s) }

// nothingLeaked is the oracle of every test: no eight bytes in a row of a
// secret are in what the origin received, in an answer, the log or the audit
// file.
func (w *world) nothingLeaked() {
	records, err := os.ReadFile(w.audit)
	require.NoError(w.t, err)
	places := map[string]string{"origin": w.received.String(), "an answer": w.answers.String(), "log": w.log.String(), "audit file": string(records)}
	for _, s := range w.secrets {
		for place, text := range places {
			for i := 4; i+8 <= len(s); i++ {
				if strings.Contains(text, s[i:i+8]) {
					w.t.Errorf("%s: a secret is in it, from its byte %d on", place, i)
					break
				}
			}
		}
	}
}

func (w *world) echo(rw http.ResponseWriter, req *http.Request) {
	b, err := io.ReadAll(req.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	rw.Header().Set("X-Proto", req.Proto)
	rw.Write(b)
}

// client is an ordinary HTTP client that uses the filter as its proxy.
func (w *world) client(http2 bool) *http.Client {
	tr := &http.Transport{
		Proxy:                 http.ProxyURL(&url.URL{Scheme: "http", Host: w.proxy}),
		TLSClientConfig:       &tls.Config{RootCAs: w.roots},
		ForceAttemptHTTP2:     http2,
		DisableCompression:    true,
		ExpectContinueTimeout: patience,
	}
	w.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 2 * patience}
}

// do makes a request and returns its answer, read.
func (w *world) do(c *http.Client, req *http.Request) (*http.Response, string) {
	w.t.Helper()
	res, err := c.Do(req)
	require.NoError(w.t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	fmt.Fprintf(&w.answers, "%v %s\n", res.Header, b)
	return res, string(b)
}

// refused makes a request that must be refused as the project refuses, and
// returns the answer's message.
func (w *world) refused(c *http.Client, req *http.Request, status int, code refusal.Code) refusal.PayloadError {
	w.t.Helper()
	res, body := w.do(c, req)
	require.Equal(w.t, status, res.StatusCode, "%.200s", body)
	var p refusal.Payload
	require.NoError(w.t, json.Unmarshal([]byte(body), &p), body)
	require.Equal(w.t, code, p.Error.Code, body)
	require.Equal(w.t, filter.Stage, p.Error.Stage)
	require.Contains(w.t, res.Header.Get("Proxy-Status"), `details="`+string(code)+`"`)
	require.Equal(w.t, status == 429, res.Header.Get("Retry-After") != "")
	return p.Error
}

// works makes an ordinary request on a new connection.
func (w *world) works() {
	w.t.Helper()
	c := w.client(false)
	defer c.CloseIdleConnections()
	res, body := w.do(c, request(w.t, "POST", "https://origin.test/works", strings.NewReader("works")))
	require.Equal(w.t, 200, res.StatusCode, body)
}

// records waits for n audit records that keep passes.
func (w *world) records(n int, keep func(audit.Record) bool) []audit.Record {
	w.t.Helper()
	var out []audit.Record
	require.Eventually(w.t, func() bool {
		out = nil
		b, err := os.ReadFile(w.audit)
		require.NoError(w.t, err)
		for line := range bytes.Lines(b) {
			var r audit.Record
			require.NoError(w.t, json.Unmarshal(line, &r))
			if keep(r) {
				out = append(out, r)
			}
		}
		return len(out) >= n
	}, patience, time.Millisecond)
	require.Len(w.t, out, n)
	return out
}

func isRefused(r audit.Record) bool { return r.Decision == audit.Refuse }

func request(t *testing.T, method, url string, body io.Reader, headers ...string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(method, url, body)
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		req.Header[headers[i]] = []string{headers[i+1]}
	}
	return req
}

// unsized hides a reader's length, so that the body is sent in chunks.
func unsized(r io.Reader) io.Reader { return struct{ io.Reader }{r} }

func pool(t *testing.T, cas ...*mintca.CA) *x509.CertPool {
	p := x509.NewCertPool()
	for _, ca := range cas {
		require.True(t, p.AppendCertsFromPEM(ca.CertPEM()))
	}
	return p
}

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

// recordingBody keeps what the origin reads, and the trailers at its end.
type recordingBody struct {
	io.ReadCloser
	req *http.Request
	to  io.Writer
}

func (b *recordingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.to.Write(p[:n])
	if err == io.EOF {
		fmt.Fprintf(b.to, "\n%v\n", b.req.Trailer)
	}
	return n, err
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
