package filter_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bottle/lib/audit"
	"bottle/lib/refusal"
)

// connect asks the filter for a tunnel and returns its answer.
func (w *world) connect(host string) *http.Response {
	w.t.Helper()
	c, err := net.Dial("tcp", w.proxy)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { c.Close() })
	require.NoError(w.t, c.SetDeadline(time.Now().Add(patience)))
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", host, host)
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: "CONNECT"})
	require.NoError(w.t, err)
	res.Body.Close()
	return res
}

func TestOnlyAllowedHostsAreReached(t *testing.T) {
	w := newWorld(t, allowed, nil)
	for host, ok := range map[string]bool{
		"origin.test:443":       true,
		"ORIGIN.test.:443":      true,
		"port.test:8443":        true,
		"a.wild.test:443":       true,
		"a.b.wild.test:443":     true,
		"passed.test:443":       true,
		"origin.test:8443":      false,
		"port.test:443":         false,
		"wild.test:443":         false,
		"notwild.test:443":      false,
		"xorigin.test:443":      false,
		"origin.test.evil:443":  false,
		"evil.test:443":         false,
		"127.0.0.1:443":         false,
		"a.wild.test:22":        false,
		"origin.test.wild:443":  false,
		"a.wild.test.evil:443":  false,
		"[::1]:443":             false,
		"169.254.169.254:443":   false,
		"wild.test.:443":        false,
		"origin.test:80":        false,
		"sub.origin.test:443":   false,
		"a.port.test:8443":      false,
		"a.wild.test:8443":      false,
		"_.wild.test:443":       true,
		"passed.test:8443":      false,
		"x.passed.test:443":     false,
		"provider.test:443":     true,
		"xn--origin-x.test:443": false,
	} {
		res := w.connect(host)
		if ok {
			require.Equal(t, 200, res.StatusCode, host)
			continue
		}
		require.Equal(t, 403, res.StatusCode, host)
		require.Contains(t, res.Header.Get("Proxy-Status"), "host_not_allowed", host)
	}
	require.Zero(t, w.requests.Load())
	w.works()
}

func TestEmptyListDeniesEverything(t *testing.T) {
	for _, text := range []string{"", "allow = []", `tls_passthrough = ["origin.test"]`} {
		w := newWorld(t, text, nil)
		require.Equal(t, 403, w.connect("origin.test:443").StatusCode, text)
		w.refused(w.client(false), request(t, "GET", "http://origin.test/", nil), 403, refusal.HostNotAllowed)
		require.Zero(t, w.accepts.Load(), "nothing is dialled")
		for _, r := range w.records(2, isRefused) {
			require.Equal(t, "host_not_allowed", r.Code)
			require.Empty(t, r.Route)
		}
	}
}

func TestCleartextHostsAreJudgedByTheirOwnPort(t *testing.T) {
	w := newWorld(t, allowed+"", nil)
	// origin.test is allowed at 443 only.
	w.refused(w.client(false), request(t, "GET", "http://origin.test/", nil), 403, refusal.HostNotAllowed)
	require.Zero(t, w.accepts.Load())
}

func TestPassthroughIsRelayedUnread(t *testing.T) {
	w := newWorld(t, allowed, nil)
	s := token("unread")
	res, body := w.do(w.client(true), request(t, "POST", "https://passed.test/", strings.NewReader(s), "Authorization", "Bearer "+s))
	require.Equal(t, 200, res.StatusCode)
	require.Equal(t, s, body, "the operator has chosen not to look")
	require.Equal(t, "HTTP/2.0", res.Header.Get("X-Proto"), "the origin's own protocol")
	r := w.records(1, func(r audit.Record) bool { return r.Event == audit.EventTunnelOpen })[0]
	require.Equal(t, "passed.test:443", r.Host)
}

func limited(n int) string {
	return strings.Replace(allowed, "requests_per_minute = 0", "requests_per_minute = "+strconv.Itoa(n), 1)
}

func TestRateCountsRequestsInsideATunnel(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		t.Run("http2="+strconv.FormatBool(http2), func(t *testing.T) {
			w := newWorld(t, limited(3), nil)
			c := w.client(http2)
			for range 3 {
				res, _ := w.do(c, request(t, "GET", "https://origin.test/", nil))
				require.Equal(t, 200, res.StatusCode)
			}
			res, body := w.do(c, request(t, "GET", "https://origin.test/", nil))
			require.Equal(t, 429, res.StatusCode, body)
			seconds, err := strconv.Atoi(res.Header.Get("Retry-After"))
			require.NoError(t, err)
			require.InDelta(t, 20, seconds, 1, "one of three a minute comes back in 20 s")
			require.Contains(t, body, `"retry":true`)
			require.EqualValues(t, 3, w.requests.Load())
			require.EqualValues(t, 1, w.accepts.Load(), "one connection upstream")
			r := w.records(1, isRefused)[0]
			require.Equal(t, "rate_limited", r.Code)
			require.Equal(t, 429, r.Status)
			require.Equal(t, "origin.test", r.Route)

			// Another host has a budget of its own; its refusal status is for policy.
			for range 3 {
				w.do(c, request(t, "GET", "https://provider.test/", nil))
			}
			w.refused(c, request(t, "GET", "https://provider.test/", nil), 429, refusal.RateLimited)
		})
	}
}

func TestRateCountsPassthroughTunnels(t *testing.T) {
	w := newWorld(t, limited(2), nil)
	for range 2 {
		c := w.client(false)
		res, _ := w.do(c, request(t, "GET", "https://passed.test/", nil))
		require.Equal(t, 200, res.StatusCode)
		c.CloseIdleConnections()
	}
	res := w.connect("passed.test:443")
	require.Equal(t, 429, res.StatusCode)
	require.NotEmpty(t, res.Header.Get("Retry-After"))
	require.EqualValues(t, 2, w.accepts.Load())
}

func TestRateBelongsToThePatternNotToInventedNames(t *testing.T) {
	w := newWorld(t, limited(3), nil)
	for i := range 3 {
		res, _ := w.do(w.client(false), request(t, "GET", fmt.Sprintf("https://name%d.wild.test/", i), nil))
		require.Equal(t, 200, res.StatusCode)
	}
	w.refused(w.client(false), request(t, "GET", "https://another.wild.test/", nil), 429, refusal.RateLimited)
}

func TestRefusedRequestsCostRateToo(t *testing.T) {
	w := newWorld(t, limited(2), nil)
	c := w.client(false)
	s := w.secret("")
	for range 2 {
		w.refused(c, request(t, "GET", "https://origin.test/?"+s, nil), 403, refusal.SecretInRequest)
	}
	w.refused(c, request(t, "GET", "https://origin.test/", nil), 429, refusal.RateLimited)
	require.Zero(t, w.requests.Load())
}

func TestRateOfZeroIsOff(t *testing.T) {
	w := newWorld(t, allowed, nil)
	c := w.client(false)
	for range 200 {
		res, _ := w.do(c, request(t, "GET", "https://origin.test/", nil))
		require.Equal(t, 200, res.StatusCode)
	}
}
