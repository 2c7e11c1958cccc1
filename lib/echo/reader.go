package echo

import (
	"io"
	"time"
)

// Reader rewrites what it reads. It holds back only what may be the beginning
// of a credential; bytes that need no change are not copied.
//
// One, two or three such bytes are let go when nothing has followed them for
// [Patience]: they may be the end of a message to which the other side waits
// for an answer. If a credential follows after all, those are what is seen of it.
type Reader struct {
	src  io.ReadCloser
	s    *Stream
	out  []byte // rewritten, still to be read
	err  error  // after out
	sent int    // bytes of held that were let go

	read chan result // of a read under way
	buf  []byte      // which it fills
}

type result struct {
	n   int
	err error
}

// Patience is how long up to three bytes are held back at most.
const Patience = 100 * time.Millisecond

const fewBytes = 3

// NewReader returns a reader of src's bytes, rewritten by w; hit is called for
// each replacement by the goroutine that reads. Close closes src.
func NewReader(src io.ReadCloser, w *Rewriter, hit func(source string)) *Reader {
	return &Reader{src: src, s: w.NewStream(hit)}
}

func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if len(r.out) > 0 {
			n := copy(p, r.out)
			if r.out = r.out[n:]; len(r.out) == 0 {
				r.out = nil
			}
			return n, nil
		}
		if r.err != nil {
			return 0, r.err
		}
		if r.s.Held() == 0 && r.read == nil {
			n, err := r.src.Read(p)
			if n = r.take(p, n, err); n > 0 {
				return n, nil
			}
			continue
		}
		r.await()
	}
}

// take rewrites p[:n], in place as far as that needs no change, and returns how
// much of p is ready.
func (r *Reader) take(p []byte, n int, err error) int {
	ready, ok := r.s.clean(p[:n])
	if !ok || ready < n {
		r.out = r.s.Append(r.out, p[ready:n])
	}
	r.end(err)
	return ready
}

func (r *Reader) end(err error) {
	if err == nil {
		return
	}
	if err == io.EOF {
		r.emit(r.s.Finish(nil))
	}
	// What is held of a stream that broke off may be half a credential.
	r.err = err
}

// emit queues bytes, but for those that were let go before.
func (r *Reader) emit(b []byte) {
	n := min(r.sent, len(b))
	r.sent -= n
	r.out = append(r.out, b[n:]...)
	if r.s.Held() == 0 {
		r.sent = 0 // a stand-in may be shorter
	}
}

// await waits for more of the source while bytes are held.
func (r *Reader) await() {
	if r.read == nil {
		if r.buf == nil {
			r.buf = make([]byte, 32<<10)
		}
		done := make(chan result, 1)
		r.read = done
		go func() {
			n, err := r.src.Read(r.buf)
			done <- result{n, err}
		}()
	}
	var late <-chan time.Time
	if held := r.s.Held(); held <= fewBytes && held > r.sent {
		timer := time.NewTimer(Patience)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case res := <-r.read:
		r.read = nil
		r.emit(r.s.Append(nil, r.buf[:res.n]))
		r.end(res.err)
	case <-late:
		r.out = append(r.out, r.s.held[r.sent:]...)
		r.sent = r.s.Held()
	}
}

// Close closes the source.
func (r *Reader) Close() error { return r.src.Close() }
