package unecho_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"bottle/lib/echo"
	"bottle/lib/secret"
	"bottle/lib/unecho"
)

// real is made of a digest, so that no literal looks like a credential.
var real = "real-" + secret.SHA256("real")[:30]

const longer = "a-dummy-that-is-longer-than-what-it-stands-for-by-far"

func rewriter(t *testing.T, standIn string) *echo.Rewriter {
	v, err := secret.New(real)
	require.NoError(t, err)
	w, err := echo.New([]echo.Credential{{Real: v, StandIn: standIn, Source: "a test"}})
	require.NoError(t, err)
	return w
}

// hits counts by place.
type hits map[unecho.Where]int

func (h hits) hit(where unecho.Where, source string) {
	if source != "a test" {
		panic(source)
	}
	h[where]++
}

// answer reads what an origin sent. The lines of head end with LF.
func answer(t *testing.T, method, head, body string) *http.Response {
	t.Helper()
	text := "HTTP/1.1 " + strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n" + body
	res, err := http.ReadResponse(bufio.NewReader(strings.NewReader(text)), &http.Request{Method: method})
	require.NoError(t, err)
	return res
}

func encode(t *testing.T, coding, text string) string {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch coding {
	case "gzip", "x-gzip":
		w = gzip.NewWriter(&b)
	case "deflate":
		w = zlib.NewWriter(&b)
	case "br":
		w = brotli.NewWriter(&b)
	case "zstd":
		z, err := zstd.NewWriter(&b)
		require.NoError(t, err)
		w = z
	}
	_, err := io.WriteString(w, text)
	require.NoError(t, errors.Join(err, w.Close()))
	return b.String()
}

func length(text string) string { return "Content-Length: " + strconv.Itoa(len(text)) }

func TestCodedBodiesAreDecodedAndCodedAgain(t *testing.T) {
	text := strings.Repeat("some text with "+real+" in it\n", 3000)
	for _, codings := range [][]string{{"gzip"}, {"x-gzip"}, {"deflate"}, {"br"}, {"zstd"}, {"GZIP"}, {"gzip", "br"}, {"zstd", "deflate", "gzip"}} {
		t.Run(strings.Join(codings, ","), func(t *testing.T) {
			body := text
			for _, c := range codings {
				body = encode(t, strings.ToLower(c), body)
			}
			res := answer(t, "GET", "200 OK\nContent-Encoding: "+strings.Join(codings, ", ")+"\n"+length(body)+"\nContent-Digest: sha-256=:AAAA:\nEtag: \"1\"", body)
			h := hits{}
			require.NoError(t, unecho.Response(res, rewriter(t, ""), h.hit))
			require.EqualValues(t, -1, res.ContentLength)
			require.Empty(t, res.Header["Content-Length"])
			require.Empty(t, res.Header["Content-Digest"])
			require.Equal(t, `"1"`, res.Header.Get("Etag"), "it is for the origin")
			plain, err := unecho.Decode(res.Header["Content-Encoding"], iotest.OneByteReader(res.Body))
			require.NoError(t, err)
			got, err := io.ReadAll(plain)
			require.NoError(t, err)
			require.Len(t, got, len(text))
			require.NotContains(t, string(got), real)
			require.Equal(t, 3000, strings.Count(string(got), "some text with "))
			require.Equal(t, hits{unecho.Body: 3000}, h)
		})
	}
}

// A coding that breaks off or is none ends the answer with an error: half of
// an answer must not look whole.
func TestABodyThatIsNotWhatItsCodingSaysFails(t *testing.T) {
	for _, coding := range []string{"gzip", "deflate", "br", "zstd"} {
		whole := encode(t, coding, strings.Repeat("text "+secret.SHA256(coding), 1000)+real)
		for name, body := range map[string]string{"none": "this is text with " + real, "cut": whole[:len(whole)/2]} {
			res := answer(t, "GET", "200 OK\nContent-Encoding: "+coding+"\n"+length(body), body)
			require.NoError(t, unecho.Response(res, rewriter(t, ""), hits{}.hit))
			got, err := io.ReadAll(res.Body)
			require.Error(t, err, "%s, %s", coding, name)
			require.NotContains(t, string(got), real)
		}
		// Nothing at all is what some origins send, and no error.
		res := answer(t, "GET", "200 OK\nContent-Encoding: "+coding+"\n"+length(""), "")
		require.NoError(t, unecho.Response(res, rewriter(t, ""), hits{}.hit))
		got, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.Empty(t, got)
	}
}

func TestLengths(t *testing.T) {
	body := "before " + real + " after"
	for _, tc := range []struct {
		method, status, standIn, coding string
		want                            int // -1: not told
	}{
		{"GET", "200 OK", "", "", len(body)},
		{"GET", "200 OK", "", "identity", len(body)},
		{"GET", "200 OK", longer, "", -1},
		{"GET", "500 No", longer, "", -1},
		{"HEAD", "200 OK", "", "", len(body)},
		{"HEAD", "200 OK", longer, "", -1},
		{"HEAD", "200 OK", "", "gzip", -1},
		{"GET", "304 Not Modified", "", "", len(body)},
		{"GET", "304 Not Modified", longer, "", -1},
		{"GET", "304 Not Modified", "", "br", -1},
	} {
		about := fmt.Sprint(tc)
		head := tc.status + "\n" + length(body)
		if tc.coding != "" {
			head += "\nContent-Encoding: " + tc.coding
		}
		res := answer(t, tc.method, head, body)
		require.NoError(t, unecho.Response(res, rewriter(t, tc.standIn), hits{}.hit), about)
		if tc.want < 0 {
			require.Empty(t, res.Header["Content-Length"], about)
		} else {
			require.Equal(t, []string{strconv.Itoa(tc.want)}, res.Header["Content-Length"], about)
		}
		got, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NotContains(t, string(got), real, about)
		if tc.method == "HEAD" || tc.status[:3] == "304" {
			require.Empty(t, got, about)
		}
	}
	res := answer(t, "GET", "204 No Content\nX: "+real, "")
	require.NoError(t, unecho.Response(res, rewriter(t, longer), hits{}.hit))
	require.Equal(t, longer, res.Header.Get("X"))
}

func TestHeadersAndTheirNames(t *testing.T) {
	res := answer(t, "GET", "200 "+real+"\nLocation: https://x.test/?t="+real+"\nX-"+real+": 1\nX-Harmless: 2\n"+length(""), "")
	h := hits{}
	require.NoError(t, unecho.Response(res, rewriter(t, longer), h.hit))
	require.Equal(t, "200 OK", res.Status)
	require.Equal(t, "https://x.test/?t="+longer, res.Header.Get("Location"))
	require.Equal(t, "2", res.Header.Get("X-Harmless"))
	require.NotContains(t, strings.ToLower(fmt.Sprint(res.Header)), strings.ToLower(real))
	require.Equal(t, hits{unecho.Header: 2}, h)
}

// Two parts could have a credential in two halves, however they were asked for.
func TestPartsOfABody(t *testing.T) {
	for _, head := range []string{
		"206 Partial Content\nContent-Range: bytes 0-9/99", "206 Partial Content\nContent-Encoding: gzip",
		"206 Partial Content\nContent-Type: multipart/byteranges; boundary=x", "226 IM Used\nIM: range",
	} {
		res := answer(t, "GET", head+"\n"+length(real[:9]), real[:9])
		require.ErrorAs(t, unecho.Response(res, rewriter(t, ""), hits{}.hit), new(*unecho.UnreadableError), head)
	}
}

// In these ASCII has other bytes, which nobody searches.
func TestCharacterSets(t *testing.T) {
	for value, readable := range map[string]bool{
		"": true, "application/json": true, "text/html; charset=UTF-8": true, `text/html;charset="utf-8"`: true, "text/plain; charset=iso-8859-1": true,
		"text/plain; charset=Shift_JIS": true, "text/plain; charset=": true, "text/plain; x=utf-16": true,
		"text/plain; charset=UTF-16LE": false, `text/plain;CHARSET="utf-16"`: false, "text/plain; charset=UTF-32": false, "text/plain; charset=utf-7": false,
		"text/plain; charset=IBM037": false, "text/plain; charset=cp1047": false, "text/plain; charset=utf-8; charset=utf-16": false, "text/plain; charset*=utf-16": false,
	} {
		res := answer(t, "GET", "200 OK\nContent-Type: "+value+"\n"+length(real), real)
		err := unecho.Response(res, rewriter(t, ""), hits{}.hit)
		if readable {
			require.NoError(t, err, value)
		} else {
			require.ErrorAs(t, err, new(*unecho.UnreadableError), value)
		}
		head := answer(t, "HEAD", "200 OK\nContent-Type: "+value, "")
		require.NoError(t, unecho.Response(head, rewriter(t, ""), hits{}.hit), "nothing to be read")
	}
}

func TestTrailers(t *testing.T) {
	for _, coding := range []string{"", "gzip"} {
		body, head := "body", "200 OK\nTransfer-Encoding: chunked\nTrailer: X-Sum, Repr-Digest, X-"+real
		if coding != "" {
			body, head = encode(t, coding, body), head+"\nContent-Encoding: "+coding
		}
		res := answer(t, "GET", head, fmt.Sprintf("%x\r\n%s\r\n0\r\nX-Sum: %s\r\nRepr-Digest: sha-256=:AAAA:\r\n\r\n", len(body), body, real))
		h := hits{}
		require.NoError(t, unecho.Response(res, rewriter(t, longer), h.hit))
		require.NotContains(t, strings.ToLower(fmt.Sprint(res.Trailer)), strings.ToLower(real), "announced")
		_, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.Equal(t, http.Header{"X-Sum": {longer}}, res.Trailer)
		require.Equal(t, hits{unecho.Trailer: 1}, h)
	}
}

func TestAnswersThatCannotBeRead(t *testing.T) {
	for _, head := range []string{
		"200 OK\nContent-Encoding: compress",
		"200 OK\nContent-Encoding: gzip, " + real,
		"200 OK\nContent-Encoding: gzip, gzip, gzip, gzip",
		"101 Switching Protocols\nConnection: Upgrade\nUpgrade: h2c",
	} {
		err := unecho.Response(answer(t, "GET", head, ""), rewriter(t, ""), hits{}.hit)
		require.ErrorAs(t, err, new(*unecho.UnreadableError), head)
		require.NotContains(t, err.Error(), real)
	}
}

// An event passes when it comes, coded or not.
func TestEventsAreNotHeldUp(t *testing.T) {
	for _, coding := range []string{"", "gzip", "br", "zstd", "deflate"} {
		t.Run("coding "+coding, func(t *testing.T) {
			from, to := io.Pipe()
			res := answer(t, "GET", "200 OK\nContent-Type: text/event-stream\nContent-Encoding: "+coding, "")
			res.Body = from
			require.NoError(t, unecho.Response(res, rewriter(t, ""), hits{}.hit))
			out := io.Reader(res.Body)
			if coding != "" {
				var err error
				out, err = unecho.Decode([]string{coding}, res.Body)
				require.NoError(t, err)
			}
			type flusher interface {
				io.WriteCloser
				Flush() error
			}
			var in flusher
			switch coding {
			case "gzip":
				in = gzip.NewWriter(to)
			case "deflate":
				in = zlib.NewWriter(to)
			case "br":
				in = brotli.NewWriter(to)
			case "zstd":
				z, err := zstd.NewWriter(to)
				require.NoError(t, err)
				in = z
			}
			lines := make(chan string)
			go func() {
				defer close(lines)
				for s := bufio.NewScanner(out); s.Scan(); {
					lines <- s.Text()
				}
			}()
			for i := range 3 {
				event := fmt.Sprintf("data: %d %s\n\n", i, real)
				if in == nil {
					_, err := io.WriteString(to, event)
					require.NoError(t, err)
				} else {
					_, err := io.WriteString(in, event)
					require.NoError(t, errors.Join(err, in.Flush()))
				}
				for range 2 {
					select {
					case line := <-lines:
						require.NotContains(t, line, real)
					case <-time.After(10 * time.Second):
						t.Fatal("the event does not come")
					}
				}
			}
			if in != nil {
				require.NoError(t, in.Close())
			}
			require.NoError(t, to.Close())
			for range lines {
			}
			require.NoError(t, res.Body.Close())
		})
	}
}

// tunnel is a connection after an upgrade: in comes from the origin.
type tunnel struct {
	io.Reader
	bytes.Buffer
}

func (t *tunnel) Read(p []byte) (int, error) { return t.Reader.Read(p) }
func (t *tunnel) Close() error               { return nil }

func TestWebSockets(t *testing.T) {
	upgrade := "101 Switching Protocols\nConnection: Upgrade\nUpgrade: websocket"
	res := answer(t, "GET", upgrade, "")
	text := "hello " + real
	res.Body = &tunnel{Reader: strings.NewReader("\x81" + string(rune(len(text))) + text)}
	h := hits{}
	require.NoError(t, unecho.Response(res, rewriter(t, ""), h.hit))
	got := make([]byte, 2+len(text))
	_, err := io.ReadFull(res.Body, got)
	require.NoError(t, err)
	require.Contains(t, string(got), "hello ")
	require.NotContains(t, string(got), real)
	require.Equal(t, hits{unecho.WebSocket: 1}, h)
	_, err = res.Body.(io.Writer).Write([]byte("what the agent says"))
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())

	res = answer(t, "GET", upgrade+"\nSec-WebSocket-Extensions: x-webkit-scramble", "")
	res.Body = &tunnel{Reader: strings.NewReader("")}
	require.ErrorAs(t, unecho.Response(res, rewriter(t, ""), h.hit), new(*unecho.UnreadableError))
}

func TestOnlyWhatCanBeSearchedIsAskedFor(t *testing.T) {
	req := &http.Request{Header: http.Header{
		"Accept-Encoding": {"dcb, gzip;q=0.5", "*, br"}, "Range": {"bytes=1-2"}, "If-Range": {"x"},
		"Request-Range": {"bytes=1-2"}, "A-Im": {"range"}, "Accept-Charset": {"utf-16"},
		"Sec-Websocket-Extensions": {"x-other, permessage-deflate"},
	}}
	unecho.Request(req)
	require.Equal(t, []string{"gzip;q=0.5, br"}, req.Header["Accept-Encoding"])
	require.NotContains(t, req.Header, "Range")
	for _, name := range []string{"If-Range", "Request-Range", "A-Im", "Accept-Charset"} {
		require.NotContains(t, req.Header, name)
	}
	require.NotContains(t, fmt.Sprint(req.Header["Sec-Websocket-Extensions"]), "x-other")
	req = &http.Request{Header: http.Header{"Accept-Encoding": {"compress"}}}
	unecho.Request(req)
	require.Equal(t, []string{"identity"}, req.Header["Accept-Encoding"])
	req = &http.Request{Header: http.Header{}}
	unecho.Request(req)
	require.Empty(t, req.Header)
}
