package forward

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"

	"bottle/lib/refusal"
)

const (
	// replayBody bounds the body that is kept for a second attempt, in bytes.
	replayBody = 1 << 20
	// replayMemory bounds all of them together.
	replayMemory = 64 << 20
)

// uninjected is a request as it was before Inject, for a second attempt.
type uninjected struct {
	header http.Header
	url    url.URL
}

// remember is the step before Inject.
type remember struct{}

func (remember) ModifyRequest(req *http.Request) error {
	ExchangeOf(req).before = &uninjected{req.Header.Clone(), *req.URL}
	return nil
}

// retry asks the policy about the origin's first answer.
func (p *Policy) retry(res *http.Response) (again bool, err error) {
	defer func() {
		if p := panicked(recover()); p != nil {
			again, err = false, refusal.From(p)
		}
	}()
	if again, err = p.Retry(res); err != nil {
		return false, refusal.From(err)
	}
	return again, nil
}

// twice sends out, and a second time if the policy says that the answer was to
// a credential which is not the current one any more. What could not be sent
// again keeps its first answer.
func (g *generation) twice(out *http.Request, x *Exchange) (*http.Response, error) {
	body := keep(out, g.memory)
	res, err := g.send(out)
	if err != nil {
		body.settle()
		return nil, err
	}
	again, err := g.policy.retry(res)
	if err != nil {
		body.settle()
		res.Body.Close()
		return nil, err
	}
	if !again {
		body.settle()
		return res, nil
	}
	second, err := g.secondAttempt(out, x)
	if err != nil || !body.rewind(second) {
		body.settle()
		return res, nil
	}
	// Not read to its end, which may never come; an HTTP/1 connection is closed.
	// Over HTTP/2 closing waits for the request's body to be let go, which may
	// be in the middle of a read from the agent.
	go res.Body.Close()
	x.Replayed = true
	return g.send(second)
}

// secondAttempt makes out anew from the request as it was before Inject. The
// destination is out's, whatever Inject does.
func (g *generation) secondAttempt(out *http.Request, x *Exchange) (*http.Request, error) {
	second := out.Clone(out.Context())
	second.Header = x.before.header.Clone()
	second.URL.Path, second.URL.RawPath = x.before.url.Path, x.before.url.RawPath
	second.URL.RawQuery, second.URL.ForceQuery = x.before.url.RawQuery, x.before.url.ForceQuery
	if g.policy.Inject != nil {
		if err := modifyRequest(g.policy.Inject, second); err != nil {
			return nil, err
		}
	}
	second.URL.Scheme, second.URL.Host, second.Host = out.URL.Scheme, out.URL.Host, out.Host
	if _, ok := second.Header["User-Agent"]; !ok {
		second.Header["User-Agent"] = []string{""} // or net/http sends its own
	}
	return second, nil
}

var errSuperseded = errors.New("request is being sent a second time")

// keptBody is a request's body of which the beginning is kept, so that it can
// be read twice. The first reader is the first attempt; after rewind it gets
// nothing more, and the second one gets what was kept and then the rest. Kept
// is what the first attempt has read, which is all of most bodies and nothing
// of one whose origin refused the expectation.
type keptBody struct {
	src    io.ReadCloser // nil: the request has no body, or one in memory
	memory *atomic.Int64 // left for all bodies

	reading sync.Mutex // held while src is read

	mu       sync.Mutex // guards the rest
	kept     []byte
	reserved int64
	lost     bool  // more was read than is kept
	settled  bool  // there is no second attempt
	second   bool  // there is one, and it reads
	closed   bool  // by the first attempt
	err      error // of src
}

// keep puts a body that is kept in the place of out's.
func keep(out *http.Request, memory *atomic.Int64) *keptBody {
	b := &keptBody{memory: memory}
	if out.Body == nil || out.Body == http.NoBody || out.GetBody != nil {
		return b
	}
	b.src = out.Body
	// Trailers come with the end of the body, when the first attempt has it.
	b.lost = len(out.Trailer) > 0
	out.Body = (*firstReading)(b)
	return b
}

// settle says that there is no second attempt.
func (b *keptBody) settle() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settled = true
	b.release()
	if b.closed {
		b.src.Close()
	}
}

// release gives the memory back. b.mu is held.
func (b *keptBody) release() {
	b.memory.Add(b.reserved)
	b.kept, b.reserved, b.lost = nil, 0, true
}

// rewind gives second the body from its beginning on, and reports whether it
// could.
func (b *keptBody) rewind(second *http.Request) bool {
	if b.src == nil {
		if second.GetBody != nil {
			body, err := second.GetBody()
			second.Body = body
			return err == nil
		}
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lost || b.err != nil && b.err != io.EOF {
		return false
	}
	b.second = true
	second.Body = &secondReading{b: b}
	return true
}

// makeRoom reports whether n bytes more can be kept. b.mu is held.
func (b *keptBody) makeRoom(n int) bool {
	if b.lost {
		return false
	}
	need := int64(len(b.kept)+n) - b.reserved
	if need > 0 {
		need = max(need, min(b.reserved, replayBody-b.reserved)) // grow by doubling
		if b.reserved+need > replayBody || b.memory.Add(-need) < 0 {
			if b.reserved+need <= replayBody {
				b.memory.Add(need)
			}
			b.release()
			return false
		}
		b.reserved += need
	}
	return true
}

type firstReading keptBody

func (r *firstReading) Read(p []byte) (int, error) {
	b := (*keptBody)(r)
	b.reading.Lock()
	defer b.reading.Unlock()
	b.mu.Lock()
	if b.second {
		b.mu.Unlock()
		return 0, errSuperseded
	}
	b.makeRoom(len(p))
	b.mu.Unlock()
	n, err := b.src.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.lost {
		b.kept = append(b.kept, p[:n]...)
	}
	if err != nil {
		b.err = err
	}
	return n, err
}

// Close is called by the transport before it is known whether there is a
// second attempt.
func (r *firstReading) Close() error {
	b := (*keptBody)(r)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.settled {
		return b.src.Close()
	}
	b.closed = true
	return nil
}

type secondReading struct {
	b   *keptBody
	pos int
}

func (r *secondReading) Read(p []byte) (int, error) {
	if n := r.fromMemory(p); n > 0 {
		return n, nil
	}
	b := r.b
	b.reading.Lock() // a read of the first attempt may be under way
	defer b.reading.Unlock()
	if n := r.fromMemory(p); n > 0 {
		return n, nil
	}
	b.mu.Lock()
	err := b.err
	b.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return b.src.Read(p)
}

func (r *secondReading) fromMemory(p []byte) int {
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	if r.pos >= len(r.b.kept) {
		return 0
	}
	n := copy(p, r.b.kept[r.pos:])
	r.pos += n
	return n
}

func (r *secondReading) Close() error {
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	if r.b.settled {
		return nil
	}
	r.b.settled = true
	r.b.release()
	r.pos = 0
	return r.b.src.Close()
}
