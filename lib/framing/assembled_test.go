package framing

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Fragments of requests, sound and not; a random fuzzer rarely finds them.
var (
	methods = []string{"GET", "POST", "PUT", "OPTIONS", "CONNECT", "HEAD", "M-SEARCH", "G@T", ""}
	targets = []string{"/", "/a?b=%zz", "/%41", "/%4", "*", "http://b.example/", "http://b.example:80?x", "http://u:p@b.example/",
		"http://b%41.example/", "http://[::1]:8/", "http://a#b/", "https:opaque", "a.example:443", "[::1]:443", "//a/b", "/\xff", "?", "/a b"}
	versions = []string{" HTTP/1.1", " HTTP/1.1", " HTTP/1.1", " HTTP/1.0", " HTTP/1.2", " HTTP/2.0", ""}
	lineEnds = []string{"\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r\r\n", "\r\n ", " \r\n"}
	fields   = []string{"Host: a.example", "Host: a.example", "Host:", "Host: a/b", "Content-Length: 5", "Content-Length: 0", "content-length:5 ",
		"Content-Length: 5, 5", "Content-Length: 99999999999999999999", "Transfer-Encoding: chunked", "transfer-encoding:\tCHUNKED",
		"Transfer-Encoding: gzip", "Transfer-Encoding : chunked", "Connection: keep-alive", "Connection: close", "Connection: Upgrade",
		"Upgrade: h2c", "Trailer: X", "Trailer: Content-Length", "A: \t b", "A: b\x00", "\xc3: b", "Expect: 100-continue", "A:", " folded"}
	payloads = []string{"", "hello", "5\r\nhello\r\n0\r\n\r\n", "5;x=\"y\"\r\nhello\r\n0\r\nA: b\r\n\r\n", "0\r\n\r\n", "5\nhello\r\n0\r\n\r\n",
		"5 \r\nhello\r\n0\r\n\r\n", "0\r\nContent-Length: 5\r\n\r\n", "0005\r\nhello\r\n00\r\n\r\n", "5\r\nhello!\r\n0\r\n\r\n", "fffffffffffffffff\r\n", "\r\n"}
)

func assemble(r *rand.Rand) []byte {
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	// most picks are sound, or nothing would pass
	often := func(sound string, from []string) string {
		if r.IntN(4) > 0 {
			return sound
		}
		return pick(from)
	}
	var b strings.Builder
	for range 1 + r.IntN(4) {
		b.WriteString(often("POST", methods) + " " + often("/p", targets) + often(" HTTP/1.1", versions) + often("\r\n", lineEnds))
		b.WriteString(often("Host: a.example", fields) + often("\r\n", lineEnds))
		for range r.IntN(3) {
			b.WriteString(pick(fields) + often("\r\n", lineEnds))
		}
		b.WriteString("\r\n" + pick(payloads))
	}
	return []byte(b.String())
}

func TestAgreesWithNetHTTPOnAssembledStreams(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	codes := map[string]int{}
	for range 3_000 {
		if v := agrees(t, assemble(r), uint8(r.IntN(256))); v != nil {
			codes[v.Code]++
		} else {
			codes["passed"]++
		}
	}
	for _, code := range []string{"passed", FramingConflict, DuplicateHost, MalformedHead, BadChunk} {
		require.Greater(t, codes[code], 20, codes)
	}
}

// The server must never answer by itself: every response to a guarded stream
// comes from the handler.
func TestServerNeverAnswersByItself(t *testing.T) {
	conns := make(chan net.Conn)
	server := &http.Server{
		DisableGeneralOptionsHandler: true,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("From-Handler", "yes")
			if r.Method == http.MethodConnect {
				w.WriteHeader(http.StatusForbidden) // a 2xx would open a tunnel
			}
			io.Copy(io.Discard, r.Body)
		}),
	}
	l := &chanListener{conns: conns, done: make(chan struct{})}
	go server.Serve(l)
	defer server.Close()
	r := rand.New(rand.NewPCG(3, 4))
	responses := 0
	for range 1_000 {
		input := assemble(r)
		s := &closing{script: script{input: bytes.Clone(input), piece: 1 + r.IntN(100)}, closed: make(chan struct{})}
		conns <- NewConn(s, Limits{})
		<-s.closed
		br := bufio.NewReader(&s.wrote)
		for {
			resp, err := http.ReadResponse(br, nil)
			if err != nil {
				require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%q", input)
				break
			}
			if resp.StatusCode == http.StatusContinue {
				continue
			}
			responses++
			require.Equal(t, "yes", resp.Header.Get("From-Handler"), "%q", input)
			if resp.Request = nil; resp.ContentLength > 0 {
				_, err = io.Copy(io.Discard, resp.Body)
				require.NoError(t, err)
			}
		}
	}
	require.Greater(t, responses, 1_000)
}

// closing is a script that tells when it is closed. Like any net.Conn it may
// be closed twice, by the server and by the connection's own goroutine.
type closing struct {
	script
	once   sync.Once
	closed chan struct{}
}

func (c *closing) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

// chanListener accepts what it is sent.
type chanListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *chanListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *chanListener) Close() error {
	close(l.done)
	return nil
}

func (l *chanListener) Addr() net.Addr { return &net.TCPAddr{} }
