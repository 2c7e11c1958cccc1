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

	"bottle/lib/refusal"
)

// mail is a message of which each byte of s is quoted, over lines of 40 bytes.
func mail(s string) string {
	var b strings.Builder
	b.WriteString("From: a@origin.test\r\nContent-Transfer-Encoding: Quoted-Printable\r\n\r\nhello ")
	for i := range len(s) {
		fmt.Fprintf(&b, "=%02X", s[i])
		if i%13 == 12 {
			b.WriteString("=\r\n")
		}
	}
	return b.String() + " bye\r\n"
}

func TestQuotedPrintableInBodiesThatSaySo(t *testing.T) {
	w := newWorld(t, allowed, nil)
	for _, http2 := range []bool{false, true} {
		m := mail(w.secret(fmt.Sprint(http2)))
		inJSON, err := json.Marshal(map[string]any{"messages": []map[string]string{{"role": "user", "content": m}}})
		require.NoError(t, err)
		for kind, body := range map[string]string{"message/rfc822": m, "text/plain": m, "application/json": string(inJSON), "": m} {
			e := w.refused(w.client(http2), request(t, "POST", "https://origin.test/", strings.NewReader(body), "Content-Type", kind), 403, refusal.SecretInRequest)
			require.Equal(t, gitlab, e.Rule, kind)
		}
		unsaid := strings.Replace(m, "Quoted-Printable", "7bit", 1)
		res, _ := w.do(w.client(http2), request(t, "POST", "https://origin.test/", strings.NewReader(unsaid), "Content-Type", "text/plain"))
		require.Equal(t, 200, res.StatusCode, "where nothing says so, it is another text")
	}
}

func TestQuotedPrintableInAWebSocketMessage(t *testing.T) {
	for _, size := range []int{1, 7, 4000} {
		var w *world
		w = newWorld(t, allowed, func(rw http.ResponseWriter, req *http.Request) { w.messages(rw, req) })
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		c := w.dialWebSocket("wss://origin.test/")
		require.NoError(t, c.Write(ctx, websocket.MessageText, []byte("hello quoted-printable")))
		_, _, err := c.Read(ctx)
		require.NoError(t, err)
		m, err := c.Writer(ctx, websocket.MessageText)
		require.NoError(t, err)
		for rest := mail(w.secret("")); rest != ""; {
			n := min(size, len(rest))
			_, err := m.Write([]byte(rest[:n]))
			require.NoError(t, err)
			rest = rest[n:]
		}
		require.NoError(t, m.Close())
		e := w.refusedFrame(ctx, c, refusal.SecretInRequest)
		require.Equal(t, gitlab, e.Rule)
		require.Equal(t, "WebSocket message", e.Location)
	}
}
