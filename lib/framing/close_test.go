package framing

import (
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// halves is a pipe that notes when it is half closed and when closed.
type halves struct {
	net.Conn
	half, closed chan time.Time
}

func (h *halves) CloseWrite() error { h.half <- time.Now(); return nil }
func (h *halves) Close() error      { h.closed <- time.Now(); return h.Conn.Close() }

func TestCloseLingersAfterAViolation(t *testing.T) {
	for _, tc := range []struct {
		name   string
		stream string
		client func(c net.Conn)
		closes time.Duration // after Close
		half   bool
	}{
		{"client says nothing", "bad\r\n", func(net.Conn) {}, lingerTime, true},
		{"client closes", "bad\r\n", func(c net.Conn) { time.Sleep(lingerTime / 5); c.Close() }, lingerTime / 5, true},
		{"client floods", "bad\r\n", func(c net.Conn) {
			time.Sleep(lingerTime / 2)
			for range lingerBytes / 1024 {
				c.Write(make([]byte, 1024))
			}
		}, lingerTime / 2, true},
		{"no violation", good, func(net.Conn) {}, 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inner, client := net.Pipe()
				defer client.Close()
				h := &halves{inner, make(chan time.Time, 2), make(chan time.Time, 2)}
				guard := NewConn(h, Limits{})
				send(client, tc.stream)
				require.NoError(t, (<-reading(guard, 4096)).err)
				start := time.Now()
				require.NoError(t, guard.Close())
				require.Equal(t, start, time.Now(), "Close blocks")
				go tc.client(client)
				require.Equal(t, tc.closes, (<-h.closed).Sub(start))
				require.Equal(t, tc.half, len(h.half) == 1)
			})
		})
	}
}

func TestSecondCloseDoesNotLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner, client := net.Pipe()
		defer client.Close()
		h := &halves{inner, make(chan time.Time, 2), make(chan time.Time, 2)}
		guard := NewConn(h, Limits{})
		send(client, "bad\r\n")
		require.NoError(t, (<-reading(guard, 4096)).err)
		require.NoError(t, guard.Close())
		require.NoError(t, guard.Close())
		require.Len(t, h.closed, 1)
		synctest.Wait()
	})
}

func TestCloseWrite(t *testing.T) {
	inner, client := net.Pipe()
	defer client.Close()
	require.ErrorIs(t, NewConn(inner, Limits{}).CloseWrite(), errors.ErrUnsupported)
	h := &halves{inner, make(chan time.Time, 2), make(chan time.Time, 2)}
	require.NoError(t, NewConn(h, Limits{}).CloseWrite())
	require.Len(t, h.half, 1)
	require.NoError(t, NewConn(h, Limits{}).Close())
}

// last returns its bytes and an error in one read, and must not be read again.
type last struct {
	script
	err error
}

func (l *last) Read(p []byte) (int, error) {
	if len(l.input) == 0 {
		panic("read after an error")
	}
	n := copy(p, l.input)
	l.input = l.input[n:]
	if len(l.input) > 0 {
		return n, nil
	}
	return n, l.err
}

func TestBytesBeforeAnErrorAreDelivered(t *testing.T) {
	boom := errors.New("boom")
	for _, size := range []int{1, 4096} {
		guard := NewConn(&last{script{input: []byte(good + posting)}, boom}, Limits{})
		p := make([]byte, size)
		var out []byte
		var err error
		for n := 0; err == nil; out = append(out, p[:n]...) {
			n, err = guard.Read(p)
		}
		require.Equal(t, good+posting, string(out))
		require.Equal(t, boom, err)
		_, err = guard.Read(p)
		require.Equal(t, boom, err)
	}
	guard := NewConn(&last{script{input: []byte(good[:10])}, io.EOF}, Limits{})
	_, err := guard.Read(make([]byte, 4096))
	require.Equal(t, io.EOF, err)
}
