package framing

import (
	"crypto/tls"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// standIn is what the server reads in place of a refused head. Nothing
// recognises it by its content: [Conn.Violation] does.
const standIn = "GET /bottle-refused HTTP/1.1\r\nHost: bottle.invalid\r\nConnection: close\r\n\r\n"

// Conn is a [net.Conn] that lets only well-framed HTTP/1 requests through to
// its reader. Writes, and bytes after a switch of protocols, pass unchanged.
//
// No Read crosses the end of a message. net/http reads at most one byte past a
// message before its handler returns; so what Conn notes when the last byte of
// a head is delivered (a violation, a tunnel that may open) concerns the
// request that the next handler sees, also when requests are pipelined.
//
// Like any net.Conn it may be used by several goroutines at once.
type Conn struct {
	inner  net.Conn
	limits Limits

	reading sync.Mutex // held by Read and Detach; guards the next group
	phase   phase
	head    head
	size    int   // bytes of the judged head not yet delivered
	length  int64 // bytes of the body not yet delivered
	chunks  chunks
	held    held
	trimmed bool // an empty line before this head was dropped
	begun   bool // held begins with an incomplete head, and its time runs
	refused *Violation
	given   int   // bytes delivered of standIn, then discarded after it
	failed  error // from inner, still to be returned

	whole     atomic.Bool // see Whole
	violation atomic.Pointer[Violation]
	mode      atomic.Int32
	deadlines
	status statusLine
}

// phase is where the reader stands in the message.
type phase uint8

const (
	inHead      phase = iota // collecting a head
	giveHead                 // delivering a judged head from held
	inBody                   // length bytes to go
	inChunks                 // until chunks says so
	inTunnel                 // opaque bytes for ever
	giveRefusal              // delivering standIn
	discard                  // after standIn
	broken                   // a body was malformed
)

// NewConn wraps inner, whose next byte is the first of a request head. Zero
// limits mean the defaults. Wrap a TLS connection with [NewTLSConn] if its
// handlers are to see Request.TLS.
func NewConn(inner net.Conn, limits Limits) *Conn {
	c := new(Conn)
	c.init(inner, limits)
	return c
}

func (c *Conn) init(inner net.Conn, limits Limits) {
	if limits.MaxHeadBytes == 0 {
		limits.MaxHeadBytes = DefaultMaxHeadBytes
	}
	if limits.HeadTimeout == 0 {
		limits.HeadTimeout = DefaultHeadTimeout
	}
	c.inner, c.limits = inner, limits
}

// TLSConn is a [Conn] whose inner connection is TLS.
type TLSConn struct{ Conn }

// NewTLSConn wraps a connection whose handshake is done and negotiated no
// HTTP/2.
func NewTLSConn(inner *tls.Conn, limits Limits) *TLSConn {
	c := new(TLSConn)
	c.init(inner, limits)
	return c
}

// ConnectionState makes net/http fill Request.TLS.
func (c *TLSConn) ConnectionState() tls.ConnectionState {
	return c.inner.(*tls.Conn).ConnectionState()
}

// From returns the guard in c, a connection that net/http handed to
// ConnContext, ConnState or a hijacker. It returns nil if there is none.
func From(c net.Conn) *Conn {
	switch c := c.(type) {
	case *Conn:
		return c
	case *TLSConn:
		return &c.Conn
	}
	return nil
}

// Violation returns why the request that the handler is serving was refused,
// or nil. A handler asks before anything else, and again when reading the
// request's body failed: malformed chunks show only then.
func (c *Conn) Violation() *Violation { return c.violation.Load() }

// Whole reports whether the body of the request that a handler runs for, if it
// has a Content-Length, was handed to the server to its end: reading it cannot
// block. It says nothing of other bodies. It is safe for concurrent use.
func (c *Conn) Whole() bool { return c.whole.Load() }

// NetConn returns the inner connection. Reading from it loses the guard's
// place; see [Conn.Detach].
func (c *Conn) NetConn() net.Conn { return c.inner }

// Read delivers the next bytes of the current message, or of the tunnel. It
// blocks while a head is incomplete. Once a head is refused it delivers the
// stand-in request instead, and then discards what the client still sends: at
// most lingerBytes, then it returns io.EOF. (An io.EOF at once would cancel
// the context of the refusal's handler.) In a malformed body it returns a
// *Violation. When the client closes within a head it returns io.EOF, so that
// the server closes without an answer.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.reading.Lock()
	defer c.reading.Unlock()
	for {
		n, err := c.step(p)
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// step makes some progress; Read repeats it until there is something to say.
func (c *Conn) step(p []byte) (int, error) {
	switch c.phase {
	case inHead:
		return c.readHead(p)
	case giveHead:
		n := c.held.take(p[:min(len(p), c.size)])
		if c.size -= n; c.size == 0 {
			c.headDelivered()
		}
		return n, nil
	case inBody:
		// Asking for no more leaves the next head in the kernel.
		n, err := c.next(p[:min(int64(len(p)), c.length)])
		if c.length -= int64(n); c.length == 0 {
			c.phase = inHead
			c.whole.Store(true)
		}
		return n, err
	case inChunks:
		return c.readChunks(p)
	case inTunnel:
		return c.next(p)
	case giveRefusal:
		n := copy(p, standIn[c.given:])
		if c.given += n; c.given == len(standIn) {
			c.violation.Store(c.refused)
			c.phase, c.given = discard, 0
		}
		return n, nil
	case discard:
		if c.given >= lingerBytes {
			return 0, io.EOF
		}
		n, err := c.fetch(c.held.space()) // p is often a single byte
		c.held.release()
		c.given += n
		return 0, err
	}
	return 0, c.violation.Load()
}

// next moves held bytes, or else bytes from the network, to p.
func (c *Conn) next(p []byte) (int, error) {
	if !c.held.empty() {
		return c.held.take(p), nil
	}
	return c.fetch(p)
}

// readHead collects and judges a head. The usual one arrives in one piece: it
// is judged in p and never copied.
func (c *Conn) readHead(p []byte) (int, error) {
	if !c.begun && c.mode.Load() != plain {
		return 0, c.awaitSwitch(p)
	}
	if !c.begun && c.held.empty() {
		n, err := c.fetch(p)
		if n == 0 {
			return 0, err
		}
		if p[0] == '\r' {
			c.held.add(p[:n])
			return 0, c.judgeHeld()
		}
		size, v := c.head.judge(p[:n], c.limits.MaxHeadBytes)
		switch {
		case v != nil:
			c.refuse(v)
			return 0, nil
		case size == 0:
			c.held.add(p[:n])
			return 0, c.beginHead()
		}
		c.headDelivered()
		end := size + c.follow(p[size:n])
		c.held.add(p[end:n])
		return end, nil
	}
	if c.begun {
		n, err := c.fetch(c.held.space())
		if n == 0 {
			if v := slow(err); v != nil {
				c.refuse(v)
				err = nil
			}
			return 0, err
		}
		c.held.filled(n)
	}
	return 0, c.judgeHeld()
}

// judgeHeld judges the head at the front of held.
func (c *Conn) judgeHeld() error {
	if b := c.held.bytes(); b[0] == '\r' && !c.trimmed {
		// Old clients end a POST body with a CRLF that it does not count.
		if len(b) == 1 {
			return c.beginHead()
		}
		if b[1] == '\n' {
			c.trimmed = true
			c.held.drop(2)
			c.endHead()
			return nil
		}
	}
	size, v := c.head.judge(c.held.bytes(), c.limits.MaxHeadBytes)
	switch {
	case v != nil:
		c.refuse(v)
	case size == 0:
		return c.beginHead()
	default:
		c.endHead()
		c.phase, c.size = giveHead, size
	}
	return nil
}

// headDelivered notes what follows the head whose last byte goes to the
// server now.
func (c *Conn) headDelivered() {
	switch {
	case c.head.connect:
		c.await(awaitTunnel)
	case c.head.upgrade:
		c.await(awaitUpgrade)
	}
	switch {
	case c.head.chunked():
		c.phase, c.chunks = inChunks, chunks{}
	case c.head.length > 0:
		c.phase, c.length = inBody, c.head.length
		c.whole.Store(false)
	default:
		c.phase = inHead
	}
	c.head, c.trimmed = head{}, false
}

// follow returns how many bytes of b, which came with a head, are of its body.
func (c *Conn) follow(b []byte) int {
	switch c.phase {
	case inBody:
		n := min(int64(len(b)), c.length)
		if c.length -= n; c.length == 0 {
			c.phase = inHead
			c.whole.Store(true)
		}
		return int(n)
	case inChunks:
		n, done, v := c.chunks.follow(b)
		if done {
			c.phase = inHead
		} else if v != nil {
			c.breakOff(v)
		}
		return n
	}
	return 0
}

func (c *Conn) readChunks(p []byte) (int, error) {
	n, err := c.next(p)
	if n == 0 {
		return 0, err
	}
	body := c.follow(p[:n])
	if body < n {
		// p came whole from the network, or held has more behind p.
		c.held.unread(p[body:n])
	}
	return body, nil
}

// refuse puts the stand-in in the place of the head being read.
func (c *Conn) refuse(v *Violation) {
	c.held.release()
	c.endHead()
	c.refused, c.phase, c.given = v, giveRefusal, 0
}

// breakOff ends the connection within a body.
func (c *Conn) breakOff(v *Violation) {
	c.phase = broken
	c.violation.Store(v)
}

// fetch reads from inner. It never returns bytes and an error at once.
func (c *Conn) fetch(p []byte) (int, error) {
	if c.failed != nil {
		return 0, c.failed
	}
	n, err := c.inner.Read(p)
	switch {
	case err == nil:
	case isTimeout(err):
		// A deadline is not the connection's end: it comes again if it
		// still holds.
		if n == 0 {
			return 0, c.expired(err)
		}
	case n > 0:
		c.failed = err
	default:
		return 0, err
	}
	return n, nil
}

// Write sends p. While it is open whether the server switches protocols, the
// status line that it sends decides.
func (c *Conn) Write(p []byte) (int, error) {
	if c.undecided() {
		c.observe(p)
	}
	return c.inner.Write(p)
}

// ReadFrom keeps sendfile and splice within reach of net/http.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	if rf, ok := c.inner.(io.ReaderFrom); ok && !c.undecided() {
		return rf.ReadFrom(r)
	}
	b := copyPool.Get().(*[]byte)
	defer copyPool.Put(b)
	return io.CopyBuffer(struct{ io.Writer }{c}, struct{ io.Reader }{r}, *b)
}

// copyPool serves ReadFrom where inner has none of its own.
var copyPool = sync.Pool{New: func() any {
	b := make([]byte, 32<<10)
	return &b
}}

// LocalAddr returns inner's.
func (c *Conn) LocalAddr() net.Addr { return c.inner.LocalAddr() }

// RemoteAddr returns inner's.
func (c *Conn) RemoteAddr() net.Addr { return c.inner.RemoteAddr() }

// SetWriteDeadline sets inner's.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.inner.SetWriteDeadline(t) }
