package dlp

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func caseLost(t testing.TB) *Rules {
	t.Helper()
	r, err := Compile(CaseLost(Builtin()), Options{Depth: -1})
	require.NoError(t, err)
	return r
}

// Every token that can be the name of a field is found in one, however its case was changed on the way.
func TestTokensInNamesOfFields(t *testing.T) {
	r := caseLost(t)
	token := regexp.MustCompile(`^[A-Za-z0-9_.~-]{20,250}$`)
	found := 0
	for seed := range uint64(3) {
		for _, s := range newMaker(70 + seed).secrets() {
			if s.value != s.text || !token.MatchString(s.value) || strings.HasPrefix(s.rule, "named-") {
				continue
			}
			for _, name := range []string{strings.ToLower(s.value), strings.ToUpper(s.value), http.CanonicalHeaderKey("x-" + s.value)} {
				if s.rule == "mailgun-private-key" && strings.HasPrefix(name, "X-") {
					continue // x-key- may begin any name
				}
				require.NotEmpty(t, r.Scan([]byte(name)), "%s: %s", s.rule, name)
				found++
			}
		}
	}
	require.Greater(t, found, 900)
}

func TestNamesOfFieldsThatAreInUse(t *testing.T) {
	r := caseLost(t)
	for _, name := range strings.Fields(`Access-Control-Request-Headers Alt-Svc Authentication-Info Content-Security-Policy-Report-Only
		Cross-Origin-Embedder-Policy If-Unmodified-Since OData-EntityId Proxy-Authentication-Info Sec-Ch-Ua-Full-Version-List Sec-Fetch-Dest
		Sec-WebSocket-Extensions Sec-WebSocket-Key Sec-WebSocket-Protocol Strict-Transport-Security Upgrade-Insecure-Requests
		X-Amz-Server-Side-Encryption-Customer-Algorithm X-Amz-Server-Side-Encryption-Customer-Key-Md5 X-Amz-Content-Sha256 X-Amz-Security-Token
		X-Codex-Turn-Metadata X-Codex-Beta-Features X-Client-Request-Id X-Forwarded-Proto X-GitHub-Api-Version X-Goog-Api-Client
		X-Goog-User-Project X-MS-Client-Request-Id X-Ms-Blob-Content-Disposition X-Stainless-Helper-Method X-Stainless-Runtime-Version
		X-Stainless-Retry-Count Anthropic-Dangerous-Direct-Browser-Access Anthropic-Ratelimit-Unified-Fallback-Percentage
		OpenAI-Organization ChatGPT-Account-Id X-OpenAI-Subagent X-B3-ParentSpanId X-Datadog-Sampling-Priority X-Task-Id-1234567890-abcdef-1234
		X-Request-550e8400-e29b-41d4-a716-446655440000 Cf-Access-Authenticated-User-Email Fastly-Client-Ip X-Envoy-Upstream-Rq-Timeout-Ms`) {
		for _, spelling := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
			require.Empty(t, r.Scan([]byte(spelling)), spelling)
		}
	}
}
