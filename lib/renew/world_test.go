package renew

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bottle/lib/authority"
	"bottle/lib/hostauth/throwaway"
	"bottle/lib/mintca"
)

const patience = 20 * time.Second

// tokenServer is a token endpoint whose refresh tokens work once.
type tokenServer struct {
	t      *testing.T
	server *httptest.Server
	ca     *mintca.CA

	mu       sync.Mutex
	n        int                // of the login that is in force
	asked    int                // requests that came
	accepted int                // refresh tokens that were used up
	instead  http.HandlerFunc   // answers in its place, if set
	before   func()             // runs before an exchange
	change   func(m jsonObject) // spoils an answer
	life     time.Duration
	form     jsonObject // of the last exchange
}

type jsonObject = map[string]any

func newProvider(t *testing.T) *tokenServer {
	p := &tokenServer{t: t, life: 240 * time.Hour}
	var err error
	p.ca, err = mintca.New(mintca.Options{Hosts: []string{"auth.openai.com", "platform.claude.com"}})
	require.NoError(t, err)
	p.server = httptest.NewUnstartedServer(http.HandlerFunc(p.serve))
	p.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	p.server.TLS = &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) { return p.ca.Leaf(h.ServerName) }}
	p.server.StartTLS()
	t.Cleanup(p.server.Close)
	return p
}

// login is the provider's n-th login, which ends after left.
func (p *tokenServer) login(n int, left time.Duration) throwaway.Codex {
	end := time.Now().Add(left).Truncate(time.Second)
	return throwaway.Codex{Seed: fmt.Sprint(p.t.Name(), n), Account: "acct-1", Expiry: end, IssuedAt: end.Add(-p.life)}
}

func (p *tokenServer) serve(rw http.ResponseWriter, req *http.Request) {
	p.mu.Lock()
	p.asked++
	instead, before := p.instead, p.before
	p.mu.Unlock()
	if before != nil {
		before()
	}
	if instead != nil {
		instead(rw, req)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var form jsonObject
	if req.Method != "POST" || json.NewDecoder(req.Body).Decode(&form) != nil || form["grant_type"] != "refresh_token" {
		http.Error(rw, "bad request", 400)
		return
	}
	p.form = form
	claude := req.Host == "platform.claude.com"
	if req.URL.Path != map[bool]string{false: "/oauth/token", true: "/v1/oauth/token"}[claude] || form["client_id"] == "" {
		http.Error(rw, "not found", 404)
		return
	}
	if form["refresh_token"] != p.login(p.n, 0).RefreshToken() {
		rw.WriteHeader(401)
		io.WriteString(rw, `{"error":{"code":"refresh_token_reused","message":"has been used"}}`)
		return
	}
	p.n++
	p.accepted++
	l := p.login(p.n, p.life)
	out := jsonObject{"access_token": l.AccessToken(), "id_token": l.IDToken(), "refresh_token": l.RefreshToken()}
	if claude {
		delete(out, "id_token")
		out["expires_in"] = int(p.life / time.Second)
	}
	if p.change != nil {
		p.change(out)
	}
	json.NewEncoder(rw).Encode(out)
}

func (p *tokenServer) counts() (asked, accepted int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked, p.accepted
}

func (p *tokenServer) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// codexFile writes the login that is in force, with fields of the client's own.
func (p *tokenServer) codexFile(t *testing.T, left time.Duration) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "auth.json")
	l := p.login(p.n, left)
	text := fmt.Sprintf("{\n  \"auth_mode\":\"chatgpt\",\"zeta\": [1, 2.50, {\"a\":null}],\n\t\"tokens\": {\"future\":\"f\",\n \"id_token\": %q, \"access_token\"  :%q,\"account_id\":\"acct-1\", \"refresh_token\":%q },\n \"last_refresh\": \"2026-01-01T00:00:00Z\", \"alpha\": \"\\u00e9\" }\n\n",
		l.IDToken(), l.AccessToken(), l.RefreshToken())
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func transportTo(addr string, caPEM []byte) *http.Transport {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(caPEM)
	return Transport(func(ctx context.Context, a authority.Authority) (net.Conn, error) {
		if a.Port != 443 {
			return nil, fmt.Errorf("dialled %v", a)
		}
		return new(net.Dialer).DialContext(ctx, "tcp", addr)
	}, roots)
}

func (p *tokenServer) renewer(t *testing.T, kind Kind, path string) (*Renewer, *logBuffer) {
	log := &logBuffer{}
	r := New(Options{Kind: kind, Path: path, Transport: transportTo(p.server.Listener.Addr().String(), p.ca.CertPEM()),
		Log: slog.New(slog.NewTextHandler(log, nil))})
	return r, log
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func mustRead(t *testing.T, r *Renewer) *login {
	t.Helper()
	_, l, err := r.read()
	require.NoError(t, err)
	return l
}

// files lists what stands beside a login, without the lock.
func files(t *testing.T, path string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	var out []string
	for _, e := range entries {
		if e.Name() != filepath.Base(beside(path, "lock")) {
			out = append(out, e.Name())
		}
	}
	return out
}
