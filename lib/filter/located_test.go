package filter_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"bottle/lib/allowlist"
	"bottle/lib/audit"
	"bottle/lib/refusal"
)

// conversation is JSON of n bytes and some more, with text in one of the parts
// of a message behind most of it.
func conversation(n int, text string) string {
	var b strings.Builder
	b.WriteString(`{"model":"m","stream":true,"messages":[`)
	random := noise(n / 8) // or it would be compressed too well
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, `{"role":"user","content":[{"type":"text","text":"turn %d, \"%s\\\\ "},{"a":[1,[2]],"of":%s}]},`, i, filler[:1000], strings.ReplaceAll(fmt.Sprint(random[:100]), " ", ","))
		random = random[100:]
	}
	b.WriteString(`{"role":"tool","content":[{"type":"text"},{"type":"text","out]{\"put":{"lines":["one","and ` + text + ` here"]}}]}`)
	b.WriteString(`],"n":` + strings.Repeat("1", 100) + `}`)
	return b.String()
}

// placeIn is where conversation puts its text.
func placeIn(body string) string {
	return fmt.Sprintf(`json path messages[%d].content[1]."out]{\"put".lines[1]`, strings.Count(body, `"role":"user"`))
}

const long = 3 << 20

func TestALongBodyIsStoppedWithItsPlace(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		for _, sized := range []bool{false, true} {
			t.Run(fmt.Sprintf("http2 %v, sized %v", http2, sized), func(t *testing.T) {
				w := newWorld(t, allowed, nil)
				s := w.secret("")
				body := conversation(long, s)
				at, where := int64(strings.Index(body, s)), "body "+placeIn(body)
				var r io.Reader = strings.NewReader(body)
				if !sized {
					r = unsized(r)
				}
				e := w.refused(w.client(http2), request(t, "POST", "https://origin.test/", r, "Content-Type", "application/json"), 403, refusal.SecretInRequest)
				require.Equal(t, where, e.Location)
				require.Equal(t, &at, e.Offset)
				require.Contains(t, e.Message, " in "+where+" (")
				record := w.records(1, isRefused)[0]
				require.Equal(t, where, record.Location)
				require.Equal(t, gitlab, record.Rule)
			})
		}
	}
}

// A dummy in the wrong place is told with its place, too.
func TestAMisdirectedDummyInALongBodyIsStoppedWithItsPlace(t *testing.T) {
	w := newWorld(t, allowed+dummyRoute, nil)
	d, err := json.Marshal(string(dummyOf(t, "misdirected").JSON()))
	require.NoError(t, err)
	body := conversation(long, strings.Trim(string(d), `"`))
	e := w.refused(w.client(true), request(t, "POST", "https://origin.test/", strings.NewReader(body)), 403, refusal.DummyMisdirected)
	require.Equal(t, "body "+placeIn(body), e.Location)
}

// What is logged or redacted in a long body is recorded with its place.
func TestWhatGoesOnInALongBodyIsRecordedWithItsPlace(t *testing.T) {
	for host, action := range map[string]string{"origin.test": "redact", "a.wild.test": "log"} {
		t.Run(action, func(t *testing.T) {
			got := make(chan seen, 1)
			w := newWorld(t, redacting, keeper(got))
			s := token(t.Name())
			body := conversation(long, s)
			body = body[:len(body)-1] + `,"z":["` + s + `"]}`
			res, answer := w.do(w.client(true), request(t, "POST", "https://"+host+"/", strings.NewReader(body), "Content-Type", "application/json"))
			require.Equal(t, 200, res.StatusCode, answer)
			arrived := string(receive(t, got, "request").sent)
			require.Equal(t, action == "log", arrived == body)
			require.Equal(t, action == "log", strings.Contains(arrived, s))
			require.True(t, json.Valid([]byte(arrived)))
			var places []string
			for _, r := range w.records(2, isMatch) {
				require.Equal(t, action, r.Action)
				places = append(places, r.Location)
			}
			require.ElementsMatch(t, []string{"body " + placeIn(body), "body json path z[0]"}, places)
		})
	}
}

// A compressed body has its place in what it decodes to, however much that is.
func TestALongCompressedBodyIsStoppedWithItsPlace(t *testing.T) {
	for _, codings := range [][]string{{"gzip"}, {"br"}, {"zstd"}, {"gzip", "zstd"}} {
		t.Run(strings.Join(codings, " "), func(t *testing.T) {
			w := newWorld(t, allowed, nil)
			s := w.secret("")
			body := conversation(2*long, s)
			at, coding := int64(strings.Index(body, s)), strings.Join(codings, ", ")
			req := request(t, "POST", "https://origin.test/", bytes.NewReader(encode(t, body, codings...)), "Content-Type", "application/json", "Content-Encoding", coding)
			e := w.refused(w.client(true), req, 403, refusal.SecretInRequest)
			require.Equal(t, "body "+placeIn(body), e.Location)
			require.Equal(t, coding, e.Encoding)
			require.Equal(t, &at, e.Offset)
			require.Equal(t, e.Location, w.records(1, isRefused)[0].Location)
		})
	}
}

// What is found in one is recorded with its place each time, also of several
// findings that are judged together.
func TestPlacesInALongCompressedBodyAreRecorded(t *testing.T) {
	got := make(chan seen, 1)
	w := newWorld(t, redacting, keeper(got))
	s := token(t.Name())
	body := `{"a":["` + s + `","` + s + `",{"b":` + conversation(2*long, s) + `}],"c":"` + s + `"}`
	sent := encode(t, body, "zstd")
	res, answer := w.do(w.client(true), request(t, "POST", "https://a.wild.test/", bytes.NewReader(sent), "Content-Encoding", "zstd"))
	require.Equal(t, 200, res.StatusCode, answer)
	require.Equal(t, sent, receive(t, got, "request").sent)
	var places []string
	for _, r := range w.records(4, isMatch) {
		places = append(places, r.Location)
	}
	require.ElementsMatch(t, []string{"body json path a[0]", "body json path a[1]", "body json path a[2].b." + strings.TrimPrefix(placeIn(body), "json path "), "body json path c"}, places)
}

// An entry for a place holds there in a long body as in a short one, and
// nowhere else.
func TestAllowlistOfALongBody(t *testing.T) {
	example, list := token("an example in a manual"), allowlist.New()
	body := conversation(2*long, example)
	entry := allowlist.Entry(gitlab, "body "+placeIn(body), list.Digest([]byte(example)))
	require.Contains(t, entry, "messages[*].content[*]")
	dir := folder(t, map[string]string{"allow.toml": list.KeyLine() + entry})
	w := newWorldIn(t, dir, allowed+"[dlp]\nallowlist = \"allow.toml\"\n", digest)
	for _, http2 := range []bool{false, true} {
		c := w.client(http2)
		res, answer := w.do(c, request(t, "POST", "https://origin.test/", strings.NewReader(body), "Content-Type", "application/json"))
		require.Equal(t, 200, res.StatusCode, answer)
		res, answer = w.do(c, request(t, "POST", "https://origin.test/", bytes.NewReader(encode(t, body, "gzip")), "Content-Encoding", "gzip"))
		require.Equal(t, 200, res.StatusCode, answer)
	}
	// In another member, and another value in the same.
	e := w.refused(w.client(true), request(t, "POST", "https://origin.test/", strings.NewReader(strings.Replace(body, `"lines":`, `"words":`, 1))), 403, refusal.SecretInRequest)
	require.Equal(t, "body "+strings.Replace(placeIn(body), ".lines", ".words", 1), e.Location)
	e = w.refused(w.client(true), request(t, "POST", "https://origin.test/", strings.NewReader(strings.Replace(body, example, w.secret(""), 1))), 403, refusal.SecretInRequest)
	require.Equal(t, "body "+placeIn(body), e.Location)
	// Where the place is not known, no entry for one holds.
	w.refused(w.client(true), request(t, "POST", "https://origin.test/", strings.NewReader("}"+body)), 403, refusal.SecretInRequest)
}

// Messages flow when they are long, in one frame or many, and have their place
// as short ones do.
func TestALongWebSocketMessageIsStoppedWithItsPlace(t *testing.T) {
	for _, path := range []string{"", "deflate"} {
		for _, pieces := range []int{1, 200} {
			t.Run(fmt.Sprintf("%s in %d", path, pieces), func(t *testing.T) {
				var w *world
				w = newWorld(t, allowed, func(rw http.ResponseWriter, req *http.Request) { w.messages(rw, req) })
				c := w.dialWebSocket("wss://origin.test/" + path)
				send := func(text string) {
					m, err := c.Writer(t.Context(), websocket.MessageText)
					require.NoError(t, err)
					for n := len(text)/pieces + 1; len(text) > 0; text = text[min(n, len(text)):] {
						if _, err := io.WriteString(m, text[:min(n, len(text))]); err != nil {
							return // it was cut off
						}
					}
					m.Close()
				}
				harmless := conversation(long, "nothing")
				send(harmless)
				_, b, err := c.Read(t.Context())
				require.NoError(t, err)
				require.Equal(t, harmless, string(b))
				body := conversation(long, w.secret(""))
				send(body)
				e := w.refusedFrame(t.Context(), c, refusal.SecretInRequest)
				require.Equal(t, "WebSocket message "+placeIn(body), e.Location)
				require.Equal(t, e.Location, w.records(1, func(r audit.Record) bool { return r.Code != "" })[0].Location)
			})
		}
	}
}
