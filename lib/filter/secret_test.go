package filter_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"bottle/lib/audit"
	"bottle/lib/refusal"
)

var filler = strings.Repeat("harmless words of an agent at work, ", 3000) // over 100 kB

func encode(t *testing.T, text string, codings ...string) []byte {
	t.Helper()
	data := []byte(text)
	for _, coding := range codings {
		var b bytes.Buffer
		var w io.WriteCloser
		var err error
		switch coding {
		case "gzip":
			w = gzip.NewWriter(&b)
		case "deflate":
			w = zlib.NewWriter(&b)
		case "bare deflate":
			w, err = flate.NewWriter(&b, 6)
		case "br":
			w = brotli.NewWriterLevel(&b, 5)
		case "zstd":
			w, err = zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
		}
		require.NoError(t, err)
		w.Write(data)
		require.NoError(t, w.Close())
		data = b.Bytes()
	}
	return data
}

// carriers put a secret into a request in every way that is judged before the
// first byte leaves.
var carriers = []struct {
	name, where, location string // in message and record
	make                  func(t *testing.T, s string) *http.Request
}{
	{"header value", "header", "header X-Note", func(t *testing.T, s string) *http.Request {
		return request(t, "GET", "https://origin.test/", nil, "X-Note", "see "+s+" there")
	}},
	{"second value of a header", "header", "header X-Note", func(t *testing.T, s string) *http.Request {
		req := request(t, "GET", "https://origin.test/", nil)
		req.Header["X-Note"] = []string{"first", s}
		return req
	}},
	{"header name", "header", "the name of a header", func(t *testing.T, s string) *http.Request {
		return request(t, "GET", "https://origin.test/", nil, s, "1")
	}},
	{"method", "method", "the method", func(t *testing.T, s string) *http.Request {
		return request(t, s, "https://origin.test/", nil)
	}},
	{"name of a trailer", "trailer", "the name of a trailer", func(t *testing.T, s string) *http.Request {
		req := request(t, "POST", "https://origin.test/", unsized(strings.NewReader("harmless")))
		req.Trailer = http.Header{http.CanonicalHeaderKey(s): {"1"}}
		return req
	}},
	{"authorization", "header", "header Authorization", func(t *testing.T, s string) *http.Request {
		return request(t, "GET", "https://origin.test/", nil, "Authorization", "Bearer "+s)
	}},
	{"user agent", "header", "header User-Agent", func(t *testing.T, s string) *http.Request {
		return request(t, "GET", "https://origin.test/", nil, "User-Agent", "agent/1.0 ("+s+")")
	}},
	{"cookie", "header", "cookie b", func(t *testing.T, s string) *http.Request {
		return request(t, "GET", "https://origin.test/", nil, "Cookie", "a=1; b="+s)
	}},
	{"path", "URL", "URL path", func(t *testing.T, s string) *http.Request {
		return request(t, "GET", "https://origin.test/a/"+s+"/b", nil)
	}},
	{"query", "URL", "query parameter q", func(t *testing.T, s string) *http.Request {
		return request(t, "GET", "https://origin.test/?q="+s, nil)
	}},
	{"percent-encoded path", "URL", "URL path", func(t *testing.T, s string) *http.Request {
		req := request(t, "GET", "https://origin.test/", nil)
		req.URL.Opaque = "//origin.test/" + percent(s)
		return req
	}},
	{"percent-encoded query", "URL", "query parameter q", func(t *testing.T, s string) *http.Request {
		return request(t, "GET", "https://origin.test/?q="+percent(s), nil)
	}},
	{"body", "body", "body json path key", func(t *testing.T, s string) *http.Request {
		return request(t, "POST", "https://origin.test/", strings.NewReader(`{"key":"`+s+`"}`))
	}},
	{"body of exactly the secret", "body", "body", func(t *testing.T, s string) *http.Request {
		return request(t, "POST", "https://origin.test/", strings.NewReader(s))
	}},
	{"body of a GET", "body", "body", func(t *testing.T, s string) *http.Request {
		return request(t, "GET", "https://origin.test/", strings.NewReader(s))
	}},
	{"body, identity", "body", "body", func(t *testing.T, s string) *http.Request {
		return request(t, "POST", "https://origin.test/", strings.NewReader(s), "Content-Encoding", "identity")
	}},
	{"large body", "body", "body", func(t *testing.T, s string) *http.Request {
		return request(t, "POST", "https://origin.test/", strings.NewReader(filler+s+" "+filler))
	}},
	{"gzip", "body", "body", func(t *testing.T, s string) *http.Request {
		return request(t, "POST", "https://origin.test/", bytes.NewReader(encode(t, filler+s+" "+filler, "gzip")), "Content-Encoding", "gzip")
	}},
	{"gzip in chunks", "body", "body", func(t *testing.T, s string) *http.Request {
		return request(t, "POST", "https://origin.test/", unsized(bytes.NewReader(encode(t, filler+s+" "+filler, "gzip"))), "Content-Encoding", "gzip")
	}},
	{"x-gzip in odd case", "body", "body", func(t *testing.T, s string) *http.Request {
		return request(t, "POST", "https://origin.test/", bytes.NewReader(encode(t, filler+s, "gzip")), "Content-Encoding", "X-GZip")
	}},
	{"deflate", "body", "body", func(t *testing.T, s string) *http.Request {
		return request(t, "POST", "https://origin.test/", bytes.NewReader(encode(t, filler+s+" "+filler, "deflate")), "Content-Encoding", "deflate")
	}},
	{"bare deflate", "body", "body", func(t *testing.T, s string) *http.Request {
		return request(t, "POST", "https://origin.test/", bytes.NewReader(encode(t, filler+s+" "+filler, "bare deflate")), "Content-Encoding", "deflate")
	}},
	{"zstd", "body", "body", func(t *testing.T, s string) *http.Request {
		return request(t, "POST", "https://origin.test/", bytes.NewReader(encode(t, filler+s+" "+filler, "zstd")), "Content-Encoding", "zstd")
	}},
	{"stacked", "body", "body", func(t *testing.T, s string) *http.Request {
		return request(t, "POST", "https://origin.test/", bytes.NewReader(encode(t, filler+s+" "+filler, "gzip", "zstd")), "Content-Encoding", "gzip, zstd")
	}},
	{"stacked in two fields", "body", "body", func(t *testing.T, s string) *http.Request {
		req := request(t, "POST", "https://origin.test/", bytes.NewReader(encode(t, filler+s+" "+filler, "zstd", "gzip")))
		req.Header["Content-Encoding"] = []string{"zstd", "gzip"}
		return req
	}},
	{"second gzip member", "body", "body", func(t *testing.T, s string) *http.Request {
		return request(t, "POST", "https://origin.test/", bytes.NewReader(append(encode(t, "first", "gzip"), encode(t, filler+s, "gzip")...)), "Content-Encoding", "gzip")
	}},
	{"name in a gzip header", "body", "body", func(t *testing.T, s string) *http.Request {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		w.Name = s
		io.WriteString(w, "harmless")
		require.NoError(t, w.Close())
		return request(t, "POST", "https://origin.test/", &b, "Content-Encoding", "gzip")
	}},
	{"skippable zstd frame", "body", "body", func(t *testing.T, s string) *http.Request {
		frame := binary.LittleEndian.AppendUint32(nil, 0x184D2A50)
		frame = binary.LittleEndian.AppendUint32(frame, uint32(len(s)))
		frame = append(append(frame, s...), encode(t, "harmless", "zstd")...)
		return request(t, "POST", "https://origin.test/", bytes.NewReader(frame), "Content-Encoding", "zstd")
	}},
	{"trailer of a compressed body", "trailer", "trailer X-Sum", func(t *testing.T, s string) *http.Request {
		req := request(t, "POST", "https://origin.test/", unsized(bytes.NewReader(encode(t, filler, "gzip"))), "Content-Encoding", "gzip")
		req.Trailer = http.Header{"X-Sum": {s}}
		return req
	}},
}

func percent(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02x", s[i])
	}
	return b.String()
}

func TestSecretIsRefusedBeforeAByteLeaves(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		t.Run("http2="+strconv.FormatBool(http2), func(t *testing.T) {
			w := newWorld(t, allowed, nil)
			c := w.client(http2)
			for i, tc := range carriers {
				if http2 && tc.name == "percent-encoded path" {
					continue // net/http's client sends an opaque URL by HTTP/1.1 only
				}
				s := w.secret(tc.name)
				if tc.name == "method" {
					// The log shows a method's beginning, whatever it is.
					w.secrets = w.secrets[:len(w.secrets)-1]
				}
				if strings.Contains(tc.name, "name") {
					w.mustKeep(http.CanonicalHeaderKey(s))
					w.mustKeep(strings.ToLower(s))
				}
				e := w.refused(c, tc.make(t, s), 403, refusal.SecretInRequest)
				require.Contains(t, e.Message, "request "+tc.where+" contains secret: "+gitlab, tc.name)
				require.Equal(t, "origin.test:443", e.Host, tc.name)
				found := w.records(i+1-skipped(http2, i), isRefused)
				r := found[len(found)-1]
				require.Equal(t, "secret_in_request", r.Code, tc.name)
				require.Equal(t, gitlab, r.Rule, tc.name)
				require.Equal(t, tc.location, r.Location, tc.name)
				require.Equal(t, tc.location, e.Location, tc.name)
				require.Equal(t, gitlab, e.Rule, tc.name)
				require.Equal(t, "glpa…", e.Sample, tc.name)
				require.Equal(t, tc.where == "body", e.Offset != nil, tc.name)
				require.Equal(t, 403, r.Status, tc.name)
				require.Equal(t, e.RequestID, r.RequestID, tc.name)
				require.Zero(t, r.Up, tc.name)
			}
			require.Zero(t, w.requests.Load())
			require.Zero(t, w.accepts.Load(), "nothing is dialled for a refused request")
			w.works()
		})
	}
}

func skipped(http2 bool, i int) int {
	n := 0
	for _, tc := range carriers[:i] {
		if http2 && tc.name == "percent-encoded path" {
			n++
		}
	}
	return n
}

func TestProviderHostRefusesWithItsOwnStatus(t *testing.T) {
	w := newWorld(t, allowed, nil)
	c := w.client(false)
	w.refused(c, request(t, "POST", "https://provider.test/", strings.NewReader(w.secret("a"))), 400, refusal.SecretInRequest)
	w.refused(c, request(t, "POST", "https://provider.test/", unsized(strings.NewReader(filler+w.secret("b")))), 400, refusal.SecretInRequest)
	w.refused(c, request(t, "POST", "https://provider.test/", strings.NewReader("x"), "Content-Encoding", "br"), 400, refusal.UndecodableBody)
	for _, r := range w.records(3, isRefused) {
		require.Equal(t, 400, r.Status)
	}
}

// What flows lets the clean part through, and no byte of the secret.
func TestSecretInAFlowingBodyIsCutOff(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		for _, sized := range []bool{false, true} {
			t.Run(fmt.Sprintf("http2=%v,sized=%v", http2, sized), func(t *testing.T) {
				got := make(chan []byte, 1)
				clean := make(chan struct{})
				prefix := strings.Repeat("clean ", 300<<10/6*4) // 1.2 MiB
				w := newWorld(t, allowed, func(rw http.ResponseWriter, req *http.Request) {
					head := make([]byte, len(prefix)-64<<10)
					_, err := io.ReadFull(req.Body, head)
					if err == nil {
						close(clean)
					}
					rest, err := io.ReadAll(req.Body)
					if err == nil {
						t.Error("the body seems complete to the origin")
					}
					got <- append(head, rest...)
				})
				s := w.secret("")
				pr, pw := io.Pipe()
				go func() {
					io.WriteString(pw, prefix)
					<-clean // while the body is still being sent
					io.WriteString(pw, s[:9])
					io.WriteString(pw, s[9:])
					io.WriteString(pw, " and more\n")
					pw.Close()
				}()
				req := request(t, "POST", "https://origin.test/", pr)
				if sized {
					req.ContentLength = int64(len(prefix) + len(s) + len(" and more\n"))
				}
				e := w.refused(w.client(http2), req, 403, refusal.SecretInRequest)
				require.Contains(t, e.Message, "body")
				body := receive(t, got, "the origin's view")
				require.True(t, strings.HasPrefix(prefix, string(body)), "only clean bytes arrived")
				r := w.records(1, isRefused)[0]
				require.Equal(t, gitlab, r.Rule)
				require.Equal(t, "body", r.Location)
			})
		}
	}
}

func TestSecretAtTheVeryEndOfAFlowingBody(t *testing.T) {
	w := newWorld(t, allowed, func(rw http.ResponseWriter, req *http.Request) { io.Copy(io.Discard, req.Body) })
	for i, tail := range []string{"", "\n"} {
		w.refused(w.client(i == 0), request(t, "POST", "https://origin.test/", unsized(strings.NewReader(filler+w.secret(tail)+tail))), 403, refusal.SecretInRequest)
	}
}

func TestSecretInATrailerIsCutOff(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		w := newWorld(t, allowed, func(rw http.ResponseWriter, req *http.Request) {
			if _, err := io.Copy(io.Discard, req.Body); err == nil {
				t.Error("the request seems complete to the origin")
			}
		})
		req := request(t, "POST", "https://origin.test/", unsized(strings.NewReader(filler)))
		req.Trailer = http.Header{"X-Sum": {w.secret("")}}
		e := w.refused(w.client(http2), req, 403, refusal.SecretInRequest)
		require.Contains(t, e.Message, "trailer")
		r := w.records(1, isRefused)[0]
		require.Equal(t, "trailer X-Sum", r.Location)
		require.Equal(t, gitlab, r.Rule)
	}
}

func TestWhatCannotBeReadIsRefused(t *testing.T) {
	w := newWorld(t, allowed, nil)
	whole := encode(t, filler, "gzip")
	huge := make([]byte, 16<<20+1)
	for _, tc := range []struct {
		name, coding string
		body         io.Reader
		code         refusal.Code
	}{
		{"brotli", "br", strings.NewReader("x"), refusal.UndecodableBody},
		{"unknown", "x-own", strings.NewReader("x"), refusal.UndecodableBody},
		{"no token", "gzip; q=\"1\"", strings.NewReader("x"), refusal.UndecodableBody},
		{"truncated", "gzip", bytes.NewReader(whole[:len(whole)-5]), refusal.UndecodableBody},
		{"followed by other bytes", "gzip", io.MultiReader(bytes.NewReader(whole), strings.NewReader("more")), refusal.UndecodableBody},
		{"not gzip", "gzip", strings.NewReader(filler), refusal.UndecodableBody},
		{"not zstd", "zstd", strings.NewReader(filler), refusal.UndecodableBody},
		{"bomb", "gzip", bytes.NewReader(encode(t, strings.Repeat("\x00", 8<<20), "gzip")), refusal.DecompressionBomb},
		{"stacked bomb", "gzip, gzip", bytes.NewReader(encode(t, strings.Repeat("\x00", 8<<20), "gzip", "gzip")), refusal.DecompressionBomb},
		{"four codings", "gzip, gzip, gzip, gzip", bytes.NewReader(encode(t, "x", "gzip", "gzip", "gzip", "gzip")), refusal.UndecodableBody},
		{"too large", "gzip", bytes.NewReader(huge), refusal.BodyTooLarge},
		{"too large in chunks", "gzip", unsized(bytes.NewReader(huge)), refusal.BodyTooLarge},
	} {
		e := w.refused(w.client(false), request(t, "POST", "https://origin.test/", tc.body, "Content-Encoding", tc.coding), 403, tc.code)
		require.NotContains(t, e.Message, "EOF", tc.name)
	}
	w.records(12, func(r audit.Record) bool { return isRefused(r) && r.Rule == "" })
	require.Zero(t, w.accepts.Load())
	w.works()
}

func TestMessageDoesNotRepeatASecretThatPosesAsACoding(t *testing.T) {
	w := newWorld(t, allowed, nil)
	s := w.secret("")
	e := w.refused(w.client(false), request(t, "POST", "https://origin.test/", strings.NewReader("x"), "Content-Encoding", s), 403, refusal.SecretInRequest)
	require.Contains(t, e.Message, "header")
}

// A URL's query is split by the origin; the filter reads it as it stands.
func TestSecretInOneOfManyQueryValues(t *testing.T) {
	w := newWorld(t, allowed, nil)
	q := url.Values{"a": {"1"}, "b": {w.secret(""), "x y"}, "c": {"ü"}}
	w.refused(w.client(false), request(t, "GET", "https://origin.test/?"+q.Encode(), nil), 403, refusal.SecretInRequest)
}
