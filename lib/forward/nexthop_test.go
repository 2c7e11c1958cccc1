package forward_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bottle/lib/authority"
	"bottle/lib/forward"
	"bottle/lib/refusal"
)

// hop is a proxy that records what it is asked, and answers by answer; "" opens
// the tunnel to target.
func hop(t *testing.T, asked chan<- *http.Request, answer string, target func() string) string {
	return listenLoop(t, func(c net.Conn) { serveHop(c, asked, answer, target) })
}

func serveHop(c net.Conn, asked chan<- *http.Request, answer string, target func() string) {
	br := bufio.NewReader(c)
	req, err := http.ReadRequest(br)
	if err != nil {
		return
	}
	asked <- req
	if answer != "" {
		io.WriteString(c, answer)
		return
	}
	up, err := net.Dial("tcp", target())
	if err != nil {
		return
	}
	defer up.Close()
	if req.Method == "CONNECT" {
		io.WriteString(c, "HTTP/1.0 200 go ahead\r\nX-Proxy: yes\r\n\r\n")
	} else {
		req.Write(up)
	}
	go func() {
		io.Copy(up, br)
		up.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(c, up)
}

// throughHop puts a next hop before the engine. Nothing else may be dialled:
// the only direct way is to an address where nobody listens.
func throughHop(spec string) change {
	return func(w *world, _ *forward.Options) {
		w.dialer.ConnectTo = nil
		var err error
		w.dialer.NextHop, err = forward.ParseNextHop(spec)
		require.NoError(w.t, err)
	}
}

func TestNextHopIsAskedByCONNECTWithItsLogin(t *testing.T) {
	asked := make(chan *http.Request, 4)
	var w *world
	addr := hop(t, asked, "", func() string { return w.origin.Listener.Addr().String() })
	heads := make(chan http.Header, 4)
	w = newWorld(t, allowAll(), http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) { heads <- req.Header }),
		throughHop("http://some%20user:pa%3Ass@"+addr))
	overBoth(t, func(t *testing.T, http2 bool) {
		req, err := http.NewRequest("GET", "https://origin.test/", nil)
		require.NoError(t, err)
		req.Header.Set("Proxy-Authorization", "Basic bWluZQ==") // the agent's own: for nobody
		res, err := w.client(http2).Do(req)
		require.NoError(t, err)
		readAll(t, res)
		require.Equal(t, 200, res.StatusCode)
		connect := receive(t, asked, "CONNECT")
		require.Equal(t, "CONNECT", connect.Method)
		require.Equal(t, "origin.test:443", connect.RequestURI)
		require.Equal(t, "origin.test:443", connect.Host)
		require.Equal(t, "Basic "+base64.StdEncoding.EncodeToString([]byte("some user:pa:ss")), connect.Header.Get("Proxy-Authorization"))
		require.Contains(t, connect.Header.Get("Via"), stageName+"-")
		head := receive(t, heads, "request")
		require.NotContains(t, head, "Proxy-Authorization")
		require.NotContains(t, head, "Via")
	})
	require.NotContains(t, w.log.String(), "some user")
}

func TestNextHopTakesCleartextInAbsoluteForm(t *testing.T) {
	asked := make(chan *http.Request, 1)
	addr := hop(t, asked, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", nil)
	w := newWorld(t, allowAll(), http.HandlerFunc(echo), throughHop("http://u:p@"+addr))
	res := exchange(t, w.dial(), "GET http://plain.test:8080/x?y HTTP/1.1\r\nHost: plain.test\r\nProxy-Authorization: Basic bWluZQ==\r\n\r\n")
	require.Equal(t, "ok", readAll(t, res))
	req := receive(t, asked, "request")
	require.Equal(t, "http://plain.test:8080/x?y", req.RequestURI)
	require.Equal(t, "plain.test:8080", req.Host)
	require.Equal(t, "Basic dTpw", req.Header.Get("Proxy-Authorization"))
	require.Contains(t, req.Header.Get("Via"), stageName+"-")
}

func TestNextHopMayBeASocketFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hop")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	asked := make(chan *http.Request, 4)
	var w *world
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serveHop(c, asked, "", func() string { return w.origin.Listener.Addr().String() })
			}()
		}
	}()
	w = newWorld(t, allowAll(), http.HandlerFunc(echo), throughHop("unix:"+path))
	t.Cleanup(func() { l.Close() })
	require.Equal(t, "GET origin.test / HTTP/1.1|", readAll(t, exchange(t, w.tunnel(), "GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n")))
	require.Equal(t, "CONNECT", receive(t, asked, "CONNECT").Method)
}

// nobody is an address where nobody listens.
func nobody(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// everyWay asks for the origin in each of the ways that a stage dials for, and
// gives f the answers.
func (w *world) everyWay(t *testing.T, f func(t *testing.T, res *http.Response)) {
	t.Run("intercept", func(t *testing.T) {
		f(t, exchange(t, w.tunnel(), "GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n"))
	})
	t.Run("intercept, HTTP/2", func(t *testing.T) {
		h := newFrames(t, w.tunnel("h2"))
		h.ask(":method= GET", ":scheme= https", ":path= /", ":authority= origin.test")
		f(t, h.answer())
	})
	t.Run("http://", func(t *testing.T) {
		f(t, exchange(t, w.dial(), "GET http://origin.test/ HTTP/1.1\r\nHost: origin.test\r\n\r\n"))
	})
	t.Run("passthrough", func(t *testing.T) {
		c := w.config
		c.Policy = passAll()
		w.engine.Swap(c)
		defer w.engine.Swap(w.config)
		_, res := w.connect(w.host)
		f(t, res)
	})
}

func TestNextHopThatIsDownIsNotGoneAround(t *testing.T) {
	dns := noDNS(t)
	for _, spec := range []string{"http://" + nobody(t), "unix:" + filepath.Join(t.TempDir(), "none")} {
		w := newWorld(t, allowAll(), http.HandlerFunc(echo), throughHop(spec), func(w *world, _ *forward.Options) {
			// A way that would work, if the stage took it.
			ct, err := forward.ParseConnectTo(":443:" + w.origin.Listener.Addr().String())
			require.NoError(t, err)
			w.dialer.ConnectTo = []forward.ConnectTo{ct}
		})
		w.everyWay(t, func(t *testing.T, res *http.Response) {
			refusalIn(t, res, 502, refusal.NextHopDown)
		})
		require.Zero(t, w.accepts.Load())
		require.Contains(t, w.log.String(), "dial next hop "+spec, "the operator learns which")
	}
	require.Zero(t, dns.Load())
}

func TestNextHopThatHangsIsGivenUp(t *testing.T) {
	addr := listenLoop(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	w := newWorld(t, allowAll(), http.HandlerFunc(echo), throughHop("http://"+addr), func(w *world, _ *forward.Options) {
		w.dialer.Timeout = 50 * time.Millisecond
	})
	refusalIn(t, exchange(t, w.tunnel(), "GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n"), 504, refusal.ConnectTimeout)
	c := w.config
	c.Policy = passAll()
	w.engine.Swap(c)
	_, res := w.connect(w.host)
	refusalIn(t, res, 504, refusal.ConnectTimeout)
}

func TestForeignNextHopsRefusalIsToldInOurTerms(t *testing.T) {
	for _, tc := range []struct {
		name, answer string
		status       int
		code         refusal.Code
	}{
		{"403", "HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nnope", 403, refusal.NextHopRefused},
		{"403 in HTTP/1.0 without a length", "HTTP/1.0 403 Forbidden\r\nContent-Type: text/html\r\n\r\n<html>nope", 403, refusal.NextHopRefused},
		{"407", "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n", 502, refusal.NextHopAuth},
		{"429", "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n", 403, refusal.NextHopRefused},
		{"500", "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n", 502, refusal.ConnectFailed},
		{"503", "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", 502, refusal.ConnectFailed},
		{"a redirect", "HTTP/1.1 302 Found\r\nLocation: http://elsewhere.test/\r\nContent-Length: 0\r\n\r\n", 403, refusal.NextHopRefused},
		{"nothing", " ", 502, refusal.NextHopDown},
		{"garbage", "SSH-2.0-OpenSSH_9.9\r\n", 502, refusal.NextHopDown},
		{"a head without end", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 80<<10), 502, refusal.NextHopDown},
		{"JSON that is not ours", "HTTP/1.1 403 Forbidden\r\nContent-Length: 30\r\n\r\n{\"error\":{\"code\":\"no_route\"}}  ", 403, refusal.NextHopRefused},
	} {
		t.Run(tc.name, func(t *testing.T) {
			asked := make(chan *http.Request, 4)
			w := newWorld(t, allowAll(), http.HandlerFunc(echo), throughHop("http://"+hop(t, asked, tc.answer, nil)))
			refusalIn(t, exchange(t, w.tunnel(), "GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n"), tc.status, tc.code)
			c := w.config
			c.Policy = passAll()
			w.engine.Swap(c)
			_, res := w.connect(w.host)
			refusalIn(t, res, tc.status, tc.code)
			require.Zero(t, w.accepts.Load())
		})
	}
}

// net/http quotes an answer that it cannot parse.
func TestNextHopThatRepeatsItsLoginDoesNotGetItIntoTheLog(t *testing.T) {
	const login = "cHJveHk6dGhlLXBhc3N3b3Jk" // proxy:the-password
	asked := make(chan *http.Request, 4)
	w := newWorld(t, allowAll(), http.HandlerFunc(echo), throughHop("http://proxy:the-password@"+hop(t, asked, "Basic "+login+"\r\n\r\n", nil)))
	refusalIn(t, exchange(t, w.tunnel(), "GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n"), 502, refusal.NextHopDown)
	require.Equal(t, "Basic "+login, (<-asked).Header.Get("Proxy-Authorization"))
	require.NotContains(t, w.log.String(), login)
}

func TestRefusalWithoutEndFromTheNextHopIsNotWaitedFor(t *testing.T) {
	addr := listenLoop(t, func(c net.Conn) {
		http.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, "HTTP/1.1 403 Forbidden\r\n\r\nno length, and no end either")
		io.Copy(io.Discard, c)
	})
	w := newWorld(t, allowAll(), http.HandlerFunc(echo), throughHop("http://"+addr))
	// The dial timeout is 15 s, longer than the patience of this connection.
	refusalIn(t, exchange(t, w.tunnel(), "GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n"), 403, refusal.NextHopRefused)
}

func TestNextStagesRefusalIsPassedOnWithItsCode(t *testing.T) {
	// The next hop is an engine of its own.
	next := newWorld(t, &forward.Policy{Tunnel: func(a authority.Authority) forward.Verdict {
		return forward.Verdict{Refusal: refusal.New(refusal.HostNotAllowed, "%s is not on the list", a)}
	}, Judge: requestFunc(func(req *http.Request) error { return refusal.New(refusal.HostNotAllowed, "not on the list") })},
		http.HandlerFunc(echo), func(_ *world, o *forward.Options) { o.Stage = "bottle-next" })
	w := newWorld(t, allowAll(), http.HandlerFunc(echo), throughHop("http://"+next.proxy))
	w.everyWay(t, func(t *testing.T, res *http.Response) {
		body := readAll(t, res)
		require.Equal(t, 403, res.StatusCode, body)
		require.Contains(t, body, `"code":"host_not_allowed"`)
		require.Contains(t, body, `"stage":"bottle-next"`)
		require.Contains(t, body, `"message":"bottle-next: `)
		require.Equal(t, `bottle-next; error=http_request_denied; details="host_not_allowed"`, res.Header.Get("Proxy-Status"))
	})
	for _, r := range w.records(len(w.records(4))) {
		require.Contains(t, []string{"host_not_allowed", ""}, r.Code)
	}
}

func TestNextStagesRateLimitIsPassedOnWithItsWait(t *testing.T) {
	next := newWorld(t, &forward.Policy{Tunnel: func(a authority.Authority) forward.Verdict {
		r := refusal.New(refusal.RateLimited, "too many requests")
		r.RetryAfter = 7 * time.Second
		return forward.Verdict{Refusal: r}
	}}, http.HandlerFunc(echo))
	w := newWorld(t, allowAll(), http.HandlerFunc(echo), throughHop("http://"+next.proxy))
	res := exchange(t, w.tunnel(), "GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n")
	refusalIn(t, res, 429, refusal.RateLimited)
	require.Equal(t, "7", res.Header.Get("Retry-After"))
}

func TestNextHopOfCleartextMayWantALogin(t *testing.T) {
	asked := make(chan *http.Request, 1)
	addr := hop(t, asked, "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n", nil)
	w := newWorld(t, allowAll(), http.HandlerFunc(echo), throughHop("http://"+addr))
	res := exchange(t, w.dial(), "GET http://plain.test/ HTTP/1.1\r\nHost: plain.test\r\n\r\n")
	refusalIn(t, res, 502, refusal.NextHopAuth) // the login is the operator's affair, not the agent's
}

func TestParseNextHop(t *testing.T) {
	for in, want := range map[string]string{
		"":                            "none",
		"http://127.0.0.1:8888":       "http://127.0.0.1:8888",
		"http://127.0.0.1:8888/":      "http://127.0.0.1:8888",
		"http://user:hunter2@proxy:1": "http://proxy:1",
		"http://[::1]:1":              "http://[::1]:1",
		"unix:/run/x":                 "unix:/run/x",
	} {
		n, err := forward.ParseNextHop(in)
		require.NoError(t, err, in)
		require.Equal(t, want, n.String())
	}
	for _, in := range []string{
		"unix:", "https://user:hunter2@proxy:1", "http://user:hunter2@proxy", "socks5://user:hunter2@proxy:1", "user:hunter2@proxy:1", "http://",
		"http://user:hunter2@proxy:1/path", "http://user:hunter2@proxy:1?q", "http://user:hunter2@proxy:1#f", "http://user:hunter2@pro xy:1", "http://user:hun%0Ater2@proxy:99999",
		"http://user:hunter2@proxy:http", "http://user:hunter2%zz@proxy:1", "127.0.0.1:8888",
	} {
		n, err := forward.ParseNextHop(in)
		require.Error(t, err, in)
		require.Nil(t, n)
		require.NotContains(t, err.Error(), "hunter2")
		require.Contains(t, err.Error(), "next_hop")
	}
	_, err := forward.ParseNextHop("http://user:hunter2@proxy:1")
	require.NoError(t, err)
	n, _ := forward.ParseNextHop("http://user:hunter2@proxy:1")
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", n, n, n), "hunter2")
}
