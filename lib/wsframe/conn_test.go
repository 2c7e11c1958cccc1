package wsframe

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

// pair returns the two ends of a TCP connection.
func pair(t *testing.T) (a, b *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	got := make(chan net.Conn, 1)
	go func() {
		c, _ := l.Accept()
		got <- c
	}()
	out, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	in := <-got
	require.NotNil(t, in)
	for _, c := range []net.Conn{out, in} {
		require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
		t.Cleanup(func() { c.Close() })
	}
	return out.(*net.TCPConn), in.(*net.TCPConn)
}

const refusalText = `{"type":"error","status":400}`

// guarded is a guarded connection with its server at the other end of a socket.
func guarded(t *testing.T, o Options) (*Conn, *net.TCPConn) {
	up, server := pair(t)
	if o.Inspector == nil {
		o.Inspector = &record{}
	}
	if o.Refused == nil {
		o.Refused = func(error) []byte { return []byte(refusalText) }
	}
	return Guard(up, o), server
}

// reading collects what the client gets, up to the end.
func reading(c *Conn) <-chan string {
	done := make(chan string, 1)
	go func() {
		b, err := io.ReadAll(c)
		if err != nil {
			b = append(b, "!"+err.Error()...)
		}
		done <- string(b)
	}()
	return done
}

func write(t *testing.T, w io.Writer, b []byte) {
	t.Helper()
	n, err := w.Write(b)
	require.NoError(t, err)
	require.Equal(t, len(b), n)
}

func serverFrame(f frame) []byte { f.unmasked = true; return wire(f) }

var policyAnswer = string(AppendClose(AppendText(nil, []byte(refusalText)), 1008, "refused by policy"))

// theGoodbye checks that the server gets want, one close frame, and the end.
func theGoodbye(t *testing.T, server net.Conn, want string) {
	t.Helper()
	got, err := io.ReadAll(server)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(got), want))
	h, size := parseHeader(got[len(want):])
	require.Equal(t, Close, h.op)
	require.True(t, h.masked)
	require.Equal(t, len(got), len(want)+size+int(h.length), "nothing after the close frame")
}

func TestRefusalReachesTheClientOfASilentServer(t *testing.T) {
	c, server := guarded(t, Options{})
	got := reading(c) // waits in the server's silence
	ok := wire(frame{op: Text, payload: "fine"})
	write(t, c, ok)
	write(t, c, wire(frame{op: Text, payload: "a SECRET"}))
	require.Equal(t, policyAnswer, <-got)
	require.ErrorIs(t, c.Err(), errSecret)
	theGoodbye(t, server, string(ok))
}

func TestRefusalBeforeTheFirstRead(t *testing.T) {
	c, _ := guarded(t, Options{})
	write(t, c, wire(frame{op: Text, payload: "a SECRET"}))
	require.Equal(t, policyAnswer, <-reading(c))
}

func TestRefusalWithoutText(t *testing.T) {
	c, _ := guarded(t, Options{Refused: func(error) []byte { return nil }})
	write(t, c, wire(frame{op: Text, payload: "a SECRET"}))
	require.Equal(t, string(AppendClose(nil, 1008, "refused by policy")), <-reading(c))
}

func TestViolationIsAnsweredWithItsCode(t *testing.T) {
	var told error
	c, server := guarded(t, Options{Refused: func(err error) []byte { told = err; return nil }})
	got := reading(c)
	write(t, c, wire(frame{op: Text, unmasked: true, payload: "x"}))
	require.Equal(t, string(AppendClose(nil, 1002, "text frame is not masked")), <-got)
	var v *ViolationError
	require.ErrorAs(t, told, &v)
	require.Equal(t, told, c.Err())
	theGoodbye(t, server, "")
}

func TestRefusalWaitsForTheEndOfTheServersMessage(t *testing.T) {
	frames := [][]byte{
		serverFrame(frame{op: Text, more: true, payload: "one "}),
		serverFrame(frame{op: Ping, payload: "p"}),
		serverFrame(frame{op: Continuation, more: true, payload: "two "}),
		serverFrame(frame{op: Continuation, payload: "three"}),
	}
	message := string(frames[0]) + string(frames[1]) + string(frames[2]) + string(frames[3])
	for at := 1; at < len(message); at++ {
		c, server := guarded(t, Options{})
		write(t, server, []byte(message[:at]))
		head := make([]byte, at)
		_, err := io.ReadFull(c, head)
		require.NoError(t, err)
		got := reading(c)
		write(t, c, wire(frame{op: Text, payload: "SECRET"}))
		write(t, server, []byte(message[at:]))
		require.Equal(t, message+policyAnswer, string(head)+<-got, "cut at %d", at)
		theGoodbye(t, server, "")
	}
}

func TestWhatTheServerSendsAfterItsMessageIsCut(t *testing.T) {
	c, server := guarded(t, Options{})
	first := serverFrame(frame{op: Text, payload: "answer"})
	write(t, server, first[:3])
	head := make([]byte, 3)
	_, err := io.ReadFull(c, head)
	require.NoError(t, err)
	write(t, c, wire(frame{op: Text, payload: "SECRET"}))
	write(t, server, append(first[3:], serverFrame(frame{op: Text, payload: "more"})...))
	require.Equal(t, string(first)+policyAnswer, string(head)+<-reading(c))
}

func TestAServerThatNeverEndsItsMessageIsCutAfterGrace(t *testing.T) {
	for name, x := range map[string]struct{ sent, want string }{
		"amid a frame":      {"\x81\x05Hel", "\x81\x05Hel"},
		"amid a header":     {"\x81", "\x81"},
		"between fragments": {"\x01\x03Hel", "\x01\x03Hel" + string(AppendClose(nil, 1008, "refused by policy"))},
	} {
		c, server := guarded(t, Options{Grace: 20 * time.Millisecond})
		write(t, server, []byte(x.sent))
		head := make([]byte, len(x.sent))
		_, err := io.ReadFull(c, head)
		require.NoError(t, err)
		got := reading(c)
		start := time.Now()
		write(t, c, wire(frame{op: Text, payload: "SECRET"}))
		require.Equal(t, x.want, string(head)+<-got, name)
		require.Less(t, time.Since(start), patience/2, "the sockets' deadlines ended it, not the grace")
	}
}

// lastWords is an upstream whose Read has bytes just when it is closed.
type lastWords struct {
	reading, closed     chan struct{}
	readOnce, closeOnce sync.Once
	words               *strings.Reader
}

func (u *lastWords) Read(p []byte) (int, error) {
	u.readOnce.Do(func() { close(u.reading) })
	<-u.closed
	return u.words.Read(p)
}
func (u *lastWords) Write(p []byte) (int, error) { return len(p), nil }
func (u *lastWords) Close() error                { u.closeOnce.Do(func() { close(u.closed) }); return nil }

func TestBytesThatArriveWithTheRefusalAreCut(t *testing.T) {
	up := &lastWords{reading: make(chan struct{}), closed: make(chan struct{}),
		words: strings.NewReader(string(serverFrame(frame{op: Text, payload: "late"})))}
	c := Guard(up, Options{Inspector: &record{}, Refused: func(error) []byte { return []byte(refusalText) }})
	got := reading(c)
	<-up.reading
	write(t, c, wire(frame{op: Text, payload: "SECRET"}))
	require.Equal(t, policyAnswer, <-got)
}

func TestNothingFollowsTheServersCloseFrame(t *testing.T) {
	c, server := guarded(t, Options{})
	bye := AppendClose(nil, 1000, "")
	write(t, server, bye)
	head := make([]byte, len(bye))
	_, err := io.ReadFull(c, head)
	require.NoError(t, err)
	write(t, c, wire(frame{op: Text, payload: "SECRET"}))
	require.Empty(t, <-reading(c))
}

func TestAServerThatTakesNothingDoesNotHoldUpTheRefusal(t *testing.T) {
	c, server := guarded(t, Options{Grace: 20 * time.Millisecond})
	got := reading(c)
	// Fill the way to the server until a write of the judge would block: then refuse.
	up := c.up.(*net.TCPConn)
	require.NoError(t, up.SetWriteDeadline(time.Now().Add(100*time.Millisecond)))
	for {
		if _, err := up.Write(make([]byte, 1<<20)); err != nil {
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			break
		}
	}
	require.NoError(t, up.SetWriteDeadline(time.Time{}))
	write(t, c, wire(frame{op: Text, payload: "SECRET"}))
	require.Equal(t, policyAnswer, <-got)
	server.Close()
}

func TestAnEarlyCloseFrameDoesNotCostTheAnswer(t *testing.T) {
	c, _ := guarded(t, Options{})
	write(t, c, wire(frame{op: Text, payload: "SECRET"}))
	write(t, c, wire(frame{op: Close})) // an error here would have the relay close before it has read
	require.Equal(t, policyAnswer, <-reading(c))
}

func TestARefusedClientMayWriteUntilItCloses(t *testing.T) {
	c, _ := guarded(t, Options{})
	got := reading(c)
	// The frame goes on after the point of refusal, and others follow.
	long := wire(frame{op: Text, payload: "SECRET" + strings.Repeat("x", 100_000)})
	for rest := long; len(rest) > 0; rest = rest[min(len(rest), 1000):] {
		write(t, c, rest[:min(len(rest), 1000)])
	}
	write(t, c, wire(frame{op: Ping}, frame{op: Text, payload: "and more"}))
	require.Equal(t, policyAnswer, <-got)
	n, err := c.Write(wire(frame{op: Close, payload: "\x03\xf0"}))
	require.Equal(t, 8, n)
	require.ErrorIs(t, err, ErrRefused)
	require.NoError(t, c.CloseWrite())
}

func TestARefusedClientMayNotWriteForEver(t *testing.T) {
	c, _ := guarded(t, Options{})
	write(t, c, wire(frame{op: Text, payload: "SECRET"}))
	total := 0
	for {
		n, err := c.Write(make([]byte, 64<<10))
		total += n
		if err != nil {
			require.ErrorIs(t, err, ErrRefused)
			break
		}
		require.Less(t, total, 2*afterRefusal)
	}
}

func TestAfterAPartlySentFrameUpstreamGetsNoCloseFrame(t *testing.T) {
	c, server := guarded(t, Options{Hold: 100})
	data := wire(frame{op: Text, payload: strings.Repeat("x", 50_000) + "SECRET" + strings.Repeat("x", 50_000)})
	for rest := data; len(rest) > 0; rest = rest[min(len(rest), 999):] {
		write(t, c, rest[:min(len(rest), 999)])
	}
	require.Equal(t, policyAnswer, <-reading(c))
	got, err := io.ReadAll(server)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(data), string(got)), "anything else would be taken for payload")
	require.Less(t, len(got), 50_020)
}

func TestClientEndsWriting(t *testing.T) {
	c, server := guarded(t, Options{})
	write(t, c, wire(frame{op: Text, payload: "all"}, frame{op: Text, more: true, payload: "half"}))
	require.NoError(t, c.CloseWrite())
	got, err := io.ReadAll(server)
	require.NoError(t, err)
	require.Equal(t, wire(frame{op: Text, payload: "all"}), got)
	answer := serverFrame(frame{op: Text, payload: "late answer"})
	write(t, server, answer)
	require.NoError(t, server.CloseWrite())
	require.Equal(t, string(answer), <-reading(c))
	require.NoError(t, c.Close())
}

func TestCloseWriteSaysWhenUpstreamCannot(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	c := Guard(struct{ io.ReadWriteCloser }{a}, Options{Inspector: &record{}})
	require.ErrorIs(t, c.CloseWrite(), errors.ErrUnsupported)
}

func TestCloseUnblocksRead(t *testing.T) {
	c, _ := guarded(t, Options{})
	got := reading(c)
	require.NoError(t, c.Close())
	require.Contains(t, <-got, "use of closed")
}

func TestUpstreamsErrorIsTheWritersError(t *testing.T) {
	c, _ := guarded(t, Options{})
	require.NoError(t, c.Close())
	_, err := c.Write(wire(frame{op: Text, payload: "x"}))
	require.ErrorIs(t, err, net.ErrClosed)
	require.NoError(t, c.Err(), "nobody was refused")
}

func TestServerBytesPassAsTheyCome(t *testing.T) {
	c, server := guarded(t, Options{})
	for _, part := range []string{"\x81", "\x7e\x01\x00", "abc", strings.Repeat("d", 200), "not frames at all\xff\xff"} {
		write(t, server, []byte(part))
		got := make([]byte, len(part))
		_, err := io.ReadFull(c, got)
		require.NoError(t, err)
		require.Equal(t, part, string(got))
	}
}
