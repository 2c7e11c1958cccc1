package wsframe

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
)

// inflateTail completes a message's deflate data: the end of the sync flush that the sender leaves out (RFC 7692
// §7.2.2), and an empty final block, so that the decompressor ends.
const inflateTail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

const (
	deflateWindow = 32 << 10

	// maxFinalBlocks bounds how often a message may end its deflate data and go on (§7.2.3.5). Each time the
	// decompressor starts anew, which costs much more than the two bytes that ask for it.
	maxFinalBlocks = 16

	// ratioFloor is how much may be inflated before the ratio counts.
	ratioFloor = 1 << 20
)

// inflater decompresses the messages of one side in turn.
type inflater struct {
	takeover bool // a message may refer to the messages before it
	maxBytes int64
	maxRatio int64

	flate  io.ReadCloser
	window []byte // the last output, at least deflateWindow of it where there is as much
	buf    [4 << 10]byte
}

// source is the payload of one message, followed by inflateTail. It is a ByteReader so that the decompressor takes no more
// than it needs.
type source interface {
	io.Reader
	io.ByteReader
	isDone() bool // the payload has been read; of the tail anything may be left
}

// message inflates one message from src, which ends in inflateTail, and hands the result to sink piece by piece. size is
// the length of the message's data. Errors are *ViolationError, or sink's own.
func (z *inflater) message(src source, size int64, sink func([]byte) error) error {
	if !z.takeover {
		z.window = z.window[:0]
	}
	var total int64
	for finals := 0; ; finals++ {
		if finals > maxFinalBlocks {
			return &ViolationError{codeInvalid, "compressed message ends too often"}
		}
		if err := z.start(src); err != nil {
			return inflateError(err)
		}
		for {
			n, err := z.flate.Read(z.buf[:])
			total += int64(n)
			switch {
			case total > z.maxBytes:
				return &ViolationError{codeTooBig, fmt.Sprintf("message inflates to more than %d bytes", z.maxBytes)}
			case total > ratioFloor && total/z.maxRatio > size:
				return &ViolationError{codeTooBig, fmt.Sprintf("message inflates to more than %d times its size", z.maxRatio)}
			}
			if n > 0 {
				z.remember(z.buf[:n])
				if err := sink(z.buf[:n]); err != nil {
					return err
				}
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				return inflateError(err)
			}
		}
		// A final block ended: either the one of inflateTail or one of the sender's.
		if src.isDone() {
			return nil
		}
	}
}

func inflateError(err error) error {
	return &ViolationError{codeInvalid, fmt.Sprintf("compressed message cannot be inflated: %v", err)}
}

func (z *inflater) start(src source) error {
	dict := z.window[max(0, len(z.window)-deflateWindow):]
	if z.flate == nil {
		z.flate = flate.NewReaderDict(src, dict)
		return nil
	}
	return z.flate.(flate.Resetter).Reset(src, dict)
}

// saved returns a copy of what the next message may refer to.
func (z *inflater) saved() []byte {
	if !z.takeover {
		return nil
	}
	return bytes.Clone(z.window[max(0, len(z.window)-deflateWindow):])
}

func (z *inflater) remember(p []byte) {
	if len(z.window)+len(p) > 2*deflateWindow {
		z.window = z.window[:copy(z.window, z.window[len(z.window)-deflateWindow:])]
	}
	z.window = append(z.window, p...)
}

// payload reads the unmasked payload of consecutive, complete frames, and then tail.
type payload struct {
	frames []byte // from a header on
	cur    header
	at     int64 // of cur's payload
	tail   string

	buf  [512]byte
	next []byte // of buf: unmasked, not read yet
}

func newPayload(frames []byte, tail string) *payload { return &payload{frames: frames, tail: tail} }

// fill puts the next bytes into buf; false at the end.
func (p *payload) fill() bool {
	for p.at == p.cur.length {
		if len(p.frames) == 0 {
			n := copy(p.buf[:], p.tail)
			p.next, p.tail = p.buf[:n], p.tail[n:]
			return n > 0
		}
		h, size := parseHeader(p.frames)
		p.cur, p.at, p.frames = h, 0, p.frames[size:]
	}
	n := min(int64(len(p.buf)), p.cur.length-p.at)
	mask(p.buf[:n], p.frames[:n], p.cur.key, p.at)
	p.next, p.frames, p.at = p.buf[:n], p.frames[n:], p.at+n
	return true
}

func (p *payload) Read(b []byte) (int, error) {
	if len(p.next) == 0 && !p.fill() {
		return 0, io.EOF
	}
	n := copy(b, p.next)
	p.next = p.next[n:]
	return n, nil
}

// ReadByte makes the decompressor take no more than it needs.
func (p *payload) ReadByte() (byte, error) {
	if len(p.next) == 0 && !p.fill() {
		return 0, io.EOF
	}
	c := p.next[0]
	p.next = p.next[1:]
	return c, nil
}

// isDone reports whether the payload has been read; of the tail anything may be left.
func (p *payload) isDone() bool {
	if p.tail == "" {
		return true // the tail is taken up after the payload only
	}
	if len(p.next) > 0 || p.at < p.cur.length {
		return false
	}
	for rest := p.frames; len(rest) > 0; {
		h, size := parseHeader(rest)
		if h.length > 0 {
			return false
		}
		rest = rest[size:]
	}
	return true
}
