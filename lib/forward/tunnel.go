package forward

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"bottle/lib/audit"
	"bottle/lib/authority"
	"bottle/lib/framing"
	"bottle/lib/refusal"
)

// tunnel is a client's connection after an accepted CONNECT.
type tunnel struct {
	id          string
	destination authority.Authority
	verdict     Verdict
	client      net.Conn
	upstream    net.Conn // of a passthrough tunnel
	start       time.Time
	hop         string // id that the stage before gave it, or ""
	requests    atomic.Int64

	// Of an intercepted tunnel:
	serverName         string // SNI, canonical; "" if none was sent
	noServerNameNeeded bool   // the destination is an IP address (RFC 6066, section 3)
	guard              *framing.Conn
}

func (t *tunnel) close() {
	t.client.Close()
	if t.upstream != nil {
		t.upstream.Close()
	}
}

// interceptedConn carries a tunnel through crypto/tls and net/http.
type interceptedConn struct {
	net.Conn
	tunnel *tunnel
}

// tunnelOf finds the tunnel of a connection that the inner server hands out.
func tunnelOf(c net.Conn) *tunnel {
	for {
		switch w := c.(type) {
		case *interceptedConn:
			return w.tunnel
		case interface{ NetConn() net.Conn }:
			c = w.NetConn()
		default:
			return nil
		}
	}
}

// connect serves CONNECT: canonical destination, verdict, then passthrough or
// intercept. A refusal is answered before any tunnel is up.
func (e *Engine) connect(w http.ResponseWriter, req *http.Request) {
	gen := e.current.Load()
	out := &responseWriter{ResponseWriter: w}
	x := &Exchange{ID: newID(), start: time.Now(), method: req.Method, proto: req.Proto, Scheme: "https", hopIn: hopIn(req.Header)}
	refuse := func(err error) {
		e.refuse(out, req, x, err)
		e.record(audit.Record{
			Event: audit.EventConnect, Decision: audit.Refuse, Code: string(x.Refused().Code), Rule: x.Refused().Rule, Location: x.Refused().Location, RequestID: x.ID, Method: req.Method,
			Protocol: req.Proto, Host: x.Refused().Host, Route: x.Route, Status: out.status, HopIn: x.hopIn, Millis: time.Since(x.start).Milliseconds(),
		})
	}
	a, err := authority.Parse(req.RequestURI)
	if err != nil {
		refuse(refusal.New(refusal.BadAuthority, "CONNECT needs a plain host and port, as in CONNECT example.com:443").Because(err))
		return
	}
	x.Destination = a
	if viaContains(req.Header, e.pseudonym) {
		refuse(refusal.New(refusal.LoopDetected, "the request came back to this stage; the operator's next_hop leads in a circle"))
		return
	}
	v := gen.policy.tunnel(a)
	// The status that a client gives up on is for requests; a refused CONNECT
	// never reaches its user anyway, so it keeps the plain one.
	x.Route = v.Route
	if v.Refusal != nil {
		refuse(v.Refusal)
		return
	}
	if r := gen.policy.named(req.RequestURI, a); r != nil {
		refuse(r)
		return
	}
	t := &tunnel{id: x.ID, destination: a, verdict: v, start: x.start, hop: x.hopIn}
	if v.Treatment == Passthrough {
		if gen.policy.Opened != nil {
			if r := gen.policy.Opened(a); r != nil {
				refuse(r)
				return
			}
		}
		// Dialled before the answer, so that a failure can be told.
		up, err := gen.dialer.Dial(req.Context(), a)
		if err != nil {
			refuse(originRefusal(a, err))
			return
		}
		t.upstream = up
	} else if _, err := gen.leaf(a.Host); err != nil {
		// Made now, and told here: in the handshake it would look to the client
		// like any other.
		refuse(err)
		return
	}
	client, err := e.accept(w)
	if err != nil {
		if t.upstream != nil {
			t.upstream.Close()
		}
		e.log.Debug("client went away", "request_id", x.ID, "err", err)
		return
	}
	t.client = client
	if !e.keep(t) {
		t.close()
		return
	}
	// From here on a goroutine of its own carries the tunnel, and this one's
	// stack and buffers go back to net/http.
	go e.carry(t)
}

// accept answers 200 and takes the connection over.
func (e *Engine) accept(w http.ResponseWriter) (net.Conn, error) {
	hijacked, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	guard := framing.From(hijacked)
	if guard == nil {
		hijacked.Close()
		return nil, fmt.Errorf("hijack: connection has no framing guard")
	}
	inner, early := guard.Detach()
	inner.SetDeadline(time.Time{})
	if _, err := inner.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n")); err != nil {
		inner.Close()
		return nil, err
	}
	if len(early) > 0 {
		return &prefixConn{Conn: inner, prefix: early}, nil
	}
	return inner, nil
}

// keep registers t as under way, unless the engine closes or a configuration
// that came into force since t was judged does not let it through.
func (e *Engine) keep(t *tunnel) bool {
	if !e.begin() {
		return false
	}
	e.mu.Lock()
	e.tunnels[t] = struct{}{}
	e.mu.Unlock()
	if !e.current.Load().permits(t) {
		e.drop(t)
		return false
	}
	return true
}

// permits reports whether t may go on: in an intercepted tunnel each request is
// judged by itself, in a passthrough nothing is any more.
func (g *generation) permits(t *tunnel) bool {
	if t.verdict.Treatment != Passthrough {
		return true
	}
	v := g.policy.tunnel(t.destination)
	return v.Refusal == nil && v.Treatment == Passthrough
}

func (e *Engine) drop(t *tunnel) {
	e.mu.Lock()
	delete(e.tunnels, t)
	e.mu.Unlock()
	e.busy.Done()
}

func (e *Engine) carry(t *tunnel) {
	defer e.drop(t)
	defer func() {
		if p := recover(); p != nil { // one bad connection must not end the others
			t.close()
			e.log.Error("tunnel panicked", "request_id", t.id, "host", t.destination.String(), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	if t.verdict.Treatment == Passthrough {
		e.passthrough(t)
		return
	}
	if err := e.intercept(t); err != nil {
		t.client.Close()
		e.log.Info("tunnel ended before its first request", "host", t.destination.String(), "request_id", t.id, "err", err,
			"hint", "a client that does not trust the bottle's CA looks like this")
	}
}

// newAgentTLS returns the one configuration by which clients' TLS is
// terminated. It is shared by all tunnels so that session tickets work: Codex
// opens 13 or 14 connections a run.
func (e *Engine) newAgentTLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		// No post-quantum exchange on this side: it guards against recording on
		// the way, and there is none between an agent and a proxy on its machine.
		// Upstream it is on.
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			// By the tunnel's host, not by the SNI: a client that asks for another
			// name is told so in its answer (421), and no name that the policy has
			// not allowed is ever signed.
			t := tunnelOf(hello.Conn)
			if t == nil {
				return nil, errors.New("connection belongs to no tunnel")
			}
			return e.current.Load().leaf(t.destination.Host)
		},
	}
}

// intercept terminates the client's TLS and hands the connection to the inner
// server.
func (e *Engine) intercept(t *tunnel) error {
	conn := tls.Server(&interceptedConn{t.client, t}, e.agentTLS)
	ctx, cancel := context.WithTimeout(e.ctx, e.limits.Handshake)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS handshake with the client: %w", err)
	}
	state := conn.ConnectionState()
	if _, isIP := t.destination.Addr(); isIP && state.ServerName == "" {
		t.noServerNameNeeded = true
	}
	if name, err := authority.ParseHost(state.ServerName); err == nil {
		t.serverName = name
	}
	var served net.Conn = conn
	if state.NegotiatedProtocol != "h2" {
		guarded := framing.NewTLSConn(conn, e.framingLimits())
		t.guard = &guarded.Conn
		served = guarded
	}
	if !e.inside.give(served) {
		return net.ErrClosed
	}
	return nil
}
