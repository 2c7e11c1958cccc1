package forward_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"bottle/lib/authority"
	"bottle/lib/forward"
	"bottle/lib/refusal"
)

// webSocket is an origin that sends a greeting and then every message back.
func webSocket(mode websocket.CompressionMode) http.HandlerFunc {
	return func(rw http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/plain" || req.URL.Path == "/works" {
			rw.WriteHeader(200)
			return
		}
		c, err := websocket.Accept(rw, req, &websocket.AcceptOptions{CompressionMode: mode, CompressionThreshold: 1, Subprotocols: []string{"chat"}, InsecureSkipVerify: true})
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(8 << 20)
		ctx := context.Background()
		c.Write(ctx, websocket.MessageText, []byte("hello"))
		for {
			kind, b, err := c.Read(ctx)
			if err != nil {
				return
			}
			if string(b) == "close" {
				c.Close(4002, "bye")
				return
			}
			if c.Write(ctx, kind, b) != nil {
				return
			}
		}
	}
}

func (w *world) websocket(mode websocket.CompressionMode) (*websocket.Conn, *http.Response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, res, err := websocket.Dial(ctx, "wss://origin.test/ws", &websocket.DialOptions{
		HTTPClient: w.client(false), CompressionMode: mode, CompressionThreshold: 1, Subprotocols: []string{"chat"},
	})
	if err == nil {
		c.SetReadLimit(8 << 20)
		w.t.Cleanup(func() { c.CloseNow() })
	}
	return c, res, err
}

func TestWebSocketMessagesPassBothWays(t *testing.T) {
	for _, tc := range []struct {
		name string
		mode websocket.CompressionMode
	}{{"without compression", websocket.CompressionDisabled}, {"with compression", websocket.CompressionContextTakeover}} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, allowAll(), webSocket(tc.mode))
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			c, res, err := w.websocket(tc.mode)
			require.NoError(t, err)
			require.Equal(t, tc.mode != websocket.CompressionDisabled, strings.Contains(res.Header.Get("Sec-Websocket-Extensions"), "permessage-deflate"))
			require.Equal(t, "chat", c.Subprotocol())
			_, b, err := c.Read(ctx)
			require.NoError(t, err)
			require.Equal(t, "hello", string(b), "the origin speaks first")

			large := make([]byte, 1<<20)
			rand.Read(large)
			for _, m := range [][]byte{[]byte("a"), []byte(strings.Repeat("text ", 10_000)), large, {}} {
				require.NoError(t, c.Write(ctx, websocket.MessageBinary, m))
				kind, b, err := c.Read(ctx)
				require.NoError(t, err)
				require.Equal(t, websocket.MessageBinary, kind)
				require.Equal(t, string(m), string(b))
			}
			require.NoError(t, c.Write(ctx, websocket.MessageText, []byte("close")))
			_, _, err = c.Read(ctx)
			require.EqualValues(t, 4002, websocket.CloseStatus(err), "the origin's own close code")
			r := w.records(1)[0]
			require.Equal(t, "websocket", r.Protocol)
			require.Equal(t, 101, r.Status)
			require.Equal(t, "allow", r.Decision)
			require.Greater(t, r.Up, int64(len(large)))
			require.Greater(t, r.Down, int64(len(large)))
		})
	}
}

func TestWebSocketInTheClearPassesToo(t *testing.T) {
	addr := listenLoop(t, func(c net.Conn) {
		br := bufio.NewReader(c)
		if _, err := http.ReadRequest(br); err != nil {
			return
		}
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		io.Copy(c, br)
	})
	w := newWorld(t, allowAll(), http.NotFoundHandler(), func(w *world, _ *forward.Options) { w.connectTo(":80:" + addr) })
	c := w.dial()
	res := exchange(t, c, "GET http://plain.test/ HTTP/1.1\r\nHost: plain.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	require.Equal(t, 101, res.StatusCode)
	io.WriteString(c, "frames")
	b := make([]byte, 6)
	_, err := io.ReadFull(c, b)
	require.NoError(t, err)
	require.Equal(t, "frames", string(b))
}

func TestManyWebSocketsAtOnce(t *testing.T) {
	w := newWorld(t, allowAll(), webSocket(websocket.CompressionDisabled))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var conns []*websocket.Conn
	for range 8 {
		c, _, err := w.websocket(websocket.CompressionDisabled)
		require.NoError(t, err)
		conns = append(conns, c)
	}
	w.works()
	for i, c := range conns {
		_, _, err := c.Read(ctx)
		require.NoError(t, err)
		require.NoError(t, c.Write(ctx, websocket.MessageText, []byte{byte('a' + i)}))
	}
	for i, c := range conns {
		_, b, err := c.Read(ctx)
		require.NoError(t, err)
		require.Equal(t, string(rune('a'+i)), string(b))
		require.NoError(t, c.Close(websocket.StatusNormalClosure, ""))
	}
}

func TestOriginsRefusalOfAnUpgradeIsPassedOn(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		rw.Header().Set("X-Why", "because")
		rw.WriteHeader(426)
		io.WriteString(rw, "use POST")
	}))
	_, res, err := w.websocket(websocket.CompressionDisabled)
	require.Error(t, err)
	require.Equal(t, 426, res.StatusCode)
	require.Equal(t, "because", res.Header.Get("X-Why"))
	b, _ := io.ReadAll(res.Body)
	require.Equal(t, "use POST", string(b))
}

func TestSwitchThatNobodyAskedForIsNotPassedOn(t *testing.T) {
	for _, tc := range []struct{ name, request, upgrade string }{
		{"without an Upgrade", "GET /plain HTTP/1.1\r\nHost: origin.test\r\n\r\n", "websocket"},
		{"to another protocol", "GET /x HTTP/1.1\r\nHost: origin.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", "h2c"},
		{"from one that is dropped", "GET /x HTTP/1.1\r\nHost: origin.test\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", "h2c"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, allowAll(), http.NotFoundHandler(), rawOrigin(func(c net.Conn) {
				readHead(bufio.NewReader(c))
				io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+tc.upgrade+"\r\n\r\nraw bytes")
				io.Copy(io.Discard, c)
			}))
			refusalIn(t, exchange(t, w.tunnel(), tc.request), 502, refusal.OriginClosed)
		})
	}
}

// refuseWebSockets refuses upgrades on a host whose client gives up on status.
func refuseWebSockets(status int) *forward.Policy {
	return &forward.Policy{
		Tunnel: func(authority.Authority) forward.Verdict { return forward.Verdict{RefusalStatus: status} },
		Judge: requestFunc(func(req *http.Request) error {
			if forward.ExchangeOf(req).Upgrade == "websocket" {
				return refusal.New(refusal.ForeignCredential, "not with this login")
			}
			return nil
		}),
	}
}

func TestRefusedWebSocketGetsTheErrorThatItsClientGivesUpOn(t *testing.T) {
	w := newWorld(t, refuseWebSockets(400), webSocket(websocket.CompressionDisabled))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, res, err := w.websocket(websocket.CompressionDisabled)
	require.NoError(t, err)
	require.Equal(t, 101, res.StatusCode)
	require.Contains(t, res.Header.Get("Proxy-Status"), `details="foreign_credential"`)
	require.NoError(t, c.Write(ctx, websocket.MessageText, []byte(strings.Repeat("the turn", 8<<10))))
	kind, b, err := c.Read(ctx)
	require.NoError(t, err)
	require.Equal(t, websocket.MessageText, kind)
	var frame struct {
		Type   string
		Status int
		Error  refusal.PayloadError
	}
	require.NoError(t, json.Unmarshal(b, &frame))
	require.Equal(t, "error", frame.Type)
	require.Equal(t, 400, frame.Status)
	require.Equal(t, refusal.ForeignCredential, frame.Error.Code)
	require.Equal(t, stageName, frame.Error.Stage)
	require.NotEmpty(t, frame.Error.RequestID)
	_, _, err = c.Read(ctx)
	require.Equal(t, websocket.StatusPolicyViolation, websocket.CloseStatus(err))
	require.Zero(t, w.accepts.Load(), "connections to the origin")
	r := w.records(1)[0]
	require.Equal(t, "refuse", r.Decision)
	require.Equal(t, 400, r.Status)
	w.works()
}

func TestRefusedWebSocketIsToldWhyEvenIfItSaysNothing(t *testing.T) {
	w := newWorld(t, refuseWebSockets(400), webSocket(websocket.CompressionDisabled), withLimits(forward.Limits{Handshake: 200 * time.Millisecond}))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, _, err := w.websocket(websocket.CompressionDisabled)
	require.NoError(t, err)
	_, b, err := c.Read(ctx)
	require.NoError(t, err)
	require.Contains(t, string(b), "foreign_credential")
}

func TestRefusedWebSocketWithoutAStatusOfItsOwnIsAnsweredByHTTP(t *testing.T) {
	w := newWorld(t, refuseWebSockets(0), webSocket(websocket.CompressionDisabled))
	_, res, err := w.websocket(websocket.CompressionDisabled)
	require.Error(t, err)
	refusalIn(t, res, 403, refusal.ForeignCredential)
	require.Zero(t, w.accepts.Load())
}

func TestPolicyMayRefuseAnUpgradeThatTheOriginAccepted(t *testing.T) {
	policy := allowAll()
	policy.Response = responseFunc(func(res *http.Response) error {
		if res.StatusCode == 101 {
			return refusal.New(refusal.UpgradeUnsupported, "cannot read it")
		}
		return nil
	})
	w := newWorld(t, policy, webSocket(websocket.CompressionDisabled))
	_, res, err := w.websocket(websocket.CompressionDisabled)
	require.Error(t, err)
	refusalIn(t, res, 426, refusal.UpgradeUnsupported)
	w.works()
}

func TestWebSocketEndsWhenEitherSideGoesAway(t *testing.T) {
	ended := make(chan error, 1)
	started := make(chan *websocket.Conn, 1)
	w := newWorld(t, allowAll(), http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		c, err := websocket.Accept(rw, req, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			return
		}
		defer c.CloseNow()
		started <- c
		_, _, err = c.Read(context.Background())
		ended <- err
	}))
	c, _, err := w.websocket(websocket.CompressionDisabled)
	require.NoError(t, err)
	receive(t, started, "upgrade")
	c.CloseNow() // no close frame
	require.Error(t, receive(t, ended, "end at the origin"))

	c, _, err = w.websocket(websocket.CompressionDisabled)
	require.NoError(t, err)
	receive(t, started, "upgrade").CloseNow()
	receive(t, ended, "end at the origin")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, _, err = c.Read(ctx)
	require.Error(t, err)
	require.NoError(t, ctx.Err(), "the agent sees the end at once")
}
