package filter

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"bottle/lib/decode"
	"bottle/lib/dlp"
	"bottle/lib/forward"
	"bottle/lib/refusal"
)

const (
	// mostWhole is the largest plain body that is judged before its first byte
	// leaves; larger ones, and ones of unknown length, flow behind the scanner.
	mostWhole = 1 << 20
	// mostCoded is the largest compressed body, as sent: it is always judged
	// whole, since its bytes cannot be matched to what they decode to.
	mostCoded = 16 << 20
)

// scanBody judges the body of req, or arranges for it to be judged while it
// flows.
func (f *Filter) scanBody(req *http.Request, x *forward.Exchange) error {
	if req.Body == nil || req.Body == http.NoBody {
		return nil
	}
	coding := strings.Join(req.Header["Content-Encoding"], ", ")
	if coding != "" && !strings.EqualFold(strings.TrimSpace(coding), "identity") {
		return f.judgeWhole(req, x, coding, mostCoded)
	}
	if req.ContentLength > 0 && req.ContentLength <= mostWhole {
		return f.judgeWhole(req, x, "", mostWhole)
	}
	req.Body = &flowingBody{src: req.Body, req: req, x: x, filter: f, stream: f.rules().all.NewStream()}
	return nil
}

// judgeWhole reads the body, judges it as sent and decoded, and puts the very
// bytes back.
func (f *Filter) judgeWhole(req *http.Request, x *forward.Exchange, coding string, most int64) error {
	if req.ContentLength > most {
		return tooLarge(most)
	}
	claim := f.held.claim(req.Context())
	buf, err := readWhole(req, x, claim, most)
	if err != nil {
		claim.close()
		return err
	}
	claim.keep(int64(buf.Len()))
	// As sent first: a header of gzip or a skippable frame of zstd carries bytes
	// that no decoder shows.
	if fs := f.rules().all.Scan(buf.Bytes()); fs != nil {
		return found(fs[0], "body", "body")
	}
	if coding != "" {
		if err := scanDecoded(f.rules().all, coding, buf.Bytes()); err != nil {
			return err
		}
	}
	if err := f.scanTrailer(req); err != nil {
		return err
	}
	req.Body = &heldBody{src: bytes.NewReader(buf.Bytes()), claim: claim}
	return nil
}

// readWhole reads the body into memory that the claim covers, in bounded time.
func readWhole(req *http.Request, x *forward.Exchange, claim *claim, most int64) (*bytes.Buffer, error) {
	if err := x.SetReadDeadline(time.Now().Add(bodyTime)); err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	if n := req.ContentLength; n > 0 && n <= small {
		buf.Grow(int(n) + bytes.MinRead)
	}
	for {
		n, err := io.CopyN(&buf, req.Body, 32<<10)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, refusal.New(refusal.BodyTimeout, "the body did not arrive within %d s", int(bodyTime.Seconds()))
		case err != nil && err != io.EOF:
			return nil, &forward.BodyError{Err: err}
		case int64(buf.Len()) > most:
			return nil, tooLarge(most)
		case err == io.EOF:
			req.Body.Close()
			return &buf, x.SetReadDeadline(time.Time{})
		}
		if n > 0 && !claim.grow(req.Context(), int64(buf.Len())) {
			return nil, busy()
		}
	}
}

func busy() *refusal.Refusal {
	return refusal.New(refusal.FilterBusy, "the filter is judging too many large bodies at once; try again, or send fewer at a time")
}

func tooLarge(most int64) error {
	return refusal.New(refusal.BodyTooLarge, "a compressed body may have at most %d bytes; send it uncompressed or in parts", most)
}

func scanDecoded(rules *dlp.Rules, coding string, body []byte) error {
	r, err := decode.Body(coding, bytes.NewReader(body), decode.Limits{})
	if err != nil {
		return undecodable(coding, err)
	}
	defer r.Close()
	stream := rules.NewStream()
	chunk := make([]byte, 32<<10)
	for {
		n, err := r.Read(chunk)
		if _, fs := stream.Scan(chunk[:n]); len(fs) > 0 {
			return found(fs[0], "body", "body, "+codingName(coding))
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return undecodable(coding, err)
		}
	}
	if fs := stream.Finish(); len(fs) > 0 {
		return found(fs[0], "body", "body, "+codingName(coding))
	}
	return nil
}

// codingName returns the coding for a message, if it is a name at all.
func codingName(coding string) string {
	for _, c := range coding {
		if !(c == ',' || c == ' ' || c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') {
			return "unnamed coding"
		}
	}
	if len(coding) > 40 {
		return "unnamed coding"
	}
	return coding
}

func undecodable(coding string, err error) error {
	var unsupported *decode.UnsupportedError
	if errors.As(err, &unsupported) {
		return refusal.New(refusal.UndecodableBody, "the filter cannot read Content-Encoding %s; send the body as gzip, deflate, zstd or uncompressed", codingName(coding)).Because(err)
	}
	return refusal.New(refusal.UndecodableBody, "the filter cannot decode the body as Content-Encoding %s; send it uncompressed", codingName(coding)).Because(err)
}

// flowingBody passes a body on as far as the scanner has cleared it. It holds
// back no more than a match that is still possible needs.
type flowingBody struct {
	src    io.ReadCloser
	req    *http.Request
	x      *forward.Exchange
	filter *Filter
	stream *dlp.Stream

	window []byte // read and not yet released
	free   int64  // bytes of window that are cleared
	gone   int64  // bytes released
	chunk  []byte
	err    error
}

// Read implements io.Reader. A finding ends the body with an error before any
// byte of the secret is released.
func (b *flowingBody) Read(p []byte) (int, error) {
	for b.free == 0 {
		if b.err != nil {
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
		b.chunk = make([]byte, 32<<10)
	}
	n, err := b.src.Read(b.chunk)
	if n > 0 {
		clean, fs := b.stream.Scan(b.chunk[:n])
		// A fresh slice keeps the window from growing with the body.
		window := make([]byte, 0, len(b.window)+n)
		b.window = append(append(window, b.window...), b.chunk[:n]...)
		b.free = clean - b.gone
		if len(fs) > 0 {
			b.cut(found(fs[0], "body", "body"))
			return
		}
	}
	switch {
	case err == io.EOF:
		if fs := b.stream.Finish(); len(fs) > 0 {
			b.cut(found(fs[0], "body", "body"))
			return
		}
		if terr := b.filter.scanTrailer(b.req); terr != nil {
			b.cut(refusal.From(terr))
			return
		}
		b.free, b.err = int64(len(b.window)), io.EOF
	case err != nil:
		b.free, b.err = 0, err
	}
}

func (b *flowingBody) cut(r *refusal.Refusal) {
	b.x.Cut(r)
	b.free, b.err = 0, r
}

func (b *flowingBody) Close() error { return b.src.Close() }
