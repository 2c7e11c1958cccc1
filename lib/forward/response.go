package forward

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"time"

	"bottle/lib/refusal"
)

// responseWriter remembers what was answered and keeps nothing back: bytes of
// a body whose end is not yet reached are flushed as they come. A body that
// arrives in one piece costs no extra write.
type responseWriter struct {
	http.ResponseWriter
	wroteHeader bool
	status      int
	length      int64 // declared, -1 if unknown
	written     int64
	x           *Exchange
	// expects: the agent waits for a 100, which net/http sends as soon as its
	// body is read, and that is when the origin has said 100.
	expects bool
}

// Hijack is for the relay of an accepted upgrade, which writes the 101 itself.
func (w *responseWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, buf, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	w.wroteHeader, w.status = true, http.StatusSwitchingProtocols
	if w.x != nil && w.x.rec != nil {
		w.x.rec.Answer(w.status, w.Header())
	}
	return &switchedConn{c, w.x}, buf, nil
}

// switchedConn counts what passes after an upgrade.
type switchedConn struct {
	net.Conn
	x *Exchange
}

func (c *switchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.x.up.Add(int64(n))
	return n, err
}

func (c *switchedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.x.down.Add(int64(n))
	return n, err
}

func (c *switchedConn) CloseWrite() error { return closeWrite(c.Conn) }

// Unwrap lets http.ResponseController find Flush.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *responseWriter) WriteHeader(status int) {
	if status == http.StatusContinue && w.expects {
		return // or the agent would get two, whenever the body is read first
	}
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.wroteHeader, w.status = true, status
		w.length = contentLength(w.Header())
		if w.x != nil && w.x.rec != nil {
			w.x.rec.Answer(status, w.Header())
		}
		if _, ok := w.Header()["Content-Type"]; !ok {
			w.Header()["Content-Type"] = nil // or net/http would guess one
		}
	} else if w.x != nil && w.x.Informational != nil {
		w.x.Informational(w.Header())
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *responseWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.written += int64(n)
	if w.x != nil && w.x.rec != nil {
		w.x.rec.Answered(p[:n])
	}
	// Unknown lengths are flushed by ReverseProxy itself.
	if err == nil && w.length > w.written {
		err = http.NewResponseController(w.ResponseWriter).Flush()
	}
	return n, err
}

func (w *responseWriter) refuse(r *refusal.Refusal) {
	conn := w.Header().Get("Connection")
	body := r.Body()
	clear(w.Header())
	if conn != "" {
		w.Header().Set("Connection", conn)
	}
	r.Header(w.Header(), len(body))
	w.WriteHeader(r.HTTPStatus())
	w.Write(body)
}

func contentLength(h http.Header) int64 {
	v := h.Get("Content-Length")
	if v == "" {
		return -1
	}
	var n int64
	for i := 0; i < len(v); i++ {
		if v[i] < '0' || v[i] > '9' || n > 1<<58 {
			return -1
		}
		n = n*10 + int64(v[i]-'0')
	}
	return n
}

// takeRest sends the answer out and reads what is left of a small request
// body, so that the connection can be kept. After EnableFullDuplex net/http
// does that too late: it meets the body's end when no handler runs any more,
// and panics at the next request. Over HTTP/2 it takes trailers that come when
// their stream has ended for an error of the whole connection, against RFC 9113,
// section 5.1. What remains after a refused expectation is never sent.
func takeRest(w http.ResponseWriter, req *http.Request) {
	if req.Body == http.NoBody || req.Header["Expect"] != nil || req.Header["Upgrade"] != nil || req.ProtoMajor != 1 && len(req.Trailer) == 0 {
		return
	}
	const most = 256 << 10 // as net/http
	control := http.NewResponseController(w)
	if control.Flush() != nil {
		return // the client's end, which net/http sees as well
	}
	if req.ProtoMajor != 1 && control.SetReadDeadline(time.Now().Add(restTime)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, req.Body, most)
}

// restTime is how long an answer over HTTP/2 waits for the request's trailers.
const restTime = time.Second
