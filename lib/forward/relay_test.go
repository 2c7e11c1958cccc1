package forward_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/forward"
	"bottle/lib/refusal"
)

// overBoth runs f for agents of each protocol.
func overBoth(t *testing.T, f func(t *testing.T, http2 bool)) {
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) { f(t, p.http2) })
	}
}

// readHead reads a request head as it stands on the wire: its first line, and
// its fields sorted.
func readHead(br *bufio.Reader) (line string, fields []string, err error) {
	tp := textproto.NewReader(br)
	if line, err = tp.ReadLine(); err != nil {
		return "", nil, err
	}
	for {
		field, err := tp.ReadLine()
		if err != nil || field == "" {
			slices.Sort(fields)
			return line, fields, err
		}
		fields = append(fields, field)
	}
}

func TestHeadReachesTheOriginAsItWasSent(t *testing.T) {
	type head struct {
		line   string
		fields []string
	}
	heads := make(chan head, 1)
	w := newWorld(t, allowAll(), http.NotFoundHandler(), rawOrigin(func(c net.Conn) {
		br := bufio.NewReader(c)
		for {
			line, fields, err := readHead(br)
			if err != nil {
				return
			}
			heads <- head{line, fields}
			io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
		}
	}))
	for _, tc := range []struct {
		name, line string
		sent, want []string
	}{
		{"bare", "GET / HTTP/1.1", nil, nil},
		{"query that does not parse", "GET /a?b=%zz;c&&d=%&e HTTP/1.1", nil, nil},
		{"query that is empty", "GET /a? HTTP/1.1", nil, nil},
		{"path with an encoded slash", "GET /a%2Fb%2e/../c//d;e=f HTTP/1.1", nil, nil},
		{"path of sub-delimiters", "GET /a!$&'()*+,;=:@~b HTTP/1.1", nil, nil},
		{"two slashes", "GET //other.test/x HTTP/1.1", nil, nil},
		{"asterisk", "OPTIONS * HTTP/1.1", nil, nil},
		{"unusual method", "PROPFIND / HTTP/1.1", nil, nil},
		{
			"end-to-end fields", "GET / HTTP/1.1",
			[]string{
				"Accept: */*", "Accept: text/html", "Accept-Encoding: gzip, br, zstd", "Authorization: Bearer x", "Cookie: a=b; c=d", "Empty:",
				"Forwarded: for=1.2.3.4", "If-None-Match: \"x\"", "Origin: null", "Range: bytes=0-1", "Te: trailers",
				"User-Agent: agent/1", "Via: 1.1 somebody", "X-Forwarded-For: 1.2.3.4", "X-Forwarded-Host: a", "X-Forwarded-Proto: http", "X-Real-Ip: 1.1.1.1",
			}, nil,
		},
		{
			"hop-by-hop fields", "GET / HTTP/1.1",
			[]string{
				"Connection: keep-alive, X-Hop", "Http2-Settings: AAMAAABkAAQAAP__", "Keep-Alive: timeout=5", "Proxy-Authorization: Basic eA==", "Proxy-Connection: keep-alive",
				"Te: gzip", "Upgrade: h2c", "X-Hop: 1", "X-Not-Hop: 1",
			}, []string{"X-Not-Hop: 1"},
		},
		{"HTTP/1.0", "GET / HTTP/1.0", nil, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := w.tunnel()
			fmt.Fprintf(c, "%s\r\nHost: origin.test\r\n%s\r\n", tc.line, strings.Join(append(tc.sent, ""), "\r\n"))
			got := receive(t, heads, "request")
			want := tc.want
			if want == nil {
				want = tc.sent
			}
			want = append([]string{"Host: origin.test"}, want...)
			slices.Sort(want)
			for i, f := range got.fields {
				got.fields[i] = strings.TrimRight(f, " ") // of an empty value
			}
			require.Equal(t, want, got.fields)
			require.Equal(t, strings.Replace(tc.line, "HTTP/1.0", "HTTP/1.1", 1), got.line)
		})
	}
}

func TestHeadReachesTheAgentAsItWasSent(t *testing.T) {
	answers := make(chan string, 1)
	w := newWorld(t, allowAll(), http.NotFoundHandler(), rawOrigin(func(c net.Conn) {
		br := bufio.NewReader(c)
		for {
			if _, _, err := readHead(br); err != nil {
				return
			}
			io.WriteString(c, <-answers)
		}
	}))
	const date = "Date: Mon, 23 Nov 2026 10:00:00 GMT\r\n"
	for _, tc := range []struct {
		name, method, answer string
		status               int
		body                 string
		header               http.Header // without Date
	}{
		{"a body without a type", "GET", "200 OK\r\nContent-Length: 6\r\n\r\n<html>", 200, "<html>", http.Header{"Content-Length": {"6"}}},
		{"repeated fields", "GET", "200 OK\r\nContent-Length: 0\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nX-Empty:\r\n\r\n", 200, "",
			http.Header{"Content-Length": {"0"}, "Set-Cookie": {"a=b", "c=d"}, "X-Empty": {""}}},
		{"hop-by-hop fields and the way around", "GET", "200 OK\r\nContent-Length: 0\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nAlt-Svc: h3=\":443\"\r\nServer: s\r\n\r\n", 200, "",
			http.Header{"Content-Length": {"0"}, "Server": {"s"}}},
		{"HEAD", "HEAD", "200 OK\r\nContent-Length: 1234\r\nContent-Type: a/b\r\n\r\n", 200, "", http.Header{"Content-Length": {"1234"}, "Content-Type": {"a/b"}}},
		{"204", "GET", "204 No Content\r\nX: 1\r\n\r\n", 204, "", http.Header{"X": {"1"}}},
		{"304", "GET", "304 Not Modified\r\nEtag: \"x\"\r\n\r\n", 304, "", http.Header{"Etag": {`"x"`}}},
		{"an unusual status", "GET", "299 Whatever\r\nContent-Length: 2\r\nContent-Type: a/b\r\n\r\nok", 299, "ok", http.Header{"Content-Length": {"2"}, "Content-Type": {"a/b"}}},
		{"a redirect", "GET", "302 Found\r\nContent-Length: 0\r\nLocation: https://other.test/\r\n\r\n", 302, "", http.Header{"Content-Length": {"0"}, "Location": {"https://other.test/"}}},
		{"401", "GET", "401 Unauthorized\r\nContent-Length: 0\r\nWww-Authenticate: Bearer\r\n\r\n", 401, "", http.Header{"Content-Length": {"0"}, "Www-Authenticate": {"Bearer"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, http2 bool) {
				answers <- "HTTP/1.1 " + strings.Replace(tc.answer, "\r\n", "\r\n"+date, 1)
				req, err := http.NewRequest(tc.method, "https://origin.test/", nil)
				require.NoError(t, err)
				res, err := w.client(http2).Do(req)
				require.NoError(t, err)
				require.Equal(t, tc.body, readAll(t, res))
				require.Equal(t, tc.status, res.StatusCode)
				require.Equal(t, "Mon, 23 Nov 2026 10:00:00 GMT", res.Header.Get("Date"))
				res.Header.Del("Date")
				require.Equal(t, tc.header, res.Header)
			})
		})
	}
}

func TestCodedBodyIsNotTouched(t *testing.T) {
	var coded bytes.Buffer
	z := gzip.NewWriter(&coded)
	z.Write(bytes.Repeat([]byte("text"), 10_000))
	z.Close()
	w := newWorld(t, allowAll(), http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if len(req.Header["Accept-Encoding"]) != 0 {
			panic("Accept-Encoding was added")
		}
		body, _ := io.ReadAll(req.Body)
		if !bytes.Equal(body, coded.Bytes()) || req.Header.Get("Content-Encoding") != "gzip" {
			panic("body was changed")
		}
		rw.Header().Set("Content-Encoding", "gzip")
		rw.Write(coded.Bytes())
	}))
	overBoth(t, func(t *testing.T, http2 bool) {
		req, err := http.NewRequest("POST", "https://origin.test/", bytes.NewReader(coded.Bytes()))
		require.NoError(t, err)
		req.Header.Set("Content-Encoding", "gzip")
		res, err := w.client(http2).Do(req)
		require.NoError(t, err)
		require.Equal(t, coded.String(), readAll(t, res))
		require.Equal(t, "gzip", res.Header.Get("Content-Encoding"))
	})
}

func TestTrailersPassBothWays(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Te") != "trailers" {
			panic("the agent's wish for trailers is lost")
		}
		rw.Header().Set("Trailer", "X-Announced")
		body, _ := io.ReadAll(req.Body)
		rw.Write(body)
		rw.Header().Set("X-Announced", req.Trailer.Get("X-Sum"))
		rw.Header().Set(http.TrailerPrefix+"X-Late", "late")
	}))
	overBoth(t, func(t *testing.T, http2 bool) {
		pr, pw := io.Pipe()
		req, err := http.NewRequest("POST", "https://origin.test/", pr)
		require.NoError(t, err)
		req.Trailer = http.Header{"X-Sum": nil}
		req.Header.Set("Te", "trailers")
		go func() {
			io.WriteString(pw, "body")
			req.Trailer.Set("X-Sum", "abc")
			pw.Close()
		}()
		res, err := w.client(http2).Do(req)
		require.NoError(t, err)
		require.Equal(t, "body", readAll(t, res))
		require.Equal(t, http.Header{"X-Announced": {"abc"}, "X-Late": {"late"}}, res.Trailer)
	})
}

func TestExpectContinueIsTheOriginsToAnswer(t *testing.T) {
	bodyRead := make(chan string, 1)
	w := newWorld(t, allowAll(), http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		switch req.URL.Path {
		case "/read":
			b, _ := io.ReadAll(req.Body)
			bodyRead <- req.Header.Get("Expect") + ": " + string(b)
		case "/401":
			rw.WriteHeader(401)
		case "/417":
			rw.WriteHeader(417)
		}
	}))
	ask := func(http2 bool, path string) (status, continued int, bodyAsked bool) {
		body := &askedBody{Reader: strings.NewReader("the body")}
		req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got100Continue: func() { continued++ },
		}), "POST", "https://origin.test"+path, body)
		require.NoError(t, err)
		req.ContentLength = 8
		req.Header.Set("Expect", "100-continue")
		res, err := w.client(http2).Do(req)
		require.NoError(t, err)
		readAll(t, res)
		return res.StatusCode, continued, body.asked.Load()
	}
	for _, tc := range []struct{ path, status string }{{"/read", "200 1 true"}, {"/401", "401 0 false"}, {"/417", "417 0 false"}} {
		status, continued, asked := ask(false, tc.path)
		require.Equal(t, tc.status, fmt.Sprint(status, continued, asked), tc.path)
	}
	require.Equal(t, "100-continue: the body", receive(t, bodyRead, "body"))

	// The HTTP/2 server of net/http takes the expectation off, so that there the
	// stage itself asks for the body; the final answer is the origin's still.
	status, _, _ := ask(true, "/read")
	require.Equal(t, 200, status)
	require.Equal(t, ": the body", receive(t, bodyRead, "body"))
	status, _, _ = ask(true, "/401")
	require.Equal(t, 401, status)
}

// askedBody knows whether it was read.
type askedBody struct {
	io.Reader
	asked atomic.Bool
}

func (b *askedBody) Read(p []byte) (int, error) {
	b.asked.Store(true)
	return b.Reader.Read(p)
}

func TestEarlyHintsComeBeforeTheAnswer(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		rw.Header().Set("Link", "</style.css>; rel=preload")
		rw.WriteHeader(103)
		rw.Header().Set("X-Final", "1")
		rw.WriteHeader(200)
	}))
	overBoth(t, func(t *testing.T, http2 bool) {
		var hints []string
		req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				hints = append(hints, fmt.Sprint(code, h.Get("Link"), h.Get("X-Final")))
				return nil
			},
		}), "GET", "https://origin.test/", nil)
		require.NoError(t, err)
		res, err := w.client(http2).Do(req)
		require.NoError(t, err)
		readAll(t, res)
		require.Equal(t, []string{"103</style.css>; rel=preload"}, hints)
		require.Equal(t, "1", res.Header.Get("X-Final"))
	})
}

func TestAbsoluteFormIsRelayedInTheClear(t *testing.T) {
	heads := make(chan []string, 1)
	addr := listenLoop(t, func(c net.Conn) {
		line, fields, _ := readHead(bufio.NewReader(c))
		heads <- append([]string{line}, fields...)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	})
	w := newWorld(t, allowAll(), http.HandlerFunc(echo), func(w *world, _ *forward.Options) {
		w.connectTo(":8080:"+addr, ":443:"+w.origin.Listener.Addr().String())
	})
	res := exchange(t, w.dial(), "GET http://Plain.test:8080/x?y HTTP/1.1\r\nHost: other.test\r\nProxy-Authorization: Basic eA==\r\nProxy-Connection: keep-alive\r\n\r\n")
	require.Equal(t, "ok", readAll(t, res))
	require.Equal(t, []string{"GET /x?y HTTP/1.1", "Host: plain.test:8080"}, receive(t, heads, "head"))
	r := w.records(1)[0]
	require.Equal(t, "plain.test:8080", r.Host)
}

func TestOriginThatBreaksIsToldFromOneThatEnds(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/midway" {
			rw.Write([]byte("half"))
			http.NewResponseController(rw).Flush()
		}
		panic(http.ErrAbortHandler)
	}))
	overBoth(t, func(t *testing.T, http2 bool) {
		res, err := w.client(http2).Post("https://origin.test/atonce", "text/plain", strings.NewReader("x"))
		require.NoError(t, err)
		refusalIn(t, res, 502, refusal.OriginClosed)
		res, err = w.client(http2).Get("https://origin.test/midway")
		require.NoError(t, err)
		b, err := io.ReadAll(res.Body)
		res.Body.Close()
		require.Error(t, err, "a cut answer must not look whole")
		require.Equal(t, "half", string(b))
	})
}

func TestAgentThatGoesAwayEndsTheOriginsWork(t *testing.T) {
	gone := make(chan struct{}, 1)
	asked := make(chan struct{}, 1)
	w := newWorld(t, allowAll(), http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		asked <- struct{}{}
		<-req.Context().Done()
		gone <- struct{}{}
	}))
	c := w.tunnel()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n")
	receive(t, asked, "request")
	c.NetConn().Close()
	receive(t, gone, "end of the request's context")

	h2 := w.tunnel("h2")
	newFrames(t, h2).ask(":method= GET", ":scheme= https", ":path= /", ":authority= origin.test")
	receive(t, asked, "request")
	h2.NetConn().Close()
	receive(t, gone, "end of the request's context")
}

func TestOriginMaySpeakHTTP1ToAnAgentThatSpeaksHTTP2(t *testing.T) {
	w := newWorld(t, allowAll(), http.NotFoundHandler(), rawOrigin(func(c net.Conn) {
		if c.(*tls.Conn).ConnectionState().NegotiatedProtocol != "" {
			return
		}
		br := bufio.NewReader(c)
		for {
			req, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			body, _ := io.ReadAll(req.Body)
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		}
	}))
	res, err := w.client(true).Post("https://origin.test/", "text/plain", strings.NewReader("body"))
	require.NoError(t, err)
	require.Equal(t, 2, res.ProtoMajor)
	require.Equal(t, "body", readAll(t, res))
}
