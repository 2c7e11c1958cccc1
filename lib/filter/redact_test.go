package filter_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/audit"
	"bottle/lib/decode"
	"bottle/lib/refusal"
)

// redacting is the configuration of tests of what becomes of a match.
const redacting = `
allow = ["origin.test", "provider.test", "*.wild.test"]
[refusal_status]
"provider.test" = 400
[limits]
requests_per_minute = 0
[dlp]
on_match = "redact"
[dlp.hosts]
"provider.test" = "block"
"*.wild.test" = "log"
`

func isMatch(r audit.Record) bool { return r.Event == audit.EventMatch }

// seen is a request as the origin got it.
type seen struct {
	uri     string
	header  http.Header
	body    []byte // with the codings undone
	length  int64  // announced
	sent    []byte
	trailer http.Header
	proto   string
}

// keeper is an origin that shows what it got.
func keeper(got chan<- seen) http.HandlerFunc {
	return func(rw http.ResponseWriter, req *http.Request) {
		sent, err := io.ReadAll(req.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		s := seen{uri: req.RequestURI, header: req.Header.Clone(), sent: sent, length: req.ContentLength, trailer: req.Trailer, proto: req.Proto}
		r, err := decode.Body(strings.Join(req.Header["Content-Encoding"], ","), bytes.NewReader(sent), decode.Limits{})
		if err == nil {
			s.body, err = io.ReadAll(r)
			r.Close()
		}
		if err != nil {
			s.body = []byte("the origin cannot decode the body: " + err.Error())
		}
		got <- s
	}
}

// disguises are how a secret can stand in a JSON string.
var disguises = map[string]func(string) string{
	"plain": func(s string) string { return s },
	"base64": func(s string) string {
		return base64.StdEncoding.EncodeToString([]byte("the key is " + s + " and no more"))
	},
	"base64url": func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte("key: " + s)) },
	"hex":       func(s string) string { return hex.EncodeToString([]byte(s)) },
	"percent":   percent,
	"escapes": func(s string) string {
		var b strings.Builder
		for i := range len(s) {
			fmt.Fprintf(&b, `\u%04x`, s[i])
		}
		return b.String()
	},
	"base64 in base64": func(s string) string {
		return base64.StdEncoding.EncodeToString([]byte("x=" + base64.StdEncoding.EncodeToString([]byte(s)) + ";"))
	},
}

// absent requires that no disguise of s is in text.
func absent(t *testing.T, text []byte, s, why string) {
	t.Helper()
	for name, do := range disguises {
		d := do(s)
		if i := bytes.Index(text, []byte(d)); i >= 0 {
			require.Fail(t, "the secret reached the origin", "%s, %s: %s", why, name, text[max(0, i-100):min(len(text), i+200)])
		}
	}
	require.NotContains(t, string(text), s[6:], why)
}

func TestBodyIsRedactedInEachCodingAndFraming(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		got := make(chan seen, 1)
		w := newWorld(t, redacting, keeper(got))
		c := w.client(http2)
		n := 0
		for _, coding := range []string{"", "identity", "gzip", "deflate", "zstd", "br", "gzip, zstd"} {
			for _, chunked := range []bool{false, true} {
				for name, disguise := range disguises {
					what := fmt.Sprintf("http2 %v, coding %q, chunked %v, %s", http2, coding, chunked, name)
					s := w.secret(what)
					text := `{"messages":[{"role":"user","content":"` + filler[:2000] + " " + disguise(s) + `"}],"more":"` + filler[:500] + `"}`
					require.True(t, json.Valid([]byte(text)))
					sent, err := decode.Encode(coding, []byte(text), nil)
					require.NoError(t, err)
					var body io.Reader = bytes.NewReader(sent)
					if chunked {
						body = unsized(body)
					}
					req := request(t, "POST", "https://origin.test/v1/x", body, "Content-Type", "application/json")
					if coding != "" {
						req.Header.Set("Content-Encoding", coding)
					}
					res, answer := w.do(c, req)
					require.Equal(t, 200, res.StatusCode, "%s: %s", what, answer)
					o := receive(t, got, what)
					absent(t, o.body, s, what)
					absent(t, o.sent, s, what)
					require.True(t, json.Valid(o.body), "%s: %s", what, o.body)
					var v struct {
						Messages []struct{ Content string }
						More     string
					}
					require.NoError(t, json.Unmarshal(o.body, &v), what)
					require.Equal(t, filler[:500], v.More, what)
					require.True(t, strings.HasPrefix(v.Messages[0].Content, filler[:2000]), what)
					if name == "plain" {
						require.Contains(t, string(o.body), "[redacted:gitlab-personal", what) // cut off where the length stays
						if !chunked || coding != "" && coding != "identity" {
							require.Contains(t, string(o.body), "[redacted:"+gitlab+"]", what)
						}
					}
					if name == "base64" {
						decoded, err := base64.StdEncoding.DecodeString(v.Messages[0].Content[2001:])
						require.NoError(t, err, what)
						require.Regexp(t, `^the key is \[redacted:.*\] and no more$`, string(decoded), what)
					}
					if chunked {
						require.Equal(t, int64(-1), o.length, what)
					} else {
						require.Equal(t, int64(len(o.sent)), o.length, what)
					}
					require.Equal(t, http2, o.proto == "HTTP/2.0", what)
					n++
				}
			}
		}
		for _, r := range w.records(n, isMatch) {
			require.Equal(t, gitlab, r.Rule)
			require.Equal(t, "redact", r.Action)
			require.Equal(t, "allow", r.Decision)
			require.Equal(t, "glpa…", r.Sample)
			require.Equal(t, 1, r.Count)
			require.True(t, strings.HasPrefix(r.Location, "body"), r.Location)
			require.NotEmpty(t, r.RequestID)
		}
		w.works2(got)
	}
}

// works2 is works for a keeper.
func (w *world) works2(got <-chan seen) {
	w.works()
	receive(w.t, got, "the ordinary request")
}

func TestHeadIsRedacted(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		got := make(chan seen, 1)
		w := newWorld(t, redacting, keeper(got))
		c := w.client(http2)
		for _, tc := range []struct {
			location string
			make     func(s string) *http.Request
			check    func(o seen)
		}{
			{"header X-Note", func(s string) *http.Request {
				return request(t, "GET", "https://origin.test/", nil, "X-Note", "see "+s+" there")
			}, func(o seen) { require.Equal(t, "see [redacted:"+gitlab+"] there", o.header.Get("X-Note")) }},
			{"header User-Agent", func(s string) *http.Request {
				return request(t, "GET", "https://origin.test/", nil, "User-Agent", "agent/1.0 ("+s+")")
			}, func(o seen) { require.Equal(t, "agent/1.0 ([redacted:"+gitlab+"])", o.header.Get("User-Agent")) }},
			{"header X-Note", func(s string) *http.Request {
				req := request(t, "GET", "https://origin.test/", nil)
				req.Header["X-Note"] = []string{"first", s, "last"}
				return req
			}, func(o seen) {
				require.Equal(t, []string{"first", "[redacted:" + gitlab + "]", "last"}, o.header["X-Note"])
			}},
			{"URL path", func(s string) *http.Request {
				return request(t, "GET", "https://origin.test/a%2Fb/"+s+"/c?x=1&y=%20", nil)
			}, func(o seen) {
				require.Equal(t, "/a%2Fb/%5Bredacted%3A"+gitlab+"%5D/c?x=1&y=%20", o.uri)
			}},
			{"query parameter q", func(s string) *http.Request {
				return request(t, "GET", "https://origin.test/?a=1&q="+percent(s)+"&b=2", nil)
			}, func(o seen) {
				u, err := url.ParseRequestURI(o.uri)
				require.NoError(t, err)
				require.Equal(t, url.Values{"a": {"1"}, "q": {"[redacted:" + gitlab + "]"}, "b": {"2"}}, u.Query())
			}},
			{"trailer X-Sum", func(s string) *http.Request {
				req := request(t, "POST", "https://origin.test/", unsized(strings.NewReader("harmless")))
				req.Trailer = http.Header{"X-Sum": {s}}
				return req
			}, func(o seen) { require.Equal(t, "[redacted:"+gitlab+"]", o.trailer.Get("X-Sum")) }},
			{"trailer X-Sum", func(s string) *http.Request {
				req := request(t, "POST", "https://origin.test/", unsized(bytes.NewReader(encode(t, filler, "gzip"))), "Content-Encoding", "gzip")
				req.Trailer = http.Header{"X-Sum": {"a " + s}}
				return req
			}, func(o seen) { require.Equal(t, "a [redacted:"+gitlab+"]", o.trailer.Get("X-Sum")) }},
		} {
			s := w.secret(tc.location + fmt.Sprint(w.requests.Load()))
			res, answer := w.do(c, tc.make(s))
			require.Equal(t, 200, res.StatusCode, answer)
			tc.check(receive(t, got, tc.location))
			matches := w.records(int(w.requests.Load()), isMatch)
			require.Equal(t, tc.location, matches[len(matches)-1].Location)
		}
		w.works2(got)
	}
}

// What cannot be replaced is refused, with why.
func TestRedactRefusesWhatItCannotReplace(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		w := newWorld(t, redacting, nil)
		c := w.client(http2)
		post := func(s string, headers ...string) *http.Request {
			return request(t, "POST", "https://origin.test/", strings.NewReader(`{"key":"`+s+`"}`), headers...)
		}
		sigv4 := "AWS4-HMAC-SHA256 Credential=AK/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00"
		for i, tc := range []struct {
			name string
			code refusal.Code
			make func(s string) *http.Request
		}{
			{"authorization", refusal.SecretInRequest, func(s string) *http.Request { return post("x", "Authorization", "Bearer "+s) }},
			{"basic", refusal.SecretInRequest, func(s string) *http.Request {
				return post("x", "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("user:"+s)))
			}},
			{"cookie", refusal.SecretInRequest, func(s string) *http.Request { return post("x", "Cookie", "session="+s) }},
			{"api key", refusal.SecretInRequest, func(s string) *http.Request { return post("x", "X-Api-Key", s) }},
			{"header name", refusal.SecretInRequest, func(s string) *http.Request { return post("x", s, "1") }},
			{"method", refusal.SecretInRequest, func(s string) *http.Request {
				w.secrets = w.secrets[:len(w.secrets)-1] // the log shows a method's beginning
				return request(t, s, "https://origin.test/", nil)
			}},
			{"trailer name", refusal.SecretInRequest, func(s string) *http.Request {
				req := request(t, "POST", "https://origin.test/", unsized(strings.NewReader("harmless")))
				req.Trailer = http.Header{http.CanonicalHeaderKey(s): {"1"}}
				return req
			}},
			{"sigv4", refusal.SecretInSigned, func(s string) *http.Request {
				return post(s, "Authorization", sigv4, "X-Amz-Content-Sha256", strings.Repeat("0", 64))
			}},
			{"sigv4 without the hash", refusal.SecretInSigned, func(s string) *http.Request { return post(s, "Authorization", sigv4) }},
			{"sigv4, header", refusal.SecretInSigned, func(s string) *http.Request {
				return post("x", "Authorization", sigv4, "X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD", "X-Note", s)
			}},
			{"message signature", refusal.SecretInSigned, func(s string) *http.Request {
				return post(s, "Signature-Input", `sig1=("content-digest")`, "Signature", "sig1=:AA==:")
			}},
			{"webhook", refusal.SecretInSigned, func(s string) *http.Request { return post(s, "X-Hub-Signature-256", "sha256=00") }},
			{"stripe", refusal.SecretInSigned, func(s string) *http.Request { return post(s, "Stripe-Signature", "t=1,v1=00") }},
			{"x-signature", refusal.SecretInSigned, func(s string) *http.Request { return post(s, "X-Signature", "00") }},
			{"presigned URL", refusal.SecretInSigned, func(s string) *http.Request {
				return request(t, "GET", "https://origin.test/"+s+"?X-Amz-Signature=00", nil)
			}},
			{"unknown checksum", refusal.SecretInSigned, func(s string) *http.Request { return post(s, "X-Amz-Checksum-Crc64nvme", "00") }},
			{"digest before what flows", refusal.SecretInSigned, func(s string) *http.Request {
				return request(t, "POST", "https://origin.test/", unsized(strings.NewReader(filler+s+" ")), "Content-Digest", "sha-256=:AA==:")
			}},
			{"signature before what flows", refusal.SecretInSigned, func(s string) *http.Request {
				return request(t, "POST", "https://origin.test/", unsized(strings.NewReader(filler+s+" ")), "X-Hub-Signature-256", "00")
			}},
		} {
			s := w.secret(tc.name)
			if strings.Contains(tc.name, "name") {
				w.mustKeep(http.CanonicalHeaderKey(s))
				w.mustKeep(strings.ToLower(s))
			}
			e := w.refused(c, tc.make(s), 403, tc.code)
			require.Contains(t, e.Message, "cannot be replaced", tc.name)
			require.Contains(t, e.Message, "contains secret: "+gitlab, tc.name)
			r := w.records(i+1, isRefused)[i]
			require.Equal(t, "block", r.Action, tc.name)
			require.Equal(t, gitlab, r.Rule, tc.name)
			require.NotEmpty(t, r.Sample, tc.name)
		}
		w.works()
	}
}

func TestDigestsAreThoseOfWhatIsSent(t *testing.T) {
	got := make(chan seen, 1)
	w := newWorld(t, redacting, keeper(got))
	for _, coding := range []string{"", "gzip"} {
		sent, err := decode.Encode(coding, []byte(`{"key":"`+w.secret(coding)+`"}`), nil)
		require.NoError(t, err)
		req := request(t, "POST", "https://origin.test/", bytes.NewReader(sent), "Content-Type", "application/json")
		if coding != "" {
			req.Header.Set("Content-Encoding", coding)
		}
		sum := sha256.Sum256(sent)
		of := base64.StdEncoding.EncodeToString(sum[:])
		req.Header["Content-Digest"] = []string{"sha-256=:" + of + ":, own=:AA==:"}
		req.Header["Repr-Digest"] = []string{"own=:AA==:"}
		req.Header["Digest"] = []string{"SHA-256=" + of}
		req.Header["Content-Md5"] = []string{"AA=="}
		req.Header["X-Amz-Checksum-Sha256"] = []string{of}
		req.Header["Authorization"] = []string{"AWS4-HMAC-SHA256 Credential=AK"}
		req.Header["X-Amz-Content-Sha256"] = []string{"UNSIGNED-PAYLOAD"}
		res, answer := w.do(w.client(false), req)
		require.Equal(t, 200, res.StatusCode, answer)
		o := receive(t, got, "request")
		sum = sha256.Sum256(o.sent)
		now := base64.StdEncoding.EncodeToString(sum[:])
		require.NotEqual(t, of, now)
		require.Equal(t, "sha-256=:"+now+":", o.header.Get("Content-Digest"))
		require.Equal(t, "SHA-256="+now, o.header.Get("Digest"))
		require.Equal(t, now, o.header.Get("X-Amz-Checksum-Sha256"))
		require.NotContains(t, o.header, "Repr-Digest")
		require.NotEqual(t, "AA==", o.header.Get("Content-Md5"))
	}
	// One that comes after a body that was changed as it flowed is taken out.
	req := request(t, "POST", "https://origin.test/", unsized(strings.NewReader(filler+w.secret("t")+" ")))
	req.Trailer = http.Header{"Content-Digest": {"sha-256=:AA==:"}, "X-Other": {"1"}}
	res, answer := w.do(w.client(false), req)
	require.Equal(t, 200, res.StatusCode, answer)
	o := receive(t, got, "request")
	require.Empty(t, o.trailer.Get("Content-Digest"))
	require.Equal(t, "1", o.trailer.Get("X-Other"))
}

func TestNamesInCompressedBodiesAreLeftOut(t *testing.T) {
	for _, tc := range carriers {
		if tc.name != "name in a gzip header" && tc.name != "skippable zstd frame" {
			continue
		}
		got := make(chan seen, 1)
		w := newWorld(t, redacting, keeper(got))
		res, answer := w.do(w.client(false), tc.make(t, w.secret("")))
		require.Equal(t, 200, res.StatusCode, answer)
		require.Equal(t, "harmless", string(receive(t, got, tc.name).body))
		require.Equal(t, "redact", w.records(1, isMatch)[0].Action)
	}
}

// A large body is rewritten while it flows, its announced length kept.
func TestFlowingBodyIsRedactedAsItFlows(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		for _, sized := range []bool{false, true} {
			for name, disguise := range disguises {
				what := fmt.Sprintf("http2 %v, sized %v, %s", http2, sized, name)
				t.Run(what, func(t *testing.T) {
					clean := make(chan struct{})
					body := make(chan []byte, 1)
					prefix := `{"a":"` + strings.Repeat("clean ", 300<<10/6*4) + `","b":"` // 1.2 MiB
					w := newWorld(t, redacting, func(rw http.ResponseWriter, req *http.Request) {
						head := make([]byte, len(prefix)-64<<10)
						if _, err := io.ReadFull(req.Body, head); err == nil {
							close(clean)
						}
						rest, err := io.ReadAll(req.Body)
						if err != nil {
							panic(http.ErrAbortHandler)
						}
						body <- append(head, rest...)
					})
					s := w.secret("")
					tail := disguise(s) + `","c":"` + strings.Repeat("more ", 2000) + `"}`
					pr, pw := io.Pipe()
					go func() {
						io.WriteString(pw, prefix)
						<-clean // while the body is still being sent
						for i := range len(tail) {
							if _, err := io.WriteString(pw, tail[i:i+1]); err != nil {
								return
							}
						}
						pw.Close()
					}()
					req := request(t, "POST", "https://origin.test/", pr)
					if sized {
						req.ContentLength = int64(len(prefix) + len(tail))
					}
					res, answer := w.do(w.client(http2), req)
					require.Equal(t, 200, res.StatusCode, answer)
					b := receive(t, body, "the origin's view")
					require.Len(t, b, len(prefix)+len(tail))
					absent(t, b, s, what)
					require.True(t, json.Valid(b))
					require.True(t, bytes.HasPrefix(b, []byte(prefix)))
					require.True(t, bytes.HasSuffix(b, []byte(tail[len(disguise(s)):])))
					r := w.records(1, isMatch)[0]
					require.Equal(t, "redact", r.Action)
					require.Equal(t, "body json path b", r.Location)
				})
			}
		}
	}
}
