package wsframe

import (
	"bufio"
	"errors"
	"io"
	"math"
	"sync"
)

// Editor changes the payload of messages as they pass. Its methods are called by one goroutine at a time.
type Editor interface {
	// Append appends to dst what becomes of a message's next bytes p, as far as that is known.
	Append(dst, p []byte) []byte
	// Finish appends the rest: the message has ended, and the next Append begins another one.
	Finish(dst []byte) []byte
}

// EditOptions say how a server's messages are edited.
type EditOptions struct {
	// Messages edits text and binary messages, Control the payload of pings, pongs and close frames.
	Messages, Control Editor
	// Deflate is what the 101 response negotiated, see ParseExtensions.
	Deflate Deflate
}

// fragment is how much of a message is put together before a part of it is sent on as a frame of its own.
const fragment = 64 << 10

// Edit wraps the upstream side of a connection that was upgraded to WebSocket, such as the Body of a 101 response, and
// edits what the server sends: Read yields the edited frames. What is written goes to upstream as it is.
//
// A message of one frame stays one up to 64 KiB and is cut into fragments beyond that; it need not have ended before its
// first fragments are passed on. Compressed messages are passed on uncompressed, which permessage-deflate permits for
// each message (RFC 7692 §6). A server that breaks the protocol is cut off, with a close frame (1002 or 1007) for the
// client, where one can be put.
//
// Memory is bounded. A goroutine reads upstream from the first Read until upstream ends or Close is called.
func Edit(upstream io.ReadWriteCloser, o EditOptions) io.ReadWriteCloser {
	r, w := io.Pipe()
	e := &edited{up: upstream, out: r, pump: &pump{in: bufio.NewReaderSize(upstream, 16<<10), out: w, options: o}}
	if o.Deflate.Enabled {
		e.pump.inflater = &inflater{takeover: !o.Deflate.ServerNoContextTakeover, maxBytes: math.MaxInt64, maxRatio: math.MaxInt64}
	}
	return e
}

type edited struct {
	up   io.ReadWriteCloser
	out  *io.PipeReader
	pump *pump
	once sync.Once
}

func (e *edited) Read(p []byte) (int, error) {
	e.once.Do(func() { go e.pump.run() })
	return e.out.Read(p)
}

func (e *edited) Write(p []byte) (int, error) { return e.up.Write(p) }

// CloseWrite says that the client sends no more. It fails where upstream has no CloseWrite.
func (e *edited) CloseWrite() error {
	if w, ok := e.up.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return errors.ErrUnsupported
}

func (e *edited) Close() error {
	e.out.Close()
	return e.up.Close()
}

// pump moves the server's frames.
type pump struct {
	in       *bufio.Reader
	out      *io.PipeWriter
	options  EditOptions
	inflater *inflater

	cur       header // of the running data frame
	at        int64  // of its payload
	inMessage bool
	begun     bool // a fragment of the running message is out
	op        Opcode
	text      []byte // edited, still to be sent
	frame     []byte // being sent
	tail      string // of a compressed message, still to be read
	failed    error  // of reading one
	buf       [8 << 10]byte
	one       [1]byte
}

func (p *pump) run() {
	err := p.move()
	var broken *ViolationError
	if errors.As(err, &broken) {
		// All that went out are whole frames, so one can be put here.
		_, _ = p.out.Write(AppendClose(nil, broken.Code, broken.Reason))
		err = io.EOF
	}
	p.out.CloseWithError(err) // io.EOF amid a message, too: the client sees that it did not end
}

// move passes message after message on.
func (p *pump) move() error {
	for {
		if err := p.nextFrame(); err != nil {
			return err
		}
		p.op, p.begun = p.cur.op, false
		var err error
		if p.cur.rsv != 0 {
			err = p.compressed()
		} else {
			err = p.plain()
		}
		if err != nil {
			return err
		}
		p.text = p.options.Messages.Finish(p.text)
		if err := p.send(true); err != nil {
			return err
		}
		if cap(p.text) > 2*fragment {
			p.text, p.frame = nil, nil
		}
	}
}

func (p *pump) plain() error {
	for {
		n, err := p.readFrame(p.buf[:])
		p.text = p.options.Messages.Append(p.text, p.buf[:n])
		switch {
		case err != nil:
			return err
		case p.at == p.cur.length && p.cur.fin:
			return nil
		case p.at == p.cur.length || len(p.text) >= fragment:
			if err := p.send(false); err != nil {
				return err
			}
		}
		if p.at == p.cur.length {
			if err := p.nextFrame(); err != nil {
				return err
			}
		}
	}
}

func (p *pump) compressed() error {
	p.tail = inflateTail
	err := p.inflater.message(p, 0, func(b []byte) error {
		p.text = p.options.Messages.Append(p.text, b)
		if len(p.text) >= fragment {
			return p.send(false)
		}
		return nil
	})
	if p.failed != nil { // whatever the decompressor made of it
		return p.failed
	}
	return err
}

// send passes the edited text on as a frame, or a part of a message.
func (p *pump) send(final bool) error {
	if len(p.text) == 0 && !final {
		return nil
	}
	op := p.op
	if p.begun {
		op = Continuation
	}
	p.frame = append(appendHeader(p.frame[:0], op, len(p.text), 0), p.text...)
	if !final {
		p.frame[0] &^= finBit
	}
	p.begun, p.text = true, p.text[:0]
	_, err := p.out.Write(p.frame)
	return err
}

// readFrame reads of the running frame's payload.
func (p *pump) readFrame(b []byte) (int, error) {
	if p.at == p.cur.length {
		return 0, nil
	}
	n, err := p.in.Read(b[:min(int64(len(b)), p.cur.length-p.at)])
	p.at += int64(n)
	if n > 0 {
		err = nil // comes again
	}
	return n, err
}

// nextFrame reads on to the next data frame, and passes control frames on.
func (p *pump) nextFrame() error {
	for {
		h, err := p.readHeader()
		if err != nil {
			return err
		}
		if !h.op.isControl() {
			p.cur, p.at, p.inMessage = h, 0, !h.fin
			return nil
		}
		if err := p.control(h); err != nil {
			return err
		}
	}
}

func (p *pump) control(h header) error {
	payload := p.buf[:h.length]
	if _, err := io.ReadFull(p.in, payload); err != nil {
		return err
	}
	var code []byte
	if h.op == Close && len(payload) >= 2 {
		code, payload = payload[:2], payload[2:]
	}
	text := p.options.Control.Finish(p.options.Control.Append(nil, payload))
	text = text[:min(len(text), maxControl-len(code))]
	frame := appendHeader(nil, h.op, len(code)+len(text), 0)
	if _, err := p.out.Write(append(append(frame, code...), text...)); err != nil {
		return err
	}
	if h.op != Close {
		return nil
	}
	// Nothing may follow (RFC 6455 §5.5.1) but the end, for which the server waits until the client has answered.
	if _, err := io.Copy(io.Discard, p.in); err != nil {
		return err
	}
	return io.EOF
}

// readHeader reads a frame's header and holds it to RFC 6455 §5.2 to §5.5 and RFC 7692 §6.
func (p *pump) readHeader() (header, error) {
	for size := 2; ; {
		b, err := p.in.Peek(size)
		if err != nil {
			return header{}, err
		}
		h, n := parseHeader(b)
		if n == 0 {
			size++
			continue
		}
		if _, err := p.in.Discard(n); err != nil {
			return header{}, err
		}
		return h, p.check(h)
	}
}

func (p *pump) check(h header) error {
	compressible := p.inflater != nil && (h.op == Text || h.op == Binary)
	switch {
	case h.masked || h.length < 0 || !h.isMinimal():
		return violation("%v frame of the server is malformed", h.op)
	case h.rsv&^rsv1Bit != 0 || h.rsv != 0 && !compressible:
		return violation("%v frame of the server has reserved bits set", h.op)
	case h.op.isControl() && (!h.fin || h.length > maxControl || h.op == Close && h.length == 1):
		return violation("%v frame of the server is malformed", h.op)
	}
	switch h.op {
	case Continuation:
		if !p.inMessage {
			return violation("continuation frame of the server without a message")
		}
	case Text, Binary:
		if p.inMessage {
			return violation("%v frame of the server amid a message", h.op)
		}
	case Close, Ping, Pong:
	default:
		return violation("frame of the server of unknown kind: %v", h.op)
	}
	return nil
}

// Read reads a compressed message's payload, of all its frames, and then the tail.
func (p *pump) Read(b []byte) (int, error) {
	if done, err := p.payloadDone(); err != nil {
		return 0, p.fail(err)
	} else if !done {
		n, err := p.readFrame(b)
		return n, p.fail(err)
	}
	if p.tail == "" {
		return 0, io.EOF
	}
	n := copy(b, p.tail)
	p.tail = p.tail[n:]
	return n, nil
}

// ReadByte makes the decompressor take no more than it needs.
func (p *pump) ReadByte() (byte, error) {
	if p.at < p.cur.length {
		c, err := p.in.ReadByte()
		if err == nil {
			p.at++
		}
		return c, p.fail(err)
	}
	n, err := p.Read(p.one[:])
	if n == 0 && err == nil {
		err = io.ErrNoProgress
	}
	return p.one[0], err
}

// payloadDone reports whether the running message's payload has been read, up to its last frame's end.
func (p *pump) payloadDone() (bool, error) {
	for p.at == p.cur.length {
		if p.cur.fin {
			return true, nil
		}
		if err := p.nextFrame(); err != nil {
			return false, err
		}
	}
	return false, nil
}

// isDone makes p a source of the inflater.
func (p *pump) isDone() bool {
	done, err := p.payloadDone()
	return p.fail(err) != nil || done
}

// fail notes why a compressed message could not be read.
func (p *pump) fail(err error) error {
	if err != nil && p.failed == nil {
		p.failed = err
	}
	return err
}
