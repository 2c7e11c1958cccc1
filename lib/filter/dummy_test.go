package filter_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/dummyauth"
	"bottle/lib/hostauth"
	"bottle/lib/hostauth/throwaway"
	"bottle/lib/refusal"
)

// dummyOf mints the dummy of a throwaway login.
func dummyOf(t *testing.T, seed string) *dummyauth.Codex {
	t.Helper()
	host, err := hostauth.ParseCodex(throwaway.Codex{Seed: seed}.JSON())
	require.NoError(t, err)
	d, err := dummyauth.Mint(host, []byte(seed+" and as much as a seed wants"))
	require.NoError(t, err)
	return d
}

const dummyRoute = "[[expected]]\nhost = \"provider.test\"\ndummy = true\n"

func TestDummyIsInertOnItsRoute(t *testing.T) {
	w := newWorld(t, allowed+dummyRoute, nil)
	d := dummyOf(t, "minted while egress runs, so that no digest is listed")
	c := w.client(true)
	for _, req := range []*http.Request{
		request(t, "GET", "https://provider.test/", nil, "Authorization", "Bearer "+d.AccessToken),
		request(t, "POST", "https://provider.test/", bytes.NewReader(d.JSON())),
		request(t, "POST", "https://provider.test/", bytes.NewReader(encode(t, string(d.JSON()), "zstd")), "Content-Encoding", "zstd"),
		request(t, "POST", "https://provider.test/oauth/token", strings.NewReader(`{"refresh_token":"`+d.RefreshToken+`"}`)),
		request(t, "GET", "https://provider.test/", nil, "Authorization", "Bearer "+dummyauth.ClaudeToken([]byte("a seed of a token"))),
		request(t, "GET", "https://provider.test/", nil, "X-Api-Key", dummyauth.ClaudeKey([]byte("a seed of a key"))),
	} {
		res, body := w.do(c, req)
		require.Equal(t, 200, res.StatusCode, body)
	}
}

func TestNothingHidesInADummy(t *testing.T) {
	w := newWorld(t, allowed+dummyRoute, nil)
	s := w.secret("inside")
	d := dummyOf(t, "with something in it")
	parts := strings.Split(d.AccessToken, ".")
	payload := base64.RawURLEncoding.EncodeToString([]byte(`{"exp":1,"note":"` + s + `"}`))
	c := w.client(true)
	for _, token := range []string{
		parts[0] + "." + payload + "." + parts[2],
		parts[0] + "." + parts[1] + "." + dummyauth.Marker + s,
		"sk-ant-" + "oat01-" + dummyauth.Marker + s,
		dummyauth.Marker + "x" + base64.RawURLEncoding.EncodeToString([]byte("   "+s)),
	} {
		res, body := w.do(c, request(t, "GET", "https://provider.test/", nil, "Authorization", "Bearer "+token))
		require.Equal(t, 400, res.StatusCode, body)
		res, body = w.do(c, request(t, "POST", "https://provider.test/", strings.NewReader(token)))
		require.Equal(t, 400, res.StatusCode, body)
	}
}

func TestDummyElsewhereIsAnAlarm(t *testing.T) {
	d := dummyOf(t, "sent to a stranger")
	listed, err := json.Marshal(d.SHA256())
	require.NoError(t, err)
	for name, text := range map[string]string{
		"known by its mark":   allowed + dummyRoute,
		"listed as well":      allowed + dummyRoute + "[dummies]\nsha256 = " + string(listed) + "\n",
		"no route of its own": allowed,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, text, nil)
			c := w.client(true)
			n := 0
			for kind, token := range map[string]string{"access": d.AccessToken, "id": d.IDToken, "refresh": d.RefreshToken} {
				w.mustKeep(token[max(13, len(token)-60):])
				for disguise, s := range map[string]string{
					"plain": token, "base64": base64.StdEncoding.EncodeToString([]byte("take " + token)), "JSON": jsonEscaped(token), "percent": percent(token),
				} {
					for place, req := range map[string]*http.Request{
						"query":  request(t, "GET", "https://origin.test/?x="+s, nil),
						"header": request(t, "GET", "https://origin.test/", nil, "Authorization", "Bearer "+s),
						"body":   request(t, "POST", "https://origin.test/", strings.NewReader(`{"a":"`+s+`"}`)),
						"flow":   request(t, "POST", "https://origin.test/", unsized(strings.NewReader(`{"a":"`+s+`"}`))),
						"zstd":   request(t, "POST", "https://origin.test/", bytes.NewReader(encode(t, s, "zstd")), "Content-Encoding", "zstd"),
					} {
						if len(s) > 8<<10 && disguise != "plain" || len(s) > 32<<10 { // longer than what the scanner, or a head, holds
							continue
						}
						res, body := w.do(c, req)
						require.Equal(t, 403, res.StatusCode, "%s %s %s", kind, disguise, place)
						require.Contains(t, body, `"code":"dummy_misdirected"`, "%s %s %s", kind, disguise, place)
						n++
					}
				}
			}
			require.Greater(t, n, 30)
			for _, r := range w.records(n, isRefused) {
				require.Equal(t, string(refusal.DummyMisdirected), r.Code)
				require.Equal(t, "origin.test:443", r.Host)
			}
			require.Contains(t, w.log.String(), "level=WARN msg=refused code=dummy_misdirected")
			w.works()
		})
	}
}

func jsonEscaped(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		b.WriteString(`\u00` + string("0123456789abcdef"[c>>4]) + string("0123456789abcdef"[c&15]))
	}
	return b.String()
}
