package docs

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"bottle/lib/authority"
	"bottle/lib/decode"
	"bottle/lib/filter"
	"bottle/lib/forward"
	"bottle/lib/hostauth/throwaway"
	"bottle/lib/inject"
	"bottle/lib/tomlfile"
)

const limitsHost = "api.example.com"

// policyOf reads a configuration as its program does and returns its policy.
func policyOf[C any](t *testing.T, text string, policy func(*C, *tomlfile.File) (*forward.Policy, error)) *forward.Policy {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stage.toml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	var c C
	f, err := tomlfile.Read(path, &c)
	require.NoError(t, err)
	p, err := policy(&c, f)
	require.NoError(t, err)
	return p
}

// request makes a request with a body of known length.
func request(t *testing.T, method, pathAndQuery, body string, header ...string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://"+limitsHost+pathAndQuery, strings.NewReader(body))
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	return req
}

func percent(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		fmt.Fprintf(&b, "%%%02X", s[i])
	}
	return b.String()
}

func escaped(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		fmt.Fprintf(&b, `\u%04x`, s[i])
	}
	return b.String()
}

func zipped(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(s))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func brotlied(t *testing.T, s string) string {
	t.Helper()
	b, err := decode.Encode("br", []byte(s), nil)
	require.NoError(t, err)
	return string(b)
}

func wide(s string) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(s)) {
		b.WriteByte(byte(u))
		b.WriteByte(byte(u >> 8))
	}
	return b.String()
}

func reversed(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}

// What the table in limits.md says of each evasion is what the stages do, so a
// stage that gets better makes the table shorter.
func TestEvasions(t *testing.T) {
	pipelock := policyOf(t, fmt.Sprintf("listen = \"127.0.0.1:0\"\nallow = [%q]\n", limitsHost),
		func(c *filter.Config, f *tomlfile.File) (*forward.Policy, error) {
			p, err := c.Filter(f)
			if err != nil {
				return nil, err
			}
			return p.Policy(), nil
		})
	egress := policyOf(t, fmt.Sprintf("listen = \"127.0.0.1:0\"\n[[route]]\nhost = %q\nauth = { scheme = \"Bearer\", token_env = \"T\" }\n", limitsHost),
		func(c *inject.Config, f *tomlfile.File) (*forward.Policy, error) {
			r, err := c.Routes(f, func(string) (string, bool) { return "the-real-one", true })
			if err != nil {
				return nil, err
			}
			return r.Policy(), nil
		})
	secret := throwaway.Codex{Seed: "limits", Expiry: time.Now().Add(time.Hour)}.AccessToken()
	half := len(secret) / 2
	requests := map[string]struct {
		policy *forward.Policy
		req    *http.Request
	}{
		"plain, in a header":           {pipelock, request(t, "GET", "/", "", "X-Note", secret)},
		"plain, in the query":          {pipelock, request(t, "GET", "/?q="+secret, "")},
		"plain, in the body":           {pipelock, request(t, "POST", "/", secret)},
		"percent-encoded URL":          {pipelock, request(t, "GET", "/?q="+percent(secret), "")},
		"gzip, deflate or zstd body":   {pipelock, request(t, "POST", "/", zipped(t, secret), "Content-Encoding", "gzip")},
		"brotli body":                  {pipelock, request(t, "POST", "/", brotlied(t, secret), "Content-Encoding", "br")},
		"percent-encoded twice":        {pipelock, request(t, "GET", "/?q="+strings.ReplaceAll(percent(secret), "%", "%25"), "")},
		"base64":                       {pipelock, request(t, "POST", "/", base64.StdEncoding.EncodeToString([]byte(secret)))},
		"Authorization: Basic":         {pipelock, request(t, "GET", "/", "", "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("me:"+secret)))},
		"hexadecimal":                  {pipelock, request(t, "POST", "/", hex.EncodeToString([]byte(secret)))},
		"JSON escapes":                 {pipelock, request(t, "POST", "/", `{"note":"`+escaped(secret)+`"}`)},
		"a made-up GitHub token":       {pipelock, request(t, "POST", "/", "gh"+"p_"+strings.Repeat("a1B2", 9))},
		"UTF-16":                       {pipelock, request(t, "POST", "/", wide(secret))},
		"gzip without saying so":       {pipelock, request(t, "POST", "/", zipped(t, secret))},
		"backwards":                    {pipelock, request(t, "POST", "/", reversed(secret))},
		"halves in two headers":        {pipelock, request(t, "GET", "/", "", "X-One", secret[:half], "X-Two", secret[half:])},
		"a password":                   {pipelock, request(t, "POST", "/", "password=correct-horse-battery-staple")},
		"another account's cookie":     {egress, request(t, "GET", "/", "", "Cookie", "session=another")},
		"another account's key in URL": {egress, request(t, "GET", "/?access_token=another", "")},
	}
	seen := map[string]bool{}
	for line := range strings.Lines(between(t, "limits.md", "evasions")) {
		row := cells(line)
		if row == nil || row[0] == "evasion" {
			continue
		}
		c, ok := requests[row[0]]
		require.True(t, ok, "nobody tests %q", row[0])
		seen[row[0]] = true
		a, err := authority.ParseDefault(limitsHost, 443)
		require.NoError(t, err)
		_, verdict := forward.Check(c.policy, c.req, a, "https")
		result := "passes"
		if verdict.Refusal != nil {
			result = "refused, `" + string(verdict.Refusal.Code) + "`"
		}
		require.Equal(t, row[1], result, row[0])
	}
	require.Len(t, seen, len(requests), "limits.md leaves some out")
}
