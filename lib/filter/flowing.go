package filter

import (
	"io"
	"net/http"
	"sync"

	"bottle/lib/refusal"
	"bottle/lib/wsframe"
)

// flowingBody passes a body on as far as the scanner has cleared it. It holds
// back no more than a match that is still possible needs.
type flowingBody struct {
	src  io.ReadCloser
	r    *ruling
	flow *flow

	mu     sync.Mutex // of flow; Close may come while Read waits
	closed bool

	window []byte // read and not yet released
	free   int64  // bytes of window that are cleared
	gone   int64  // bytes released
	chunk  []byte
	err    error
}

// Read implements io.Reader. A finding ends the body with an error before any
// byte of the secret is released, or is replaced.
func (b *flowingBody) Read(p []byte) (int, error) {
	for b.free == 0 {
		if b.err != nil {
			b.sent()
			return 0, b.err
		}
		b.fill()
	}
	n := copy(p, b.window[:b.free])
	b.window = b.window[n:]
	b.free -= int64(n)
	b.gone += int64(n)
	return n, nil
}

func (b *flowingBody) fill() {
	if b.chunk == nil {
		b.chunk = make([]byte, chunkSize)
	}
	n, err := b.src.Read(b.chunk)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		b.free, b.err = 0, http.ErrBodyReadAfterClose
		return
	}
	if n > 0 {
		clean, patches, ferr := b.flow.scan(b.chunk[:n])
		if ferr != nil {
			b.cut(ferr)
			return
		}
		// A fresh slice keeps the window from growing with the body.
		window := make([]byte, 0, len(b.window)+n)
		b.window = append(append(window, b.window...), b.chunk[:n]...)
		b.apply(patches)
		b.free = clean - b.gone
	}
	switch {
	case err == io.EOF:
		patches, ferr := b.flow.finish()
		if ferr == nil {
			ferr = b.r.scanTrailer(b.flow.changed)
		}
		if ferr != nil {
			b.cut(ferr)
			return
		}
		b.apply(patches)
		b.free, b.err = int64(len(b.window)), io.EOF
	case err != nil:
		b.free, b.err = 0, err
	}
}

// sent lets go of what the body takes: it is closed when the answer has ended,
// which may be much later. Where its length was announced net/http asks once
// more before it sends the last of it.
func (b *flowingBody) sent() {
	unsent := int64(0)
	if b.r.req.ContentLength >= 0 {
		unsent = sendBuffer(b.r.req)
	}
	b.window = nil
	b.flow.claim.keep(unsent)
}

func (b *flowingBody) apply(patches []wsframe.Patch) {
	for _, p := range patches {
		copy(b.window[p.At-b.gone:], p.Data)
	}
}

func (b *flowingBody) cut(err error) {
	refused := refusal.From(err)
	b.r.x.Cut(refused)
	b.free, b.err = 0, refused
}

// Close closes the body that is judged.
func (b *flowingBody) Close() error {
	err := b.src.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.closed = true
		b.flow.close()
	}
	return err
}
