package framing

import (
	"bytes"
	"io"
	"net"
	"time"
)

// script is a connection whose peer sends input in pieces of a given size and
// then closes.
type script struct {
	input []byte
	piece int
	wrote bytes.Buffer
}

func (s *script) Read(p []byte) (int, error) {
	if len(s.input) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.piece)], s.input)
	s.input = s.input[n:]
	return n, nil
}

func (s *script) Write(p []byte) (int, error)      { return s.wrote.Write(p) }
func (s *script) Close() error                     { return nil }
func (s *script) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (s *script) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// cut is one way to cut a stream: what the network delivers at once, and what
// the server asks for at once.
type cut struct{ piece, read int }

var cuts = []cut{{1 << 20, 1 << 20}, {1 << 20, 1}, {1, 1 << 20}, {1, 1}, {7, 5}, {4096, 4096}}

// readAll returns what a guard delivers of input, and the error that ends it.
func readAll(input []byte, limits Limits, c cut) (*Conn, []byte, error) {
	guard := NewConn(&script{input: bytes.Clone(input), piece: c.piece}, limits)
	var out []byte
	p := make([]byte, c.read)
	for {
		n, err := guard.Read(p)
		out = append(out, p[:n]...)
		if err != nil {
			return guard, out, err
		}
	}
}
