package refusal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTable(t *testing.T) {
	snake := regexp.MustCompile(`^[a-z][a-z_]*$`)
	for _, e := range Table() {
		require.Regexp(t, snake, string(e.Code))
		require.NotEmpty(t, e.Meaning, e.Code)
		require.NotEmpty(t, e.ProxyStatus, e.Code)
		require.Equal(t, e, Lookup(e.Code))
		if e.Policy && e.Code != InternalError {
			require.Less(t, e.Status, 500, "%s: no 5xx for policy", e.Code)
		}
	}
	require.Len(t, byCode, len(table), "codes are distinct")
}

func TestWriteTo(t *testing.T) {
	r := New(HostNotAllowed, "%s is not allowed", "evil.example:443")
	r.Host, r.Stage, r.RequestID = "evil.example:443", "bottle-pipelock", "r1"
	r.RetryAfter = time.Second // ignored: not a 429
	r.Because(errors.New("internal detail"))
	w := httptest.NewRecorder()
	w.Header().Set("X-Upstream", "left over")
	r.WriteTo(w)
	require.Equal(t, 403, w.Code)
	require.Equal(t, `bottle-pipelock; error=http_request_denied; details="host_not_allowed"`, w.Header().Get("Proxy-Status"))
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.Empty(t, w.Header().Get("Retry-After"))
	require.Empty(t, w.Header().Get("X-Upstream"))
	require.Equal(t, `{"error":{"message":"bottle-pipelock: evil.example:443 is not allowed","type":"bottle_refused","code":"host_not_allowed","stage":"bottle-pipelock","host":"evil.example:443","request_id":"r1","retry":false}}`+"\n", w.Body.String())

	back := Parse(w.Body.Bytes())
	require.Equal(t, r.Code, back.Code)
	require.Equal(t, r.Message, back.Message)
	require.Equal(t, r.Stage, back.Stage)
	require.Nil(t, Parse([]byte(`{"error":{"type":"other"}}`)))
	require.Nil(t, Parse([]byte(`{"error":{"type":"bottle_refused","code":"made_up"}}`)))
	require.Nil(t, Parse([]byte(`<html>`)))
}

func TestForms(t *testing.T) {
	r := New(GitNotAllowed, "no push")
	r.Stage, r.RequestID, r.Form = "bottle-egress", "r1", FormFor("git/2.39.5")
	w := httptest.NewRecorder()
	r.WriteTo(w)
	require.Equal(t, 403, w.Code)
	require.Equal(t, "text/plain; charset=utf-8", w.Header().Get("Content-Type"))
	require.Contains(t, w.Header().Get("Proxy-Status"), `details="git_not_allowed"`)
	require.Equal(t, "bottle-egress: no push (git_not_allowed, request r1)\n", w.Body.String())

	r.Form = FormFor("npm/11.0.0 node/v22.0.0 linux x64")
	w = httptest.NewRecorder()
	r.WriteTo(w)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.JSONEq(t, `{"error":"bottle-egress: no push (git_not_allowed, request r1)","message":"bottle-egress: no push (git_not_allowed, request r1)"}`, w.Body.String())
	require.Equal(t, Flat, FormFor("git-lfs/3.5.0 (GitHub; linux amd64)"))
	for _, other := range []string{"", "curl/8.0", "codex_cli_rs/0.169.0", "claude-cli/2.1", "npmx/1"} {
		require.Equal(t, Nested, FormFor(other))
	}
}

func TestRateLimitIsRoundedUp(t *testing.T) {
	r := New(RateLimited, "slow down")
	r.RetryAfter = 1100 * time.Millisecond
	w := httptest.NewRecorder()
	r.WriteTo(w)
	require.Equal(t, 429, w.Code)
	require.Equal(t, "2", w.Header().Get("Retry-After"))
}

func TestWriteRawIsAResponse(t *testing.T) {
	var b bytes.Buffer
	r := New(HeaderTimeout, "too slow")
	require.NoError(t, r.WriteRaw(&b))
	res, err := http.ReadResponse(bufio.NewReader(&b), nil)
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, 408, res.StatusCode)
	require.True(t, res.Close)
	require.Equal(t, r.Body(), body)
}

func TestFrameHasTheProvidersShape(t *testing.T) {
	r := New(SecretInRequest, "request header contains secret")
	r.Stage = "bottle-pipelock"
	require.Equal(t, `{"type":"error","status":400,"error":{"message":"bottle-pipelock: request header contains secret","type":"bottle_refused","code":"secret_in_request","stage":"bottle-pipelock","host":"","request_id":"","retry":false}}`, string(r.Frame()))
}

func TestFrom(t *testing.T) {
	r := New(NoRoute, "no")
	require.Equal(t, NoRoute, From(fmt.Errorf("x: %w", r)).Code)
	in := From(errors.New("root trouble"))
	require.Equal(t, InternalError, in.Code)
	require.NotContains(t, string(in.Body()), "root trouble")
	require.ErrorContains(t, in, "root trouble")
}
