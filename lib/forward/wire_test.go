package forward_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bottle/lib/authority"
	"bottle/lib/forward"
	"bottle/lib/refusal"
)

// noDNS counts the queries that the process makes until the test ends, and
// answers none.
func noDNS(t *testing.T) *atomic.Int64 {
	var n atomic.Int64
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		n.Add(1)
		return nil, fmt.Errorf("no name server here")
	}}
	t.Cleanup(func() { net.DefaultResolver = before })
	return &n
}

// exchange writes text and reads one response.
func exchange(t *testing.T, c net.Conn, text string) *http.Response {
	t.Helper()
	_, err := io.WriteString(c, text)
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: "GET"})
	require.NoError(t, err)
	return res
}

type wireCase struct {
	name, send string
	status     int
	code       refusal.Code
	host       string // in the refusal
}

// check sends each case on a new connection of open, expects its refusal, no
// connection to the origin and no DNS query, and an ordinary request to work
// afterwards.
func (w *world) check(cases []wireCase, open func() net.Conn) {
	for _, tc := range cases {
		w.t.Run(tc.name, func(t *testing.T) {
			accepts := w.accepts.Load()
			dns := noDNS(t)
			c := open()
			p := refusalIn(t, exchange(t, c, tc.send), tc.status, tc.code)
			require.Equal(t, tc.host, p.Host)
			require.Equal(t, accepts, w.accepts.Load(), "connections to the origin")
			require.Zero(t, dns.Load(), "DNS queries")
			c.Close()
			require.Contains(t, w.log.String(), p.RequestID)
			w.works()
		})
	}
}

func TestProxyRefusesWhatItCannotReadInOneWay(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(echo))
	connect := func(a string) string { return "CONNECT " + a + " HTTP/1.1\r\nHost: origin.test:443\r\n\r\n" }
	cases := []wireCase{
		{"CONNECT without a port", connect("origin.test"), 400, refusal.BadAuthority, ""},
		{"CONNECT to port 0", connect("origin.test:0"), 400, refusal.BadAuthority, ""},
		{"CONNECT to a port beyond 65535", connect("origin.test:65536"), 400, refusal.BadAuthority, ""},
		{"CONNECT to an empty port", connect("origin.test:"), 400, refusal.BadAuthority, ""},
		{"CONNECT to a port that is a name", connect("origin.test:https"), 400, refusal.MalformedRequest, ""},
		{"CONNECT to an empty host", connect(":443"), 400, refusal.BadAuthority, ""},
		{"CONNECT to a host with an empty label", connect("origin..test:443"), 400, refusal.BadAuthority, ""},
		{"CONNECT to a hexadecimal address", connect("0x7f.0.0.1:443"), 400, refusal.BadAuthority, ""},
		{"CONNECT to a short address", connect("127.1:443"), 400, refusal.BadAuthority, ""},
		{"CONNECT to a decimal address", connect("2130706433:443"), 400, refusal.BadAuthority, ""},
		{"CONNECT to an octal address", connect("0177.0.0.1:443"), 400, refusal.BadAuthority, ""},
		{"CONNECT to an address with a zone", connect("[fe80::1%25eth0]:443"), 400, refusal.BadAuthority, ""},
		{"CONNECT to IPv6 without brackets", connect("::1:443"), 400, refusal.MalformedRequest, ""},
		{"CONNECT with a user", connect("user@origin.test:443"), 400, refusal.MalformedRequest, ""},
		{"CONNECT with a path", connect("origin.test:443/x"), 400, refusal.MalformedRequest, ""},
		{"CONNECT with a URL", connect("https://origin.test:443"), 400, refusal.MalformedRequest, ""},
		{"CONNECT with a body", "CONNECT origin.test:443 HTTP/1.1\r\nHost: origin.test:443\r\nContent-Length: 4\r\n\r\nabcd", 400, refusal.FramingConflict, ""},
		{"origin-form", "GET /x HTTP/1.1\r\nHost: origin.test\r\n\r\n", 400, refusal.NotAProxyRequest, ""},
		{"asterisk-form", "OPTIONS * HTTP/1.1\r\nHost: origin.test\r\n\r\n", 400, refusal.NotAProxyRequest, ""},
		{"https:// in absolute form", "GET https://origin.test/ HTTP/1.1\r\nHost: origin.test\r\n\r\n", 400, refusal.NotAProxyRequest, ""},
		{"ftp:// in absolute form", "GET ftp://origin.test/ HTTP/1.1\r\nHost: origin.test\r\n\r\n", 400, refusal.NotAProxyRequest, ""},
		{"userinfo", "GET http://user:pass@origin.test/ HTTP/1.1\r\nHost: origin.test\r\n\r\n", 400, refusal.UserinfoInURL, ""},
		{"a URL with a bad host", "GET http://0x7f.1/ HTTP/1.1\r\nHost: 0x7f.1\r\n\r\n", 400, refusal.BadAuthority, ""},
		{"no Host", "GET http://origin.test/ HTTP/1.1\r\n\r\n", 400, refusal.MalformedRequest, ""},
		{"two Host headers", "GET http://origin.test/ HTTP/1.1\r\nHost: origin.test\r\nHost: other.test\r\n\r\n", 400, refusal.DuplicateHost, ""},
		{"two equal Host headers", "GET http://origin.test/ HTTP/1.1\r\nHost: origin.test\r\nhost: origin.test\r\n\r\n", 400, refusal.DuplicateHost, ""},
		{"Content-Length and Transfer-Encoding", "POST http://origin.test/ HTTP/1.1\r\nHost: origin.test\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, refusal.FramingConflict, ""},
		{"two lengths", "POST http://origin.test/ HTTP/1.1\r\nHost: origin.test\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd", 400, refusal.FramingConflict, ""},
		{"a transfer coding that is not chunked", "POST http://origin.test/ HTTP/1.1\r\nHost: origin.test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400, refusal.FramingConflict, ""},
		{"Connection names Authorization", "GET http://origin.test/ HTTP/1.1\r\nHost: origin.test\r\nConnection: close, authorization\r\n\r\n", 400, refusal.BadConnectionHeader, ""},
		{"a head beyond the limit", "GET http://origin.test/ HTTP/1.1\r\nHost: origin.test\r\nX: " + strings.Repeat("a", 64<<10) + "\r\n\r\n", 431, refusal.HeaderTooLarge, ""},
		{"a target beyond the limit", "GET http://origin.test/" + strings.Repeat("a", 80<<10) + " HTTP/1.1\r\nHost: origin.test\r\n\r\n", 431, refusal.HeaderTooLarge, ""},
		{"a line end without CR", "GET http://origin.test/ HTTP/1.1\nHost: origin.test\n\n", 400, refusal.MalformedRequest, ""},
		{"a folded line", "GET http://origin.test/ HTTP/1.1\r\nHost: origin.test\r\nX: a\r\n b\r\n\r\n", 400, refusal.MalformedRequest, ""},
		{"a space before the colon", "GET http://origin.test/ HTTP/1.1\r\nHost: origin.test\r\nX : a\r\n\r\n", 400, refusal.MalformedRequest, ""},
		{"a NUL in a value", "GET http://origin.test/ HTTP/1.1\r\nHost: origin.test\r\nX: a\x00b\r\n\r\n", 400, refusal.MalformedRequest, ""},
		{"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, refusal.MalformedRequest, ""},
		{"TLS to the proxy itself", "\x16\x03\x01\x00\x05hello", 400, refusal.MalformedRequest, ""},
		{"HTTP/0.9", "GET /\r\n", 400, refusal.MalformedRequest, ""},
	}
	w.check(cases, w.dial)
}

func TestTunnelRefusesWhatIsNotItsOwnDestination(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(echo))
	const host = "origin.test:443"
	get := func(target, more string) string {
		return "GET " + target + " HTTP/1.1\r\n" + more + "\r\n"
	}
	w.check([]wireCase{
		{"another Host", get("/", "Host: other.test\r\n"), 421, refusal.AuthorityMismatch, host},
		{"another port", get("/", "Host: origin.test:8443\r\n"), 421, refusal.AuthorityMismatch, host},
		{"a Host that is no name", get("/", "Host: origin.test:\r\n"), 421, refusal.AuthorityMismatch, host},
		{"an empty Host", get("/", "Host:\r\n"), 421, refusal.AuthorityMismatch, host},
		{"a Host that only begins alike", get("/", "Host: origin.test.evil.test\r\n"), 421, refusal.AuthorityMismatch, host},
		{"an absolute URL of another host", get("https://other.test/", "Host: origin.test\r\n"), 421, refusal.AuthorityMismatch, host},
		{"an absolute URL without TLS", get("http://origin.test/", "Host: origin.test\r\n"), 421, refusal.AuthorityMismatch, host},
		{"userinfo", get("https://a:b@origin.test/", "Host: origin.test\r\n"), 400, refusal.UserinfoInURL, host},
		{"no Host", get("/", ""), 400, refusal.MalformedRequest, host},
		{"two Host headers", get("/", "Host: origin.test\r\nHost: other.test\r\n"), 400, refusal.DuplicateHost, host},
		{"TRACE, which would show the credential", "TRACE / HTTP/1.1\r\nHost: origin.test\r\n\r\n", 403, refusal.MethodNotAllowed, host},
		{"CONNECT inside the tunnel", "CONNECT origin.test:443 HTTP/1.1\r\nHost: origin.test:443\r\n\r\n", 400, refusal.ProxyMethodForbidden, host},
		{"Connection names Authorization", get("/", "Host: origin.test\r\nConnection: Authorization\r\n"), 400, refusal.BadConnectionHeader, host},
		{"Connection names Host in a second field", get("/", "Host: origin.test\r\nConnection: x\r\nConnection: y , HOST\r\n"), 400, refusal.BadConnectionHeader, host},
		{"Content-Length and Transfer-Encoding", "POST / HTTP/1.1\r\nHost: origin.test\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 400, refusal.FramingConflict, host},
		{"a head beyond the limit", get("/", "Host: origin.test\r\nX: "+strings.Repeat("a", 70<<10)+"\r\n"), 431, refusal.HeaderTooLarge, host},
	}, func() net.Conn { return w.tunnel() })

	hello := get("/", "Host: origin.test\r\n")
	w.check([]wireCase{{"another server name", hello, 421, refusal.SNIMismatch, host}}, func() net.Conn { return w.tunnelNamed("other.test") })
	w.check([]wireCase{{"no server name", hello, 421, refusal.SNIMismatch, host}}, func() net.Conn { return w.tunnelNamed("") })
	w.check([]wireCase{{"an address for a server name", hello, 421, refusal.SNIMismatch, host}}, func() net.Conn { return w.tunnelNamed("127.0.0.1") })
}

func TestEquivalentSpellingsOfTheDestinationAreOne(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(echo))
	for _, host := range []string{"ORIGIN.test", "origin.test.", "origin.test:443", "oRiGiN.tEsT.:443"} {
		c := w.tunnelNamed("Origin.Test")
		res := exchange(t, c, "GET /x HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
		require.Equal(t, "GET origin.test /x HTTP/1.1|", readAll(t, res), host)
	}
	c := w.tunnel()
	res := exchange(t, c, "GET https://ORIGIN.test/x HTTP/1.1\r\nHost: anything\r\n\r\n") // RFC 9112, section 3.2.2: Host is ignored
	require.Equal(t, "GET origin.test /x HTTP/1.1|", readAll(t, res))
}

func TestAddressNeedsNoServerName(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(echo), func(w *world, _ *forward.Options) { w.host = "10.0.0.1:443" })
	c := w.tunnelNamed("")
	res := exchange(t, c, "GET / HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n")
	// The origin has no certificate for the address; that it was asked shows
	// that the request was not refused before.
	refusalIn(t, res, 502, refusal.OriginTLSFailed)
	c = w.tunnelNamed("origin.test")
	res = exchange(t, c, "GET / HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n")
	refusalIn(t, res, 421, refusal.SNIMismatch)
}

func TestSlowHeadIsAnsweredInTime(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(echo), withLimits(forward.Limits{HeadTime: 50 * time.Millisecond}))
	w.check([]wireCase{
		{"half a request line", "GET http://ori", 408, refusal.HeaderTimeout, ""},
		{"half a head", "GET http://origin.test/ HTTP/1.1\r\nHost: origin.test\r\n", 408, refusal.HeaderTimeout, ""},
	}, w.dial)
	w.check([]wireCase{{"half a head in a tunnel", "GET / HTTP/1.1\r\nHost: origin.test\r\n", 408, refusal.HeaderTimeout, "origin.test:443"}},
		func() net.Conn { return w.tunnel() })
}

func TestSilentConnectionIsClosed(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(echo), withLimits(forward.Limits{Handshake: 50 * time.Millisecond}))
	c, res := w.connect(w.host)
	require.Equal(t, 200, res.StatusCode)
	_, err := c.Read(make([]byte, 1)) // no ClientHello was sent
	require.ErrorIs(t, err, io.EOF)
	w.works()
}

func TestRequestsBeyondTheLimitAreRefused(t *testing.T) {
	entered, leave := make(chan bool), make(chan bool)
	w := newWorld(t, allowAll(), http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/wait" {
			entered <- true
			<-leave
		}
	}), withLimits(forward.Limits{Requests: 2}))
	h := newFrames(t, w.tunnel("h2"))
	for range 2 {
		h.ask(":method= GET", ":scheme= https", ":path= /wait", ":authority= origin.test")
		<-entered
	}
	h.ask(":method= GET", ":scheme= https", ":path= /", ":authority= origin.test")
	refusalIn(t, h.answer(), 503, refusal.TooManyConnections)
	close(leave)
	for range 2 {
		require.Equal(t, 200, h.answer().StatusCode)
	}
	w.works()
}

func TestConnectionsBeyondTheLimitAreTurnedAway(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(echo), withLimits(forward.Limits{Connections: 2}))
	a := w.tunnel()
	b := w.dial()
	// An answer shows that b has its place.
	refusalIn(t, exchange(t, b, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 400, refusal.NotAProxyRequest)
	c := w.dial()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	refusalIn(t, res, 503, refusal.TooManyConnections)
	require.True(t, res.Close)

	require.Equal(t, 200, exchange(t, a, "GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n").StatusCode, "those inside go on")
	b.Close()
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", w.proxy)
		require.NoError(t, err)
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		return exchange(t, c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").StatusCode == 400
	}, patience, time.Millisecond, "the place is given back")
	a.Close()
	require.Eventually(t, func() bool { _, res := w.connect(w.host); return res.StatusCode == 200 }, patience, time.Millisecond, "a tunnel's place too")
}

func TestNextHopThatIsTheStageItselfIsALoop(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(echo), func(w *world, _ *forward.Options) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		w.proxy = l.Addr().String() // free again in a moment, and nobody else's on loopback
		l.Close()
		w.dialer.NextHop, err = forward.ParseNextHop("http://" + w.proxy)
		require.NoError(t, err)
	})
	p := refusalIn(t, exchange(t, w.tunnel(), "GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n"), 508, refusal.LoopDetected)
	require.Equal(t, "origin.test:443", p.Host)
	refusalIn(t, exchange(t, w.dial(), "GET http://origin.test/ HTTP/1.1\r\nHost: origin.test\r\n\r\n"), 508, refusal.LoopDetected)

	c := w.config
	c.Policy = passAll()
	w.engine.Swap(c)
	_, res := w.connect(w.host)
	refusalIn(t, res, 508, refusal.LoopDetected)
	require.Zero(t, w.accepts.Load())
}

func TestRefusedHostCostsNoQueryAndNoConnection(t *testing.T) {
	allowed := false
	policy := &forward.Policy{
		Tunnel: func(a authority.Authority) forward.Verdict {
			if allowed {
				return forward.Verdict{Treatment: forward.Passthrough}
			}
			return forward.Verdict{Refusal: refusal.New(refusal.HostNotAllowed, "no")}
		},
		Judge: requestFunc(func(req *http.Request) error {
			if allowed {
				return nil
			}
			return refusal.New(refusal.HostNotAllowed, "no")
		}),
	}
	w := newWorld(t, policy, http.HandlerFunc(echo), func(w *world, _ *forward.Options) { w.dialer.ConnectTo = nil })
	dns := noDNS(t)
	_, res := w.connect("refused.test:443")
	p := refusalIn(t, res, 403, refusal.HostNotAllowed)
	require.Equal(t, "refused.test:443", p.Host)
	c := w.dial()
	res = exchange(t, c, "GET http://refused.test/ HTTP/1.1\r\nHost: refused.test\r\n\r\n")
	p = refusalIn(t, res, 403, refusal.HostNotAllowed)
	require.Equal(t, "refused.test:80", p.Host)
	require.Zero(t, dns.Load())

	allowed = true
	_, res = w.connect("refused.test:443")
	refusalIn(t, res, 502, refusal.DNSFailed)
	require.NotZero(t, dns.Load(), "the count counts")
}

func TestStageWithoutPolicyRefusesEverything(t *testing.T) {
	w := newWorld(t, nil, http.HandlerFunc(echo))
	_, res := w.connect(w.host)
	refusalIn(t, res, 403, refusal.HostNotAllowed)
	refusalIn(t, exchange(t, w.dial(), "GET http://origin.test/ HTTP/1.1\r\nHost: origin.test\r\n\r\n"), 500, refusal.InternalError)
	require.Zero(t, w.accepts.Load())
}

func TestConnectionIsKeptAfterARefusal(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(echo))
	c := w.dial()
	refusalIn(t, exchange(t, c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 400, refusal.NotAProxyRequest)
	refusalIn(t, exchange(t, c, "CONNECT origin.test HTTP/1.1\r\nHost: origin.test\r\n\r\n"), 400, refusal.BadAuthority)
	refusalIn(t, exchange(t, c, "POST https://origin.test/ HTTP/1.1\r\nHost: origin.test\r\nContent-Length: 4\r\n\r\nbody"), 400, refusal.NotAProxyRequest)
	require.Equal(t, 200, exchange(t, c, "CONNECT origin.test:443 HTTP/1.1\r\nHost: origin.test:443\r\n\r\n").StatusCode)

	tc := w.tunnel()
	refusalIn(t, exchange(t, tc, "GET / HTTP/1.1\r\nHost: other.test\r\n\r\n"), 421, refusal.AuthorityMismatch)
	require.Equal(t, "GET origin.test / HTTP/1.1|", readAll(t, exchange(t, tc, "GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n")))
}

func TestRecordOfAnUnreadableHeadNamesNoMethod(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(echo))
	c := w.dial()
	refusalIn(t, exchange(t, c, "POST http://origin.test/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400, refusal.DuplicateHost)
	r := w.records(1)[0]
	require.Equal(t, "refuse", r.Decision)
	require.Equal(t, "duplicate_host", r.Code)
	require.Equal(t, 400, r.Status)
	require.Empty(t, r.Method, "not the one of the guard's stand-in")
}

func TestTrailersThatWereNotAnnouncedOrAreStrippedDoNotPass(t *testing.T) {
	seen := make(chan http.Header, 2)
	p := allowAll()
	p.Strip = requestFunc(func(req *http.Request) error {
		delete(req.Trailer, "Authorization")
		return nil
	})
	w := newWorld(t, p, http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		io.Copy(io.Discard, req.Body)
		seen <- req.Trailer
	}))
	for _, announced := range []string{"X-Sum, Authorization", "X-Sum"} {
		c := w.tunnel()
		res := exchange(t, c, "POST / HTTP/1.1\r\nHost: origin.test\r\nTransfer-Encoding: chunked\r\nTrailer: "+announced+"\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\nAuthorization: Bearer smuggled\r\n\r\n")
		require.Equal(t, 200, res.StatusCode)
		require.Equal(t, http.Header{"X-Sum": {"1"}}, <-seen, announced)
	}
}

func TestWhatIsNoMethodIsNotWrittenDown(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(echo))
	long := strings.Repeat("M", 5000)
	res := exchange(t, w.tunnel(), long+" / HTTP/1.1\r\nHost: origin.test\r\n\r\n")
	require.Equal(t, 200, res.StatusCode)
	require.Equal(t, "other", w.records(1)[0].Method)
	require.NotContains(t, w.log.String(), long)
}
