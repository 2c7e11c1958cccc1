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

// messages is an origin that keeps the messages that it gets and sends them
// back.
func (w *world) messages(rw http.ResponseWriter, req *http.Request) {
	mode := websocket.CompressionDisabled
	if strings.HasPrefix(req.URL.Path, "/deflate") {
		mode = websocket.CompressionContextTakeover
	}
	c, err := websocket.Accept(rw, req, &websocket.AcceptOptions{CompressionMode: mode, CompressionThreshold: 1})
	if err != nil {
		return
	}
	defer c.CloseNow()
	c.SetReadLimit(8 << 20)
	ctx := context.Background()
	for {
		kind, b, err := c.Read(ctx)
		if err != nil {
			fmt.Fprintf(&w.received, "ended: %v\n", err)
			return
		}
		w.received.Write(b)
		if c.Write(ctx, kind, b) != nil {
			return
		}
	}
}

func (w *world) dialWebSocket(url string) *websocket.Conn {
	w.t.Helper()
	mode := websocket.CompressionDisabled
	if strings.Contains(url, "/deflate") {
		mode = websocket.CompressionContextTakeover
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	c, res, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: w.client(false), CompressionMode: mode, CompressionThreshold: 1})
	require.NoError(w.t, err)
	require.Equal(w.t, mode != websocket.CompressionDisabled, strings.Contains(res.Header.Get("Sec-Websocket-Extensions"), "permessage-deflate"))
	c.SetReadLimit(8 << 20)
	w.t.Cleanup(func() { c.CloseNow() })
	return c
}

// refusedFrame reads until the error message that ends a WebSocket.
func (w *world) refusedFrame(ctx context.Context, c *websocket.Conn, code refusal.Code) refusal.PayloadError {
	w.t.Helper()
	_, b, err := c.Read(ctx)
	require.NoError(w.t, err)
	w.answers.Write(b)
	var frame struct {
		Type   string
		Status int
		Error  refusal.PayloadError
	}
	require.NoError(w.t, json.Unmarshal(b, &frame), "%.200s", b)
	require.Equal(w.t, "error", frame.Type)
	require.Equal(w.t, 400, frame.Status)
	require.Equal(w.t, code, frame.Error.Code)
	_, b, err = c.Read(ctx)
	require.Error(w.t, err, "%.200s", b)
	return frame.Error
}

func TestSecretInAWebSocketMessage(t *testing.T) {
	for _, tc := range []struct {
		name, url string
		send      func(ctx context.Context, c *websocket.Conn, s string)
	}{
		{"plain", "wss://origin.test/", func(ctx context.Context, c *websocket.Conn, s string) {
			c.Write(ctx, websocket.MessageText, []byte(`{"key":"`+s+`"}`))
		}},
		{"provider", "wss://provider.test/", func(ctx context.Context, c *websocket.Conn, s string) {
			c.Write(ctx, websocket.MessageText, []byte(s))
		}},
		{"binary", "wss://origin.test/", func(ctx context.Context, c *websocket.Conn, s string) {
			c.Write(ctx, websocket.MessageBinary, []byte("\x00\xff "+s))
		}},
		{"fragmented", "wss://origin.test/", func(ctx context.Context, c *websocket.Conn, s string) {
			m, _ := c.Writer(ctx, websocket.MessageText)
			for i := range len(s) {
				m.Write([]byte(s[i : i+1]))
			}
			m.Close()
		}},
		{"compressed", "wss://origin.test/deflate", func(ctx context.Context, c *websocket.Conn, s string) {
			c.Write(ctx, websocket.MessageText, []byte(filler+s+" "+filler))
		}},
		{"compressed, fragmented", "wss://origin.test/deflate", func(ctx context.Context, c *websocket.Conn, s string) {
			m, _ := c.Writer(ctx, websocket.MessageText)
			for _, part := range []string{filler, s[:10], s[10:], " ", filler} {
				m.Write([]byte(part))
			}
			m.Close()
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var w *world
			w = newWorld(t, allowed, func(rw http.ResponseWriter, req *http.Request) { w.messages(rw, req) })
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			c := w.dialWebSocket(tc.url)
			// Harmless ones pass before it, and fill the compressor's memory.
			for _, m := range []string{"hello", filler, ""} {
				require.NoError(t, c.Write(ctx, websocket.MessageText, []byte(m)))
				_, b, err := c.Read(ctx)
				require.NoError(t, err)
				require.Equal(t, m, string(b))
			}
			tc.send(ctx, c, w.secret(""))
			e := w.refusedFrame(ctx, c, refusal.SecretInRequest)
			require.Contains(t, e.Message, "WebSocket message", tc.name)
			r := w.records(1, isRefused)[0]
			require.Equal(t, gitlab, r.Rule)
			require.True(t, strings.HasPrefix(r.Location, "WebSocket message"), r.Location)
			require.Equal(t, "websocket", r.Protocol)
			require.Contains(t, w.received.String(), "hello")
		})
	}
}

func TestSecretInAWebSocketControlFrame(t *testing.T) {
	var w *world
	w = newWorld(t, allowed, func(rw http.ResponseWriter, req *http.Request) { w.messages(rw, req) })
	c := w.dialWebSocket("wss://origin.test/")
	c.Close(websocket.StatusNormalClosure, w.secret(""))
	r := w.records(1, isRefused)[0]
	require.Equal(t, "secret_in_request", r.Code)
	require.Equal(t, "WebSocket control frame", r.Location)
}

func TestUnknownWebSocketExtensionsAreNotOffered(t *testing.T) {
	offered := make(chan []string, 1)
	w := newWorld(t, allowed, func(rw http.ResponseWriter, req *http.Request) {
		offered <- req.Header["Sec-Websocket-Extensions"]
		rw.WriteHeader(426)
	})
	for _, tc := range []struct {
		sent, want []string
	}{
		{[]string{"x-own; a=1, permessage-deflate; client_max_window_bits", "x-other"}, []string{"permessage-deflate; client_max_window_bits"}},
		{[]string{"x-own"}, nil},
	} {
		req := request(t, "GET", "https://origin.test/", nil, "Connection", "Upgrade", "Upgrade", "websocket", "Sec-Websocket-Version", "13", "Sec-Websocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")
		req.Header["Sec-Websocket-Extensions"] = tc.sent
		res, _ := w.do(w.client(false), req)
		require.Equal(t, 426, res.StatusCode, "the origin's answer")
		require.Equal(t, tc.want, receive(t, offered, "the request"))
	}
}

func TestSecretInTheUpgradeOfAProviderIsToldInAFrame(t *testing.T) {
	w := newWorld(t, allowed, nil)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "wss://provider.test/?"+w.secret(""), &websocket.DialOptions{HTTPClient: w.client(false)})
	require.NoError(t, err)
	defer c.CloseNow()
	require.NoError(t, c.Write(ctx, websocket.MessageText, []byte("the turn")))
	w.refusedFrame(ctx, c, refusal.SecretInRequest)
	require.Zero(t, w.requests.Load())
	// Elsewhere the upgrade itself is refused.
	_, res, err := websocket.Dial(ctx, "wss://origin.test/?"+w.secret("2"), &websocket.DialOptions{HTTPClient: w.client(false)})
	require.Error(t, err)
	require.Equal(t, 403, res.StatusCode)
}
