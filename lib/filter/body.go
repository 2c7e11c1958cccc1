package filter

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"bottle/lib/decode"
	"bottle/lib/dlp"
	"bottle/lib/forward"
	"bottle/lib/locate"
	"bottle/lib/redact"
	"bottle/lib/refusal"
	"bottle/lib/wsframe"
)

// scanBody judges the body of the request, or arranges for it to be judged
// while it flows.
func (r *ruling) scanBody() error {
	req := r.req
	if req.Body == nil || req.Body == http.NoBody {
		return nil
	}
	coding := strings.Join(req.Header["Content-Encoding"], ", ")
	if coding != "" && !strings.EqualFold(strings.TrimSpace(coding), "identity") {
		return r.judgeWhole(coding, r.filter.bounds.coded)
	}
	if whole := r.filter.bounds.whole; req.ContentLength > 0 && req.ContentLength <= whole {
		return r.judgeWhole("", whole)
	}
	p := place{where: "body", location: "body", part: body, flowing: true, offsets: true}
	where := locate.NewBody(req.Header.Get("Content-Type"))
	req.Body = &flowingBody{src: req.Body, r: r, flow: newFlow(r, p, r.bodyRules(), where)}
	return nil
}

// judgeWhole reads the body, judges it as sent and decoded, and puts the very
// bytes back, or with placeholders in them.
func (r *ruling) judgeWhole(coding string, most int64) error {
	req := r.req
	if req.ContentLength > most {
		return tooLarge(most)
	}
	claim := r.filter.held.claim(req.Context())
	data, err := r.judgeHeld(coding, most, claim)
	if err != nil {
		claim.close()
		return err
	}
	req.Body = &heldBody{src: bytes.NewReader(data), claim: claim}
	return nil
}

func (r *ruling) judgeHeld(coding string, most int64, claim *claim) ([]byte, error) {
	req, rules := r.req, r.bodyRules()
	arriving := &arriving{rules: rules, off: coding != ""}
	defer arriving.close()
	buf, err := readWhole(req, r.x, claim, most, arriving)
	if err != nil {
		return nil, err
	}
	sent := buf.Bytes()
	claim.keep(int64(len(sent)))
	p := r.bodyPlace(sent)
	data := sent
	if coding != "" {
		data, err = r.judgeCoded(coding, sent, claim)
	} else if fs, ferr := r.filter.judgeFindings(r, arriving.findings(sent), p); ferr != nil {
		err = ferr
	} else if fs != nil {
		if !claim.grow(req.Context(), 3*int64(len(sent))) {
			return nil, busy()
		}
		data, err = r.replaced(rules, sent, fs, p, notation(req, sent))
	}
	if err != nil {
		return nil, err
	}
	if coding == "" {
		if err := r.scanQuoted(data); err != nil {
			return nil, err
		}
	}
	changed := !sameMemory(data, sent)
	if err := r.scanTrailer(changed); err != nil {
		return nil, err
	}
	if changed {
		redigest(req.Header, data)
		if req.ContentLength >= 0 { // it was announced
			req.ContentLength = int64(len(data))
			if req.Header["Content-Length"] != nil {
				req.Header["Content-Length"] = []string{strconv.Itoa(len(data))}
			}
		}
	}
	claim.keep(int64(len(data)))
	return data, nil
}

// sameMemory reports whether a is b itself.
func sameMemory(a, b []byte) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// judgeCoded judges what sent decodes to and returns what is to be sent: the
// same, or encoded again with placeholders in it.
func (r *ruling) judgeCoded(coding string, sent []byte, claim *claim) ([]byte, error) {
	rules := r.bodyRules()
	asSent := place{where: "body", location: "body", part: body, offsets: true, coded: true}
	p := place{where: "body", location: "body", part: body, offsets: true}
	p.coding = codingName(coding)
	// As sent, too: a header of gzip or a skippable frame of zstd carries bytes
	// that no decoder shows, and that encoding again leaves out.
	besides := rules.Scan(sent)
	size, found, err := r.scanDecoded(rules, coding, sent, p)
	// Of what some codings leave readable, the place is known in the decoded text.
	if r.action == doBlock && !isFinding(err) {
		if _, err := r.filter.judgeFindings(r, besides, asSent); err != nil {
			return nil, err
		}
	}
	asIs := err != nil && r.passesUndecoded(err)
	if err != nil && !(asIs && (r.action != doRedact || !found)) {
		return nil, err
	}
	if found { // mostly the same, which some codings leave readable
		besides = nil
	}
	if besides, err = r.filter.judgeFindings(r, besides, asSent); err != nil {
		return nil, err
	}
	replace := found && r.action == doRedact
	if !replace && besides == nil {
		if asIs {
			r.x.Undecoded(string(refusal.UndecodableBody))
		}
		return sent, nil
	}
	if asIs {
		return nil, r.cannot(besides[0], asSent)
	}
	// The decoded bytes, a copy to work on and the result.
	need := int64(len(sent)) + 3*size
	if need > r.filter.bounds.held {
		return nil, refusal.New(refusal.BodyTooLarge, "the body holds a secret and is too large to replace it; remove it, or send the body in parts")
	}
	if !claim.grow(r.req.Context(), need) {
		return nil, busy()
	}
	body, err := decode.Body(coding, bytes.NewReader(sent), r.filter.decodeLimits())
	if err != nil {
		return nil, undecodable(coding, err)
	}
	defer body.Close()
	var decoded bytes.Buffer
	decoded.Grow(int(size) + bytes.MinRead)
	if _, err := decoded.ReadFrom(body); err != nil {
		return nil, undecodable(coding, err)
	}
	text := decoded.Bytes()
	if replace {
		p.locate = r.bodyPlace(text).locate
		all := rules.Scan(text)
		if all == nil {
			return nil, errors.New("what was found in the body is not found again")
		}
		fs, err := r.screen(all, p)
		if err != nil {
			return nil, err
		}
		if len(fs) == 0 && besides == nil {
			return sent, nil
		}
		if len(fs) > 0 {
			if text, err = r.replaced(rules, text, fs, p, notation(r.req, text)); err != nil {
				return nil, err
			}
		}
	}
	coded, err := decode.Encode(coding, text, sent)
	if err != nil {
		return nil, err
	}
	if besides != nil {
		if (unlisted{r, rules}).Scan(coded) != nil {
			return nil, r.cannot(besides[0], asSent)
		}
		r.record(besides, asSent)
	}
	return coded, nil
}

func (f *Filter) decodeLimits() decode.Limits { return decode.Limits{MaxBytes: f.bounds.decoded} }

// notation returns how a text of the request's type takes a placeholder: types
// that may count bytes in them keep their length.
func notation(req *http.Request, text []byte) redact.Notation {
	kind, _, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if err != nil {
		kind = ""
	}
	switch {
	case kind == "application/x-www-form-urlencoded":
		return redact.Percent
	case strings.HasPrefix(kind, "application/grpc"), strings.HasPrefix(kind, "application/connect"): // messages with their lengths
		return redact.Fixed
	case strings.HasPrefix(kind, "text/"), strings.HasSuffix(kind, "json"), strings.HasSuffix(kind, "xml"),
		strings.HasSuffix(kind, "yaml"), strings.HasSuffix(kind, "javascript"), strings.HasSuffix(kind, "graphql"):
		return redact.Plain
	case kind == "" && json.Valid(text):
		return redact.Plain
	}
	return redact.Fixed
}

// readWhole reads the body into memory that the claim covers, in bounded time. What has come is scanned meanwhile.
func readWhole(req *http.Request, x *forward.Exchange, claim *claim, most int64, scan *arriving) (*bytes.Buffer, error) {
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
		scan.take(buf.Bytes())
	}
}

func busy() *refusal.Refusal {
	return refusal.New(refusal.FilterBusy, "the filter is judging too many large bodies at once; try again, or send fewer at a time")
}

func tooLarge(most int64) error {
	return refusal.New(refusal.BodyTooLarge, "a compressed body may have at most %d bytes; send it uncompressed or in parts", most)
}

// mostReplaced bounds how many findings one body is rewritten for.
const mostReplaced = 20_000

// scanDecoded judges what sent decodes to, piece by piece, and returns its size
// and whether there are findings. Those to be replaced are not yet recorded.
func (r *ruling) scanDecoded(rules scanner, coding string, sent []byte, p place) (size int64, any bool, err error) {
	body, err := decode.Body(coding, bytes.NewReader(sent), r.filter.decodeLimits())
	if err != nil {
		return 0, false, undecodable(coding, err)
	}
	defer body.Close()
	again := decodedAgain{r: r, coding: coding, sent: sent}
	defer again.close()
	p.locate, p.tally = again.at, newTally(r)
	defer func() {
		if err == nil || malformed(err) {
			p.tally.flush()
		}
	}()
	count := 0
	judge := func(fs []dlp.Finding) error {
		any = any || len(fs) > 0
		fs, err := r.filter.judgeFindings(r, fs, p)
		if err != nil {
			return err
		}
		if count += len(fs); count > mostReplaced {
			return r.cannot(fs[0], p)
		}
		return nil
	}
	stream := rules.stream()
	defer stream.Release()
	chunk := make([]byte, 32<<10)
	for {
		if err := r.req.Context().Err(); err != nil { // nobody waits for what is judged
			return 0, false, &forward.BodyError{Err: err}
		}
		n, err := body.Read(chunk)
		size += int64(n)
		_, fs := stream.Scan(chunk[:n])
		if err := judge(fs); err != nil {
			return 0, false, err
		}
		again.settled = stream.Settled()
		if err == io.EOF {
			break
		}
		if err != nil {
			if ferr := judge(stream.Finish()); ferr != nil { // as far as it goes
				return 0, false, ferr
			}
			return size, any, undecodable(coding, err)
		}
	}
	err = judge(stream.Finish())
	return size, any, err
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

// flowingBody passes a body on as far as the scanner has cleared it. It holds
// back no more than a match that is still possible needs.
type flowingBody struct {
	src  io.ReadCloser
	r    *ruling
	flow *flow

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
	b.flow.close()
	return b.src.Close()
}
