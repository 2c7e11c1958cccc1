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
	// Login is the one login that the provider knows; a zero Seed means a
	// random one, a zero Expiry ten days from now.
	Login throwaway.Codex
	// Renews makes the token endpoint exchange the login's refresh token for a
	// next login, which is the only one that is good from then on.
	Renews bool
	// Record gets each record as a JSON line; nil for nowhere.
	Record io.Writer
}

// Server is a running stand-in. It is safe for concurrent use.
type Server struct {
	opts         Options
	ca           *mintca.CA
	listener     net.Listener
	http         *http.Server
	served       chan struct{}
	rec          recorder
	held         atomic.Pointer[throwaway.Codex] // the login that is good now
	unauthorized atomic.Int64
	stop         context.CancelFunc // ends hijacked connections
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
	if o.Login.Expiry.IsZero() {
		o.Login.Expiry = time.Now().Add(240 * time.Hour).Truncate(time.Second)
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
	s.held.Store(&o.Login)
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

// Login is the host login whose bearer and account the provider accepts.
func (s *Server) Login() throwaway.Codex { return *s.held.Load() }

// Rotate makes next the only login that is good. It has to be of the same
// account.
func (s *Server) Rotate(next throwaway.Codex) { s.held.Store(&next) }

// Next returns a login that can follow the one that is good now: of the same
// account, with other tokens, and ten days of life.
func (s *Server) Next() throwaway.Codex {
	l := s.Login()
	return throwaway.Codex{Seed: l.Seed + "+", Account: s.Account(), Plan: l.Plan, Expiry: time.Now().Add(240 * time.Hour).Truncate(time.Second)}
}

// Token is the real access token. It is a throw-away one, and still a secret
// to the tests.
func (s *Server) Token() string { return s.Login().AccessToken() }

// Account is the account id of the login.
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
