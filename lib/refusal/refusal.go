// Package refusal is how the stages say no: reason codes, their status and
// Proxy-Status (RFC 9209), the JSON body, and the error frame of a WebSocket.
//
// A refusal is for two readers. The agent gets one sentence that it can act
// on; the operator finds the same code in the log and the audit file. Neither
// ever gets a credential.
package refusal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Refusal is a request that was not forwarded, and why. It is an error, so a
// modifier returns it to refuse. Immutable once returned.
type Refusal struct {
	Code Code
	// Message is one lower-case sentence for the agent. It names no secret.
	Message string
	// Host is the destination, "" if it could not be read.
	Host string
	// Stage is the program that refused; RequestID finds it in that program's
	// log.
	Stage     string
	RequestID string
	// Status overrides the table's status; 0 keeps it.
	Status int
	// Form is the body's, for a client that shows its user no other.
	Form Form
	// RetryAfter is sent with status 429 only.
	RetryAfter time.Duration
	// Rule, Location and Sample say what the scanner found and where, and show
	// its first characters, masked, for the audit log.
	Rule, Location, Sample string
	// Encoding is what was undone to see it, the outermost first, joined by ">".
	Encoding string
	// Offset is where it begins, in bytes from the begin of the body or message;
	// nil elsewhere.
	Offset *int64
	// Cause is for the operator's log, never for the agent.
	Cause error
}

// Form is how the body of a refusal is written. [Parse] reads the first alone.
type Form int

const (
	Nested Form = iota // [Payload], as the providers' APIs answer
	Text               // the message as text/plain, which is what git shows
	Flat               // an object whose "error" and "message" are the message, as npm and git-lfs want it
)

// FormFor returns the form that the client with this User-Agent shows.
func FormFor(userAgent string) Form {
	switch name, _, _ := strings.Cut(userAgent, "/"); name {
	case "git":
		return Text
	case "npm", "git-lfs":
		return Flat
	}
	return Nested
}

// New returns a refusal with a message made by fmt.Sprintf.
func New(code Code, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Because sets the cause and returns r.
func (r *Refusal) Because(err error) *Refusal {
	r.Cause = err
	return r
}

// From returns err as a refusal: the one it wraps, or an internal error whose
// message tells the agent nothing of err. It returns a copy.
func From(err error) *Refusal {
	if r, ok := errors.AsType[*Refusal](err); ok {
		c := *r
		return &c
	}
	return New(InternalError, "the proxy failed on this request and sent nothing; the operator's log has the cause").Because(err)
}

func (r *Refusal) Error() string {
	if r.Cause != nil {
		return fmt.Sprintf("%s: %s: %v", r.Code, r.Message, r.Cause)
	}
	return fmt.Sprintf("%s: %s", r.Code, r.Message)
}

func (r *Refusal) Unwrap() error { return r.Cause }

// HTTPStatus is the status of the answer.
func (r *Refusal) HTTPStatus() int {
	if r.Status != 0 {
		return r.Status
	}
	return Lookup(r.Code).Status
}

// ProxyStatus is the value of the Proxy-Status header (RFC 9209).
func (r *Refusal) ProxyStatus() string {
	return fmt.Sprintf("%s; error=%s; details=%q", r.stage(), Lookup(r.Code).ProxyStatus, string(r.Code))
}

func (r *Refusal) stage() string {
	if r.Stage == "" {
		return "bottle"
	}
	return r.Stage
}

// Payload is the JSON body of a refusal. Field order is part of the format.
type Payload struct {
	Error PayloadError `json:"error"`
}

// PayloadError is the object inside [Payload].
type PayloadError struct {
	Message   string `json:"message"`
	Type      string `json:"type"`
	Code      Code   `json:"code"`
	Stage     string `json:"stage"`
	Host      string `json:"host"`
	RequestID string `json:"request_id"`
	Retry     bool   `json:"retry"`

	// Of what the scanner found: never the value.
	Rule     string `json:"rule,omitempty"`
	Location string `json:"location,omitempty"`
	Sample   string `json:"sample,omitempty"`
	Encoding string `json:"encoding,omitempty"`
	Offset   *int64 `json:"offset,omitempty"`
}

// PayloadType is the type field of every refusal's body.
const PayloadType = "bottle_refused"

func (r *Refusal) payload() PayloadError {
	return PayloadError{
		r.stage() + ": " + r.Message, PayloadType, r.Code, r.stage(), r.Host, r.RequestID, Lookup(r.Code).Retry,
		r.Rule, r.Location, r.Sample, r.Encoding, r.Offset,
	}
}

// Body returns the body in the refusal's form, with a line end.
func (r *Refusal) Body() []byte {
	var body any = Payload{r.payload()}
	if r.Form != Nested {
		text := fmt.Sprintf("%s (%s, request %s)", r.payload().Message, r.Code, r.RequestID)
		if r.Form == Text {
			return []byte(text + "\n")
		}
		body = map[string]string{"error": text, "message": text}
	}
	b, err := json.Marshal(body)
	if err != nil { // strings and a bool always marshal
		panic(err)
	}
	return append(b, '\n')
}

// Frame returns the text of a WebSocket message in the provider's shape, on
// which Codex gives up after one attempt.
func (r *Refusal) Frame() []byte {
	b, err := json.Marshal(struct {
		Type   string       `json:"type"`
		Status int          `json:"status"`
		Error  PayloadError `json:"error"`
	}{"error", http.StatusBadRequest, r.payload()})
	if err != nil {
		panic(err)
	}
	return b
}

// Header sets the headers of the answer.
func (r *Refusal) Header(h http.Header, bodyLen int) {
	h.Set("Content-Type", "application/json")
	if r.Form == Text {
		h.Set("Content-Type", "text/plain; charset=utf-8")
	}
	h.Set("Content-Length", strconv.Itoa(bodyLen))
	h.Set("Proxy-Status", r.ProxyStatus())
	h.Set("Cache-Control", "no-store")
	if r.HTTPStatus() == http.StatusTooManyRequests && r.RetryAfter > 0 {
		secs := int64((r.RetryAfter + time.Second - 1) / time.Second)
		h.Set("Retry-After", strconv.FormatInt(secs, 10))
	}
}

// WriteTo answers w with r, as the whole response.
func (r *Refusal) WriteTo(w http.ResponseWriter) {
	body := r.Body()
	clear(w.Header())
	r.Header(w.Header(), len(body))
	w.WriteHeader(r.HTTPStatus())
	w.Write(body)
}

// WriteRaw writes r as a complete HTTP/1.1 response with Connection: close,
// for connections that no http.Server serves.
func (r *Refusal) WriteRaw(w io.Writer) error {
	body := r.Body()
	h := http.Header{"Connection": {"close"}}
	r.Header(h, len(body))
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", r.HTTPStatus(), http.StatusText(r.HTTPStatus()))
	if err := h.Write(&b); err != nil {
		return err
	}
	b.WriteString("\r\n")
	b.Write(body)
	_, err := io.WriteString(w, b.String())
	return err
}

// Parse reads a refusal out of another stage's answer, so that it can be
// passed on with its code instead of being hidden behind "next hop refused".
// It returns nil if body is not one.
func Parse(body []byte) *Refusal {
	var p Payload
	if json.Unmarshal(body, &p) != nil || p.Error.Type != PayloadType {
		return nil
	}
	if _, known := byCode[p.Error.Code]; !known {
		return nil
	}
	msg := strings.TrimPrefix(p.Error.Message, p.Error.Stage+": ")
	e := p.Error
	return &Refusal{
		Code: e.Code, Message: msg, Host: e.Host, Stage: e.Stage, RequestID: e.RequestID,
		Rule: e.Rule, Location: e.Location, Sample: e.Sample, Encoding: e.Encoding, Offset: e.Offset,
	}
}

// LogValue is how a refusal stands in a log.
func (r *Refusal) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("code", string(r.Code)),
		slog.Int("status", r.HTTPStatus()),
		slog.String("host", r.Host),
		slog.String("request_id", r.RequestID),
		slog.String("message", r.Message),
	}
	if r.Cause != nil {
		attrs = append(attrs, slog.String("cause", r.Cause.Error()))
	}
	return slog.GroupValue(attrs...)
}
