package grant

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bottle/lib/dummyauth"
	"bottle/lib/dummyset"
	"bottle/lib/forward"
	"bottle/lib/hostauth"
	"bottle/lib/hostauth/throwaway"
	"bottle/lib/refusal"
	"bottle/lib/renew"
	"bottle/lib/secret"
)

var seed = bytes.Repeat([]byte{7}, dummyauth.SeedSize)

type world struct {
	t     *testing.T
	path  string
	store string
	log   bytes.Buffer
	o     Options
	e     *Endpoint
}

func newWorld(t *testing.T, login throwaway.Codex) *world {
	w := &world{t: t, path: filepath.Join(t.TempDir(), "auth.json"), store: filepath.Join(t.TempDir(), "dummies.json")}
	w.rotate(login)
	w.restart()
	return w
}

func (w *world) rotate(login throwaway.Codex) {
	require.NoError(w.t, os.WriteFile(w.path, login.JSON(), 0o600))
}

func (w *world) restart() {
	set, err := dummyset.Open(w.store, nil)
	require.NoError(w.t, err)
	w.o = Options{Kind: renew.Codex, Path: w.path, Seed: seed, Dummies: set}
	w.e, err = New(w.o)
	require.NoError(w.t, err)
	w.e.Start(slog.New(slog.NewTextHandler(&w.log, nil)), nil)
}

// ask sends a request of the agent's; it returns what Judge or Answer say.
func (w *world) ask(method, url, contentType, body string) (*forward.Answer, *forward.Exchange, error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	require.NoError(w.t, err)
	req.Header.Set("Content-Type", contentType)
	x := &forward.Exchange{}
	req = forward.WithExchange(req, x)
	if r := w.e.Judge(req); r != nil {
		return nil, x, r
	}
	a, err := w.e.Answer(req)
	return a, x, err
}

func (w *world) refresh(token string) (*forward.Answer, error) {
	body, err := json.Marshal(map[string]string{"client_id": "app_EMoamEEZ73f0CkXaXp7hrann", "grant_type": "refresh_token", "refresh_token": token, "refresh_reason": "expiring"})
	require.NoError(w.t, err)
	a, _, err := w.ask("POST", "https://auth.openai.com/oauth/token", "application/json", string(body))
	return a, err
}

// tokens is the answer as Codex reads it.
type tokens struct {
	ID      string `json:"id_token"`
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

func tokensOf(t *testing.T, a *forward.Answer) (got tokens) {
	t.Helper()
	require.Equal(t, 200, a.Status)
	require.Equal(t, "application/json", a.Header.Get("Content-Type"))
	require.NoError(t, json.Unmarshal(a.Body, &got))
	return got
}

func expiryOf(t *testing.T, token string) time.Time {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	var claims struct {
		Exp int64 `json:"exp"`
	}
	require.NoError(t, json.Unmarshal(payload, &claims))
	return time.Unix(claims.Exp, 0)
}

func login(seed string, left time.Duration) throwaway.Codex {
	return throwaway.Codex{Seed: seed, Account: "acct-1", Expiry: time.Now().Add(left).Truncate(time.Second)}
}

// dummyOf is the dummy that the agent was given for a login.
func dummyOf(t *testing.T, l throwaway.Codex) *dummyauth.Codex {
	t.Helper()
	host, err := hostauth.ParseCodex(l.JSON())
	require.NoError(t, err)
	d, err := dummyauth.Mint(host, seed)
	require.NoError(t, err)
	return d
}

func TestAnAgentGetsDummiesOfTheLoginAsItIs(t *testing.T) {
	first := login("1", time.Minute)
	w := newWorld(t, first)
	held := dummyOf(t, first)
	var all []tokens
	for n := range 4 {
		next := login(fmt.Sprint(n+2), time.Duration(n+1)*time.Hour)
		w.rotate(next)
		if n == 2 {
			w.restart() // and what was given out before is still this bottle's
		}
		token := held.RefreshToken
		if n > 0 {
			token = all[n-1].Refresh
		}
		a, err := w.refresh(token)
		require.NoError(t, err)
		got := tokensOf(t, a)
		require.Equal(t, next.Expiry.Unix(), expiryOf(t, got.Access).Unix())
		require.Equal(t, dummyOf(t, next).AccessToken, got.Access, "what prepare would make of the same login")
		for _, token := range []string{got.Access, got.ID, got.Refresh} {
			require.True(t, dummyauth.IsDummy(token))
			require.True(t, w.o.Dummies.Has(token))
		}
		for _, real := range []string{next.AccessToken(), next.IDToken(), next.RefreshToken()} {
			require.NotContains(t, string(a.Body), real[len(real)-20:])
		}
		all = append(all, got)
	}
	w.restart()
	for _, got := range all {
		require.True(t, w.o.Dummies.Has(got.Access))
	}
	// As a form, which is the standard's own way.
	a, x, err := w.ask("POST", "https://auth.openai.com/oauth/token", "application/x-www-form-urlencoded; charset=utf-8", "grant_type=refresh_token&refresh_token="+held.RefreshToken)
	require.NoError(t, err)
	require.Equal(t, forward.CredentialDummy, x.Credential)
	tokensOf(t, a)
}

func TestClaudeCodeGetsItsDummies(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, ".credentials.json")
	real := throwaway.Claude{Seed: "1", Expiry: time.Now().Add(2 * time.Hour).Truncate(time.Second)}
	require.NoError(t, os.WriteFile(path, real.JSON(), 0o600))
	host, err := hostauth.LoadClaude(path)
	require.NoError(t, err)
	held, err := dummyauth.MintClaude(host, seed)
	require.NoError(t, err)
	set, err := dummyset.Open("", held.SHA256())
	require.NoError(t, err)
	w := &world{t: t}
	w.e, err = New(Options{Kind: renew.Claude, Path: path, Seed: seed, Dummies: set})
	require.NoError(t, err)
	next := throwaway.Claude{Seed: "2", Expiry: time.Now().Add(8 * time.Hour).Truncate(time.Second)}
	require.NoError(t, os.WriteFile(path, next.JSON(), 0o600))
	body := `{"grant_type":"refresh_token","refresh_token":"` + held.RefreshToken + `","client_id":"9d1c250a-e61b-44d9-88ed-5944d1962f5e","scope":"user:inference"}`
	a, _, err := w.ask("POST", "https://platform.claude.com/v1/oauth/token", "application/json", body)
	require.NoError(t, err)
	var got struct {
		Type    string `json:"token_type"`
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Expires int64  `json:"expires_in"`
	}
	require.NoError(t, json.Unmarshal(a.Body, &got))
	require.InDelta(t, 8*3600, got.Expires, 60)
	require.True(t, set.Has(got.Access) && set.Has(got.Refresh))
	require.True(t, dummyauth.IsDummy(got.Access))
	_, _, err = w.ask("POST", "https://platform.claude.com/v1/oauth/token/revoke", "application/json", body)
	var r *refusal.Refusal
	require.ErrorAs(t, err, &r)
	require.Equal(t, refusal.SignInRefused, r.Code)
}

func TestAskingWritesNothing(t *testing.T) {
	w := &world{t: t, path: filepath.Join(t.TempDir(), "auth.json"), store: filepath.Join(t.TempDir(), "dummies.json")}
	w.rotate(login("1", time.Hour))
	set, err := dummyset.Open(w.store, nil)
	require.NoError(t, err)
	w.e, err = New(Options{Kind: renew.Codex, Path: w.path, Seed: seed, Dummies: set})
	require.NoError(t, err)
	req, err := http.NewRequest("POST", "https://auth.openai.com/oauth/token", nil)
	require.NoError(t, err)
	require.Nil(t, w.e.Judge(req))
	require.NoFileExists(t, w.store)
}

func TestEverythingElseIsRefused(t *testing.T) {
	l := login("1", time.Hour)
	w := newWorld(t, l)
	d := dummyOf(t, l)
	const token, asJSON, asForm = "https://auth.openai.com/oauth/token", "application/json", "application/x-www-form-urlencoded"
	for _, tc := range []struct {
		method, url, contentType, body string
		code                           refusal.Code
	}{
		{"POST", token, asJSON, `{"grant_type":"refresh_token","refresh_token":"` + l.RefreshToken() + `"}`, refusal.ForeignCredential},
		{"POST", token, asJSON, `{"grant_type":"refresh_token","refresh_token":"bottle-dummy-of-another-bottle"}`, refusal.ForeignCredential},
		{"POST", token, asJSON, `{"grant_type":"refresh_token"}`, refusal.ForeignCredential},
		{"POST", token, asJSON, `{"grant_type":"refresh_token","refresh_token":null}`, refusal.ForeignCredential},
		{"POST", token, asForm, "grant_type=refresh_token&refresh_token=x", refusal.ForeignCredential},
		{"POST", token, asJSON, `{"grant_type":"authorization_code","code":"x","refresh_token":"` + d.RefreshToken + `"}`, refusal.SignInRefused},
		{"POST", token, asForm, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=x", refusal.SignInRefused},
		{"POST", token, asJSON, `{}`, refusal.SignInRefused},
		{"POST", token, asJSON, `{"grant_type":`, refusal.BadTokenRequest},
		{"POST", token, asJSON, `[]`, refusal.BadTokenRequest},
		{"POST", token, asJSON, ``, refusal.BadTokenRequest},
		{"POST", token, asJSON, `{"grant_type":1}`, refusal.BadTokenRequest},
		{"POST", token, asForm, `grant_type=%zz`, refusal.BadTokenRequest},
		{"POST", token, "text/plain", "grant_type=refresh_token", refusal.BadTokenRequest},
		{"POST", token, asJSON, strings.Repeat(" ", mostBody) + "{}", refusal.BadTokenRequest},
		{"GET", token, asJSON, "", refusal.MethodNotAllowed},
		{"POST", "https://auth.openai.com/oauth/revoke", asJSON, `{"token":"` + d.RefreshToken + `"}`, refusal.SignInRefused},
		{"POST", "https://auth.openai.com/api/accounts/deviceauth/usercode", asJSON, "{}", refusal.SignInRefused},
		{"POST", "https://auth.openai.com/api/accounts/deviceauth/token", asJSON, "{}", refusal.SignInRefused},
		{"POST", "https://auth.openai.com/oauth/token/", asJSON, "{}", refusal.SignInRefused},
		{"POST", "https://auth.openai.com/oauth%2ftoken", asJSON, "{}", refusal.SignInRefused},
		{"GET", "https://auth.openai.com/", "", "", refusal.SignInRefused},
	} {
		a, x, err := w.ask(tc.method, tc.url, tc.contentType, tc.body)
		require.Nil(t, a, tc.body)
		var r *refusal.Refusal
		require.ErrorAs(t, err, &r, tc.body)
		require.Equal(t, tc.code, r.Code, "%s %s %s", tc.method, tc.url, tc.body)
		require.NotContains(t, r.Error(), d.RefreshToken)
		require.NotEqual(t, forward.CredentialDummy, x.Credential)
		entry := refusal.Lookup(r.Code)
		require.True(t, entry.Policy && !entry.Retry && entry.Status < 500, "the route's own status applies")
	}
}

func TestALoginThatHasEndedIsRefused(t *testing.T) {
	l := login("1", time.Hour)
	w := newWorld(t, l)
	d := dummyOf(t, l)
	w.rotate(login("2", -time.Second))
	_, err := w.refresh(d.RefreshToken)
	var r *refusal.Refusal
	require.ErrorAs(t, err, &r)
	require.Equal(t, refusal.LoginEnded, r.Code)

	// Renewed by the proxy, if it may.
	next := login("3", time.Hour)
	w.e.Start(slog.New(slog.DiscardHandler), func(_ context.Context, refused secret.Value) (bool, error) {
		require.Equal(t, login("2", 0).AccessToken()[:20], refused.Expose()[:20])
		w.rotate(next)
		return true, nil
	})
	a, err := w.refresh(d.RefreshToken)
	require.NoError(t, err)
	require.Equal(t, next.Expiry.Unix(), expiryOf(t, tokensOf(t, a).Access).Unix())
}

func TestALoginThatCannotBeReadIsTheLastGoodOne(t *testing.T) {
	l := login("1", time.Hour)
	d := dummyOf(t, l)
	for name, spoil := range map[string]func(path string) error{
		"half written":   func(path string) error { return os.WriteFile(path, l.JSON()[:300], 0o600) },
		"empty":          func(path string) error { return os.Truncate(path, 0) },
		"gone":           os.Remove,
		"readable":       func(path string) error { return os.Chmod(path, 0o644) },
		"an API key":     func(path string) error { return os.WriteFile(path, []byte(`{"OPENAI_API_KEY":"x"}`), 0o600) },
		"a bottle's own": func(path string) error { return os.WriteFile(path, d.JSON(), 0o600) },
		"a link": func(path string) error {
			if err := os.Rename(path, path+".real"); err != nil {
				return err
			}
			return os.Symlink(path+".real", path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, l)
			require.NoError(t, spoil(w.path))
			a, err := w.refresh(d.RefreshToken)
			require.NoError(t, err)
			require.Equal(t, d.AccessToken, tokensOf(t, a).Access)
			require.Contains(t, w.log.String(), "last good login")
			w.e.now = func() time.Time { return time.Now().Add(2 * time.Hour) }
			_, err = w.refresh(d.RefreshToken)
			var r *refusal.Refusal
			require.ErrorAs(t, err, &r)
			require.Equal(t, refusal.LoginEnded, r.Code)
		})
	}
}

func TestAnAnswerIsQuick(t *testing.T) {
	l := login("1", time.Hour)
	w := newWorld(t, l)
	d := dummyOf(t, l)
	best := time.Hour // of an answer to a login that has just rotated
	for n := range 20 {
		w.rotate(login(fmt.Sprint("r", n), time.Hour))
		start := time.Now()
		_, err := w.refresh(d.RefreshToken)
		best = min(best, time.Since(start))
		require.NoError(t, err)
	}
	t.Logf("the fastest answer after a rotation took %v", best)
	require.Less(t, best, 100*time.Millisecond)
}

func BenchmarkAnswer(b *testing.B) {
	t := &testing.T{}
	w := &world{t: t, path: filepath.Join(b.TempDir(), "auth.json"), store: filepath.Join(b.TempDir(), "dummies.json")}
	l := login("1", time.Hour)
	w.rotate(l)
	w.restart()
	d := dummyOf(t, l)
	for b.Loop() {
		if _, err := w.refresh(d.RefreshToken); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzParseForm(f *testing.F) {
	for _, s := range []string{`{"grant_type":"refresh_token","refresh_token":"x"}`, `{}`, `null`, `grant_type=refresh_token&refresh_token=%00`, "grant_type=a;b"} {
		f.Add("application/json", s)
		f.Add("application/x-www-form-urlencoded", s)
	}
	f.Fuzz(func(t *testing.T, contentType, body string) {
		form, err := parseForm(contentType, []byte(body))
		if err != nil {
			var r *refusal.Refusal
			require.ErrorAs(t, err, &r)
			require.Equal(t, refusal.BadTokenRequest, r.Code)
			return
		}
		require.NotNil(t, form)
	})
}
