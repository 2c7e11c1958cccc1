package wsframe

import "fmt"

// Inspector judges what the client sends. Its methods are called one at a time, in the order of the connection, by the
// goroutine that writes to the [Conn]. An error of any of them refuses the connection, and nothing is called afterwards.
// The errors' text may reach logs and the client: it must not contain what was found.
type Inspector interface {
	// Start begins a text or binary message.
	Start(op Opcode)

	// Write takes the message's next bytes, unmasked and inflated; p is only valid during the call. clean is how many
	// bytes of this message, from its start, may be released now, whatever follows. It counts for messages that are too
	// long to be held whole, and must never decrease.
	Write(p []byte) (clean int64, err error)

	// Finish ends the message. It decides about what Write did not call clean.
	Finish() error

	// Control judges the whole payload of a ping, pong or close frame, which may come amid a message.
	Control(op Opcode, payload []byte) error
}

// Rewriter is an Inspector that changes messages.
type Rewriter interface {
	Inspector

	// Patches returns what is to be changed in the running message. It is called after each Write and after Finish,
	// and what it returns is valid until the next of them. Patches are ascending and do not overlap, and none begins
	// before what Write has called clean before.
	Patches() []Patch
}

// Patch overwrites bytes of a message.
type Patch struct {
	At   int64 // in the message, unmasked and inflated
	Data []byte
}

// ViolationError says that the client broke the protocol, or a limit, so that its messages cannot be judged.
type ViolationError struct {
	Code   uint16 // the close code that the client gets: 1002, 1007, 1009 or 1013
	Reason string
}

func (e *ViolationError) Error() string { return "websocket client refused: " + e.Reason }

func violation(format string, args ...any) error {
	return &ViolationError{codeProtocol, fmt.Sprintf(format, args...)}
}

// heldSlack is how much more than Options.Hold is held of a message that flows: what the Inspector cannot yet call
// clean, and the headers of frames in it.
const heldSlack = 64 << 10

// keptBuffer bounds the buffer that a connection keeps between messages.
const keptBuffer = 64 << 10

// judge reads the client's frames, has them judged, and releases their bytes in the order in which they are judged:
// those of control frames at once, those of a message when it is judged, or as far as it is.
type judge struct {
	inspector     Inspector
	release       func([]byte) error // passes bytes on; its errors end the connection
	hold          int64
	maxCompressed int64
	inflater      *inflater // nil: compression was not negotiated

	head    [maxHeader]byte
	headLen int
	cur     header
	at      int64 // of cur's payload
	inFrame bool

	inMessage  bool
	compressed bool
	closed     bool                   // the client's close frame has passed
	reserve    func(total int64) bool // nil: no budget
	held       []byte
	heldFrame  header // the frame at the front of held
	heldAt     int64  // how much of its payload has been released; = length: held begins with a header
	released   int64  // decoded bytes of the running message that were released
	clean      int64  // that may be released
	flowing    bool   // the running message has become too long to be held whole
	size       int64  // payload bytes of the running message, as sent

	rewriter Rewriter // the inspector, if it is one
	cursor   cursor   // where in held the last patch ended
	patches  []Patch  // of the running compressed message
	patched  int      // bytes in them
	diverged bool     // upstream's window is not the client's any more

	control []byte // the running control frame, as sent
	scratch [4 << 10]byte
}

// write takes the client's next bytes. Errors are *ViolationError, an error of the inspector or one of release.
func (j *judge) write(p []byte) error {
	for len(p) > 0 || j.inFrame && j.at == j.cur.length {
		var err error
		switch {
		case !j.inFrame:
			j.head[j.headLen] = p[0]
			j.headLen++
			p = p[1:]
			h, size := parseHeader(j.head[:j.headLen])
			if size == 0 {
				continue
			}
			j.headLen = 0
			err = j.startFrame(h, j.head[:size])
		case j.at < j.cur.length:
			n := min(j.cur.length-j.at, int64(len(p)))
			err = j.payload(p[:n])
			p = p[n:]
		default:
			err = j.endFrame()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (j *judge) startFrame(h header, raw []byte) error {
	if err := j.check(h); err != nil {
		return err
	}
	j.cur, j.at, j.inFrame = h, 0, true
	if h.op.isControl() {
		j.control = append(j.control[:0], raw...)
		return nil
	}
	if h.op != Continuation {
		j.inMessage, j.compressed = true, h.rsv != 0
		j.released, j.clean, j.size, j.flowing = 0, 0, 0, false
		j.cursor, j.patches, j.patched = cursor{}, nil, 0
		j.inspector.Start(h.op)
	}
	if j.compressed && h.length > j.maxCompressed-int64(len(j.held)+len(raw)) {
		return &ViolationError{codeTooBig, fmt.Sprintf("compressed message is longer than %d bytes", j.maxCompressed)}
	}
	return j.keep(raw)
}

// keep holds p until its message is judged.
func (j *judge) keep(p []byte) error {
	if j.reserve != nil && !j.reserve(int64(len(j.held)+len(p))) {
		return &ViolationError{codeTryLater, "too much is being judged at once"}
	}
	j.held = append(j.held, p...)
	return nil
}

// check holds a header to RFC 6455 §5.2 to §5.5 and RFC 7692 §6.
func (j *judge) check(h header) error {
	switch {
	case j.closed:
		return violation("%v frame after a close frame", h.op)
	case !h.masked:
		return violation("%v frame is not masked", h.op)
	case h.length < 0 || !h.isMinimal():
		return violation("%v frame has an invalid length", h.op)
	case h.rsv&^rsv1Bit != 0:
		return violation("%v frame has reserved bits set", h.op)
	case h.rsv != 0 && (j.inflater == nil || h.op != Text && h.op != Binary):
		return violation("%v frame is marked as compressed", h.op)
	}
	switch h.op {
	case Continuation:
		if !j.inMessage {
			return violation("continuation frame without a message")
		}
	case Text, Binary:
		if j.inMessage {
			return violation("%v frame amid a message", h.op)
		}
	case Close, Ping, Pong:
		if !h.fin {
			return violation("%v frame is fragmented", h.op)
		}
		if h.length > maxControl {
			return violation("%v frame is too long", h.op)
		}
		if h.op == Close && h.length == 1 {
			return violation("close frame has half a code")
		}
	default:
		return violation("frame of unknown kind: %v", h.op)
	}
	return nil
}

// payload takes bytes of the running frame's payload.
func (j *judge) payload(p []byte) error {
	from := j.at
	j.at += int64(len(p))
	if j.cur.op.isControl() {
		j.control = append(j.control, p...)
		return nil
	}
	j.size += int64(len(p))
	if j.compressed {
		return j.keep(p)
	}
	for len(p) > 0 {
		n := min(len(p), len(j.scratch))
		mask(j.scratch[:n], p[:n], j.cur.key, from)
		if err := j.keep(p[:n]); err != nil {
			return err
		}
		clean, err := j.inspector.Write(j.scratch[:n])
		if err != nil {
			return err
		}
		j.patch()
		j.clean = clean
		p, from = p[n:], from+int64(n)
	}
	return j.flow()
}

func (j *judge) endFrame() error {
	j.inFrame = false
	if j.cur.op.isControl() {
		return j.endControl()
	}
	if !j.cur.fin {
		// Frames without payload come here only: they, too, must not pile up.
		return j.flow()
	}
	if j.compressed {
		return j.endCompressed()
	}
	if err := j.inspector.Finish(); err != nil {
		return err
	}
	j.patch()
	j.inMessage = false
	err := j.release(j.held)
	j.drop()
	return err
}

func (j *judge) endControl() error {
	raw := j.control
	_, size := parseHeader(raw)
	payload := j.scratch[:len(raw)-size]
	mask(payload, raw[size:], j.cur.key, 0)
	if err := j.inspector.Control(j.cur.op, payload); err != nil {
		return err
	}
	switch {
	case j.cur.op == Close && j.midFrame():
		return violation("close frame amid a message")
	case j.cur.op == Close:
		j.closed = true
		j.drop() // the message will not be finished
	case j.midFrame():
		// Some of the data frame before it is already out: it has to wait for the rest.
		if err := j.keep(raw); err != nil {
			return err
		}
		return j.flow()
	}
	return j.release(raw)
}

// free lets go of what is held, of a connection whose client is refused.
func (j *judge) free() {
	j.held = nil
	if j.reserve != nil {
		j.reserve(0)
	}
}

func (j *judge) drop() {
	j.held, j.heldFrame, j.heldAt = j.held[:0], header{}, 0
	j.cursor, j.patches, j.patched = cursor{}, nil, 0
	if cap(j.held) > keptBuffer {
		j.held = nil
	}
	if j.reserve != nil {
		j.reserve(0)
	}
}

// flow releases the judged beginning of a message that is too long to be held whole. clean counts decoded bytes, which
// for a message that is not compressed are those of the payload: nothing of the kind can be said of a compressed one,
// whose bytes may mean more than has been inflated so far.
func (j *judge) flow() error {
	if j.compressed || !j.flowing && int64(len(j.held)) <= j.hold {
		return nil
	}
	j.flowing = true
	n := 0
	for n < len(j.held) {
		if j.heldAt == j.heldFrame.length {
			h, size := parseHeader(j.held[n:])
			switch {
			case h.op.isControl(): // judged before it got here, and complete
				n += size + int(h.length)
				continue
			case h.length > 0 && j.released >= j.clean:
				// A header alone helps nobody.
			default:
				j.heldFrame, j.heldAt, n = h, 0, n+size
				continue
			}
			break
		}
		step := min(j.heldFrame.length-j.heldAt, j.clean-j.released, int64(len(j.held)-n))
		if step <= 0 {
			break
		}
		j.heldAt, j.released, n = j.heldAt+step, j.released+step, n+int(step)
	}
	if err := j.release(j.held[:n]); err != nil {
		return err
	}
	j.held = j.held[:copy(j.held, j.held[n:])]
	j.cursor.slide(n, j.released, j.heldFrame, j.heldAt)
	if int64(len(j.held)) > j.hold+heldSlack {
		return &ViolationError{codeTooBig, fmt.Sprintf("message is longer than %d bytes and cannot be judged in parts", j.hold)}
	}
	return nil
}

// midFrame reports whether what was released ends amid a frame.
func (j *judge) midFrame() bool { return j.heldAt < j.heldFrame.length }
