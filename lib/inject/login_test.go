package inject_test

import (
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bottle/lib/audit"
	"bottle/lib/dummyauth"
	"bottle/lib/hostauth"
	"bottle/lib/hostauth/throwaway"
	"bottle/lib/inject"
	"bottle/lib/refusal"
	"bottle/lib/renew"
	"bottle/lib/secret"
	"bottle/lib/tomlfile"
)

// signedIn is a bottle's egress folder: a login on the host, and a seed.
type signedIn struct {
	t         *testing.T
	path, dir string
	seed      []byte
	end       time.Time
}

func newSignedIn(t *testing.T) *signedIn {
	s := &signedIn{t, filepath.Join(t.TempDir(), "auth.json"), t.TempDir(), dummyauth.NewSeed(), time.Now().Add(24 * time.Hour).Truncate(time.Second)}
	s.rotate(0)
	require.NoError(t, os.WriteFile(s.file("dummy-seed"), []byte(hex.EncodeToString(s.seed)+"\n"), 0o600))
	return s
}

func (s *signedIn) file(name string) string { return filepath.Join(s.dir, name) }

func (s *signedIn) login(n int) throwaway.Codex {
	return throwaway.Codex{Seed: fmt.Sprint("login ", n), Account: "account", Expiry: s.end.Add(time.Duration(n) * time.Hour)}
}

// rotate puts the n-th login on the host, and returns its token.
func (s *signedIn) rotate(n int) string {
	require.NoError(s.t, secret.WriteFile(s.path, s.login(n).JSON(), 0o600))
	return s.login(n).AccessToken()
}

// dummy is what the agent was given for the n-th login.
func (s *signedIn) dummy(n int) *dummyauth.Codex {
	host, err := hostauth.ParseCodex(s.login(n).JSON())
	require.NoError(s.t, err)
	d, err := dummyauth.Mint(host, s.seed)
	require.NoError(s.t, err)
	return d
}

// config stands in for the sign-in host at open.test, and puts the login's
// token in the dummy's place at replace.test.
func (s *signedIn) config(refresh string) string {
	return fmt.Sprintf(`
[dummies]
sha256 = ["%s"]
seed = %q
minted = %q
[[login]]
name = "codex"
kind = "codex"
file = %q
refresh = %q
[[route]]
host = "open.test"
refusal_status = 400
token_endpoint = "codex"
[[route]]
host = "replace.test"
inject = "replace"
auth = { scheme = "Bearer", login = "codex" }
`, strings.Join(s.dummy(0).SHA256(), `","`), s.file("dummy-seed"), s.file("dummies.json"), s.path, refresh)
}

// load puts the routes of text in force, and follows them.
func (w *world) load(text string) *inject.Routes {
	r, err := parse(text, lookup)
	require.NoError(w.t, err)
	log := slog.New(slog.NewTextHandler(w.leaks, nil))
	r.Follow(log)
	r.StartLogins(renew.Transport(w.config.Dialer.Dial, w.roots), log)
	w.config.Policy = r.Policy()
	w.engine.Swap(w.config)
	w.t.Cleanup(func() { r.Close() })
	return r
}

func (w *world) post(http2 bool, url, body string) *http.Response {
	w.asked++
	req, err := http.NewRequest("POST", url, strings.NewReader(body))
	require.NoError(w.t, err)
	req.Header.Set("Content-Type", "application/json")
	tr := &http.Transport{Proxy: w.proxyURL, ForceAttemptHTTP2: http2}
	tr.TLSClientConfig = &tls.Config{RootCAs: w.roots}
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr, Timeout: patience}).Do(req)
	require.NoError(w.t, err)
	b, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	res.Body.Close()
	res.Body = io.NopCloser(strings.NewReader(string(b)))
	return res
}

func refreshBody(token string) string {
	return `{"client_id":"app_EMoamEEZ73f0CkXaXp7hrann","grant_type":"refresh_token","refresh_token":"` + token + `"}`
}

func TestTheAgentsRefreshIsAnsweredHere(t *testing.T) {
	s := newSignedIn(t)
	w := newWorld(t, "", nil)
	r := w.load(s.config("follow"))
	held := s.dummy(0).RefreshToken
	for n := 1; n < 5; n++ {
		real := s.rotate(n)
		res := w.post(n%2 == 0, "https://open.test/oauth/token", refreshBody(held))
		var got struct {
			Access  string `json:"access_token"`
			Refresh string `json:"refresh_token"`
		}
		b, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.Equal(t, 200, res.StatusCode, "%s", b)
		require.NoError(t, json.Unmarshal(b, &got))
		require.Contains(t, res.Header.Get("Proxy-Status"), "answered_here")
		require.NotContains(t, w.leaks.String(), real)
		held = got.Refresh
		if n == 3 { // SIGHUP, or a restart: what was given out is known after it
			require.NoError(t, r.Close())
			r = w.load(s.config("follow"))
		}
		// What the agent got is its dummy from now on, and becomes the real one.
		require.Eventually(t, func() bool {
			req := w.passed(w.ask("GET", "https://replace.test/", "Authorization: Bearer "+got.Access), "")
			return req.Header.Get("Authorization") == "Bearer "+real
		}, patience, time.Millisecond)
	}
	for path, code := range map[string]refusal.Code{
		"/oauth/revoke": refusal.SignInRefused, "/api/accounts/deviceauth/usercode": refusal.SignInRefused,
	} {
		w.refused(w.post(false, "https://open.test"+path, "{}"), 400, code, path)
	}
	w.refused(w.post(false, "https://open.test/oauth/token", refreshBody(foreign)), 400, refusal.ForeignCredential, "another token")
	w.refused(w.ask("GET", "http://open.test/oauth/token"), 403, refusal.CleartextRefused, "in the clear")
	require.NoError(t, r.Close())
	answered := 0
	for _, rec := range w.records(w.asked) {
		if rec.Host == "open.test:443" && rec.Decision == audit.Allow {
			require.Equal(t, "dummy", rec.Credential)
			answered++
		}
	}
	require.Equal(t, 4, answered)
}

func TestTokenEndpointsThatCannotBeSetUp(t *testing.T) {
	s := newSignedIn(t)
	good := s.config("follow")
	for name, tc := range map[string]struct{ old, new, want string }{
		"no such login":   {`token_endpoint = "codex"`, `token_endpoint = "other"`, `no login is called "other"`},
		"no seed":         {"seed = ", "# seed = ", "needs dummies.seed"},
		"seed missing":    {"dummy-seed", "gone", "gone: no such file"},
		"with auth":       {`token_endpoint = "codex"`, "token_endpoint = \"codex\"\nauth = { scheme = \"Bearer\", login = \"codex\" }", "nothing is sent from a token endpoint"},
		"bad digest file": {"dummies.json", "dummy-seed", "not a list of digests"},
	} {
		text := strings.Replace(good, tc.old, tc.new, 1)
		if name == "bad digest file" {
			text = strings.Replace(good, s.file("dummies.json"), s.file("dummy-seed"), 1)
		}
		require.NotEqual(t, good, text, name)
		_, err := parse(text, lookup)
		require.ErrorContains(t, err, tc.want, name)
		require.NotEmpty(t, tomlfile.Problems(err)[0].Line, name)
	}
}

// A login that was rotated after the origin had ended the old one, before
// egress noticed: the requests that were under way are sent again.
func TestARotationThatWasMissedIsFoundAtThe401(t *testing.T) {
	s := newSignedIn(t)
	var good atomic.Pointer[string]
	var refused, tries atomic.Int64
	first := s.login(0).AccessToken()
	good.Store(&first)
	w := newWorld(t, "", func(rw http.ResponseWriter, req *http.Request) {
		tries.Add(1)
		if req.Header.Get("Authorization") != "Bearer "+*good.Load() {
			refused.Add(1)
			rw.WriteHeader(401)
		}
	})
	// Not followed: only the 401 tells.
	r, err := parse(s.config("follow"), lookup)
	require.NoError(t, err)
	w.config.Policy = r.Policy()
	w.engine.Swap(w.config)
	ask := func(n int) {
		var wg sync.WaitGroup
		for range n {
			w.asked++
			wg.Go(func() {
				tr := &http.Transport{Proxy: w.proxyURL, TLSClientConfig: &tls.Config{RootCAs: w.roots}}
				defer tr.CloseIdleConnections()
				req, err := http.NewRequest("POST", "https://replace.test/", strings.NewReader("body"))
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Authorization", "Bearer "+s.dummy(0).AccessToken)
				res, err := (&http.Client{Transport: tr, Timeout: patience}).Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				res.Body.Close()
				if res.StatusCode != 200 {
					t.Errorf("the agent saw %d", res.StatusCode)
				}
			})
		}
		wg.Wait()
		for len(w.seen) > 0 {
			<-w.seen
		}
	}
	ask(1)
	next := s.rotate(1)
	good.Store(&next)
	ask(20)
	require.EqualValues(t, 1+20+refused.Load(), tries.Load())
	require.NotZero(t, refused.Load())
	require.NoError(t, r.Close())
}

// A 401 would send the client to its sign-in screen.
func TestA401ToALoginThatHasEndedSaysSo(t *testing.T) {
	s := newSignedIn(t)
	w := newWorld(t, "", func(rw http.ResponseWriter, req *http.Request) { rw.WriteHeader(401) })
	w.load(strings.Replace(s.config("follow"), `inject = "replace"`, "inject = \"replace\"\nrefusal_status = 400", 1))
	authorization := "Authorization: Bearer " + s.dummy(0).AccessToken
	res := w.ask("GET", "https://replace.test/", authorization)
	require.Equal(t, 401, res.StatusCode, "it has not")
	s.end = time.Now().Add(-time.Minute).Truncate(time.Second)
	s.rotate(0)
	require.Eventually(t, func() bool {
		res := w.ask("GET", "https://replace.test/", authorization)
		for len(w.seen) > 0 {
			<-w.seen
		}
		return res.StatusCode == 400 && strings.Contains(res.Header.Get("Proxy-Status"), "login_ended")
	}, patience, 5*time.Millisecond)
}

func TestTheProxyRenewsALoginNearItsEnd(t *testing.T) {
	s := newSignedIn(t)
	s.end = time.Now().Add(5 * time.Minute).Truncate(time.Second)
	s.rotate(0)
	next := throwaway.Codex{Seed: "renewed", Account: "account", Expiry: time.Now().Add(240 * time.Hour).Truncate(time.Second)}
	var renewals atomic.Int64
	w := newWorld(t, "", func(rw http.ResponseWriter, req *http.Request) {
		if req.Host == "auth.openai.com" {
			renewals.Add(1)
			json.NewEncoder(rw).Encode(map[string]string{"access_token": next.AccessToken(), "id_token": next.IDToken(), "refresh_token": next.RefreshToken()})
		}
	})
	r := w.load(s.config("proxy"))
	require.Eventually(t, func() bool {
		for len(w.seen) > 0 {
			<-w.seen
		}
		c, err := hostauth.LoadCodex(s.path)
		return err == nil && c.RefreshToken.Expose() == next.RefreshToken()
	}, patience, time.Millisecond)
	require.Eventually(t, func() bool {
		res := w.ask("GET", "https://replace.test/", "Authorization: Bearer "+s.dummy(0).AccessToken)
		if res.StatusCode != 200 || len(w.seen) == 0 {
			return false
		}
		return (<-w.seen).Header.Get("Authorization") == "Bearer "+next.AccessToken()
	}, patience, 5*time.Millisecond)
	require.EqualValues(t, 1, renewals.Load())
	require.NoError(t, r.Close())
}
