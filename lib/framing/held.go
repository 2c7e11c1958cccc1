package framing

import "sync"

const (
	heldSize    = 8 << 10  // first size: most heads
	heldMaxKept = 16 << 10 // larger ones go to the garbage collector
)

// heldPool is shared by all connections, so that an idle one keeps no buffer.
var heldPool = sync.Pool{New: func() any {
	b := make([]byte, heldSize)
	return &b
}}

// held is the queue of bytes that were read from the network and not yet
// delivered. It owns memory only while it is not empty.
type held struct {
	buf  *[]byte
	r, w int
}

func (q *held) empty() bool { return q.r == q.w }

func (q *held) bytes() []byte {
	if q.buf == nil {
		return nil
	}
	return (*q.buf)[q.r:q.w]
}

// add copies b to the end of the queue.
func (q *held) add(b []byte) {
	if len(b) == 0 {
		return
	}
	q.grow(len(b))
	q.w += copy((*q.buf)[q.w:], b)
}

// space returns room for at least one byte; filled says how much of it was
// used.
func (q *held) space() []byte {
	q.grow(1)
	return (*q.buf)[q.w:]
}

func (q *held) filled(n int) { q.w += n }

// unread puts b, which was just taken, back to the front.
func (q *held) unread(b []byte) {
	if q.empty() {
		q.add(b)
		return
	}
	q.r -= copy((*q.buf)[q.r-len(b):], b)
}

// take moves bytes from the front of the queue to p.
func (q *held) take(p []byte) int {
	n := copy(p, q.bytes())
	q.drop(n)
	return n
}

// drop forgets n bytes at the front, and the memory with the last of them.
func (q *held) drop(n int) {
	q.r += n
	if q.empty() {
		q.release()
	}
}

func (q *held) release() {
	if q.buf != nil && len(*q.buf) <= heldMaxKept {
		heldPool.Put(q.buf)
	}
	*q = held{}
}

// grow makes room for n more bytes.
func (q *held) grow(n int) {
	if q.buf == nil {
		q.buf = heldPool.Get().(*[]byte)
	}
	if q.w+n <= len(*q.buf) {
		return
	}
	old, used := *q.buf, q.w-q.r
	if used+n > len(old) {
		size := 2 * len(old)
		for size < used+n {
			size *= 2
		}
		larger := make([]byte, size)
		copy(larger, old[q.r:q.w])
		if len(old) <= heldMaxKept {
			heldPool.Put(q.buf)
		}
		q.buf = &larger
	} else {
		copy(old, old[q.r:q.w])
	}
	q.r, q.w = 0, used
}
