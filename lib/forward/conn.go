package forward

import (
	"io"
	"net"
	"sync"
)

// prefixConn is a connection some of whose bytes have been read already.
type prefixConn struct {
	net.Conn
	prefix []byte
}

func (c *prefixConn) Read(p []byte) (int, error) {
	if len(c.prefix) > 0 {
		n := copy(p, c.prefix)
		if c.prefix = c.prefix[n:]; len(c.prefix) == 0 {
			c.prefix = nil
		}
		return n, nil
	}
	return c.Conn.Read(p)
}

func (c *prefixConn) CloseWrite() error { return closeWrite(c.Conn) }

// closeWrite ends one direction where the connection can, and otherwise all of
// it, so that the peer sees an end in any case.
func closeWrite(c net.Conn) error {
	if cw, ok := c.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return c.Close()
}

// countedConn gives back its place when it is closed.
type countedConn struct {
	net.Conn
	once    sync.Once
	release func()
}

func (c *countedConn) Close() error {
	c.once.Do(c.release)
	return c.Conn.Close()
}

func (c *countedConn) CloseWrite() error { return closeWrite(c.Conn) }

// ReadFrom lets the kernel move the bytes where it can.
func (c *countedConn) ReadFrom(r io.Reader) (int64, error) {
	if rf, ok := c.Conn.(io.ReaderFrom); ok {
		return rf.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, r)
}

// plain returns the connection below the engine's own wrappers, on which the
// kernel can splice. Only for wrappers that hold no bytes.
func plain(c net.Conn) net.Conn {
	for {
		switch w := c.(type) {
		case *countedConn:
			c = w.Conn
		case *hopConn:
			c = w.Conn
		case *prefixConn:
			if len(w.prefix) > 0 {
				return c
			}
			c = w.Conn
		default:
			return c
		}
	}
}
