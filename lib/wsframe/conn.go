package wsframe

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// Options say how a connection is guarded. All but Inspector have defaults.
type Options struct {
	Inspector Inspector

	// Deflate is what the 101 response negotiated, see ParseExtensions.
	Deflate Deflate

	// Hold is how many bytes of a message, as sent, are held until it is judged; 0 means 1 MiB. No byte of a message
	// up to this size leaves before its end was judged. A longer one flows: what the Inspector calls clean leaves.
	Hold int64

	// Reserve, unless nil, is asked before more is held: total is how many bytes of messages the connection holds from
	// then on, 0 when it lets go of all. False refuses the connection (1013).
	Reserve func(total int64) bool
	// MaxCompressed bounds compressed messages, as sent, which are always held whole; 0 means 16 MiB.
	MaxCompressed int64

	// MaxInflated bounds what a compressed message may become; 0 means 64 MiB. MaxRatio bounds the factor, from 1 MiB
	// on; 0 means 200.
	MaxInflated int64
	MaxRatio    int64

	// Grace is how long a refusal waits for the end of the server's running message, and for the server to take its
	// close frame; 0 means 5 s.
	Grace time.Duration

	// Refused is told why the connection is refused, once, by the goroutine that writes: the Inspector's error or a
	// *ViolationError. What it returns is sent to the client as a text message before the close frame, unless it is
	// empty. Nil: the client gets the close frame only.
	Refused func(err error) []byte
}

// afterRefusal is how much a refused client may send while it is waited for to close.
const afterRefusal = 1 << 20

// afterHalfClose is how long a server may go on that a client no longer talks to.
const afterHalfClose = time.Minute

// ErrRefused is what Write returns when a refused client was waited for long enough.
var ErrRefused = errors.New("websocket connection was refused")

// Conn is the guarded upstream side of an upgraded connection. Write takes the client's bytes, Read yields what the
// client is to get. One Read, one Write and any of the other methods may run at the same time.
type Conn struct {
	up      io.ReadWriteCloser
	refused func(error) []byte
	grace   time.Duration

	// The goroutine that writes owns these.
	judge   judge
	client  tracker // the client's frames after a refusal, to see its close frame
	upErr   error   // of writing to up
	swallow int     // bytes taken since the refusal

	mu     sync.Mutex
	err    error   // why refused
	server tracker // what Read has returned
	parts  answer  // for the client, after a refusal
	queue  []byte  // of the answer, still to be read
	ready  bool    // queue holds the answer; nothing more comes from up
	ended  bool    // Read has returned io.EOF
	hung   bool    // hangUp was called
	late   *time.Timer
}

// answer is what a refused client gets.
type answer struct{ text, close []byte }

// Guard wraps the upstream side of a connection that was upgraded to WebSocket, such as the Body of a 101 response.
// upstream.Close must unblock a Read or Write of upstream; net.Conn and the bodies of net/http do. Guard starts no
// goroutine, and memory is bounded by the options.
//
// A message reaches upstream as the client sent it, byte by byte and in the same frames, after the Inspector accepted
// it; a control frame as soon as it was accepted itself, even where a message around it is held. Where the Inspector is
// a [Rewriter], the bytes that it changes are others, in the same frames; a compressed message that it changes reaches
// upstream uncompressed and in one frame, and so do all compressed ones after it if they may refer to it.
//
// When the client is refused, by the Inspector or for breaking the protocol, nothing held reaches upstream. Read yields
// the server's running message to its end, then the text frame of [Options].Refused, a close frame (1008, or the
// ViolationError's code), and io.EOF. It does so at once if the server is silent, and leaves out what cannot be put
// there if the server does not end its message within Grace. Upstream gets a close frame, where one can be put, and is
// closed. Write goes on taking bytes, which go nowhere, until the client's own close frame or 1 MiB, so that a relay
// does not tear the connection down before the client has read why; then it fails with [ErrRefused]. A client that
// sends nothing and never closes is up to the relay.
func Guard(upstream io.ReadWriteCloser, o Options) *Conn {
	c := &Conn{up: upstream, refused: o.Refused, grace: o.Grace}
	if c.grace == 0 {
		c.grace = 5 * time.Second
	}
	c.judge = judge{
		inspector:     o.Inspector,
		release:       c.send,
		reserve:       o.Reserve,
		hold:          orDefault(o.Hold, 1<<20),
		maxCompressed: orDefault(o.MaxCompressed, 16<<20),
	}
	c.judge.rewriter, _ = o.Inspector.(Rewriter)
	if o.Deflate.Enabled {
		c.judge.inflater = &inflater{
			takeover: !o.Deflate.ClientNoContextTakeover,
			maxBytes: orDefault(o.MaxInflated, 64<<20),
			maxRatio: orDefault(o.MaxRatio, 200),
		}
	}
	return c
}

func orDefault(n, def int64) int64 {
	if n == 0 {
		return def
	}
	return n
}

// Err returns why the connection was refused: the Inspector's error or a *ViolationError. Nil: it was not.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Write takes bytes of the client. It takes all of p unless upstream fails.
func (c *Conn) Write(p []byte) (int, error) {
	if c.Err() == nil {
		err := c.judge.write(p)
		switch {
		case c.upErr != nil:
			return 0, c.upErr
		case err != nil:
			c.refuse(err)
		}
	}
	return c.follow(p)
}

// send passes judged bytes on.
func (c *Conn) send(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	_, c.upErr = c.up.Write(p)
	return c.upErr
}

// follow keeps track of the client's frames, and ends a refused client's writing when that is due.
func (c *Conn) follow(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		rest = rest[c.client.advance(rest):]
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		return len(p), nil
	}
	c.swallow += len(p)
	if c.swallow > afterRefusal || c.client.closed && c.ended {
		return len(p), ErrRefused
	}
	return len(p), nil
}

// refuse ends the connection for the client, because of err.
func (c *Conn) refuse(err error) {
	code, reason := uint16(codePolicy), "refused by policy"
	var broken *ViolationError
	if errors.As(err, &broken) {
		code, reason = broken.Code, broken.Reason
	}
	var text []byte
	if c.refused != nil {
		if payload := c.refused(err); len(payload) > 0 {
			text = AppendText(nil, payload)
		}
	}
	c.judge.free()
	c.mu.Lock()
	c.err = err
	c.parts = answer{text: text, close: AppendClose(nil, code, reason)}
	c.late = time.AfterFunc(c.grace, func() { c.up.Close() })
	atOnce := c.server.betweenMessages() || c.server.closed
	if atOnce {
		c.prepare()
	}
	c.mu.Unlock()
	if atOnce {
		c.hangUp()
	} // else Read does, at the end of the server's message, or when the grace is over
}

// prepare queues the answer, as much of it as can be put where the server's bytes have come to. c.mu is held.
func (c *Conn) prepare() {
	c.ready = true
	switch {
	case c.server.closed || !c.server.betweenFrames():
		// Nothing can follow a close frame, or be put into a frame.
	case c.server.betweenMessages():
		c.queue = append(c.parts.text, c.parts.close...)
	default:
		c.queue = c.parts.close
	}
}

// hangUp says goodbye to upstream, if it is where a frame may begin, and closes it.
func (c *Conn) hangUp() {
	c.mu.Lock()
	done := c.hung
	c.hung = true
	c.mu.Unlock()
	if done {
		return
	}
	if !c.judge.midFrame() && !c.judge.closed {
		var key [4]byte
		rand.Read(key[:])
		// Upstream may be gone, or not take it in time; what matters is that it is closed.
		_, _ = c.up.Write(appendMaskedClose(nil, codeGoingAway, "", key))
	}
	c.late.Stop()
	c.up.Close()
}

// Read yields bytes of the server, and after a refusal the answer.
func (c *Conn) Read(p []byte) (int, error) {
	if n, err, ok := c.readAnswer(p); ok {
		return n, err
	}
	n, err := c.up.Read(p)
	c.mu.Lock()
	switch {
	case c.ready: // while this waited; the server is cut here
		c.mu.Unlock()
	case c.err == nil:
		for rest := p[:n]; len(rest) > 0; {
			rest = rest[c.server.advance(rest):]
		}
		c.ended = c.ended || err == io.EOF
		c.mu.Unlock()
		return n, err
	default:
		n = c.server.advance(p[:n])
		over := err != nil || c.server.betweenMessages() || c.server.closed
		if over {
			c.prepare()
		}
		c.mu.Unlock()
		if over {
			go c.hangUp() // may wait for upstream, which is not the client's business
		}
		if n > 0 {
			return n, nil
		}
	}
	n, err, _ = c.readAnswer(p)
	return n, err
}

// readAnswer reads from the queue, if it is there.
func (c *Conn) readAnswer(p []byte) (n int, err error, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ready {
		return 0, nil, false
	}
	if len(c.queue) == 0 {
		c.ended = true
		return 0, io.EOF, true
	}
	n = copy(p, c.queue)
	c.queue = c.queue[n:]
	return n, nil, true
}

// CloseWrite says that the client sends no more. A message that it did not end is dropped. Upstream is closed if it does
// not end by itself within a minute. It fails where upstream has no CloseWrite. Not to be called while Write runs.
func (c *Conn) CloseWrite() error {
	if c.Err() != nil {
		return nil
	}
	c.judge.drop()
	if w, ok := c.up.(interface{ CloseWrite() error }); ok {
		// Nobody answers pings any more; a server that does not notice must not
		// keep the connection for ever.
		c.mu.Lock()
		if c.late == nil {
			c.late = time.AfterFunc(afterHalfClose, func() { c.up.Close() })
		}
		c.mu.Unlock()
		return w.CloseWrite()
	}
	return fmt.Errorf("close the writing side of upstream: %w", errors.ErrUnsupported)
}

// Close closes upstream.
func (c *Conn) Close() error {
	c.mu.Lock()
	if c.late != nil {
		c.late.Stop()
	}
	c.mu.Unlock()
	return c.up.Close()
}
