package framing

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
)

// hello is what a client sends in one packet with its CONNECT head: bytes that
// are no HTTP.
const (
	connect = "CONNECT b.example:443 HTTP/1.1\r\nHost: b.example:443\r\n\r\n"
	hello   = "\x16\x03\x01 hello\r\n\n\x00"
)

// tunnel answers CONNECT and echoes the tunnel's bytes.
func tunnel(detach bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			echo(w, r)
			return
		}
		c, brw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer c.Close()
		if brw.Reader.Buffered() != 0 {
			panic("the server holds bytes of the tunnel")
		}
		if !detach {
			// As io.Copy would: the status line must be seen there, too.
			c.(io.ReaderFrom).ReadFrom(strings.NewReader("HTTP/1.1 200 Connected\r\n\r\n"))
			io.Copy(c, c)
			return
		}
		raw, early := From(c).Detach()
		if _, ok := raw.(*Conn); ok {
			panic("still guarded")
		}
		io.WriteString(raw, "HTTP/1.1 200 Connected\r\n\r\n"+string(early))
		io.Copy(raw, raw)
	}
}

func TestTunnelAfterConnect(t *testing.T) {
	for _, detach := range []bool{true, false} {
		for _, coalesced := range []bool{true, false} {
			overAll(t, Limits{}, tunnel(detach), func(t *testing.T, o *origin) {
				c := o.dial(t)
				first, second := connect+hello, ""
				if !coalesced {
					first, second = connect, hello
				}
				_, err := io.WriteString(c, good+first)
				require.NoError(t, err)
				br := bufio.NewReader(c)
				resp, err := http.ReadResponse(br, nil)
				require.NoError(t, err)
				io.Copy(io.Discard, resp.Body)
				resp, err = http.ReadResponse(br, &http.Request{Method: http.MethodConnect})
				require.NoError(t, err)
				require.Equal(t, 200, resp.StatusCode)
				_, err = io.WriteString(c, second)
				require.NoError(t, err)
				got := make([]byte, len(hello))
				_, err = io.ReadFull(br, got)
				require.NoError(t, err)
				require.Equal(t, hello, string(got))
				big := bytes.Repeat([]byte("GET bad\n"), 64<<10)
				go c.Write(big)
				got = make([]byte, len(big))
				_, err = io.ReadFull(br, got)
				require.NoError(t, err)
				require.Equal(t, big, got)
			})
		}
	}
}

// The server's answer decides; a client cannot turn the guard off by asking.
func TestRefusedConnectOrUpgradeStaysGuarded(t *testing.T) {
	const upgrade = "GET /ws HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
	handler := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</HTTP/1.1 101>")
		w.WriteHeader(http.StatusEarlyHints)
		if r.Method == http.MethodConnect {
			w.WriteHeader(http.StatusForbidden)
		}
		echo(w, r)
	}
	overAll(t, Limits{}, handler, func(t *testing.T, o *origin) {
		for _, ask := range []string{connect, upgrade} {
			c := o.dial(t)
			_, err := io.WriteString(c, ask+good+"GET /smuggled HTTP/1.1\nHost: a.example\n\n")
			require.NoError(t, err)
			var codes []string
			for _, a := range answers(t, c) {
				if a[:3] != "103" {
					codes = append(codes, a[:3])
				}
			}
			want := []string{"200", "200", "400"}
			if ask == connect {
				want[0] = "403"
			}
			require.Equal(t, want, codes)
		}
	})
}

func wsEcho(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	c.SetReadLimit(1 << 20)
	for {
		kind, data, err := c.Read(r.Context())
		if err != nil || c.Write(r.Context(), kind, data) != nil {
			return
		}
	}
}

func wsTalk(t *testing.T, client *http.Client) {
	c, _, err := websocket.Dial(t.Context(), "ws://a.example/ws", &websocket.DialOptions{HTTPClient: client})
	require.NoError(t, err)
	defer c.CloseNow()
	c.SetReadLimit(1 << 20)
	for i := range 50 {
		frame := bytes.Repeat([]byte{byte(i), '\n'}, 1+i*500)
		require.NoError(t, c.Write(t.Context(), websocket.MessageBinary, frame))
		_, got, err := c.Read(t.Context())
		require.NoError(t, err)
		require.Equal(t, frame, got)
	}
	require.NoError(t, c.Close(websocket.StatusNormalClosure, ""))
}

func TestWebSocket(t *testing.T) {
	overAll(t, Limits{}, wsEcho, func(t *testing.T, o *origin) { wsTalk(t, o.client(t)) })
}

func TestWebSocketThroughReverseProxy(t *testing.T) {
	back := start(t, "tcp", Limits{}, wsEcho)
	target, err := url.Parse("http://" + back.addr)
	require.NoError(t, err)
	tr := new(http.Transport)
	t.Cleanup(tr.CloseIdleConnections)
	proxy := &httputil.ReverseProxy{Transport: tr, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	overAll(t, Limits{}, proxy.ServeHTTP, func(t *testing.T, o *origin) { wsTalk(t, o.client(t)) })
}

// A client that sends its first frame without waiting for the 101 breaks the
// rules, but loses nothing.
func TestFramesBeforeTheSwitchAreKept(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "echo")
		w.WriteHeader(http.StatusSwitchingProtocols)
		c, brw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer c.Close()
		io.Copy(c, brw)
	}
	overAll(t, Limits{}, handler, func(t *testing.T, o *origin) {
		c := o.dial(t)
		_, err := io.WriteString(c, "GET /ws HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"+hello)
		require.NoError(t, err)
		br := bufio.NewReader(c)
		resp, err := http.ReadResponse(br, nil)
		require.NoError(t, err)
		require.Equal(t, 101, resp.StatusCode)
		got := make([]byte, len(hello))
		_, err = io.ReadFull(br, got)
		require.NoError(t, err)
		require.Equal(t, hello, string(got))
	})
}
