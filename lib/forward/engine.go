// Package forward is the forward-proxy engine that both proxies share. A
// stage gives it a [Policy]; the engine does the rest: it accepts CONNECT
// tunnels and absolute-form http:// requests, terminates or splices TLS,
// relays HTTP/1.1, HTTP/2, WebSockets and streams, and reaches origins itself
// or through the next hop.
//
// What holds for every request:
//
//   - The destination is one canonical value: the CONNECT authority, the TLS
//     server name, the Host and the port all name it, or the request is
//     refused (400, 421).
//   - Whatever fails refuses. Nothing is forwarded without the policy's
//     consent, and nothing goes direct when the next hop is down.
//   - A refused request costs no DNS query and no byte upstream.
//   - Streams pass as they arrive, both ways, without a cap.
//
// Start reading at [Engine.serve] in exchange.go, which is the order of work on
// one request.
//
// Limits: HTTP/3 is not relayed. WebSockets over HTTP/2 (RFC 8441) are not
// offered. Cleartext HTTP/2 is not spoken.
package forward

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"bottle/lib/audit"
	"bottle/lib/framing"
	"bottle/lib/refusal"
)

// LeafFunc returns the certificate that stands in for host. It is asked only
// for hosts that the policy has allowed, and must be safe for concurrent use.
type LeafFunc func(host string) (*tls.Certificate, error)

// Config is what a reload may change.
type Config struct {
	Policy *Policy
	Dialer *Dialer
	// UpstreamRoots are the roots trusted for origins. nil means the system's.
	UpstreamRoots *x509.CertPool
	Leaf          LeafFunc
}

// Limits bound what one client can take. Zero fields get the defaults.
type Limits struct {
	// HeadBytes bounds a request head (64 KiB), HeadTime the time from its first
	// byte to its last (10 s).
	HeadBytes int
	HeadTime  time.Duration
	// Handshake bounds a TLS handshake on either side (10 s).
	Handshake time.Duration
	// Connections bounds open client connections, tunnels included (4096).
	Connections int
	// Requests bounds the requests under way, of which one connection of HTTP/2
	// can have 250 (4096).
	Requests int
	// Idle bounds the wait for the next request on a kept connection (3 min).
	Idle time.Duration
	// TunnelIdle bounds how long a passthrough tunnel may be silent in both
	// directions (1 h).
	TunnelIdle time.Duration
}

func (l Limits) withDefaults() Limits {
	def := func(p *time.Duration, d time.Duration) {
		if *p <= 0 {
			*p = d
		}
	}
	if l.HeadBytes <= 0 {
		l.HeadBytes = 64 << 10
	}
	if l.Connections <= 0 {
		l.Connections = 4096
	}
	if l.Requests <= 0 {
		l.Requests = 4096
	}
	def(&l.HeadTime, 10*time.Second)
	def(&l.Handshake, 10*time.Second)
	def(&l.Idle, 3*time.Minute)
	def(&l.TunnelIdle, time.Hour)
	return l
}

// Options are fixed for an engine's life.
type Options struct {
	// Stage is the program's name, as it stands in Proxy-Status.
	Stage  string
	Limits Limits
	Log    *slog.Logger
	Audit  *audit.Log
	// Recorder, unless nil, keeps the exchanges; those in tunnels that are relayed
	// unread are not seen.
	Recorder Recorder
}

// Engine serves clients. It is safe for concurrent use.
type Engine struct {
	stage     string
	pseudonym string
	limits    Limits
	log       *slog.Logger
	serverLog *log.Logger
	audit     *audit.Log
	buffers   *bufferPool
	recorder  Recorder
	memory    atomic.Int64 // left for bodies that may be sent twice
	underWay  atomic.Int64 // requests

	current  atomic.Pointer[generation]
	agentTLS *tls.Config

	ctx    context.Context // of every exchange; cancelled to cut them off
	cancel context.CancelFunc
	outer  *http.Server // clients of the proxy
	inner  *http.Server // requests inside intercepted tunnels
	inside *handoff     // listener of inner
	places chan struct{}

	mu      sync.Mutex
	tunnels map[*tunnel]struct{}
	busy    sync.WaitGroup // exchanges and tunnels under way
	closing bool
}

// New returns an engine that serves by c. Serve starts it.
func New(o Options, c Config) *Engine {
	e := &Engine{
		stage:     o.Stage,
		pseudonym: o.Stage + "-" + strings.ToLower(rand.Text()[:16]),
		limits:    o.Limits.withDefaults(),
		log:       o.Log,
		audit:     o.Audit,
		recorder:  o.Recorder,
		buffers:   newBufferPool(),
		tunnels:   map[*tunnel]struct{}{},
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	e.memory.Store(replayMemory)
	e.serverLog = slog.NewLogLogger(e.log.Handler(), slog.LevelDebug)
	e.agentTLS = e.newAgentTLS()
	e.places = make(chan struct{}, e.limits.Connections)
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.outer = e.newServer(e.serveOuter, func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, guardKey{}, framing.From(c))
	})
	e.inner = e.newServer(e.serveInner, func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, tunnelKey{}, tunnelOf(c))
	})
	e.inner.Protocols = new(http.Protocols)
	e.inner.Protocols.SetHTTP1(true)
	e.inner.Protocols.SetHTTP2(true)
	// The agent is near, and needs no large windows; net/http's defaults are a MiB
	// of frame and one of what is not read yet, for each connection.
	e.inner.HTTP2 = &http.HTTP2Config{MaxReadFrameSize: 64 << 10, MaxReceiveBufferPerConnection: 512 << 10, MaxReceiveBufferPerStream: 256 << 10}
	e.inside = newHandoff()
	e.Swap(c)
	return e
}

func (e *Engine) newServer(h http.HandlerFunc, connContext func(context.Context, net.Conn) context.Context) *http.Server {
	return &http.Server{
		Handler: h,
		// The framing guard answers for heads that are too large or too slow; these
		// stand behind it, for connections that say nothing at all.
		MaxHeaderBytes:               e.limits.HeadBytes,
		ReadHeaderTimeout:            e.limits.HeadTime + 5*time.Second,
		IdleTimeout:                  e.limits.Idle,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     e.serverLog,
		BaseContext:                  func(net.Listener) context.Context { return e.ctx },
		ConnContext:                  connContext,
	}
}

// Swap puts c in force: for every new request, inside open tunnels too.
// Passthrough tunnels whose host c no longer lets through are closed.
func (e *Engine) Swap(c Config) {
	if c.Policy == nil {
		c.Policy = &Policy{}
	}
	d := *c.Dialer
	d.Pseudonym = e.pseudonym
	c.Dialer = &d
	g := &generation{policy: c.Policy, steps: c.Policy.steps(), leaf: c.Leaf, memory: &e.memory, dialer: c.Dialer}
	g.http1, g.http2, g.cleartext = newTransports(c, e.limits)
	g.relay = e.newRelay(g)
	old := e.current.Swap(g)
	if old == nil {
		return
	}
	old.closeIdle()
	e.mu.Lock()
	defer e.mu.Unlock()
	for t := range e.tunnels {
		if !g.permits(t) {
			t.close()
		}
	}
}

// Serve accepts clients on l until Shutdown; then it returns nil.
func (e *Engine) Serve(l net.Listener) error {
	inner := make(chan error, 1)
	go func() { inner <- e.inner.Serve(e.inside) }()
	err := e.outer.Serve(&listener{Listener: l, engine: e})
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	} else {
		e.Close()
	}
	<-inner
	return err
}

// Shutdown stops accepting, lets requests and tunnels under way come to their
// end until ctx is done, then cuts off the rest. It returns ctx's error if
// anything was cut off.
func (e *Engine) Shutdown(ctx context.Context) error {
	e.mu.Lock()
	e.closing = true
	e.mu.Unlock()
	err := errors.Join(e.outer.Shutdown(ctx), e.inner.Shutdown(ctx))
	done := make(chan struct{})
	go func() { e.busy.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	e.Close()
	<-done
	return err
}

// Close ends everything at once.
func (e *Engine) Close() {
	e.mu.Lock()
	e.closing = true
	for t := range e.tunnels {
		t.close()
	}
	e.mu.Unlock()
	e.cancel()
	e.outer.Close()
	e.inner.Close()
	e.inside.Close()
	e.current.Load().closeIdle()
}

// begin counts one piece of work; it reports false once the engine closes.
func (e *Engine) begin() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closing {
		return false
	}
	e.busy.Add(1)
	return true
}

func (e *Engine) serveOuter(w http.ResponseWriter, req *http.Request) {
	e.busy.Add(1)
	defer e.busy.Done()
	if req.Method == http.MethodConnect && violationOf(req, nil) == nil {
		e.connect(w, req)
		return
	}
	e.serve(w, req, nil)
	takeRest(w, req)
}

type tunnelKey struct{}

// tunnelIn returns the tunnel that a request came through, or nil.
func tunnelIn(ctx context.Context) *tunnel {
	t, _ := ctx.Value(tunnelKey{}).(*tunnel)
	return t
}

func (e *Engine) serveInner(w http.ResponseWriter, req *http.Request) {
	e.busy.Add(1)
	defer e.busy.Done()
	t := tunnelIn(req.Context())
	if t == nil {
		panic("forward: request inside no tunnel")
	}
	e.serve(w, req, t)
	takeRest(w, req)
}

func levelOf(r *refusal.Refusal) slog.Level {
	if refusal.Lookup(r.Code).Status >= 500 || r.Code.Alarm() {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

func logRefusal(r *refusal.Refusal, method string) []slog.Attr {
	attrs := []slog.Attr{
		slog.String("code", string(r.Code)), slog.Int("status", r.HTTPStatus()), slog.String("host", r.Host),
		slog.String("method", method), slog.String("request_id", r.RequestID), slog.String("message", r.Message),
	}
	if r.Cause != nil {
		attrs = append(attrs, slog.String("cause", r.Cause.Error()))
	}
	return attrs
}
