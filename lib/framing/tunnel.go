package framing

import (
	"net"
	"os"
	"sync"
	"time"
)

// The modes say whether the bytes after the current message are HTTP.
const (
	plain        int32 = iota
	awaitTunnel        // after CONNECT: a 2xx opens a tunnel (RFC 9110, section 9.3.6)
	awaitUpgrade       // after Upgrade: a 101 switches (RFC 9110, section 7.8)
	opaque             // switched, for ever
)

func (c *Conn) undecided() bool {
	m := c.mode.Load()
	return m == awaitTunnel || m == awaitUpgrade
}

// await opens the question which the server's status line answers.
func (c *Conn) await(mode int32) {
	c.status.reset()
	c.mode.Store(mode)
}

func (c *Conn) decide(mode int32) {
	c.mode.Store(mode)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.signal()
}

// awaitSwitch stands where the next head would begin while that is not
// certain. Whoever reads now is net/http's background reader: nothing may be
// delivered to it, or a head could not be replaced any more. It watches the
// network until something arrives, holds that (one read's worth), and blocks.
func (c *Conn) awaitSwitch(p []byte) error {
	if c.mode.Load() == opaque {
		c.phase = inTunnel
		return nil
	}
	if c.held.empty() {
		n, err := c.fetch(p)
		c.held.add(p[:n])
		return err
	}
	return c.awaitDecision()
}

func (c *Conn) awaitDecision() error {
	c.mu.Lock()
	var timer <-chan time.Time
	switch {
	case !c.undecided():
		c.mu.Unlock()
		return nil
	case c.closed:
		c.mu.Unlock()
		return net.ErrClosed
	case !c.caller.IsZero():
		left := time.Until(c.caller)
		if left <= 0 {
			c.mu.Unlock()
			return os.ErrDeadlineExceeded
		}
		timer = time.After(left)
	}
	if c.wake == nil {
		c.wake = make(chan struct{})
	}
	wake := c.wake
	c.mu.Unlock()
	select {
	case <-wake:
	case <-timer:
	}
	return nil
}

// observe looks at what the server answers to a CONNECT or an Upgrade.
func (c *Conn) observe(p []byte) {
	switch code := c.status.read(p); {
	case code == 0:
	case c.mode.Load() == awaitTunnel && code/100 == 2, c.mode.Load() == awaitUpgrade && code == 101:
		c.decide(opaque)
	default:
		c.decide(plain)
	}
}

// Detach ends the guard and returns the inner connection together with the
// bytes that were read from it and not delivered; the caller owns both. It is
// for a handler that hijacked the connection, above all after CONNECT: if it
// did so before it answered, the bufio.Reader that Hijack returned is empty and
// early is everything that came after the head. Detach aborts a pending Read.
// Afterwards the guard passes everything through.
func (c *Conn) Detach() (inner net.Conn, early []byte) {
	c.mu.Lock()
	caller := c.caller
	c.mu.Unlock()
	_ = c.SetReadDeadline(time.Unix(1, 0)) // an error means that no Read is blocked
	c.reading.Lock()
	defer c.reading.Unlock()
	early = append(early, c.held.bytes()...)
	c.held.release()
	c.phase, c.begun = inTunnel, false
	c.violation.Store(nil)
	c.decide(opaque)
	_ = c.setHeadBy(time.Time{})
	_ = c.SetReadDeadline(caller)
	return c.inner, early
}

// statusLine reads the status code of a final response, or of a 101, off the
// bytes that a server writes. Other interim responses are skipped.
type statusLine struct {
	mu   sync.Mutex
	line [len("HTTP/1.1 200")]byte
	n    int
	skip bool // within an interim response
	crlf int  // bytes of its final CRLF CRLF seen
}

func (s *statusLine) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n, s.skip, s.crlf = 0, false, 0
}

// read returns 0 until the code is known, and -1 if p is not a response.
func (s *statusLine) read(p []byte) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range p {
		if s.skip {
			s.skipOctet(c)
			continue
		}
		s.line[s.n] = c
		if s.n++; s.n < len(s.line) {
			continue
		}
		code := s.code()
		if code/100 != 1 || code == 101 {
			return code
		}
		s.n, s.skip, s.crlf = 0, true, 0
	}
	return 0
}

func (s *statusLine) skipOctet(c byte) {
	switch {
	case c == "\r\n\r\n"[s.crlf]:
		s.crlf++
	case c == '\r':
		s.crlf = 1
	default:
		s.crlf = 0
	}
	if s.crlf == 4 {
		s.skip = false
	}
}

func (s *statusLine) code() int {
	const version = "HTTP/1."
	b := s.line[:]
	if string(b[:len(version)]) != version || b[8] != ' ' {
		return -1
	}
	n, ok := decimal(b[9:])
	if !ok {
		return -1
	}
	return int(n)
}
