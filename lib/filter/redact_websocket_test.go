package filter_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"bottle/lib/audit"
	"bottle/lib/refusal"
)

// Every message arrives, in order, with placeholders and nothing else changed,
// also those whose compression refers to one that was changed.
func TestWebSocketMessagesAreRedacted(t *testing.T) {
	for _, url := range []string{"wss://origin.test/", "wss://origin.test/deflate"} {
		for name, disguise := range disguises {
			t.Run(url[len("wss://origin.test/"):]+" "+name, func(t *testing.T) {
				var w *world
				w = newWorld(t, redacting, func(rw http.ResponseWriter, req *http.Request) { w.messages(rw, req) })
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				c := w.dialWebSocket(url)
				s := w.secret("")
				turn := func(s string) string { return `{"a":"` + filler[:3000] + ` ` + s + `","b":"` + filler + `"}` }
				large := `{"a":"` + strings.Repeat(filler, 15) + `","b":"` + disguise(s) + `"}` // flows, if it is not compressed
				for i, m := range []struct {
					text   string
					pieces []int
					secret bool
				}{
					{"hello", nil, false},
					{turn("nothing"), nil, false},
					{turn(disguise(s)), nil, true},
					{turn("nothing"), nil, false}, // refers to the messages before it
					{turn(disguise(s)), []int{10, 3100}, true},
					{turn(disguise(s)), nil, true},
					{disguise(s), nil, true},
					{"", nil, false},
					{large, []int{1, 100_000, 700_000}, true},
					{turn("nothing"), nil, false},
				} {
					if m.pieces == nil {
						require.NoError(t, c.Write(ctx, websocket.MessageText, []byte(m.text)))
					} else {
						out, err := c.Writer(ctx, websocket.MessageText)
						require.NoError(t, err)
						at := 0
						for _, to := range append(m.pieces, len(m.text)) {
							_, err := out.Write([]byte(m.text[at:to]))
							require.NoError(t, err)
							at = to
						}
						require.NoError(t, out.Close())
					}
					_, b, err := c.Read(ctx)
					require.NoError(t, err, "message %d: %v", i, err)
					w.answers.Write(b)
					if !m.secret {
						require.Equal(t, m.text, string(b), "message %d", i)
						continue
					}
					absent(t, b, s, fmt.Sprint("message ", i))
					require.Len(t, b, len(m.text))
					from, to, _ := strings.Cut(m.text, disguise(s))
					require.True(t, strings.HasPrefix(string(b), from) && strings.HasSuffix(string(b), to), "message %d", i)
					if strings.HasPrefix(m.text, "{") {
						require.True(t, json.Valid(b))
					}
				}
				for _, r := range w.records(5, isMatch) {
					require.Equal(t, "redact", r.Action)
					require.True(t, strings.HasPrefix(r.Location, "WebSocket message"), r.Location)
					require.Equal(t, "websocket", r.Protocol)
				}
				require.NoError(t, c.Close(websocket.StatusNormalClosure, "bye"))
				c = w.dialWebSocket(url)
				require.NoError(t, c.Write(ctx, websocket.MessageText, []byte("hello")))
				_, b, err := c.Read(ctx)
				require.NoError(t, err)
				require.Equal(t, "hello", string(b))
			})
		}
	}
}

func TestPrivateKeyInAWebSocketMessageIsRedacted(t *testing.T) {
	for _, url := range []string{"wss://origin.test/", "wss://origin.test/deflate"} {
		var w *world
		w = newWorld(t, redacting, func(rw http.ResponseWriter, req *http.Request) { w.messages(rw, req) })
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		c := w.dialWebSocket(url)
		key, lines := privateKey(url, `\n`)
		text := `{"output":"$ cat key.pem\n` + key + `$ exit\n","more":"words"}`
		require.NoError(t, c.Write(ctx, websocket.MessageText, []byte(text)))
		_, b, err := c.Read(ctx)
		require.NoError(t, err)
		require.Len(t, b, len(text))
		require.True(t, json.Valid(b))
		for _, l := range lines {
			require.NotContains(t, string(b), l[:12])
		}
		require.Contains(t, string(b), `$ exit\n","more":"words"}`)
	}
}

func TestWebSocketRefusesWhatItCannotReplace(t *testing.T) {
	var w *world
	w = newWorld(t, redacting, func(rw http.ResponseWriter, req *http.Request) { w.messages(rw, req) })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := w.dialWebSocket("wss://origin.test/")
	key, _ := privateKey("pieces", "\\n\",\n\"")
	require.NoError(t, c.Write(ctx, websocket.MessageText, []byte(`["`+key+`"]`)))
	e := w.refusedFrame(ctx, c, refusal.SecretInRequest)
	require.Contains(t, e.Message, "cannot be replaced")
	// A control frame, too.
	c = w.dialWebSocket("wss://origin.test/")
	c.Close(websocket.StatusNormalClosure, w.secret(""))
	w.records(2, isRefused)
	w.records(1, func(r audit.Record) bool { return r.Location == "WebSocket control frame" && r.Action == "block" })
}

func TestWebSocketLogsAndForwards(t *testing.T) {
	var w *world
	w = newWorld(t, redacting, func(rw http.ResponseWriter, req *http.Request) { w.messages(rw, req) })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for i, url := range []string{"wss://a.wild.test/", "wss://a.wild.test/deflate"} {
		c := w.dialWebSocket(url)
		text := filler + token(t.Name()) + " " + filler
		for range 2 {
			require.NoError(t, c.Write(ctx, websocket.MessageText, []byte(text)))
			_, b, err := c.Read(ctx)
			require.NoError(t, err)
			require.Equal(t, text, string(b))
		}
		require.Equal(t, "log", w.records(2*(i+1), isMatch)[i].Action)
		require.NoError(t, c.Close(websocket.StatusNormalClosure, ""))
	}
}
