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
	flow := newFlow(r, p, r.bodyRules(), where, 2*chunkSize+sendBuffer(req))
	if !flow.reserve(0) {
		return busy()
	}
	req.Body = &flowingBody{src: req.Body, r: r, flow: flow}
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
	req.Body = &heldBody{src: bytes.NewReader(data), claim: claim, unsent: sendBuffer(req)}
	return nil
}

func (r *ruling) judgeHeld(coding string, most int64, claim *claim) ([]byte, error) {
	req, rules := r.req, r.bodyRules()
	arriving := &arriving{rules: rules, off: coding != ""}
	defer arriving.close()
	sent, err := readWhole(req, r.x, claim, most, arriving)
	if err != nil {
		return nil, err
	}
	p := r.bodyPlace(sent)
	data := sent
	if coding != "" {
		data, err = r.judgeCoded(coding, sent, claim)
	} else if fs, ferr := r.filter.judgeFindings(r, arriving.findings(sent), p); ferr != nil {
		err = ferr
	} else if fs != nil {
		if !claim.grow(req.Context(), int64(cap(sent))+2*int64(len(sent))) {
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
	buffers := int64(len(data))
	if !changed {
		buffers = int64(cap(data))
	}
	if buffer := sendBuffer(req); buffer > small {
		if buffers += buffer; !claim.grow(req.Context(), buffers) {
			return nil, busy()
		}
	}
	claim.keep(buffers)
	return data, nil
}

// sendBuffer is how many bytes net/http takes to send the body of req on: over
// HTTP/2 as many as the origin's largest frame has, up to 512 KiB, though it is
// read in pieces.
func sendBuffer(req *http.Request) int64 {
	const most = 512 << 10
	switch {
	case req.ProtoMajor < 2:
		return 0
	case req.ContentLength < 0:
		return most
	}
	return min(req.ContentLength+1, most)
}

// sameMemory reports whether a is b itself.
func sameMemory(a, b []byte) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// judgeCoded judges what sent decodes to and returns what is to be sent: the
// same, or encoded again with placeholders in it.
func (r *ruling) judgeCoded(coding string, sent []byte, claim *claim) ([]byte, error) {
	done := r.filter.held.decode(r.req.Context())
	if done == nil {
		return nil, busy()
	}
	defer done()
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
func readWhole(req *http.Request, x *forward.Exchange, claim *claim, most int64, scan *arriving) ([]byte, error) {
	if err := x.SetReadDeadline(time.Now().Add(bodyTime)); err != nil {
		return nil, err
	}
	body, err := gather(req, claim, most, scan)
	if err != nil {
		return nil, err
	}
	return body, x.SetReadDeadline(time.Time{})
}

func gather(req *http.Request, claim *claim, most int64, scan *arriving) ([]byte, error) {
	limit := most + 1
	if n := req.ContentLength; n >= 0 {
		limit = min(limit, n+1) // one more, in which the end shows
	}
	var body []byte
	for {
		room := int64(cap(body))
		if len(body) == cap(body) {
			room = min(more(room), limit)
			if limit <= small+1 {
				room = limit
			}
		}
		if !claim.grow(req.Context(), room+scan.size(body)) {
			return nil, busy()
		}
		if room > int64(cap(body)) {
			body = append(make([]byte, 0, room), body...)
		}
		n, err := req.Body.Read(body[len(body):min(cap(body), len(body)+chunkSize)])
		body = body[:len(body)+n]
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, refusal.New(refusal.BodyTimeout, "the body did not arrive within %d s", int(bodyTime.Seconds()))
		case err != nil && err != io.EOF:
			return nil, &forward.BodyError{Err: err}
		case int64(len(body)) >= limit:
			return nil, tooLarge(most)
		case err == io.EOF:
			req.Body.Close()
			return body, nil
		}
		scan.take(body)
	}
}

// more is how large a buffer becomes that has n bytes and is full: what has come
// may be all, so that little is taken beside it.
func more(n int64) int64 {
	if n < 1<<20 {
		return max(2*n, 4<<10)
	}
	return n + n/4
}

// chunkSize is how much of a body is read at a time.
const chunkSize = 32 << 10

func busy() *refusal.Refusal {
	return refusal.New(refusal.FilterBusy, "the filter is judging as many bodies as its memory allows; try again, or send fewer at a time")
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
