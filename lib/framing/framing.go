// Package framing guards an HTTP/1 server against requests whose framing
// is ambiguous.
//
// A proxy that decides over requests must be certain where each one ends: a
// request that two parsers cut differently smuggles a second one past the
// first parser's policy (RFC 9112, section 11.2). The server of net/http is
// lenient in some places (it drops Content-Length beside Transfer-Encoding and
// accepts bare line feeds, and a handler cannot tell) and in others answers by
// itself in plain text, or closes without a word. [Conn] sits between the
// network connection and the server, follows the bytes with a strict parser,
// and turns each violation into a request that the server's ordinary handler
// refuses:
//
//	guard := framing.NewConn(c, framing.Limits{})
//	// hand guard to http.Server; then, first thing in its handler:
//	if v := guard.Violation(); v != nil {
//		refuse(w, v.Status(), v.Code, v.Message)
//		return
//	}
//
// Heads are held until they are complete and judged, so no byte of a bad head
// reaches the server. Bodies pass as they arrive, uncopied.
//
// What is refused: Content-Length together with Transfer-Encoding, either of
// them twice, a Content-Length that is not a number, a Transfer-Encoding other
// than chunked or on HTTP/1.0, a CONNECT with a body, two Host fields or none,
// line ends other than CRLF, folded lines, white space before a colon, names
// that are not tokens, control characters, a request line that is not
// METHOD SP target SP HTTP/1.0 or HTTP/1.1, chunks that are not exactly RFC
// 9112, section 7.1, and heads that are too large or too slow.
//
// # Limits
//
// The package judges framing, not meaning: destinations, methods and
// percent-encoding in queries are the handler's. A connection on which HTTP/2
// was negotiated must not be wrapped. One empty line before a request line is
// dropped (RFC 9112, section 2.2); everything else passes unchanged.
//
// A handler must hijack the connection before it answers CONNECT with a 2xx,
// and hijack it after a 101: what follows such an answer is not judged. The
// server of net/http still answers an Expect other than 100-continue (417) by
// itself, and OPTIONS * too unless DisableGeneralOptionsHandler is set.
package framing

import (
	"net/http"
	"time"
)

// Defaults for the zero [Limits].
const (
	DefaultMaxHeadBytes = 64 << 10
	DefaultHeadTimeout  = 10 * time.Second
)

// Limits bounds the head of one request.
type Limits struct {
	// MaxHeadBytes is the longest head in bytes, request line and final
	// empty line included. Zero means [DefaultMaxHeadBytes].
	// http.Server.MaxHeaderBytes must not be smaller, or the server answers
	// by itself.
	MaxHeadBytes int

	// HeadTimeout is the longest time from the first byte of a head to its
	// last. Zero means [DefaultHeadTimeout], a negative value no limit. The
	// time before the first byte is not counted: it belongs to
	// http.Server.IdleTimeout and ReadHeaderTimeout.
	HeadTimeout time.Duration
}

// Codes of a [Violation], as they appear in refusals and audit records.
const (
	FramingConflict = "framing_conflict"
	DuplicateHost   = "duplicate_host"
	MalformedHead   = "malformed_head"
	BadChunk        = "bad_chunk"
	HeaderTooLarge  = "header_too_large"
	HeaderTimeout   = "header_timeout"
)

// Violation says why a request was refused. It is the error of reading a body
// with a malformed chunk.
type Violation struct {
	Code    string
	Message string // one fixed sentence; never holds bytes of the request
}

// Status returns the HTTP status that answers v: 408, 431 or 400.
func (v *Violation) Status() int {
	switch v.Code {
	case HeaderTimeout:
		return http.StatusRequestTimeout
	case HeaderTooLarge:
		return http.StatusRequestHeaderFieldsTooLarge
	}
	return http.StatusBadRequest
}

func (v *Violation) Error() string { return "framing: " + v.Code + ": " + v.Message }

func malformed(message string) *Violation { return &Violation{MalformedHead, message} }
func conflict(message string) *Violation  { return &Violation{FramingConflict, message} }
