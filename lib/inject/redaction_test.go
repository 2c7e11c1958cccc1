package inject_test

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/coder/websocket"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"bottle/lib/audit"
	"bottle/lib/refusal"
	"bottle/lib/secret"
)

const echoRoutes = `
[dummies]
sha256 = ["%s"]
[[route]]
host = "always.test"
auth = { scheme = "Bearer", token_env = "EGRESS_TOKEN_0" }
[[route]]
host = "replace.test"
inject = "replace"
auth = { scheme = "Bearer", token_env = "EGRESS_TOKEN_0" }
[[route]]
host = "status.test"
redact_responses = false
auth = { scheme = "Bearer", token_env = "EGRESS_TOKEN_1" }
[[route]]
host = "open.test"
`

// echoForms are what software makes of a value that it repeats.
func echoForms(v string) map[string]string {
	quoted, _ := json.Marshal("/" + v)
	every := func(format string) string {
		var b strings.Builder
		for i := range len(v) {
			fmt.Fprintf(&b, format, v[i])
		}
		return b.String()
	}
	return map[string]string{
		"plain": v, "JSON": string(quoted), "JSON, all": every(`\u%04x`), "query": url.QueryEscape(v), "percent": every("%%%02x"),
		"twice": url.QueryEscape(every("%%%02X")), "HTML": html.EscapeString(v), "references": every("&#%d;"),
		"hex": hex.EncodeToString([]byte(v)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(v))),
		"base64 0": base64.StdEncoding.EncodeToString([]byte(v)), "base64 1": base64.StdEncoding.EncodeToString([]byte(":" + v + ":")),
		"base64 2": base64.RawURLEncoding.EncodeToString([]byte("::" + v + "::")), "Basic": base64.StdEncoding.EncodeToString([]byte("x-access-token:" + v)),
	}
}

// requireNoEcho is the oracle: no form of value is in what the agent got.
func requireNoEcho(t *testing.T, got, value string) {
	t.Helper()
	for name, form := range echoForms(value) {
		if strings.HasPrefix(name, "base64") || name == "Basic" {
			form = form[4 : len(form)-4] // the ends have bits of what is around
		}
		require.False(t, strings.Contains(strings.ToLower(got), strings.ToLower(form)), "the credential came back: %s", name)
	}
}

func everyForm(v string) string {
	var b strings.Builder
	for name, form := range echoForms(v) {
		fmt.Fprintf(&b, "%s: %s\n", name, form)
	}
	return b.String()
}

// echoOrigin repeats the credential in every way that the path asks for.
func echoOrigin(rw http.ResponseWriter, req *http.Request) {
	value := strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")
	if req.URL.Query().Get("kept") != "" {
		value = realToken // of an earlier request
	}
	h := rw.Header()
	body := "before\n" + everyForm(value) + "after\n"
	switch req.URL.Path {
	case "/headers":
		for name, form := range echoForms(value) {
			h.Add("X-Echo", name+"="+form)
		}
		h.Set("Location", "https://always.test/?token="+url.QueryEscape(value))
		h.Set("Set-Cookie", "session="+value+"; Path=/")
		h["X-"+value] = []string{"in a name"}
		rw.WriteHeader(http.StatusFound)
		return
	case "/early":
		h.Set("Link", "</"+value+">; rel=preload")
		rw.WriteHeader(http.StatusEarlyHints)
		h.Del("Link")
		fmt.Fprint(rw, "done")
		return
	case "/trailers":
		h.Set("Trailer", "X-Announced, Content-Digest")
		fmt.Fprint(rw, body)
		h.Set("X-Announced", value)
		h.Set("Content-Digest", "sha-256=:AAAA:")
		h.Set(http.TrailerPrefix+"X-Sudden", value)
		return
	case "/pieces":
		for i := range len(body) {
			fmt.Fprint(rw, body[i:i+1])
			http.NewResponseController(rw).Flush()
		}
		return
	case "/unknown":
		h.Set("Content-Encoding", "compress")
	case "/partial":
		h.Set("Content-Encoding", "gzip")
		h.Set("Content-Range", "bytes 10-20/100")
		rw.WriteHeader(http.StatusPartialContent)
		body = "not gzip"
	case "/gzip", "/br", "/zstd", "/deflate":
		h.Set("Content-Encoding", req.URL.Path[1:])
		h.Set("Content-Md5", "AAAA")
		body = string(encodeBody(req.URL.Path[1:], body))
	case "/error":
		h.Set("Content-Length", fmt.Sprint(len(body)))
		rw.WriteHeader(http.StatusInternalServerError)
	case "/saw":
		body = fmt.Sprintf("%q %q", req.Header["Range"], req.Header["Accept-Encoding"])
	}
	if req.URL.Query().Get("length") != "" {
		h.Set("Content-Length", fmt.Sprint(len(body)))
	}
	if req.Method != http.MethodHead {
		fmt.Fprint(rw, body)
	}
}

type flusher interface {
	io.WriteCloser
	Flush() error
}

func bodyEncoder(coding string, w io.Writer) flusher {
	switch coding {
	case "gzip":
		return gzip.NewWriter(w)
	case "br":
		return brotli.NewWriter(w)
	case "deflate":
		return zlib.NewWriter(w)
	case "zstd":
		z, _ := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
		return z
	}
	panic(coding)
}

func encodeBody(coding, text string) []byte {
	var b bytes.Buffer
	w := bodyEncoder(coding, &b)
	io.WriteString(w, text)
	w.Close()
	return b.Bytes()
}

func bodyDecoder(t *testing.T, coding string, r io.Reader) io.Reader {
	var err error
	switch coding {
	case "gzip":
		r, err = gzip.NewReader(r)
	case "br":
		r = brotli.NewReader(r)
	case "deflate":
		r, err = zlib.NewReader(r)
	case "zstd":
		var z *zstd.Decoder
		z, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
		r = z
	}
	require.NoError(t, err)
	return r
}

// client is an agent that speaks HTTP/1.1 or 2.
func (w *world) client(http2 bool) *http.Client {
	tr := &http.Transport{Proxy: w.proxyURL, TLSClientConfig: &tls.Config{RootCAs: w.roots}, DisableCompression: true, Protocols: new(http.Protocols)}
	tr.Protocols.SetHTTP1(!http2)
	tr.Protocols.SetHTTP2(http2)
	w.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (w *world) fetch(c *http.Client, method, url string, header ...string) (*http.Response, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, url, nil)
	require.NoError(w.t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := c.Do(req)
	require.NoError(w.t, err)
	b, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	require.NoError(w.t, res.Body.Close())
	if len(w.seen) > 0 {
		<-w.seen
	}
	return res, string(b)
}

func newEchoWorld(t *testing.T) *world {
	return newWorld(t, fmt.Sprintf(echoRoutes, secret.SHA256(dummyToken)), echoOrigin)
}

func TestAnEchoedCredentialDoesNotReachTheAgent(t *testing.T) {
	w := newEchoWorld(t)
	for _, http2 := range []bool{false, true} {
		c := w.client(http2)
		for _, path := range []string{"/headers", "/body", "/pieces", "/trailers", "/error", "/gzip", "/br", "/zstd", "/deflate"} {
			res, body := w.fetch(c, "GET", "https://always.test"+path, "Accept-Encoding", "gzip, br, zstd, deflate")
			if coding := res.Header.Get("Content-Encoding"); coding != "" {
				require.Equal(t, path[1:], coding)
				require.Empty(t, res.Header.Get("Content-Md5"))
				b, err := io.ReadAll(bodyDecoder(t, coding, strings.NewReader(body)))
				require.NoError(t, err)
				body = string(b)
			}
			head := fmt.Sprintf("%v %v", res.Header, res.Trailer)
			requireNoEcho(t, head, realToken)
			requireNoEcho(t, body, realToken)
			if path == "/headers" {
				require.Contains(t, res.Header.Get("Location"), "https://always.test/?token=bottle-redacted-0-")
				require.Contains(t, res.Header.Get("Set-Cookie"), "session=bottle-redacted-0-")
				continue
			}
			require.True(t, strings.HasPrefix(body, "before\n") && strings.HasSuffix(body, "after\n"), body)
			require.Contains(t, body, "plain: bottle-redacted-0-")
			require.Equal(t, len("before\n"+everyForm(realToken)+"after\n"), len(body), "no length changes")
			if path == "/trailers" {
				require.Contains(t, res.Trailer.Get("X-Announced"), "bottle-redacted-0-")
				require.Contains(t, res.Trailer.Get("X-Sudden"), "bottle-redacted-0-")
				require.Empty(t, res.Trailer.Get("Content-Digest"))
			}
		}
	}
}

func TestTheAgentsDummyStandsForTheCredential(t *testing.T) {
	w := newEchoWorld(t)
	c := w.client(false)
	res, body := w.fetch(c, "GET", "https://replace.test/body?length=1", "Authorization", "Bearer "+dummyToken)
	require.Contains(t, body, "plain: "+dummyToken+"\n")
	require.Contains(t, body, "hex: "+hex.EncodeToString([]byte(dummyToken))+"\n")
	require.NotEqual(t, len(dummyToken), len(realToken))
	require.EqualValues(t, -1, res.ContentLength, "the dummy is longer")
	requireNoEcho(t, body, realToken)

	// A request without credential may be answered with what an earlier one brought.
	_, body = w.fetch(c, "GET", "https://replace.test/body?kept=1")
	requireNoEcho(t, body, realToken)

	var echoed []audit.Echo
	for _, r := range w.records(2) {
		if r.Event == audit.EventRequest {
			require.Len(t, r.Echoed, 1)
			echoed = append(echoed, r.Echoed[0])
		}
	}
	want := audit.Echo{Where: "body", Source: echoed[0].Source, Count: len(echoForms(""))}
	require.Equal(t, []audit.Echo{want, want}, echoed)
	require.Contains(t, want.Source, "EGRESS_TOKEN_0")
}

func TestLengthsStayWhereNothingChangesThem(t *testing.T) {
	w := newEchoWorld(t)
	for _, http2 := range []bool{false, true} {
		c := w.client(http2)
		for _, method := range []string{"GET", "HEAD"} {
			res, _ := w.fetch(c, method, "https://always.test/body?length=1")
			require.EqualValues(t, len("before\n"+everyForm(realToken)+"after\n"), res.ContentLength, method)
			res, _ = w.fetch(c, method, "https://always.test/gzip?length=1", "Accept-Encoding", "gzip")
			require.EqualValues(t, -1, res.ContentLength, method)
		}
	}
}

func TestWhatCannotBeSearchedIsNotAskedForAndNotPassedOn(t *testing.T) {
	w := newEchoWorld(t)
	c := w.client(false)
	_, body := w.fetch(c, "GET", "https://always.test/saw", "Range", "bytes=0-3", "Accept-Encoding", "gzip;q=0.5, dcb, compress, *, br")
	require.Equal(t, `[] ["gzip;q=0.5, br"]`, body)
	_, body = w.fetch(c, "GET", "https://open.test/saw", "Range", "bytes=0-3", "Accept-Encoding", "dcb")
	require.Equal(t, `["bytes=0-3"] ["dcb"]`, body)
	for _, path := range []string{"/unknown", "/partial"} {
		res, body := w.fetch(c, "GET", "https://always.test"+path)
		require.Equal(t, http.StatusBadGateway, res.StatusCode, path)
		require.Contains(t, res.Header.Get("Proxy-Status"), refusal.UndecodableAnswer)
		requireNoEcho(t, body, realToken)
	}
}

func TestRedactionCanBeSwitchedOff(t *testing.T) {
	w := newWorld(t, fmt.Sprintf(echoRoutes, secret.SHA256(dummyToken)), func(rw http.ResponseWriter, req *http.Request) {
		rw.Header().Set("Content-Encoding", "compress")
		fmt.Fprint(rw, req.Header["Accept-Encoding"], len(req.Header.Get("Authorization")))
	})
	_, body := w.fetch(w.client(false), "GET", "https://status.test/", "Accept-Encoding", "compress")
	require.Equal(t, fmt.Sprint([]string{"compress"}, len("Bearer "+otherReal)), body)
}

func TestInformationalAnswersAreSearched(t *testing.T) {
	w := newEchoWorld(t)
	c := w.dial()
	fmt.Fprintf(c, "CONNECT always.test:443 HTTP/1.1\r\nHost: always.test:443\r\n\r\n")
	_, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: "CONNECT"})
	require.NoError(t, err)
	tc := tls.Client(c, &tls.Config{ServerName: "always.test", RootCAs: w.roots})
	fmt.Fprintf(tc, "GET /early HTTP/1.1\r\nHost: always.test\r\nConnection: close\r\n\r\n")
	b, err := io.ReadAll(tc)
	require.NoError(t, err)
	require.Contains(t, string(b), "103 Early Hints")
	require.Contains(t, string(b), "Link: </bottle-redacted-0-")
	requireNoEcho(t, string(b), realToken)
}

// Events come when they are sent, whatever the coding, and a credential that is
// spread over two of them waits for its end.
func TestEventsAreNotHeldUp(t *testing.T) {
	next := make(chan struct{})
	w := newWorld(t, fmt.Sprintf(echoRoutes, secret.SHA256(dummyToken)), func(rw http.ResponseWriter, req *http.Request) {
		value := strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")
		rw.Header().Set("Content-Type", "text/event-stream")
		out, flush := io.Writer(rw), func() {}
		if coding := req.Header.Get("Accept-Encoding"); coding != "identity" {
			rw.Header().Set("Content-Encoding", coding)
			enc := bodyEncoder(coding, rw)
			out, flush = enc, func() { enc.Flush() }
			defer enc.Close()
		}
		for _, event := range []string{"data: one " + value + "\n\n", "data: two\n\n", "data: " + value[:20], value[20:] + "\n\n"} {
			io.WriteString(out, event)
			flush()
			http.NewResponseController(rw).Flush()
			<-next
		}
	})
	for _, coding := range []string{"identity", "gzip", "br", "zstd", "deflate"} {
		for _, http2 := range []bool{false, true} {
			req, err := http.NewRequest("GET", "https://always.test/", nil)
			require.NoError(t, err)
			req.Header.Set("Accept-Encoding", coding)
			res, err := w.client(http2).Do(req)
			require.NoError(t, err)
			r := bufio.NewReader(bodyDecoder(t, coding, res.Body))
			for _, want := range []string{"data: one bottle-redacted-0", "data: two"} {
				line, err := r.ReadString('\n')
				require.NoError(t, err, "%s %v", coding, http2)
				require.True(t, strings.HasPrefix(line, want), line)
				line, err = r.ReadString('\n')
				require.NoError(t, err)
				require.Equal(t, "\n", line)
				next <- struct{}{}
			}
			next <- struct{}{}
			line, err := r.ReadString('\n')
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(line, "data: bottle-redacted-0"), line)
			next <- struct{}{}
			_, err = io.ReadAll(r)
			require.NoError(t, err)
			res.Body.Close()
			<-w.seen
		}
	}
}

func TestWebSocketMessagesAreSearched(t *testing.T) {
	w := newWorld(t, fmt.Sprintf(echoRoutes, secret.SHA256(dummyToken)), func(rw http.ResponseWriter, req *http.Request) {
		value := strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")
		mode := websocket.CompressionDisabled
		if req.URL.Path == "/deflate" {
			mode = websocket.CompressionContextTakeover
		}
		rw.Header().Set("X-Echo", value)
		c, err := websocket.Accept(rw, req, &websocket.AcceptOptions{CompressionMode: mode, CompressionThreshold: 1})
		if err != nil {
			return
		}
		for {
			kind, b, err := c.Read(req.Context())
			if err != nil {
				return
			}
			out, _ := c.Writer(req.Context(), kind)
			fmt.Fprintf(out, "%s %s", b, everyForm(value)[:30])
			out.Write([]byte(everyForm(value)))
			out.Close()
			if string(b) == "bye" {
				c.Close(websocket.StatusNormalClosure, "bye "+value)
				return
			}
		}
	})
	for _, path := range []string{"/plain", "/deflate"} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		c, res, err := websocket.Dial(ctx, "wss://always.test"+path, &websocket.DialOptions{HTTPClient: w.client(false), CompressionMode: websocket.CompressionContextTakeover})
		require.NoError(t, err)
		c.SetReadLimit(1 << 20)
		require.Contains(t, res.Header.Get("X-Echo"), "bottle-redacted-0")
		require.Equal(t, path == "/deflate", res.Header.Get("Sec-Websocket-Extensions") != "")
		for _, say := range []string{"hello", "again", strings.Repeat("long ", 5000), "bye"} {
			require.NoError(t, c.Write(ctx, websocket.MessageText, []byte(say)))
			_, b, err := c.Read(ctx)
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(string(b), say+" "))
			require.Contains(t, string(b), "plain: bottle-redacted-0-")
			requireNoEcho(t, string(b), realToken)
		}
		_, _, err = c.Read(ctx)
		var end websocket.CloseError
		require.ErrorAs(t, err, &end)
		require.Contains(t, end.Reason, "bye bottle-redacted-0")
		c.CloseNow()
		<-w.seen
	}
	rs := w.records(2)
	for _, r := range rs {
		if r.Protocol == "websocket" {
			require.Len(t, r.Echoed, 2, "%v", r)
		}
	}
}

func TestOtherBytesAreNotTouched(t *testing.T) {
	text := strings.Repeat("0123456789 \x00\xff{\"a\":\"\\u0041%20\"}", 40_000) + realToken[:len(realToken)-1]
	w := newWorld(t, fmt.Sprintf(echoRoutes, secret.SHA256(dummyToken)), func(rw http.ResponseWriter, req *http.Request) {
		rw.Header()["X-Case"] = []string{"  a, b", ""}
		rw.Header().Set("ETag", `"strong"`)
		rw.Header().Set("Content-Length", fmt.Sprint(len(text)))
		io.WriteString(rw, text)
	})
	res, body := w.fetch(w.client(false), "GET", "https://always.test/")
	require.True(t, text == body)
	require.Equal(t, `"strong"`, res.Header.Get("ETag"))
	require.EqualValues(t, len(text), res.ContentLength)
	require.Empty(t, w.records(1)[0].Echoed)
}
