package forward

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"bottle/lib/audit"
	"bottle/lib/authority"
	"bottle/lib/refusal"
)

// passthrough relays a tunnel's bytes unread, after its ClientHello has shown
// that it goes where it was opened for.
func (e *Engine) passthrough(t *tunnel) {
	defer t.close()
	rec := audit.Record{
		Decision: audit.Allow, RequestID: t.id, Host: t.destination.String(), Method: "CONNECT", Protocol: "tunnel", Route: t.verdict.Route, HopIn: t.hop,
	}
	if hop := hopOf(t.upstream); hop != nil {
		rec.HopOut = hop.id
	}
	t.client.SetReadDeadline(time.Now().Add(e.limits.Handshake))
	hello, err := checkHello(t.client, t.destination)
	if err != nil {
		r := refusal.From(err)
		r.Stage, r.Host, r.RequestID = e.stage, t.destination.String(), t.id
		e.log.LogAttrs(e.ctx, levelOf(r), "refused", logRefusal(r, "CONNECT")...)
		rec.Event, rec.Decision, rec.Code = audit.EventConnect, audit.Refuse, string(r.Code)
		rec.Millis = time.Since(t.start).Milliseconds()
		e.record(rec)
		t.client.SetDeadline(time.Now().Add(time.Second))
		t.client.Write(alertFor(r.Code))
		return
	}
	t.client.SetReadDeadline(time.Time{})
	rec.Event = audit.EventTunnelOpen
	e.record(rec)
	if _, err := t.upstream.Write(hello); err == nil {
		rec.Up, rec.Down = splice(t.client, t.upstream, e.limits.TunnelIdle)
	}
	rec.Event, rec.Up, rec.Millis = audit.EventTunnelClose, rec.Up+int64(len(hello)), time.Since(t.start).Milliseconds()
	e.record(rec)
}

// alertFor is the TLS alert by which a client inside a tunnel learns of a
// refusal: unrecognized_name (RFC 6066, section 3), or handshake_failure.
func alertFor(c refusal.Code) []byte {
	alert := byte(40)
	if c == refusal.SNIMismatch {
		alert = 112
	}
	return []byte{21, 3, 1, 0, 2, 2, alert}
}

var errHelloRead = errors.New("client hello read")

// checkHello reads the ClientHello, checks that its server name is a's host,
// and returns the bytes read, to be sent on. The name is the only one of the
// tunnel's names that the origin acts on: without this check a tunnel to one
// customer of a shared front end reaches every other.
func checkHello(c net.Conn, a authority.Authority) ([]byte, error) {
	rec := &helloConn{Conn: c}
	var name string
	var seen bool
	err := tls.Server(rec, &tls.Config{
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			name, seen = hello.ServerName, true
			return nil, errHelloRead
		},
	}).HandshakeContext(context.Background())
	if !seen {
		if b := rec.read.Bytes(); len(b) > 0 && b[0] != 22 {
			return nil, refusal.New(refusal.NotTLS, "the bytes in the tunnel to %s are not TLS", a)
		}
		return nil, refusal.New(refusal.NotTLS, "no TLS handshake came in the tunnel to %s", a).Because(err)
	}
	if _, isIP := a.Addr(); isIP && name == "" {
		return rec.read.Bytes(), nil
	}
	if host, err := authority.ParseHost(name); err != nil || host != a.Host {
		return nil, refusal.New(refusal.SNIMismatch, "the TLS server name is not %s, the host that the tunnel was opened for", a.Host)
	}
	return rec.read.Bytes(), nil
}

// helloConn records what is read and writes nothing.
type helloConn struct {
	net.Conn
	read bytes.Buffer
}

func (c *helloConn) Read(p []byte) (int, error) {
	const most = 64 << 10
	if c.read.Len() > most {
		return 0, fmt.Errorf("client hello is larger than %d bytes", most)
	}
	n, err := c.Conn.Read(p)
	c.read.Write(p[:n])
	return n, err
}

func (c *helloConn) Write(p []byte) (int, error)      { return len(p), nil }
func (c *helloConn) Close() error                     { return nil }
func (c *helloConn) SetDeadline(time.Time) error      { return nil }
func (c *helloConn) SetReadDeadline(time.Time) error  { return nil }
func (c *helloConn) SetWriteDeadline(time.Time) error { return nil }

// splice copies both ways until both are at their end, one breaks, or neither
// has moved a byte for idle; that is noticed before twice idle is over. It
// returns the bytes copied from a and from b.
func splice(a, b net.Conn, idle time.Duration) (fromA, fromB int64) {
	a, b = plain(a), plain(b)
	var last atomic.Int64 // when a byte was last known to have moved, either way
	last.Store(time.Now().UnixNano())
	done := make(chan struct{})
	go func() {
		defer close(done)
		fromB = copyUntilIdle(a, b, idle, &last)
	}()
	fromA = copyUntilIdle(b, a, idle, &last)
	<-done
	return fromA, fromB
}

// copyUntilIdle copies src to dst and passes on the end of src. The kernel
// moves the bytes without waking the process, so that it is known only at the
// end of each step whether any came; what the other direction knows of itself
// is as old as a step.
func copyUntilIdle(dst, src net.Conn, idle time.Duration, last *atomic.Int64) (total int64) {
	step := idle/4 + 1
	for {
		src.SetReadDeadline(time.Now().Add(step))
		n, err := io.Copy(dst, src)
		total += n
		if n > 0 {
			last.Store(time.Now().UnixNano())
		}
		if err == nil { // the end of src
			closeWrite(dst)
			return total
		}
		if isTimeout(err) && time.Since(time.Unix(0, last.Load())) < idle+step {
			continue
		}
		// Broken, or silent for too long: end the other direction as well.
		src.Close()
		dst.Close()
		return total
	}
}
