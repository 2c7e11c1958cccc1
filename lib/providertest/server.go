package providertest

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"bottle/lib/hostauth/throwaway"
	"bottle/lib/mintca"
)

// Mode is how the model endpoint speaks to the client.
type Mode string

const (
	WebSocket        Mode = "ws"         // WebSocket, no compression
	WebSocketDeflate Mode = "ws-deflate" // WebSocket with permessage-deflate
	SSE              Mode = "sse"        // upgrades get 426, POSTs an event stream
)

// ParseMode returns the mode that s names.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case WebSocket, WebSocketDeflate, SSE:
		return m, nil
	}
	return "", fmt.Errorf("unknown mode %q: ws, ws-deflate or sse", s)
}

// Always, as [Options.Unauthorized], refuses every model request.
const Always = -1

// Options say what to stand in for. The zero value is a WebSocket model that
// answers at once, on a free loopback port, with a random login.
type Options struct {
	Listen string // host:port; "" means 127.0.0.1:0
	Mode   Mode   // "" means WebSocket
	// Answer is the model's text; "" means "hello from the stand-in".
	Answer string
	// ToolCommand is a shell command that the model asks the client to run
	// before it answers; "" for none.
	ToolCommand string
	// Unauthorized is how many model requests are refused with 401 although
	// their bearer is right; [Always] for all of them.
	Unauthorized int
	// WorkspaceOrigin is the workspace_backend_origin of the account, for
	// instance "https://us.chatgpt.com"; "" means "https://chatgpt.com".
	WorkspaceOrigin string
	// Login is the one login that the provider knows at first; a zero Seed means
	// a random one, a zero Expiry ten days from now.
	Login throwaway.Codex
	// Claude is the same for Claude Code; its API key is accepted as well.
	Claude throwaway.Claude
	// ModelStatus, unless 0, is the status of every answer to Claude Code's
	// model requests; the body is an error of the service's shape.
	ModelStatus int
	// TokenEndpoint is how refreshes are answered; "" means [Refreshing].
	TokenEndpoint TokenEndpoint
	// RefreshedLife is how long a refreshed login lives; 0 means ten days.
	RefreshedLife time.Duration
	// Record gets each record as a JSON line; nil for nowhere.
	Record io.Writer
}

// Server is a running stand-in. It is safe for concurrent use.
type Server struct {
	opts          Options
	ca            *mintca.CA
	listener      net.Listener
	http          *http.Server
	served        chan struct{}
	rec           recorder
	logins        logins[throwaway.Codex]
	claude        logins[throwaway.Claude]
	tokenEndpoint atomic.Value // a TokenEndpoint
	unauthorized  atomic.Int64
	stop          context.CancelFunc // ends hijacked connections
}

// Start listens and serves until [Server.Close].
func Start(o Options) (*Server, error) {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Mode == "" {
		o.Mode = WebSocket
	}
	if o.Answer == "" {
		o.Answer = "hello from the stand-in"
	}
	if o.WorkspaceOrigin == "" {
		o.WorkspaceOrigin = "https://chatgpt.com"
	}
	if o.Login.Seed == "" {
		o.Login.Seed = rand.Text()
	}
	if o.Claude.Seed == "" {
		o.Claude.Seed = rand.Text()
	}
	if o.TokenEndpoint == "" {
		o.TokenEndpoint = Refreshing
	}
	if o.RefreshedLife == 0 {
		o.RefreshedLife = 240 * time.Hour
	}
	ca, err := newCA(time.Now())
	if err != nil {
		return nil, err
	}
	tcp, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{
		opts: o, ca: ca, served: make(chan struct{}), stop: stop,
		rec: recorder{w: o.Record},
	}
	s.logins.next, s.claude.next = nextCodex, nextClaude
	s.Rotate(o.Login)
	s.RotateClaude(o.Claude)
	s.tokenEndpoint.Store(o.TokenEndpoint)
	s.unauthorized.Store(int64(o.Unauthorized))
	leaves := mintca.NewLeafCache(ca, 64)
	s.listener = countedListener{tcp}
	s.http = &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // a client that does not trust the CA is no event
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
		TLSConfig: &tls.Config{
			MinVersion: tls.VersionTLS12,
			GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
				if h.ServerName == "" {
					return leaves.Get(h.Conn.LocalAddr().(*net.TCPAddr).IP.String())
				}
				return leaves.Get(h.ServerName)
			},
		},
	}
	go func() {
		defer close(s.served)
		s.http.ServeTLS(s.listener, "", "")
	}()
	return s, nil
}

// Addr is the address that the stand-in listens on, host:port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// CAPEM is the certificate of the stand-in's authority, in PEM.
func (s *Server) CAPEM() []byte { return s.ca.CertPEM() }

// Login is the current host login: the one that was made last, by the options,
// [Server.Rotate] or a refresh.
func (s *Server) Login() throwaway.Codex { return s.logins.login() }

// Rotate makes login the only one that the provider accepts. Access tokens of
// earlier ones get 401 from the next request on, their refresh tokens are used
// up. A zero Expiry means ten days from now.
func (s *Server) Rotate(login throwaway.Codex) {
	if login.Expiry.IsZero() {
		login.Expiry = time.Now().Add(240 * time.Hour).Truncate(time.Second)
	}
	s.logins.rotate(login, login.Expiry)
}

// Next returns a login that can follow the current one: of the same account and
// plan, with other tokens and ten days of life.
func (s *Server) Next() throwaway.Codex {
	return nextCodex(s.Login(), 0, time.Now().Add(240*time.Hour).Truncate(time.Second))
}

// RotateClaude is [Server.Rotate] for Claude Code's login.
func (s *Server) RotateClaude(login throwaway.Claude) {
	if login.Expiry.IsZero() {
		login.Expiry = time.Now().Add(240 * time.Hour).Truncate(time.Second)
	}
	s.claude.rotate(login, login.Expiry)
}

// Claude is the current login of Claude Code.
func (s *Server) Claude() throwaway.Claude { return s.claude.login() }

// SetTokenEndpoint changes how refreshes are answered from now on.
func (s *Server) SetTokenEndpoint(e TokenEndpoint) { s.tokenEndpoint.Store(e) }

// Token is the current real access token. It is a throw-away one, and still a
// secret to the tests.
func (s *Server) Token() string { return s.Login().AccessToken() }

// Account is the account id of the current login.
func (s *Server) Account() string {
	return s.Login().File()["tokens"].(map[string]any)["account_id"].(string)
}

// Answer is the model's text.
func (s *Server) Answer() string { return s.opts.Answer }

// Records returns all records so far, oldest first.
func (s *Server) Records() []Record { return s.rec.all() }

// Close ends all connections and returns when the stand-in serves no more. The
// error is the first one met in writing records.
func (s *Server) Close() error {
	s.stop()
	err := s.http.Close()
	<-s.served
	return errors.Join(err, s.rec.failure())
}

type connKey struct{}

// countedListener counts the bytes that its connections read.
type countedListener struct{ net.Listener }

func (l countedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &countedConn{Conn: c}, nil
}

type countedConn struct {
	net.Conn
	read atomic.Int64
}

func (c *countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.read.Add(int64(n))
	return n, err
}

// wireBytes is how much the connection of r has carried to the stand-in, TLS
// included.
func wireBytes(r *http.Request) int64 {
	if c, ok := r.Context().Value(connKey{}).(*tls.Conn); ok {
		if counted, ok := c.NetConn().(*countedConn); ok {
			return counted.read.Load()
		}
	}
	return 0
}
