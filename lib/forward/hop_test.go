package forward_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/audit"
	"bottle/lib/forward"
)

// chained starts two stages: the first goes out through the second, which has
// policy and leads to an origin that answers with the names of the headers.
func chained(t *testing.T, policy *forward.Policy) (first, second *world) {
	second = newWorld(t, policy, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		for name := range req.Header {
			w.Write([]byte(name + "\n"))
		}
	}), func(w *world, _ *forward.Options) {
		w.connectTo(":443:"+w.origin.Listener.Addr().String(), ":80:"+listenLoop(t, serveHeaderNames))
	})
	first = newWorld(t, allowAll(), http.NotFoundHandler(), throughHop("http://"+second.proxy), func(w *world, o *forward.Options) {
		o.Stage = "bottle-first"
		w.config.UpstreamRoots = second.roots
	})
	return first, second
}

func TestBothStagesNameARequestAlike(t *testing.T) {
	for name, policy := range map[string]*forward.Policy{"intercepted": allowAll(), "passthrough": passAll()} {
		t.Run(name, func(t *testing.T) {
			first, second := chained(t, policy)
			for _, http2 := range []bool{false, true} {
				c := first.client(http2)
				for range 3 {
					res, err := c.Get("https://origin.test/")
					require.NoError(t, err)
					require.NotContains(t, readAll(t, res), "Bottle-Hop", "the origin sees nothing of it")
				}
				c.CloseIdleConnections()
			}
			out := first.records(6)
			tunnels := map[string]int{}
			for _, r := range out {
				require.NotEmpty(t, r.HopOut)
				tunnel, _, _ := strings.Cut(r.HopOut, ".")
				tunnels[tunnel]++
			}
			require.Len(t, tunnels, 2)
			if name == "passthrough" {
				for _, r := range second.records(2) {
					require.Equal(t, audit.EventTunnelOpen, r.Event)
					require.Contains(t, tunnels, r.HopIn)
				}
				return
			}
			in := second.records(6)
			require.Equal(t, out[0].HopOut, in[0].HopIn)
			require.Equal(t, out[1].HopOut, in[1].HopIn)
			require.True(t, strings.HasSuffix(in[2].HopIn, ".3"))
			require.Equal(t, out[5].HopOut+".3", in[5].HopIn, "over HTTP/2 the tunnel alone is known")
		})
	}
}

func TestCleartextRequestsCarryTheirIDToTheNextHopOnly(t *testing.T) {
	first, second := chained(t, allowAll())
	res, err := first.client(false).Get("http://origin.test/")
	require.NoError(t, err)
	body := readAll(t, res)
	require.Contains(t, body, "GET / HTTP/1.1")
	require.NotContains(t, body, "Bottle-Hop")
	require.Equal(t, first.records(1)[0].HopOut, second.records(1)[0].HopIn)
}

func TestAForgedHopIsNotWrittenDown(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(echo))
	for _, forged := range []string{"secret-in-a-record", strings.Repeat("a", 13), "AAAAAAAAAAAA", "aaaaaaaaaaa\x01"} {
		c := w.dial()
		c.Write([]byte("CONNECT refused.test:1 HTTP/1.1\r\nHost: refused.test:1\r\nBottle-Hop: " + forged + "\r\n\r\n"))
		c.Close()
	}
	w.works()
	for _, r := range w.recordsNow() {
		require.Empty(t, r.HopIn)
	}
}

// serveHeaderNames answers one request with its head.
func serveHeaderNames(c net.Conn) {
	req, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return
	}
	var b bytes.Buffer
	req.Write(&b)
	fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", b.Len(), b.Bytes())
}
