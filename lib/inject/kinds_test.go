package inject_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/refusal"
	"bottle/lib/secret"
)

// kindsRoutes has the route that a test gives in both modes.
func kindsRoutes(auth string) string {
	return `
[dummies]
sha256 = ["` + secret.SHA256(dummyToken) + `"]
[[route]]
host = "always.test"
auth = ` + auth + `
[[route]]
host = "replace.test"
inject = "replace"
auth = ` + auth + "\n"
}

func basicOf(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// ask is what an agent sends: a target below / and header lines.
type sent struct {
	target string
	lines  []string
}

func TestKindsOfAuth(t *testing.T) {
	header := func(name, value string) func(*http.Request) {
		return func(req *http.Request) { require.Equal(t, []string{value}, req.Header[name]) }
	}
	for _, tc := range []struct {
		name, auth string
		dummy      sent // carries the dummy where the real one goes
		foreign    sent // carries another one there
		want       func(*http.Request)
	}{
		{"scheme", `{ scheme = "token", token_env = "EGRESS_TOKEN_0" }`,
			sent{"", []string{"Authorization: Token " + dummyToken}}, sent{"", []string{"Authorization: token " + foreign}}, header("Authorization", "token "+realToken)},
		{"scheme in another header", `{ scheme = "Bearer", header = "x-upstream-authorization", token_env = "EGRESS_TOKEN_0" }`,
			sent{"", []string{"X-Upstream-Authorization: bearer " + dummyToken}}, sent{"", []string{"X-Upstream-Authorization: " + dummyToken}}, header("X-Upstream-Authorization", "Bearer "+realToken)},
		{"basic", `{ user = "x-access-token", token_env = "EGRESS_TOKEN_0" }`,
			sent{"", []string{"Authorization: " + basicOf("anybody", dummyToken)}}, sent{"", []string{"Authorization: " + basicOf("x-access-token", foreign)}},
			header("Authorization", basicOf("x-access-token", realToken))},
		{"basic without a user", `{ scheme = "Basic", user = "", token_env = "EGRESS_TOKEN_0" }`,
			sent{"", []string{"Authorization: " + basicOf("", dummyToken)}}, sent{"", []string{"Authorization: Basic " + dummyToken}}, header("Authorization", basicOf("", realToken))},
		{"header", `{ header = "x-api-key", token_env = "EGRESS_TOKEN_0" }`,
			sent{"", []string{"X-API-KEY: " + dummyToken}}, sent{"", []string{"x-api-key: " + foreign}}, header("X-Api-Key", realToken)},
		{"template", `{ header = "x-auth", value = "a{{b}} {token};v=1", token_env = "EGRESS_TOKEN_0" }`,
			sent{"", []string{"x-auth: a{b} " + dummyToken + ";v=1"}}, sent{"", []string{"x-auth: a{b} " + foreign + ";v=1"}}, header("X-Auth", "a{b} "+realToken+";v=1")},
		{"query", `{ query = "key", token_env = "EGRESS_TOKEN_0" }`,
			sent{"?a=%2f&key=" + dummyToken + "&b", nil}, sent{"?a=%2f&b&K%65y=" + foreign, nil},
			func(req *http.Request) {
				require.Equal(t, realToken, req.URL.Query().Get("key"))
				require.Len(t, req.URL.Query()["key"], 1)
				require.True(t, req.URL.RawQuery == "key="+realToken || strings.HasPrefix(req.URL.RawQuery, "a=%2f&b&key="), req.URL.RawQuery)
			}},
		{"cookie", `{ cookie = "session", token_env = "EGRESS_TOKEN_0" }`,
			sent{"", []string{"Cookie: a=1; session=" + dummyToken, "Cookie: b=2"}}, sent{"", []string{"Cookie: a=1; b=2; session=\"" + foreign + "\""}},
			func(req *http.Request) {
				require.Len(t, req.Header["Cookie"], 1)
				got := req.Header.Get("Cookie")
				require.True(t, got == "session="+realToken || got == "a=1; b=2; session="+realToken, got)
			}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, kindsRoutes(tc.auth), nil)
			ask := func(host string, s sent) *http.Response {
				return w.ask("GET", "https://"+host+"/"+s.target, s.lines...)
			}
			for _, s := range []sent{{}, tc.dummy, tc.foreign} {
				req := w.passed(ask("always.test", s), "always")
				tc.want(req)
				nothingOfTheAgents(t, req)
			}
			req := w.passed(ask("replace.test", tc.dummy), "replace")
			tc.want(req)
			nothingOfTheAgents(t, req)
			req = w.passed(ask("replace.test", sent{}), "replace")
			require.Empty(t, req.Header)
			require.Empty(t, req.URL.RawQuery)
			w.refused(ask("replace.test", tc.foreign), 403, refusal.ForeignCredential, "replace")
			// The dummy elsewhere is a credential elsewhere.
			if !strings.Contains(strings.Join(tc.dummy.lines, ""), "Authorization: ") {
				w.refused(w.ask("GET", "https://replace.test/", "Authorization: Bearer "+dummyToken), 403, refusal.ForeignCredential, "replace")
			}
			both := sent{tc.dummy.target, append(tc.dummy.lines[:len(tc.dummy.lines):len(tc.dummy.lines)], "Private-Token: "+dummyToken)}
			w.refused(ask("replace.test", both), 403, refusal.ForeignCredential, "replace")
			w.records(w.asked) // waits, so that the oracle sees them all
		})
	}
}

func nothingOfTheAgents(t *testing.T, req *http.Request) {
	t.Helper()
	all := req.URL.RawQuery
	for name, values := range req.Header {
		all += name + strings.Join(values, " ")
	}
	for _, s := range []string{dummyToken, foreign} {
		require.NotContains(t, all, s)
		require.NotContains(t, all, basicOf("anybody", s)[6:])
	}
}

func TestSeveralPartsGoOnTogether(t *testing.T) {
	w := newWorld(t, kindsRoutes(`[
  { scheme = "Bearer", token_env = "EGRESS_TOKEN_0" },
  { header = "x-second", token_env = "EGRESS_TOKEN_1" },
  { header = "anthropic-beta", value = "oauth-2025-04-20", append = true },
  { header = "x-constant", value = "c" },
]`), nil)
	full := func(beta string) http.Header {
		return http.Header{"Authorization": {"Bearer " + realToken}, "X-Second": {otherReal}, "Anthropic-Beta": {beta}, "X-Constant": {"c"}}
	}
	bearer := "Authorization: Bearer " + dummyToken
	for _, tc := range []struct {
		lines []string
		beta  string
	}{
		{[]string{bearer}, "oauth-2025-04-20"},
		{[]string{"x-second: " + dummyToken}, "oauth-2025-04-20"},
		{[]string{bearer, "X-Constant: mine"}, "oauth-2025-04-20"},
		{[]string{bearer, "anthropic-beta: claude-code-20250219,fine-grained-tool-streaming-2025-05-14"}, "claude-code-20250219,fine-grained-tool-streaming-2025-05-14,oauth-2025-04-20"},
		{[]string{bearer, "anthropic-beta: a, oauth-2025-04-20 ,b"}, "a, oauth-2025-04-20 ,b"},
		{[]string{bearer, "anthropic-beta: a", "anthropic-beta: b"}, "a,b,oauth-2025-04-20"},
		{[]string{bearer, "anthropic-beta:"}, "oauth-2025-04-20"},
	} {
		for _, host := range []string{"always.test", "replace.test"} {
			require.Equal(t, full(tc.beta), w.passed(w.ask("GET", "https://"+host+"/", tc.lines...), host).Header)
		}
	}
	require.Equal(t, full("oauth-2025-04-20"), w.passed(w.ask("GET", "https://always.test/"), "always").Header)
	require.Empty(t, w.passed(w.ask("GET", "https://replace.test/"), "replace").Header)
	w.refused(w.ask("GET", "https://replace.test/", bearer, "x-second: "+foreign), 403, refusal.ForeignCredential, "")
	w.refused(w.ask("GET", "https://replace.test/", bearer, "x-second: "+dummyToken, "x-second: "+dummyToken), 400, refusal.AmbiguousCredential, "")
}

func TestAParameterOfTheAgentDoesNotHide(t *testing.T) {
	w := newWorld(t, kindsRoutes(`{ query = "api key", token_env = "EGRESS_TOKEN_0" }`), nil)
	for in, want := range map[string]string{
		"":                               "",
		"?":                              "",
		"?x":                             "x&",
		"?api+key=a&x=%zz&API%20KEY=b&=": "x=%zz&=&",
		"?x=1;api+key=a":                 "x=1&",
		"?x=1;y=2&z=%26api+key=a":        "x=1;y=2&z=%26api+key=a&",
		"?api+key":                       "",
		"?api+key[]=1":                   "api+key[]=1&",
	} {
		req := w.passed(w.ask("GET", "https://always.test/"+in), in)
		require.Equal(t, want+"api+key="+url.QueryEscape(realToken), req.URL.RawQuery, in)
	}
}
