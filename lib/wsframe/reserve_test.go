package wsframe

import (
	"errors"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is held of messages counts against a budget that all connections share:
// it grows with the bytes that arrived, is given back at the end of a message,
// and a connection that gets no more is refused.
func TestHeldBytesCountAgainstTheBudget(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	go io.Copy(io.Discard, far)
	var totals []int64
	c := Guard(near, Options{
		Inspector: acceptAll{},
		Reserve: func(total int64) bool {
			totals = append(totals, total)
			return total <= 3000
		},
	})
	defer c.Close()
	frame := func(fin byte, op Opcode, n int) []byte {
		return append([]byte{fin<<7 | byte(op), 0x80 | 126, byte(n >> 8), byte(n), 0, 0, 0, 0}, make([]byte, n)...)
	}
	write := func(p []byte) {
		_, err := c.Write(p)
		require.NoError(t, err)
	}
	write(frame(1, Binary, 1000))
	require.Equal(t, int64(0), totals[len(totals)-1], "a message that was judged is given back")
	require.NoError(t, c.Err())
	write(frame(0, Binary, 2000))
	require.Greater(t, totals[len(totals)-1], int64(2000))
	write(frame(0, Continuation, 2000))
	var v *ViolationError
	require.True(t, errors.As(c.Err(), &v))
	require.Equal(t, uint16(1013), v.Code)
	require.Equal(t, int64(0), totals[len(totals)-1], "a refused connection holds nothing")
}

type acceptAll struct{}

func (acceptAll) Start(Opcode)                  {}
func (acceptAll) Write(p []byte) (int64, error) { return 0, nil }
func (acceptAll) Finish() error                 { return nil }
func (acceptAll) Control(Opcode, []byte) error  { return nil }
