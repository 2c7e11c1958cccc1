package inject_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"bottle/lib/authority"
	"bottle/lib/forward"
	"bottle/lib/inject"
	"bottle/lib/refusal"
)

// The rule is package gitrule's; here it is that the route has it, that what
// could get around it is refused, and that git can read the answer.
func TestGitRule(t *testing.T) {
	w := newWorld(t, `
[[route]]
host = "rules.test"
git = "read"
auth = { scheme = "Bearer", token_env = "EGRESS_TOKEN_0" }
[[route]]
host = "open.test"
git = "off"
[[route]]
host = "always.test"
git = "write"
auth = { scheme = "Bearer", token_env = "EGRESS_TOKEN_0" }
`, nil)
	const fetch, push = "/x.git/info/refs?service=git-upload-pack", "/x.git/info/refs?service=git-receive-pack"
	w.passed(w.ask("GET", "https://rules.test"+fetch, "Git-Protocol: version=2"), "fetch")
	w.refused(w.ask("GET", "https://rules.test"+push), 403, refusal.GitNotAllowed, "push")
	w.refused(w.ask("GET", "https://rules.test"+push, "Git-Protocol: version=2"), 403, refusal.GitNotAllowed, "push v2")
	w.refused(w.ask("POST", "https://rules.test/x.git/git-receive-pack", "Content-Length: 0"), 403, refusal.GitNotAllowed, "push")
	w.refused(w.ask("POST", "https://rules.test/y/../git-receive-pack", "Content-Length: 0"), 400, refusal.AmbiguousPath, "dots")
	w.refused(w.ask("GET", "https://rules.test"+fetch, "X-HTTP-Method-Override: POST"), 403, refusal.MethodNotAllowed, "method override")
	w.refused(w.ask("GET", "https://rules.test"+fetch, "X-Original-URL: /x.git/git-receive-pack"), 403, refusal.MethodNotAllowed, "path override")
	w.refused(w.ask("GET", "https://open.test"+fetch), 403, refusal.GitNotAllowed, "off")
	w.passed(w.ask("GET", "https://open.test/elsewhere"), "not git")
	w.passed(w.ask("GET", "https://always.test"+push), "write")
	w.passed(w.ask("POST", "https://always.test/x.git/git-receive-pack", "Content-Length: 0"), "write")

	res := w.ask("GET", "https://rules.test"+push, "User-Agent: git/2.39.5")
	require.Equal(t, 403, res.StatusCode)
	require.Equal(t, "text/plain; charset=utf-8", res.Header.Get("Content-Type"))
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Contains(t, string(body), `bottle-egress: the route to rules.test:443 lets git clone and fetch, not push`)
	require.NotContains(t, string(body), "{")
}

// A client that asks before it sends a pack gets its 100 from an origin that
// wants it, or the refusal instead; the pack itself is never asked for.
func TestPushThatWaitsForContinue(t *testing.T) {
	w := newWorld(t, `
[[route]]
host = "rules.test"
git = "read"
[[route]]
host = "always.test"
git = "write"
auth = { user = "x-access-token", token_env = "EGRESS_TOKEN_0" }
`, nil)
	push := func(host string) (io.ReadWriter, *bufio.Reader) {
		c := w.dial()
		fmt.Fprintf(c, "CONNECT %s:443 HTTP/1.1\r\nHost: %s:443\r\n\r\n", host, host)
		res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: "CONNECT"})
		require.NoError(t, err)
		require.Equal(t, 200, res.StatusCode)
		tc := tls.Client(c, &tls.Config{ServerName: host, RootCAs: w.roots})
		fmt.Fprintf(tc, "POST /x.git/git-receive-pack HTTP/1.1\r\nHost: %s\r\nUser-Agent: git/2.39.5\r\n"+
			"Content-Type: application/x-git-receive-pack-request\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n", host)
		return tc, bufio.NewReader(tc)
	}
	_, in := push("rules.test")
	res, err := http.ReadResponse(in, &http.Request{Method: "POST"})
	require.NoError(t, err)
	require.Equal(t, 403, res.StatusCode, "and no 100 before it")
	require.Empty(t, w.seen)

	c, in := push("always.test")
	line, err := in.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 100 Continue\r\n", line)
	_, err = in.ReadString('\n')
	require.NoError(t, err)
	io.WriteString(c, "4\r\n0000\r\n0\r\n\r\n")
	res, err = http.ReadResponse(in, &http.Request{Method: "POST"})
	require.NoError(t, err)
	got := w.passed(res, "push")
	user, password, ok := got.BasicAuth()
	require.True(t, ok)
	require.Equal(t, "x-access-token", user)
	require.Equal(t, realToken, password)
}

// An agent that begins many batch requests and ends none must not fill the
// memory with them.
func TestBatchesThatDoNotEndAreNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newGitRoutes(t)
		ask := func(body io.ReadCloser) *refusal.Refusal {
			req, err := http.NewRequest("POST", "https://rules.test/x.git/info/lfs/objects/batch", body)
			require.NoError(t, err)
			_, v := forward.Check(r.Policy(), req, authority.Authority{Host: "rules.test", Port: 443}, "https")
			return v.Refusal
		}
		var hung sync.WaitGroup
		end := make(chan struct{})
		for range 32 {
			hung.Go(func() { ask(io.NopCloser(waiting{end})) })
		}
		synctest.Wait()
		start := time.Now()
		no := ask(io.NopCloser(strings.NewReader(`{"operation":"download"}`)))
		require.NotNil(t, no)
		require.Equal(t, refusal.FilterBusy, no.Code)
		require.Equal(t, 5*time.Second, time.Since(start))
		close(end)
		hung.Wait()
		require.Nil(t, ask(io.NopCloser(strings.NewReader(`{"operation":"download"}`))))
	})
}

// waiting is a body of which nothing comes before its end.
type waiting struct{ end chan struct{} }

func (w waiting) Read([]byte) (int, error) {
	<-w.end
	return 0, io.EOF
}

// newGitRoutes returns one route where git only reads.
func newGitRoutes(t *testing.T) *inject.Routes {
	r, err := parse("[[route]]\nhost = \"rules.test\"\ngit = \"read\"\n", lookup)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}
