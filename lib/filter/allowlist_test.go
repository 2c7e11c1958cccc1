package filter_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"bottle/lib/allowlist"
	"bottle/lib/refusal"
)

func TestAllowlistSilencesAFalseAlarm(t *testing.T) {
	example, list := token("an example in a manual"), allowlist.New()
	const location = "body json path messages[3].content"
	text := list.KeyLine() +
		allowlist.Entry(gitlab, location, list.Digest([]byte(example))) +
		allowlist.Entry(gitlab, "header X-Note", list.Digest([]byte(example))) + "host = \"provider.test\"\n" +
		allowlist.Entry(gitlab, "WebSocket message", list.Digest([]byte(example))) +
		allowlist.Entry("other-rule", "*", list.Digest([]byte(token("another rule"))))
	for _, action := range []string{"block", "redact", "log"} {
		t.Run(action, func(t *testing.T) {
			dir := folder(t, map[string]string{"allow.toml": text})
			w := newWorldIn(t, dir, allowed+"[dlp]\nallowlist = \"allow.toml\"\non_match = \""+action+"\"\n", nil)
			c := w.client(true)
			passes := func(body string, headers ...string) {
				t.Helper()
				res, answer := w.do(c, request(t, "POST", "https://provider.test/", strings.NewReader(body), headers...))
				require.Equal(t, 200, res.StatusCode, answer)
				require.Equal(t, body, answer)
			}
			passes(`{"messages":[1,2,{"content":"see ` + example + `"}]}`)
			passes(`{"messages":[1,2,{"content":"see \u0067` + example[1:] + `"}]}`) // the value counts, not how it is written
			passes("", "X-Note", example)
			flows := `{"messages":[{"content":"` + example + `"}]}`
			res, answer := w.do(c, request(t, "POST", "https://provider.test/", unsized(strings.NewReader(flows))))
			require.Equal(t, 200, res.StatusCode, answer)
			require.Equal(t, flows, answer)
			coded := encode(t, `{"messages":[{"content":"`+example+`"}]}`, "zstd")
			res, answer = w.do(c, request(t, "POST", "https://provider.test/", bytes.NewReader(coded), "Content-Encoding", "zstd"))
			require.Equal(t, 200, res.StatusCode, answer)
			require.Equal(t, string(coded), answer)
			if action != "block" {
				return
			}
			refused := func(host, body string, headers ...string) {
				t.Helper()
				res, answer := w.do(c, request(t, "POST", "https://"+host+"/", strings.NewReader(body), headers...))
				require.Contains(t, []int{400, 403}, res.StatusCode, answer)
			}
			refused("provider.test", `{"messages":[1,2,{"role":"`+example+`"}]}`)
			refused("provider.test", `{"messages":[1,2,{"content":"`+token("not listed")+`"}]}`)
			refused("provider.test", `{"messages":[1,2,{"content":"`+example+" "+token("beside it")+`"}]}`)
			refused("provider.test", token("another rule"))
			refused("origin.test", "", "X-Note", example)
			e := w.refused(c, request(t, "POST", "https://origin.test/", unsized(strings.NewReader(`{"messages":[{"role":"`+example+`"}]}`))), 403, refusal.SecretInRequest)
			require.Equal(t, "body json path messages[0].role", e.Location)
			w.works()
		})
	}
}

func TestAllowlistOfAWebSocket(t *testing.T) {
	example, list := token("an example in a manual"), allowlist.New()
	dir := folder(t, map[string]string{"allow.toml": list.KeyLine() + allowlist.Entry(gitlab, "WebSocket message json path a", list.Digest([]byte(example)))})
	var w *world
	w = newWorldIn(t, dir, allowed+"[dlp]\nallowlist = \"allow.toml\"\n", func(rw http.ResponseWriter, req *http.Request) { w.messages(rw, req) })
	c := w.dialWebSocket("wss://origin.test/")
	ctx := t.Context()
	for _, m := range []string{`{"a":"` + example + `"}`, `{"a":["` + example + `"]}`} {
		require.NoError(t, c.Write(ctx, websocket.MessageText, []byte(m)))
		_, b, err := c.Read(ctx)
		require.NoError(t, err)
		require.Equal(t, m, string(b))
	}
	require.NoError(t, c.Write(ctx, websocket.MessageText, []byte(`{"b":"`+example+`"}`)))
	e := w.refusedFrame(ctx, c, refusal.SecretInRequest)
	require.Equal(t, "WebSocket message json path b", e.Location)
}

// An entry holds for all that a body has of the value.
func TestAllowlistOfAnExampleThatIsRepeated(t *testing.T) {
	example, list := token("an example in a manual"), allowlist.New()
	dir := folder(t, map[string]string{"allow.toml": list.KeyLine() + allowlist.Entry(gitlab, "body json path log[*]", list.Digest([]byte(example)))})
	w := newWorldIn(t, dir, allowed+"[dlp]\nallowlist = \"allow.toml\"\n", nil)
	body := `{"log":["` + strings.Repeat(example+`","`, 500) + `"]}`
	for _, r := range []io.Reader{strings.NewReader(body), unsized(strings.NewReader(body))} {
		res, answer := w.do(w.client(true), request(t, "POST", "https://origin.test/", r))
		require.Equal(t, 200, res.StatusCode, answer)
		require.Equal(t, body, answer)
	}
}

// A connection may have many messages, and an entry holds in all of them.
func TestAllowlistOfALongConversation(t *testing.T) {
	example, list := token("an example in a manual"), allowlist.New()
	dir := folder(t, map[string]string{"allow.toml": list.KeyLine() + allowlist.Entry(gitlab, "WebSocket message json path a", list.Digest([]byte(example)))})
	var w *world
	w = newWorldIn(t, dir, allowed+"[dlp]\nallowlist = \"allow.toml\"\n", func(rw http.ResponseWriter, req *http.Request) { w.messages(rw, req) })
	c := w.dialWebSocket("wss://origin.test/")
	for i := range 1100 {
		require.NoError(t, c.Write(t.Context(), websocket.MessageText, []byte(`{"a":"`+example+`"}`)))
		_, b, err := c.Read(t.Context())
		require.NoError(t, err)
		require.Equal(t, `{"a":"`+example+`"}`, string(b), "message %d", i)
	}
}

// An entry for the body, which is what refusals of such bodies once said,
// holds wherever in the body the value stands; one for a path holds there alone.
func TestAllowlistOfAFlow(t *testing.T) {
	example, list := token("an example in a manual"), allowlist.New()
	dir := folder(t, map[string]string{"allow.toml": list.KeyLine() + allowlist.Entry(gitlab, "body", list.Digest([]byte(example)))})
	w := newWorldIn(t, dir, allowed+"[dlp]\nallowlist = \"allow.toml\"\n", nil)
	c := w.client(true)
	inJSON := `{"a":[{"b":"` + filler + example + `"}]}`
	res, answer := w.do(c, request(t, "POST", "https://origin.test/", unsized(strings.NewReader(inJSON))))
	require.Equal(t, 200, res.StatusCode)
	require.Equal(t, inJSON, answer)
	text := filler + example + " " + filler
	res, answer = w.do(c, request(t, "POST", "https://origin.test/", unsized(strings.NewReader(text))))
	require.Equal(t, 200, res.StatusCode)
	require.Equal(t, text, answer)
	other := w.secret("behind an allowed one")
	w.refused(c, request(t, "POST", "https://origin.test/", unsized(strings.NewReader(text+other))), 403, refusal.SecretInRequest)
}

func TestMistakesInAnAllowlist(t *testing.T) {
	dir := folder(t, map[string]string{"allow.toml": "key = \"abc\"\n"})
	_, err := parseIn(dir, "[dlp]\nallowlist = \"allow.toml\"")
	require.ErrorContains(t, err, dir+"/allow.toml:1: key: want 64 hexadecimal digits")
	_, err = parseIn(dir, "[dlp]\nallowlist = \"missing.toml\"")
	require.ErrorContains(t, err, "pipelock.toml:2: dlp.allowlist: "+dir+"/missing.toml: no such file")
	require.NoError(t, os.Remove(filepath.Join(dir, "allow.toml")))
}
