package forward

import (
	"io"
	"net/http"

	"bottle/lib/secret"
)

// Recorder keeps what passes, for somebody who looks for a mistake.
type Recorder interface {
	// Begin is told of a request as it came, whose header and URL it must not
	// keep without a copy. It must be safe for concurrent use.
	Begin(x *Exchange, req *http.Request) Recording
}

// Recording is one exchange. Its methods must not keep what they are given, nor
// wait: the exchange does, meanwhile. Sent and Answered may be called at the same
// time.
type Recording interface {
	// Sent is told of each piece of the request's body that goes on.
	Sent(p []byte)
	// Answer is told the header that the agent gets, and Answered each piece of
	// the body.
	Answer(status int, h http.Header)
	Answered(p []byte)
	// End is called once. secrets are the real credentials that the policy put on
	// the request.
	End(secrets []secret.Value)
}

// recordBody tells rec what is read from body.
type recordBody struct {
	io.ReadCloser
	rec Recording
}

func (b *recordBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.rec.Sent(p[:n])
	return n, err
}
