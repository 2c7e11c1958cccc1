package inject_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bottle/lib/secret"
)

// Two routes with one login: both put the same token on, both notice that it
// rotates, and from neither comes any secret of the login back, be it one that
// the origin was never sent.
func TestTwoRoutesWithOneLogin(t *testing.T) {
	h := newHostLogin(t)
	var now atomic.Int64
	w := newWorld(t, fmt.Sprintf("[dummies]\nsha256 = [%q]\n", secret.SHA256(dummyToken))+h.route("always.test")+`
[[route]]
host = "replace.test"
inject = "replace"
auth = { scheme = "Bearer", login = "codex" }
`, func(rw http.ResponseWriter, req *http.Request) {
		for n := now.Load(); n >= max(0, now.Load()-1); n-- {
			l := h.login(int(n))
			for _, v := range []string{l.AccessToken(), l.RefreshToken(), l.IDToken()} {
				fmt.Fprint(rw, everyForm(v))
				rw.Header().Add("X-Echo", v)
			}
		}
		fmt.Fprint(rw, "end ", req.Header.Get("Chatgpt-Account-Id"))
	})
	c := w.client(false)
	for n := range 3 {
		token := h.rotate(n)
		now.Store(int64(n))
		for _, host := range []string{"always.test", "replace.test"} {
			require.Eventually(t, func() bool {
				res := w.ask("GET", "https://"+host+"/", "Authorization: Bearer "+dummyToken)
				res.Body.Close()
				return (<-w.seen).Header.Get("Authorization") == "Bearer "+token
			}, patience, time.Millisecond, host)
			for _, authorization := range []string{dummyToken, ""} { // in replace mode the second one goes bare
				header := []string{}
				if authorization != "" {
					header = []string{"Authorization", "Bearer " + authorization}
				}
				res, body := w.fetch(c, "GET", "https://"+host+"/", header...)
				require.Equal(t, 200, res.StatusCode)
				for back := n; back >= max(0, n-1); back-- {
					l := h.login(back)
					for _, v := range []string{l.AccessToken(), l.RefreshToken(), l.IDToken()} {
						requireNoEcho(t, body+fmt.Sprint(res.Header), v)
					}
				}
				require.Contains(t, body, "plain: bottle-redacted-refresh_token-")
				require.Contains(t, body, "plain: bottle-redacted-id_token-")
				if host == "always.test" {
					require.Contains(t, body, fmt.Sprint("end account-", n), "a companion is no secret")
				}
			}
		}
	}
}

// A login without a refresh token, or with one that is too short to be looked
// for, is searched for what it has.
func TestALoginMayHaveNothingBesideItsToken(t *testing.T) {
	for name, refresh := range map[string]any{"none": nil, "empty": "", "short": "short"} {
		t.Run(name, func(t *testing.T) { searchedWithout(t, refresh) })
	}
}

func searchedWithout(t *testing.T, refresh any) {
	h := newHostLogin(t)
	file := h.login(0).File()
	tokens := file["tokens"].(map[string]any)
	if tokens["refresh_token"] = refresh; refresh == nil {
		delete(tokens, "refresh_token")
	}
	data, err := json.Marshal(file)
	require.NoError(t, err)
	require.NoError(t, secret.WriteFile(h.path, data, 0o600))
	w := newWorld(t, h.route("always.test"), func(rw http.ResponseWriter, req *http.Request) {
		fmt.Fprint(rw, "short ", req.Header.Get("Authorization"))
	})
	_, body := w.fetch(w.client(false), "GET", "https://always.test/")
	require.Contains(t, body, "short Bearer bottle-redacted-0-")
}
