package forward

import (
	"net"
	"sync"
	"time"

	"bottle/lib/framing"
	"bottle/lib/refusal"
)

// listener puts the framing guard in front of every client and bounds their
// number.
type listener struct {
	net.Listener
	engine *Engine
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		e := l.engine
		select {
		case e.places <- struct{}{}:
		default:
			e.turnAway(c)
			continue
		}
		counted := &countedConn{Conn: c, release: func() { <-e.places }}
		return framing.NewConn(counted, e.framingLimits()), nil
	}
}

func (e *Engine) framingLimits() framing.Limits {
	return framing.Limits{MaxHeadBytes: e.limits.HeadBytes, HeadTimeout: e.limits.HeadTime}
}

// turnAway answers a client beyond the limit without reading its request. It
// works in the accept loop on purpose: a flood of clients must not become a
// flood of goroutines.
func (e *Engine) turnAway(c net.Conn) {
	defer c.Close()
	r := refusal.New(refusal.TooManyConnections, "the proxy has %d open connections, its limit; close some or try later", e.limits.Connections)
	r.Stage, r.RequestID = e.stage, newID()
	e.log.Warn("refused", "code", r.Code, "request_id", r.RequestID)
	c.SetDeadline(time.Now().Add(50 * time.Millisecond))
	if r.WriteRaw(c) == nil {
		closeWrite(c)
		// Reading what is there keeps the answer from being lost to a reset.
		c.Read(make([]byte, 4096))
	}
}

// handoff is a listener that is given its connections: tunnels whose TLS has
// been terminated.
type handoff struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newHandoff() *handoff {
	return &handoff{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (h *handoff) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// give passes c on; it reports false, and leaves c open, once the listener is
// closed.
func (h *handoff) give(c net.Conn) bool {
	select {
	case h.conns <- c:
		return true
	case <-h.done:
		return false
	}
}

func (h *handoff) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

func (h *handoff) Addr() net.Addr { return &net.UnixAddr{Net: "unix", Name: "inside"} }
