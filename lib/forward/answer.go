package forward

import (
	"io"
	"net/http"
	"strconv"
)

// Answer is what a policy answers in the origin's stead.
type Answer struct {
	Status int
	Header http.Header // Content-Length is set by the engine
	Body   []byte
}

// answer asks the policy whether it answers req itself.
func (p *Policy) answer(req *http.Request) (a *Answer, err error) {
	defer func() {
		if p := panicked(recover()); p != nil {
			a, err = nil, p
		}
	}()
	return p.Answer(req)
}

// counted returns req with a body that counts for x.
func counted(req *http.Request, x *Exchange) *http.Request {
	if req.Body == nil || req.Body == http.NoBody {
		return req
	}
	in := *req
	in.Body = &countedBody{req.Body, x}
	return &in
}

type countedBody struct {
	io.ReadCloser
	x *Exchange
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.x.up.Add(int64(n))
	return n, err
}

// answer writes a, and says that it is no origin's (RFC 9209, section 2).
func (w *responseWriter) answer(a *Answer, stage string) {
	h := w.Header()
	for name, values := range a.Header {
		h[name] = values
	}
	h.Set("Content-Length", strconv.Itoa(len(a.Body)))
	h.Set("Cache-Control", "no-store")
	h.Set("Proxy-Status", stage+`; details="answered_here"`)
	w.WriteHeader(a.Status)
	w.Write(a.Body) // an error is the client's going away, which net/http sees as well
}
