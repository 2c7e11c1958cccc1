package wsframe

import (
	"crypto/rand"
	"fmt"
)

// maxPatched bounds what is kept of a compressed message's changes until it is written.
const maxPatched = 1 << 20

// cursor is a place in held: before a frame's header, or in a frame's payload.
type cursor struct {
	set   bool
	n     int   // index into held
	pos   int64 // of the message
	frame header
	at    int64 // of frame's payload; = length: n is before a header
}

// slide follows the loss of held's first n bytes. The other arguments say where held begins then.
func (c *cursor) slide(n int, pos int64, frame header, at int64) {
	if c.n -= n; c.set && c.n < 0 {
		*c = cursor{set: true, pos: pos, frame: frame, at: at}
	}
}

// patch overwrites, in what is held of a message that is not compressed, what the Rewriter wants overwritten. Of one
// that is, it keeps that.
func (j *judge) patch() {
	if j.rewriter == nil {
		return
	}
	for _, p := range j.rewriter.Patches() {
		j.overwrite(p)
	}
}

func (j *judge) overwrite(p Patch) {
	c := &j.cursor
	if !c.set || p.At < c.pos {
		*c = cursor{set: true, pos: j.released, frame: j.heldFrame, at: j.heldAt}
	}
	for data := p.Data; len(data) > 0 && c.n < len(j.held); {
		if c.at == c.frame.length {
			h, size := parseHeader(j.held[c.n:])
			c.n += size
			if h.op.isControl() { // one that waits for the frame before it to end
				c.n += int(h.length)
				continue
			}
			c.frame, c.at = h, 0
			continue
		}
		n := int(min(c.frame.length-c.at, int64(len(j.held)-c.n)))
		if skip := p.At - c.pos; skip > 0 {
			n = int(min(int64(n), skip))
		} else {
			n = min(n, len(data))
			mask(j.held[c.n:c.n+n], data[:n], c.frame.key, c.at)
			data = data[n:]
			p.At += int64(n)
		}
		c.n, c.pos, c.at = c.n+n, c.pos+int64(n), c.at+int64(n)
	}
}

// endCompressed judges the compressed message that is held, and releases it as it came or as it is to be.
func (j *judge) endCompressed() error {
	before := j.inflater.saved()
	var total int64
	err := j.inflater.message(newPayload(j.held, inflateTail), j.size, func(p []byte) error {
		total += int64(len(p))
		if _, err := j.inspector.Write(p); err != nil {
			return err
		}
		return j.remember()
	})
	if err != nil {
		return err
	}
	if err := j.inspector.Finish(); err != nil {
		return err
	}
	if err := j.remember(); err != nil {
		return err
	}
	j.inMessage = false
	if len(j.patches) == 0 && !j.diverged {
		err = j.release(j.held)
	} else {
		err = j.rewrite(before, total)
	}
	j.drop()
	return err
}

// remember keeps the patches of a compressed message.
func (j *judge) remember() error {
	if j.rewriter == nil {
		return nil
	}
	for _, p := range j.rewriter.Patches() {
		if j.patched += len(p.Data); j.patched > maxPatched {
			return &ViolationError{codeTooBig, fmt.Sprintf("more than %d bytes of a compressed message would have to be replaced", maxPatched)}
		}
		j.patches = append(j.patches, Patch{p.At, append([]byte(nil), p.Data...)})
	}
	return nil
}

// rewrite releases the held message, of total bytes, inflated and patched. before is the inflater's window at its
// beginning.
//
// It is not compressed again (RFC 7692 §6 lets a sender choose for each message), and from then on neither is any other
// that may refer to the messages before it: what upstream inflates is not in its window, so that the client's
// references would lead elsewhere.
func (j *judge) rewrite(before []byte, total int64) error {
	first, _ := parseHeader(j.held)
	h := header{fin: true, op: first.op, masked: true, length: total}
	rand.Read(h.key[:])
	if err := j.release(append(appendHeader(nil, h.op, int(total), maskBit), h.key[:]...)); err != nil {
		return err
	}
	patches := j.patches
	var at int64
	j.inflater.window = append(j.inflater.window[:0], before...)
	j.diverged = j.diverged || j.inflater.takeover
	return j.inflater.message(newPayload(j.held, inflateTail), j.size, func(p []byte) error {
		out := j.scratch[:len(p)]
		copy(out, p)
		end := at + int64(len(p))
		for len(patches) > 0 && patches[0].At < end {
			x := &patches[0]
			n := copy(out[x.At-at:], x.Data)
			if x.At, x.Data = x.At+int64(n), x.Data[n:]; len(x.Data) > 0 {
				break
			}
			patches = patches[1:]
		}
		mask(out, out, h.key, at)
		at = end
		return j.release(out)
	})
}
