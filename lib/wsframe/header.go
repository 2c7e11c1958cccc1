package wsframe

import (
	"encoding/binary"
	"math"
)

const (
	finBit  = 0x80
	rsv1Bit = 0x40
	rsvBits = 0x70
	maskBit = 0x80

	maxHeader = 14 // two bytes, eight of length, four of key
)

// header is a frame's header (RFC 6455 §5.2).
type header struct {
	fin    bool
	rsv    byte // the three reserved bits, in place
	op     Opcode
	masked bool
	key    [4]byte
	length int64
	form   byte // the 7 bits that announce the length: itself, 126 or 127
}

// parseHeader reads a header from the beginning of b and returns its size, 0 where b does not hold all of it. A length
// of 2^63 and more, which §5.2 forbids, comes out negative.
func parseHeader(b []byte) (h header, size int) {
	if len(b) < 2 {
		return h, 0
	}
	h.fin, h.rsv, h.op = b[0]&finBit != 0, b[0]&rsvBits, Opcode(b[0]&0x0f)
	h.masked, h.form = b[1]&maskBit != 0, b[1]&^maskBit
	size = 2
	switch h.form {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	keyAt := size
	if h.masked {
		size += len(h.key)
	}
	if len(b) < size {
		return h, 0
	}
	switch h.form {
	case 126:
		h.length = int64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		h.length = int64(binary.BigEndian.Uint64(b[2:]))
	default:
		h.length = int64(h.form)
	}
	if h.masked {
		copy(h.key[:], b[keyAt:])
	}
	return h, size
}

// isMinimal reports whether the length takes as few bytes as it can (§5.2).
func (h header) isMinimal() bool {
	switch h.form {
	case 126:
		return h.length > maxControl
	case 127:
		return h.length > math.MaxUint16
	}
	return true
}

// mask applies key to src, whose first byte is byte at of the payload, and writes the result to dst, which is as long and
// may be src (§5.3). The same undoes it.
func mask(dst, src []byte, key [4]byte, at int64) {
	var turned [8]byte
	for i := range turned {
		turned[i] = key[(at+int64(i))&3]
	}
	word := binary.LittleEndian.Uint64(turned[:])
	i := 0
	for ; i+8 <= len(src); i += 8 {
		binary.LittleEndian.PutUint64(dst[i:], binary.LittleEndian.Uint64(src[i:])^word)
	}
	for ; i < len(src); i++ {
		dst[i] = src[i] ^ turned[i&7]
	}
}

// tracker follows frames that it does not judge, to know where one ends.
type tracker struct {
	head    [maxHeader]byte
	headLen int   // bytes of a header that is not complete
	remain  int64 // of the running frame's payload
	op      Opcode

	inMessage bool // between the fragments of a message
	closed    bool // a close frame has passed, all of it
	lost      bool // a length that cannot be; the rest is not followed
}

// betweenFrames reports whether a control frame may be put here.
func (t *tracker) betweenFrames() bool { return t.headLen == 0 && t.remain == 0 && !t.lost }

// betweenMessages reports whether a message may be put here.
func (t *tracker) betweenMessages() bool { return t.betweenFrames() && !t.inMessage }

// advance follows p up to the next point between messages, or to its end, and returns how far that is.
func (t *tracker) advance(p []byte) int {
	n := 0
	for n < len(p) {
		if t.lost {
			return len(p)
		}
		if t.remain > 0 {
			step := min(t.remain, int64(len(p)-n))
			t.remain -= step
			n += int(step)
			if t.remain == 0 {
				t.endFrame()
			}
		} else {
			t.head[t.headLen] = p[n]
			t.headLen++
			n++
			h, size := parseHeader(t.head[:t.headLen])
			if size == 0 {
				continue
			}
			t.headLen = 0
			t.remain, t.op, t.lost = h.length, h.op, h.length < 0
			if !h.op.isControl() {
				t.inMessage = !h.fin
			}
			if t.remain == 0 {
				t.endFrame()
			}
		}
		if t.betweenMessages() {
			return n
		}
	}
	return n
}

func (t *tracker) endFrame() { t.closed = t.closed || t.op == Close }
