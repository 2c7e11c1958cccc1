package framing

import (
	"errors"
	"net"
	"time"
)

const (
	lingerBytes = 256 << 10
	lingerTime  = 500 * time.Millisecond
)

type writeCloser interface{ CloseWrite() error }

// CloseWrite closes inner's writing side. Where inner has none the error wraps
// [errors.ErrUnsupported].
func (c *Conn) CloseWrite() error {
	if w, ok := c.inner.(writeCloser); ok {
		return w.CloseWrite()
	}
	return &net.OpError{Op: "close write", Net: c.inner.LocalAddr().Network(), Err: errors.ErrUnsupported}
}

// Close closes inner. After a violation the client may still be sending, and
// closing now would make its system discard the refusal (RFC 9112, section
// 9.6): Close then returns at once, but inner is closed only when the client
// has closed, sent lingerBytes more, or lingerTime is over.
func (c *Conn) Close() error {
	c.mu.Lock()
	first := !c.closed
	c.closed = true
	c.signal()
	c.mu.Unlock()
	w, ok := c.inner.(writeCloser)
	if !ok || !first || c.violation.Load() == nil {
		return c.inner.Close()
	}
	go c.linger(w)
	return nil
}

func (c *Conn) linger(w writeCloser) {
	defer c.inner.Close()
	if c.inner.SetDeadline(time.Now().Add(lingerTime)) != nil || w.CloseWrite() != nil {
		return
	}
	var b [4 << 10]byte
	for left := lingerBytes; left > 0; {
		n, err := c.inner.Read(b[:])
		if err != nil {
			return
		}
		left -= n
	}
}
