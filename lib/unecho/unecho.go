// Package unecho takes credentials out of an HTTP answer: out of its headers
// and trailers, its body in whatever content coding, and the messages of a
// WebSocket that it accepts. Package echo says in which forms they are found.
//
//	unecho.Request(req) // what could not be searched is not asked for
//	err := unecho.Response(res, rewriter, func(where unecho.Where, source string) { … })
//
// A body flows: what needs no change passes as it came, and nothing waits but
// what may be the beginning of a credential. A coded body is decoded and coded
// again, so its bytes are others, and it says the same.
//
// # Limits
//
// What is compressed or encrypted within a body (archives, messages of gRPC with
// an encoding of their own) is not looked into.
package unecho

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"bottle/lib/echo"
	"bottle/lib/wsframe"
)

// Where says what of an answer repeated a credential.
type Where string

// The parts of an answer.
const (
	Header    Where = "header"
	Body      Where = "body"
	Trailer   Where = "trailer"
	WebSocket Where = "websocket"
)

// Hit is called for each replacement, by the goroutine that reads the answer.
type Hit func(where Where, source string)

func (h Hit) at(where Where) func(string) {
	return func(source string) { h(where, source) }
}

// UnreadableError says that an answer cannot be searched.
type UnreadableError struct{ Reason string }

func (e *UnreadableError) Error() string { return "search answer: " + e.Reason }

// digests are over the bytes of the body or the resource, which change with a
// replacement (RFC 9530, RFC 3230, RFC 1864).
var digests = []string{"Content-Digest", "Repr-Digest", "Digest", "Content-Md5"}

// Response rewrites res, which has a Request. It reads nothing of the body. On
// an [UnreadableError] the answer must not be passed on.
func Response(res *http.Response, w *echo.Rewriter, hit Hit) error {
	res.Status = fmt.Sprintf("%03d %s", res.StatusCode, http.StatusText(res.StatusCode)) // its words are the origin's
	Fields(res.Header, w, hit.at(Header))
	for name := range res.Trailer { // announced, with values to come
		if _, found := inName(name, w); found {
			delete(res.Trailer, name)
		}
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		return upgrade(res, w, hit)
	}
	codings, err := parseCodings(res.Header["Content-Encoding"])
	if err != nil {
		return err
	}
	told, comes := hasBody(res)
	if (len(codings) > 0 || !w.KeepsLength()) && (comes || told) {
		// A length would be that of the body as the origin sends it.
		res.Header.Del("Content-Length")
		res.ContentLength = -1
	}
	if !comes {
		if res.Body != nil { // over HTTP/2 trailers come without content, too
			res.Body = &trailed{res.Body, func() { Fields(res.Trailer, w, hit.at(Trailer)) }}
		}
		return nil
	}
	switch {
	case res.StatusCode == http.StatusPartialContent || res.StatusCode == http.StatusIMUsed:
		// Nobody asked for one in a way that is known here. Another one may have the rest.
		return &UnreadableError{"it is a part or a difference, and another one may have the rest of a credential"}
	case !readableText(res.Header):
		return &UnreadableError{"its character set is not like ASCII"}
	}
	for _, name := range digests {
		delete(res.Header, name)
		delete(res.Trailer, name)
	}
	body := io.ReadCloser(echo.NewReader(res.Body, w, hit.at(Body)))
	if len(codings) > 0 {
		if body, err = recode(res.Body, codings, w, hit.at(Body)); err != nil {
			return err
		}
	}
	res.Body = &trailed{body, func() {
		for _, name := range digests {
			delete(res.Trailer, name)
		}
		Fields(res.Trailer, w, hit.at(Trailer))
	}}
	return nil
}

// hasBody reports whether a body comes with res, or else whether its length is
// told without it.
func hasBody(res *http.Response) (told, comes bool) {
	if res.Request.Method == http.MethodHead || res.StatusCode == http.StatusNotModified {
		return true, false
	}
	return false, res.StatusCode != http.StatusNoContent && res.Body != nil && res.Body != http.NoBody
}

// Fields rewrites the values of h. A field whose name repeats a credential is
// removed: names lose their letter case on the way, so it cannot be told
// exactly, and is taken for one in any case.
func Fields(h http.Header, w *echo.Rewriter, hit func(source string)) {
	for name, values := range h {
		if source, found := inName(name, w); found {
			delete(h, name)
			hit(source)
			continue
		}
		for i, v := range values {
			values[i] = w.String(v, hit)
		}
	}
}

func inName(name string, w *echo.Rewriter) (source string, found bool) {
	if source, found = w.Within(name); !found {
		w.String(name, func(s string) { source, found = s, true })
	}
	return source, found
}

// trailed calls atEnd when the body has been read to its end, which is when
// its trailers are there.
type trailed struct {
	io.ReadCloser
	atEnd func()
}

func (t *trailed) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if err == io.EOF && t.atEnd != nil {
		t.atEnd()
		t.atEnd = nil
	}
	return n, err
}

// upgrade puts the rewriter between the origin and the agent's WebSocket.
func upgrade(res *http.Response, w *echo.Rewriter, hit Hit) error {
	upstream, ok := res.Body.(io.ReadWriteCloser)
	if !ok || !strings.EqualFold(res.Header.Get("Upgrade"), "websocket") {
		return &UnreadableError{"the origin changed to a protocol that is not WebSocket"}
	}
	deflate, err := wsframe.ParseExtensions(res.Header["Sec-Websocket-Extensions"])
	if err != nil {
		return &UnreadableError{"the origin accepted a WebSocket extension that is not permessage-deflate"}
	}
	res.Body = wsframe.Edit(upstream, wsframe.EditOptions{
		Messages: w.NewStream(hit.at(WebSocket)), Control: w.NewStream(hit.at(WebSocket)), Deflate: deflate,
	})
	return nil
}

// Request narrows what req offers and asks for to what can be searched: known
// content codings, no byte ranges (two of them could have a credential in two
// halves), no differences to an earlier answer, no character sets, and no
// WebSocket extension but permessage-deflate.
func Request(req *http.Request) {
	narrowCodings(req.Header)
	for _, name := range []string{
		"Range", "If-Range", "Request-Range", // the last is an old name, which Apache's httpd still knows
		"A-Im", // RFC 3229
		"Accept-Charset",
	} {
		delete(req.Header, name)
	}
	wsframe.NarrowExtensions(req.Header)
}

var errClosed = errors.New("read answer: it is closed")
