package inject_test

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/forward"
	"bottle/lib/refusal"
	"bottle/lib/secret"
)

// fourRoutes has a route of each kind.
func fourRoutes() string {
	return `
[dummies]
sha256 = ["` + secret.SHA256(dummyToken) + `"]
[[route]]
host = "always.test"
auth = { scheme = "Bearer", token_env = "EGRESS_TOKEN_0" }
[[route]]
host = "replace.test"
inject = "replace"
auth = { scheme = "Bearer", token_env = "EGRESS_TOKEN_0" }
[[route]]
host = "status.test"
inject = "replace"
refusal_status = 400
auth = { scheme = "Bearer", token_env = "EGRESS_TOKEN_1" }
[[route]]
host = "open.test"
[[route]]
host = "open.test:80"
[[route]]
host = "always.test:80"
auth = { scheme = "Bearer", token_env = "EGRESS_TOKEN_0" }
`
}

const (
	theReal = "the real one"
	nothing = "nothing"
)

func TestCredentialOfARequest(t *testing.T) {
	bearer := func(s string) string { return "Authorization: Bearer " + s }
	basic := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("user:"+foreign))
	for _, tc := range []struct {
		name                  string
		sent                  []string
		always, replace, open string // the real one, nothing, or a reason code
	}{
		{"none", nil, theReal, nothing, nothing},
		{"the own dummy", []string{bearer(dummyToken)}, theReal, theReal, nothing},
		{"the own dummy, scheme in lower case", []string{"authorization: bearer " + dummyToken}, theReal, theReal, nothing},
		{"the own dummy after spaces", []string{"Authorization:   Bearer   " + dummyToken + "  "}, theReal, theReal, nothing},
		{"the own dummy in another scheme", []string{"Authorization: Token " + dummyToken}, theReal, "foreign_credential", nothing},
		{"the own dummy without a scheme", []string{"Authorization: " + dummyToken}, theReal, "foreign_credential", nothing},
		{"the own dummy with more", []string{bearer(dummyToken + "x")}, theReal, "foreign_credential", nothing},
		{"the own dummy and another in one line", []string{bearer(dummyToken + ", Bearer " + foreign)}, theReal, "foreign_credential", nothing},
		{"a foreign token", []string{bearer(foreign)}, theReal, "foreign_credential", nothing},
		{"the digest of the dummy", []string{bearer(secret.SHA256(dummyToken))}, theReal, "foreign_credential", nothing},
		{"an empty Authorization", []string{"Authorization:"}, theReal, "foreign_credential", nothing},
		{"a scheme alone", []string{"Authorization: Bearer"}, theReal, "foreign_credential", nothing},
		{"Basic", []string{basic}, theReal, "foreign_credential", nothing},
		{"two Authorization lines", []string{bearer(dummyToken), bearer(foreign)}, "ambiguous_credential", "ambiguous_credential", "ambiguous_credential"},
		{"two equal Authorization lines", []string{bearer(dummyToken), bearer(dummyToken)}, "ambiguous_credential", "ambiguous_credential", "ambiguous_credential"},
		{"the own dummy and x-api-key", []string{bearer(dummyToken), "x-api-key: " + foreign}, theReal, "foreign_credential", nothing},
		{"x-api-key with the dummy", []string{"x-api-key: " + dummyToken}, theReal, "foreign_credential", nothing},
		{"x-api-key", []string{"X-API-Key: " + foreign}, theReal, "foreign_credential", nothing},
		{"api-key", []string{"Api-Key: " + foreign}, theReal, "foreign_credential", nothing},
		{"x-goog-api-key", []string{"x-goog-api-key: " + foreign}, theReal, "foreign_credential", nothing},
		{"private-token", []string{"PRIVATE-TOKEN: " + foreign}, theReal, "foreign_credential", nothing},
		{"x-amz-security-token", []string{"X-Amz-Security-Token: " + foreign}, theReal, "foreign_credential", nothing},
		{"x-auth-token", []string{"X-Auth-Token: " + foreign}, theReal, "foreign_credential", nothing},
		{"proxy-authorization", []string{"Proxy-Authorization: Basic " + foreign}, theReal, "foreign_credential", nothing},
		{"a key among subprotocols", []string{"Sec-WebSocket-Protocol: realtime, openai-insecure-api-key." + foreign + ", openai-beta.realtime-v1"}, theReal, "foreign_credential", nothing},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, fourRoutes(), nil)
			for host, want := range map[string]string{"always.test": tc.always, "replace.test": tc.replace, "status.test": tc.replace, "open.test": tc.open} {
				res := w.ask("GET", "https://"+host+"/", tc.sent...)
				if want != theReal && want != nothing {
					status := refusal.Lookup(refusal.Code(want)).Status
					if host == "status.test" {
						status = 400
					}
					w.refused(res, status, refusal.Code(want), host)
					continue
				}
				req := w.passed(res, host)
				var got []string
				switch {
				case want == theReal && host == "status.test":
					got = []string{"Bearer " + otherReal}
				case want == theReal:
					got = []string{"Bearer " + realToken}
				}
				require.Equal(t, got, req.Header["Authorization"], host)
				for name, values := range req.Header {
					for _, v := range values {
						require.NotContains(t, v, foreign, name)
						require.NotContains(t, v, dummyToken, name)
					}
				}
			}
		})
	}
}

func TestSubprotocolsThatAreNoKeysAreKept(t *testing.T) {
	w := newWorld(t, fourRoutes(), nil)
	req := w.passed(w.ask("GET", "https://always.test/", "Sec-WebSocket-Protocol: a, openai-insecure-api-key."+foreign, "Sec-WebSocket-Protocol: b"), "")
	require.Equal(t, []string{"a, b"}, req.Header["Sec-Websocket-Protocol"])
	req = w.passed(w.ask("GET", "https://always.test/", "Sec-WebSocket-Protocol: openai-insecure-api-key."+foreign), "")
	require.NotContains(t, req.Header, "Sec-Websocket-Protocol")
}

func TestOtherHeadersAreNotTouched(t *testing.T) {
	w := newWorld(t, fourRoutes(), nil)
	req := w.passed(w.ask("GET", "https://replace.test/", "Authorization: Bearer "+dummyToken, "Cookie: __cf_bm=1", "chatgpt-account-id: acc", "anthropic-beta: oauth", "X-Custom: authorization"), "")
	require.Equal(t, http.Header{
		"Authorization": {"Bearer " + realToken}, "Cookie": {"__cf_bm=1"}, "Chatgpt-Account-Id": {"acc"}, "Anthropic-Beta": {"oauth"}, "X-Custom": {"authorization"},
	}, req.Header)
}

func TestHTTP2AgentsAreTreatedAlike(t *testing.T) {
	w := newWorld(t, fourRoutes(), nil)
	tr := &http.Transport{
		Proxy: w.proxyURL, TLSClientConfig: &tls.Config{RootCAs: w.roots}, ForceAttemptHTTP2: true, DisableKeepAlives: true,
	}
	for _, tc := range []struct{ host, sent, want string }{
		{"always.test", foreign, "Bearer " + realToken}, {"replace.test", dummyToken, "Bearer " + realToken}, {"open.test", dummyToken, ""},
	} {
		req, err := http.NewRequest("GET", "https://"+tc.host+"/", nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+tc.sent)
		res, err := tr.RoundTrip(req)
		require.NoError(t, err)
		require.Equal(t, 2, res.ProtoMajor)
		require.Equal(t, tc.want, w.passed(res, tc.host).Header.Get("Authorization"))
		res.Body.Close()
	}
}

func TestHostWithoutARouteIsRefused(t *testing.T) {
	w := newWorld(t, fourRoutes(), nil)
	w.refused(w.ask("GET", "https://elsewhere.test/"), 403, refusal.NoRoute, "CONNECT")
	w.refused(w.ask("GET", "http://elsewhere.test/"), 403, refusal.NoRoute, "http://")
	w.refused(w.ask("GET", "http://replace.test/"), 403, refusal.CleartextRefused, "the host has a route, for https://")
	w.config.Policy = w.policy("")
	w.engine.Swap(w.config)
	w.refused(w.ask("GET", "https://always.test/"), 403, refusal.NoRoute, "no routes at all")
}

func TestCredentialIsNotSentInTheClear(t *testing.T) {
	w := newWorld(t, fourRoutes(), nil)
	w.refused(w.ask("GET", "http://always.test/", "Authorization: Bearer "+dummyToken), 403, refusal.CleartextRefused, "")
	req := w.passed(w.ask("GET", "http://open.test/", "Authorization: Bearer "+dummyToken), "an open route")
	require.NotContains(t, req.Header, "Authorization")
}

const ruled = `
[[route]]
host = "rules.test"
methods = ["GET", "POST"]
paths = ["/repos/acme/", "/user"]
auth = { scheme = "token", token_env = "EGRESS_TOKEN_0" }
[[route]]
host = "*.wild.test"
auth = { scheme = "Bearer", token_env = "EGRESS_TOKEN_0" }
`

func TestRouteNamesItsMethodsAndPaths(t *testing.T) {
	w := newWorld(t, ruled, nil)
	for _, tc := range []struct {
		method, path string
		want         refusal.Code
	}{
		{"GET", "/repos/acme/x", ""},
		{"POST", "/repos/acme", ""},
		{"GET", "/user", ""},
		{"GET", "/user?access=../../x", ""},
		{"GET", "/repos/%61cme/x", ""},
		{"DELETE", "/repos/acme/x", refusal.MethodNotAllowed},
		{"get", "/repos/acme/x", refusal.MethodNotAllowed},
		{"HEAD", "/repos/acme/x", refusal.MethodNotAllowed},
		{"OPTIONS", "/repos/acme/x", refusal.MethodNotAllowed},
		{"TRACE", "/user", refusal.MethodNotAllowed},
		{"GET", "/", refusal.PathNotAllowed},
		{"GET", "/users", refusal.PathNotAllowed},
		{"GET", "/repos/acmes/x", refusal.PathNotAllowed},
		{"GET", "/Repos/acme/x", refusal.PathNotAllowed},
		{"GET", "/repos/ACME/x", refusal.PathNotAllowed},
		{"GET", "/repos/other/x", refusal.PathNotAllowed},
		{"GET", "/x/repos/acme/", refusal.PathNotAllowed},
		{"GET", "/?/repos/acme/", refusal.PathNotAllowed},
		{"GET", "/repos/acme/../other", refusal.AmbiguousPath},
		{"GET", "/repos/acme/./x", refusal.AmbiguousPath},
		{"GET", "/repos/acme/%2e%2e/other", refusal.AmbiguousPath},
		{"GET", "/repos/acme/%2E./other", refusal.AmbiguousPath},
		{"GET", "/repos/acme/..;/other", refusal.AmbiguousPath},
		{"GET", "/repos/acme/..;x=y/other", refusal.AmbiguousPath},
		{"GET", "/repos/acme/..%2fother", refusal.AmbiguousPath},
		{"GET", "/repos/acme%2Fx", refusal.AmbiguousPath},
		{"GET", "/repos/acme/%252e%252e/other", refusal.AmbiguousPath},
		{"GET", "/repos/acme/..%5cother", refusal.AmbiguousPath},
		{"GET", "/repos/acme/..\\other", refusal.AmbiguousPath},
		{"GET", "/repos/acme//x", refusal.AmbiguousPath},
		{"GET", "//repos/acme/x", refusal.AmbiguousPath},
		{"GET", "/repos/acme/%00", refusal.AmbiguousPath},
		{"GET", "/repos/acme/%0d%0aX:", refusal.AmbiguousPath},
	} {
		about := tc.method + " " + tc.path
		res := w.ask(tc.method, "https://rules.test"+tc.path)
		if tc.want != "" {
			w.refused(res, refusal.Lookup(tc.want).Status, tc.want, about)
			continue
		}
		req := w.passed(res, about)
		require.Equal(t, "token "+realToken, req.Header.Get("Authorization"))
		require.Equal(t, tc.path, req.RequestURI)
	}
	for _, host := range []string{"a.wild.test", "b.a.wild.test"} {
		require.Equal(t, "Bearer "+realToken, w.passed(w.ask("GET", "https://"+host+"/"), host).Header.Get("Authorization"))
	}
	w.refused(w.ask("GET", "https://wild.test/"), 403, refusal.NoRoute, "the apex")
	w.refused(w.ask("GET", "https://evilwild.test/"), 403, refusal.NoRoute, "a suffix that is no label")
}

func TestReloadPutsNewRoutesInForce(t *testing.T) {
	w := newWorld(t, fourRoutes(), nil)
	require.Equal(t, "Bearer "+realToken, w.passed(w.ask("GET", "https://always.test/"), "").Header.Get("Authorization"))
	c := w.config
	c.Policy = w.policy(strings.ReplaceAll(fourRoutes(), "EGRESS_TOKEN_0", "EGRESS_TOKEN_1"))
	w.engine.Swap(c)
	require.Equal(t, "Bearer "+otherReal, w.passed(w.ask("GET", "https://always.test/"), "").Header.Get("Authorization"))
	c.Policy = w.policy("")
	w.engine.Swap(c)
	w.refused(w.ask("GET", "https://always.test/"), 403, refusal.NoRoute, "")
}

func TestRedirectIsTheAgentsToFollow(t *testing.T) {
	w := newWorld(t, fourRoutes(), func(rw http.ResponseWriter, req *http.Request) {
		http.Redirect(rw, req, "https://open.test/elsewhere", http.StatusTemporaryRedirect)
	})
	res := w.ask("GET", "https://always.test/")
	require.Equal(t, 307, res.StatusCode)
	require.Equal(t, "https://open.test/elsewhere", res.Header.Get("Location"))
	require.Len(t, w.seen, 1)
	<-w.seen
}

func TestRecordSaysWhatBecameOfTheCredential(t *testing.T) {
	w := newWorld(t, fourRoutes(), nil)
	w.passed(w.ask("GET", "https://always.test/"), "")
	w.passed(w.ask("GET", "https://replace.test/"), "")
	w.passed(w.ask("GET", "https://open.test/"), "")
	w.refused(w.ask("GET", "https://replace.test/", "x-api-key: x"), 403, refusal.ForeignCredential, "")
	var got []string
	for _, r := range w.records(4) {
		got = append(got, fmt.Sprintf("%s %s %s %s", r.Host, r.Route, r.Credential, r.Code))
	}
	require.ElementsMatch(t, []string{
		"always.test:443 always.test real ", "replace.test:443 replace.test none ", "open.test:443 open.test none ",
		"replace.test:443 replace.test  foreign_credential",
	}, got)
}

func TestCheckSaysWhatLiveTrafficGets(t *testing.T) {
	w := newWorld(t, fourRoutes()+ruled, nil)
	for _, tc := range []struct{ method, url, header string }{
		{"GET", "https://always.test/", ""}, {"GET", "https://replace.test/", ""}, {"GET", "https://replace.test/", "Bearer " + dummyToken},
		{"GET", "https://replace.test/", "Bearer " + foreign}, {"GET", "https://open.test/", ""}, {"GET", "http://open.test/", ""},
		{"GET", "http://always.test/", ""}, {"GET", "https://elsewhere.test/", ""}, {"GET", "https://rules.test/user", ""},
		{"PUT", "https://rules.test/user", ""}, {"GET", "https://rules.test/user/../x", ""}, {"TRACE", "https://always.test/", ""},
	} {
		var lines []string
		req, err := http.NewRequest(tc.method, tc.url, nil)
		require.NoError(t, err)
		if tc.header != "" {
			req.Header.Set("Authorization", tc.header)
			lines = append(lines, "Authorization: "+tc.header)
		}
		x, v := forward.Check(w.config.Policy, req, authorityOf(t, tc.url), req.URL.Scheme)
		res := w.ask(tc.method, tc.url, lines...)
		about := fmt.Sprint(tc)
		if v.Refusal != nil {
			w.refused(res, res.StatusCode, v.Refusal.Code, about)
			continue
		}
		got := w.passed(res, about)
		require.Equal(t, x.Credential == "real", got.Header.Get("Authorization") != "", about)
	}
}

func TestOriginThatIsNotVerifiedNeverSeesTheCredential(t *testing.T) {
	w := newWorld(t, fourRoutes(), nil)
	c := w.config
	c.UpstreamRoots = nil // the system's, which do not know this origin
	w.engine.Swap(c)
	w.refused(w.ask("GET", "https://always.test/"), 502, refusal.OriginTLSFailed, "")
}

func TestPipelinedRequestsAreJudgedOneByOne(t *testing.T) {
	w := newWorld(t, fourRoutes(), nil)
	c := w.dial()
	fmt.Fprint(c, "CONNECT replace.test:443 HTTP/1.1\r\nHost: replace.test:443\r\n\r\n")
	_, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: "CONNECT"})
	require.NoError(t, err)
	tc := tls.Client(c, &tls.Config{ServerName: "replace.test", RootCAs: w.roots})
	get := "GET / HTTP/1.1\r\nHost: replace.test\r\n"
	fmt.Fprint(tc, get+"\r\n", get+"Authorization: Bearer "+dummyToken+"\r\n\r\n", get+"Authorization: Bearer "+foreign+"\r\n\r\n", get+"\r\n")
	br := bufio.NewReader(recordedConn{tc, w.leaks})
	for i, want := range []int{200, 200, 403, 200} {
		res, err := http.ReadResponse(br, nil)
		require.NoError(t, err)
		require.Equal(t, want, res.StatusCode, i)
		_, err = br.Discard(int(res.ContentLength))
		require.NoError(t, err)
	}
	for _, want := range []string{"", "Bearer " + realToken, ""} {
		require.Equal(t, want, (<-w.seen).Header.Get("Authorization"))
	}
}
