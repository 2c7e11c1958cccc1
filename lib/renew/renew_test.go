package renew

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bottle/lib/dummyauth"
	"bottle/lib/hostauth"
	"bottle/lib/secret"
)

func TestRenewingChangesTheTokensAndNothingElse(t *testing.T) {
	p := newProvider(t)
	path := p.codexFile(t, 5*time.Minute)
	require.NoError(t, os.Chmod(path, 0o400))
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	r, _ := p.renewer(t, Codex, path)
	old := mustRead(t, r)

	changed, err := r.renew(t.Context(), old.access, false)
	require.NoError(t, err)
	require.True(t, changed)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	l := mustRead(t, r)
	require.Equal(t, p.login(1, 0).RefreshToken(), l.refresh.Expose())
	require.WithinDuration(t, time.Now().Add(p.life), l.expiry, time.Minute)
	// Put the old values back, and every byte is the old one.
	c0, err := hostauth.ParseCodex(before)
	require.NoError(t, err)
	c1, err := hostauth.ParseCodex(after)
	require.NoError(t, err)
	back := strings.NewReplacer(c1.AccessToken.Expose(), c0.AccessToken.Expose(), c1.IDToken.Expose(), c0.IDToken.Expose(),
		c1.RefreshToken.Expose(), c0.RefreshToken.Expose()).Replace(string(after))
	var stamp struct {
		At string `json:"last_refresh"`
	}
	require.NoError(t, json.Unmarshal(after, &stamp))
	at, err := time.Parse(time.RFC3339Nano, stamp.At)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), at, time.Minute)
	require.Equal(t, string(before), strings.Replace(back, stamp.At, "2026-01-01T00:00:00Z", 1))
	st, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o400), st.Mode())
	require.EqualValues(t, os.Getuid(), st.Sys().(*syscall.Stat_t).Uid)
	require.Equal(t, []string{"auth.json"}, files(t, path))
}

func TestClaudeLogin(t *testing.T) {
	p := newProvider(t)
	p.life = 8 * time.Hour
	path := filepath.Join(t.TempDir(), ".credentials.json")
	old := p.login(0, time.Minute)
	text := fmt.Sprintf(`{"claudeAiOauth":{"accessToken":%q,"refreshToken":%q,"expiresAt":%d,"scopes":["user:inference","user:profile"],"subscriptionType":"max","clientId":"the-login's-own"},"mcpOAuth":{"x":1}}`,
		old.AccessToken(), old.RefreshToken(), time.Now().Add(time.Minute).UnixMilli())
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	r, _ := p.renewer(t, Claude, path)
	p.change = func(m jsonObject) { m["refresh_token_expires_in"] = 3600 }
	changed, err := r.renew(t.Context(), mustRead(t, r).access, false)
	require.NoError(t, err)
	require.True(t, changed)
	require.Equal(t, "the-login's-own", p.form["client_id"])
	require.Equal(t, "user:inference user:profile", p.form["scope"])
	var file struct {
		OAuth jsonObject `json:"claudeAiOauth"`
		MCP   jsonObject `json:"mcpOAuth"`
	}
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &file))
	require.Equal(t, p.login(1, 0).RefreshToken(), file.OAuth["refreshToken"])
	require.Equal(t, "max", file.OAuth["subscriptionType"])
	require.InDelta(t, time.Now().Add(time.Hour).UnixMilli(), file.OAuth["refreshTokenExpiresAt"], 60_000)
	require.Equal(t, jsonObject{"x": 1.0}, file.MCP)
	require.WithinDuration(t, time.Now().Add(p.life), mustRead(t, r).expiry, time.Minute)
}

// Two proxies and the provider's own client, a hundred requests at a time: the
// refresh token is used once.
func TestExactlyOneRefresh(t *testing.T) {
	p := newProvider(t)
	path := p.codexFile(t, 6*time.Minute)
	a, _ := p.renewer(t, Codex, path)
	b, _ := p.renewer(t, Codex, path)
	old := mustRead(t, a)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 100 {
		r := a
		if i%2 == 1 {
			r = b
		}
		wg.Go(func() {
			<-start
			changed, err := r.renew(context.Background(), old.access, i%4 < 2)
			if !changed || err != nil {
				t.Errorf("%v %v", changed, err)
			}
		})
	}
	wg.Go(func() { // the client: reads its login, and refreshes when 5 minutes are left
		<-start
		for range 200 {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Error(err)
				return
			}
			c, err := hostauth.ParseCodex(data)
			if err != nil {
				t.Errorf("the client saw half a login: %v", err)
				return
			}
			if time.Until(c.Expiry) < 5*time.Minute {
				t.Error("the client would refresh too")
			}
		}
	})
	close(start)
	wg.Wait()
	asked, accepted := p.counts()
	require.Equal(t, []int{1, 1}, []int{asked, accepted})
	require.Equal(t, p.login(1, 0).RefreshToken(), mustRead(t, a).refresh.Expose())
}

func TestSomebodyElseWasFaster(t *testing.T) {
	theirs := func(t *testing.T, p *tokenServer, path string) {
		p.n++
		l := p.login(p.n, p.life)
		require.NoError(t, os.WriteFile(path+".new", l.JSON(), 0o600))
		require.NoError(t, os.Rename(path+".new", path))
	}
	for _, name := range []string{"before the lock", "and the provider said so", "and the provider answered both"} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t)
			path := p.codexFile(t, time.Minute)
			r, log := p.renewer(t, Codex, path)
			old := mustRead(t, r)
			switch name {
			case "before the lock":
				r.step = func(s string) {
					if s == "locked" {
						theirs(t, p, path)
					}
				}
			case "and the provider said so":
				p.before = func() { theirs(t, p, path) }
			default:
				r.step = func(s string) {
					if s == "answered" {
						theirs(t, p, path)
					}
				}
			}
			changed, err := r.renew(t.Context(), old.access, false)
			require.NoError(t, err)
			require.True(t, changed)
			require.Equal(t, p.login(p.n, 0).RefreshToken(), mustRead(t, r).refresh.Expose())
			require.NotContains(t, log.String(), "level=ERROR")
			require.Equal(t, []string{"auth.json"}, files(t, path))
		})
	}
}

func TestWhatIsNoAnswerChangesNothing(t *testing.T) {
	text := func(status int, body string) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) {
			rw.WriteHeader(status)
			io.WriteString(rw, body)
		}
	}
	for _, tc := range []struct {
		name    string
		instead http.HandlerFunc
		change  func(p *tokenServer, m jsonObject)
		want    string
	}{
		{"malformed", text(200, `{"access_token":`), nil, "not JSON"},
		{"a list", text(200, `[]`), nil, "not JSON"},
		{"HTML", text(200, "<html>captive portal</html>"), nil, "not JSON"},
		{"nothing", text(200, ""), nil, "not JSON"},
		{"empty object", text(200, "{}"), nil, "no access_token"},
		{"500", text(500, `{"error":"x"}`), nil, "status 500"},
		{"429", text(429, ``), nil, "status 429"},
		{"redirect", func(rw http.ResponseWriter, req *http.Request) {
			http.Redirect(rw, req, "/elsewhere", http.StatusTemporaryRedirect)
		}, nil, "status 307"},
		{"too long", text(200, `{"access_token":"`+strings.Repeat("a", mostAnswer)+`"}`), nil, "longer than"},
		{"cut off", func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Length", "1000")
			io.WriteString(rw, "{")
		}, nil, "read answer"},
		{"dropped", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil, "ask auth.openai.com"},
		{"spent", text(400, `{"error":"invalid_grant"}`), nil, "invalid_grant"},
		{"no access token", nil, func(_ *tokenServer, m jsonObject) { delete(m, "access_token") }, "no access_token"},
		{"not a token", nil, func(_ *tokenServer, m jsonObject) { m["access_token"] = "opaque" }, "tokens.access_token"},
		{"a header break", nil, func(_ *tokenServer, m jsonObject) { m["access_token"] = "a\r\nb" }, "cannot stand in a header"},
		{"expired", nil, func(p *tokenServer, m jsonObject) { m["access_token"] = p.login(9, -time.Minute).AccessToken() }, "ended already"},
		{"a dummy", nil, func(p *tokenServer, m jsonObject) { m["refresh_token"] = dummyauth.Marker + "x" }, "dummy"},
		{"another account", nil, func(p *tokenServer, m jsonObject) {
			l := p.login(9, time.Hour)
			l.Account = "acct-2"
			m["access_token"] = l.AccessToken()
		}, "another account"},
		{"another account's id", nil, func(p *tokenServer, m jsonObject) {
			l := p.login(9, time.Hour)
			l.Account = "acct-2"
			m["id_token"] = l.IDToken()
		}, "another account"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newProvider(t)
			path := p.codexFile(t, 5*time.Minute)
			before, err := os.ReadFile(path)
			require.NoError(t, err)
			p.instead = tc.instead
			if tc.change != nil {
				p.change = func(m jsonObject) { tc.change(p, m) }
			}
			r, log := p.renewer(t, Codex, path)
			old := mustRead(t, r)
			for range 3 { // at once again: nothing is asked
				changed, err := r.renew(t.Context(), old.access, false)
				require.False(t, changed)
				require.Error(t, err)
			}
			asked, _ := p.counts()
			require.Equal(t, 1, asked)
			require.Contains(t, log.String(), tc.want)
			require.Equal(t, 1, strings.Count(log.String(), "level=ERROR"))
			after, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, string(before), string(after))
			require.Equal(t, []string{"auth.json"}, files(t, path))
			for _, token := range []secret.Value{old.access, old.refresh} {
				require.NotContains(t, log.String(), token.Expose()[:20])
			}
		})
	}
}

func TestPausesGrow(t *testing.T) {
	p := newProvider(t)
	p.instead = func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(503) }
	path := p.codexFile(t, 5*time.Minute)
	r, _ := p.renewer(t, Codex, path)
	old := mustRead(t, r)
	now := time.Now()
	r.now = func() time.Time { return now }
	var pauses []time.Duration
	for range 12 {
		_, err := r.renew(t.Context(), old.access, false)
		require.Error(t, err)
		pauses = append(pauses, r.after.Sub(now))
		now = r.after.Add(-time.Second)
		_, err = r.renew(t.Context(), old.access, false)
		require.ErrorContains(t, err, "waiting after a failure")
		now = r.after
	}
	asked, _ := p.counts()
	require.Equal(t, 12, asked)
	require.GreaterOrEqual(t, pauses[0], firstPause/2)
	require.Less(t, pauses[0], firstPause)
	require.GreaterOrEqual(t, pauses[11], longestPause/2)
	require.LessOrEqual(t, pauses[11], longestPause)
	// A clock that jumps back does not stop it for longer than that.
	now = now.Add(-time.Hour)
	_, err := r.renew(t.Context(), old.access, true)
	require.ErrorContains(t, err, "status 503")
}

func TestTheEndpointHangs(t *testing.T) {
	p := newProvider(t)
	hang := make(chan struct{})
	defer close(hang)
	p.instead = func(rw http.ResponseWriter, _ *http.Request) { <-hang }
	path := p.codexFile(t, 5*time.Minute)
	r, _ := p.renewer(t, Codex, path)
	old := mustRead(t, r)
	base := r.transport
	r.transport = roundTripper(func(req *http.Request) (*http.Response, error) {
		end, ok := req.Context().Deadline()
		require.True(t, ok)
		require.WithinDuration(t, time.Now().Add(exchangeTime), end, time.Second)
		ctx, cancel := context.WithTimeout(req.Context(), 100*time.Millisecond)
		defer cancel()
		return base.RoundTrip(req.WithContext(ctx))
	})
	_, err := r.renew(t.Context(), old.access, false)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, old.access.Expose(), mustRead(t, r).access.Expose())
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestACertificateThatIsNotTrustedGetsNothing(t *testing.T) {
	p, other := newProvider(t), newProvider(t)
	path := p.codexFile(t, 5*time.Minute)
	r, _ := p.renewer(t, Codex, path)
	r.transport = transportTo(p.server.Listener.Addr().String(), other.ca.CertPEM())
	_, err := r.renew(t.Context(), mustRead(t, r).access, false)
	require.ErrorContains(t, err, "certificate")
	asked, _ := p.counts()
	require.Zero(t, asked)
}

func TestNothingIsAskedWhereTheAnswerCouldNotBeKept(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write anywhere")
	}
	p := newProvider(t)
	path := p.codexFile(t, 5*time.Minute)
	dir := filepath.Dir(path)
	require.NoError(t, os.Chmod(dir, 0o500))
	t.Cleanup(func() { os.Chmod(dir, 0o700) })
	r, log := p.renewer(t, Codex, path)
	_, err := r.renew(t.Context(), mustRead(t, r).access, false)
	require.ErrorIs(t, err, os.ErrPermission)
	asked, _ := p.counts()
	require.Zero(t, asked)
	require.Contains(t, log.String(), "level=ERROR")
}

func TestAnAnswerThatCannotBeWrittenIsKeptInMemory(t *testing.T) {
	p := newProvider(t)
	path := p.codexFile(t, 5*time.Minute)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	r, log := p.renewer(t, Codex, path)
	old := mustRead(t, r)
	r.step = func(s string) {
		if s == "answered" { // somebody is writing it at this very moment
			require.NoError(t, os.WriteFile(path, whole[:100], 0o600))
		}
	}
	_, err = r.renew(t.Context(), old.access, false)
	require.Error(t, err)
	require.Contains(t, log.String(), "in memory alone")
	require.NoError(t, os.WriteFile(path, whole, 0o600))
	changed, err := r.renew(t.Context(), old.access, false)
	require.NoError(t, err)
	require.True(t, changed)
	require.Equal(t, p.login(1, 0).RefreshToken(), mustRead(t, r).refresh.Expose())
	asked, _ := p.counts()
	require.Equal(t, 1, asked)
}

func TestAnOriginsWordIsTakenOnceInAWhile(t *testing.T) {
	p := newProvider(t)
	path := p.codexFile(t, 200*time.Hour)
	r, _ := p.renewer(t, Codex, path)
	now := time.Now()
	r.now = func() time.Time { return now }
	old := mustRead(t, r)
	changed, err := r.renew(t.Context(), old.access, false)
	require.NoError(t, err)
	require.False(t, changed, "it is not due")
	for range 50 { // the origin takes none of them
		_, err := r.Renew(t.Context(), mustRead(t, r).access)
		require.NoError(t, err)
	}
	_, accepted := p.counts()
	require.Equal(t, 1, accepted)
	now = now.Add(forcedPause)
	changed, err = r.Renew(t.Context(), mustRead(t, r).access)
	require.NoError(t, err)
	require.True(t, changed)
}

func TestRunRenewsByItself(t *testing.T) {
	p := newProvider(t)
	path := p.codexFile(t, 5*time.Minute)
	r, _ := p.renewer(t, Codex, path)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { r.Run(ctx); close(done) }()
	require.Eventually(t, func() bool { _, accepted := p.counts(); return accepted == 1 }, patience, 5*time.Millisecond)
	cancel()
	<-done
}

func TestDue(t *testing.T) {
	end := time.Unix(2_000_000_000, 0)
	for life, lead := range map[time.Duration]time.Duration{
		0: 10 * time.Minute, 240 * time.Hour: 24 * time.Hour, 8 * time.Hour: 48 * time.Minute,
		time.Hour: 10 * time.Minute, 4 * time.Minute: 2 * time.Minute,
	} {
		l := &login{expiry: end}
		if life > 0 {
			l.issued = end.Add(-life)
		}
		require.Equal(t, lead, end.Sub(l.due()), life)
	}
}

func TestALockThatIsHeldIsWaitedFor(t *testing.T) {
	p := newProvider(t)
	path := p.codexFile(t, 5*time.Minute)
	unlock, err := lock(t.Context(), path)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = lock(ctx, path)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	unlock()
	unlock, err = lock(t.Context(), path)
	require.NoError(t, err)
	unlock()
	require.NoError(t, os.Remove(beside(path, "lock")))
	require.NoError(t, os.Symlink("elsewhere", beside(path, "lock")))
	_, err = lock(t.Context(), path)
	require.Error(t, err)
}

func TestALoginThatMayNotBeReadIsLeftAlone(t *testing.T) {
	p := newProvider(t)
	path := p.codexFile(t, 5*time.Minute)
	r, _ := p.renewer(t, Codex, path)
	old := mustRead(t, r)
	require.NoError(t, os.Chmod(path, 0o644))
	_, err := r.renew(t.Context(), old.access, false)
	require.ErrorContains(t, err, "mode 0644")
	require.NoError(t, os.Chmod(path, 0o600))
	require.NoError(t, os.Rename(path, path+".real"))
	require.NoError(t, os.Symlink(path+".real", path))
	_, err = r.renew(t.Context(), old.access, false)
	require.ErrorContains(t, err, "symbolic link")
	asked, _ := p.counts()
	require.Zero(t, asked)
}
