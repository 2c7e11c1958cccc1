package filter_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/filter"
	"bottle/lib/hostauth/throwaway"
	"bottle/lib/refusal"
	"bottle/lib/secret"
)

func TestMistakesInTheFile(t *testing.T) {
	for text, want := range map[string]string{
		"allow = [\n\"a.test\",\n\"https://b.test/\"]":                                     "pipelock.toml:3: allow[1]: ",
		"tls_passthrough = [\"*\"]":                                                        "pipelock.toml:1: tls_passthrough[0]: ",
		"\n[dlp]\non_match = \"warn\"":                                                     "pipelock.toml:3: dlp.on_match: \"warn\" is not an action",
		"[dlp]\non_match = \"\"":                                                           "pipelock.toml:2: dlp.on_match: \"\" is not an action",
		"[dlp.hosts]\n\"a.test\" = \"block\"\n\"b.test\" = \"drop\"":                       "pipelock.toml:3: dlp.hosts.\"b.test\": \"drop\" is not an action",
		"[dlp.hosts]\n\"a.test\" = \"block\"\n\"A.test:443\" = \"log\"":                    "pipelock.toml:3: dlp.hosts.\"A.test:443\": the host has an entry already",
		"[dlp.hosts]\n\"*\" = \"block\"":                                                   "pipelock.toml:2: dlp.hosts.\"*\": ",
		"[dlp]\nwhole_body_bytes = 0":                                                      "pipelock.toml:2: dlp.whole_body_bytes: 0 is not a number of bytes",
		"[dlp]\nwhole_body_bytes = 1_000_000_000":                                          "dlp.whole_body_bytes: 1000000000 is more than held_bytes",
		"[dlp]\nheld_bytes = 2_000_000":                                                    "dlp.max_coded_body_bytes: 16777216 is more than held_bytes (2000000)",
		"[refusal_status]\n\"a.test\" = 500":                                               "pipelock.toml:2: refusal_status",
		"[refusal_status]\n\"a.test\" = 429":                                               "429 is not a status from 400 to 499 other than 429",
		"[refusal_status]\n\"a b\" = 400":                                                  "pipelock.toml:2: refusal_status",
		"[refusal_status]\n\"a.test\" = 400\n\"A.test:443\" = 403":                         "pipelock.toml:3: refusal_status",
		"[limits]\nrequests_per_minute = -1":                                               "pipelock.toml:2: limits.requests_per_minute: must not be negative",
		"[[expected]]\nhost = \"a.test\"\n[[expected]]\nhost = \"A.test.\"":                "pipelock.toml:4: expected[1].host: the host has an entry already",
		"[[expected]]\nhost = \"a.test\"\nsha256 = [\"abc\"]":                              "pipelock.toml:3: expected[0].sha256: ",
		"[[expected]]\nhost = \"-\"":                                                       "pipelock.toml:2: expected[0].host: ",
		"alow = []":                                                                        "did you mean \"allow\"?",
		"allow = \"a.test\"":                                                               "pipelock.toml:1: allow: must be a",
		"allow = [\"-\"]\n[dlp]\non_match = \"x\"\n[limits]\nrequests_per_minute = -1\n\n": "pipelock.toml:5: limits.requests_per_minute",
	} {
		_, err := parse(text)
		require.ErrorContains(t, err, want, text)
	}
	_, err := parse("allow = [\"-\"]\n[dlp]\non_match = \"x\"")
	require.Len(t, strings.Split(err.Error(), "\n"), 2, "all mistakes at once")
}

func TestIntercepts(t *testing.T) {
	for _, tc := range []struct {
		allow, through []string
		want           bool
	}{
		{nil, nil, false},
		{[]string{"a.test"}, nil, true},
		{[]string{"a.test"}, []string{"a.test"}, false},
		{[]string{"a.test"}, []string{"A.TEST:443"}, false},
		{[]string{"a.test", "b.test"}, []string{"a.test"}, true},
		{[]string{"a.test:8443"}, []string{"a.test"}, true},
		{[]string{"*.a.test"}, []string{"x.a.test"}, true},
	} {
		c := filter.Config{Allow: tc.allow, TLSPassthrough: tc.through}
		require.Equal(t, tc.want, c.Intercepts(), "%v %v", tc.allow, tc.through)
	}
}

func TestExpectedCredentialPassesInAuthorizationOfItsHostOnly(t *testing.T) {
	bearer := throwaway.Codex{Seed: t.Name()}.AccessToken()
	other := throwaway.Codex{Seed: "another"}.AccessToken()
	w := newWorld(t, allowed+"[[expected]]\nhost = \"provider.test\"\nsha256 = [\""+secret.SHA256(bearer)+"\"]\n", nil)
	w.mustKeep(other[len(other)-40:])
	c := w.client(false)
	get := func(host, token string) (int, string) {
		res, body := w.do(c, request(t, "GET", "https://"+host+"/", nil, "Authorization", "Bearer "+token))
		return res.StatusCode, body
	}
	status, _ := get("provider.test", bearer)
	require.Equal(t, 200, status)
	require.Contains(t, w.received.String(), "Bearer "+bearer)
	before := w.requests.Load()
	status, _ = get("provider.test", other)
	require.Equal(t, 400, status, "another credential")
	status, body := get("origin.test", bearer)
	require.Equal(t, 403, status, "another host")
	require.Contains(t, body, "request header contains secret")
	w.refused(c, request(t, "POST", "https://provider.test/", strings.NewReader(bearer), "Authorization", "Bearer "+bearer), 400, refusal.SecretInRequest)
	w.refused(c, request(t, "GET", "https://provider.test/?"+bearer, nil), 400, refusal.SecretInRequest)
	w.refused(c, request(t, "GET", "https://provider.test/", nil, "X-Copy", bearer), 400, refusal.SecretInRequest)
	w.refused(c, request(t, "GET", "https://provider.test/", nil, "Proxy-Authorization", "Bearer "+other), 400, refusal.SecretInRequest)
	require.Equal(t, before, w.requests.Load())
}
