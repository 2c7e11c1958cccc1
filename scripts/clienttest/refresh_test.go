package clienttest

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bottle/lib/audit"
	"bottle/lib/dummyauth"
	"bottle/lib/hostauth"
	"bottle/lib/hostauth/throwaway"
	"bottle/lib/providertest"
)

// hold puts the dummy of login into the agent's hands, as egress would have
// given it when that was the host's.
func (b *bottle) hold(t *testing.T, login throwaway.Codex) {
	t.Helper()
	host, err := hostauth.ParseCodex(login.JSON())
	require.NoError(t, err)
	seed, err := hex.DecodeString(strings.TrimSpace(readFile(t, b.path("egress/dummy-seed"))))
	require.NoError(t, err)
	d, err := dummyauth.Mint(host, seed)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(b.path("agent/codex/auth.json"), d.JSON(), 0o600))
	known, err := json.Marshal(map[string]any{"sha256": d.SHA256()})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(b.path("egress/dummies.json"), known, 0o600))
}

// loginFile is the host's login.
func (b *bottle) loginFile() string {
	return filepath.Join(filepath.Dir(b.manifest), "operator", ".codex", "auth.json")
}

// signIn puts a login on the host, as its client does.
func (b *bottle) signIn(t *testing.T, login throwaway.Codex) {
	t.Helper()
	require.NoError(t, os.WriteFile(b.loginFile()+".new", login.JSON(), 0o600))
	require.NoError(t, os.Rename(b.loginFile()+".new", b.loginFile()))
}

// held is the login that the agent has by now.
func (b *bottle) held(t *testing.T) *hostauth.Codex {
	t.Helper()
	c, err := hostauth.LoadCodex(b.path("agent/codex/auth.json"))
	require.NoError(t, err)
	return c
}

// answered counts the refreshes that egress answered, and those it refused.
func (b *bottle) answered(t *testing.T) (answered, refused int) {
	t.Helper()
	for _, r := range b.audited(t) {
		switch {
		case r.Event != audit.EventRequest || !strings.HasPrefix(r.Host, "auth.openai.com"):
		case r.Decision == audit.Refuse:
			refused++
		case r.Credential == "dummy":
			answered++
		}
	}
	return answered, refused
}

// A dummy that has ended, or ends in two minutes, is refreshed by the client:
// egress gives it one of the login that the host has by now, the run stays
// green, and nothing of the refresh reaches the provider.
func TestADummyThatEndsIsRefreshed(t *testing.T) {
	bothOrders(t, func(t *testing.T, version string, order []string) {
		for name, left := range map[string]time.Duration{"ended": -time.Minute, "ends in two minutes": 2 * time.Minute} {
			t.Run(name, func(t *testing.T) {
				s := standIn(t, providertest.Options{})
				old := throwaway.Codex{Seed: t.Name(), Account: s.Account(), Expiry: time.Now().Add(left).Truncate(time.Second)}
				b := newBottle(t, s, setup{order: order, edit: func(t *testing.T, b *bottle) { b.hold(t, old) }})
				// The host's login rotates while the bottle runs, before the client asks.
				s.Rotate(s.Next())
				b.signIn(t, s.Login())
				o := b.codex(t, version, "say something")
				requireGreen(t, b, o)
				answered, refused := b.answered(t)
				require.Zero(t, refused, "%s", o)
				if version == "0.135" && left > 0 {
					return // 0.135 refreshes a token that has ended; on a busy machine it may have
				}
				require.NotZero(t, answered, "the client did not refresh: this case tests nothing\n%s", o)
				c := b.held(t)
				require.True(t, dummyauth.IsDummyLogin(c))
				require.True(t, c.Expiry.Equal(s.Login().Expiry), "the dummy ends when the real login does")

				// And what it got is good for the next run, without a refresh.
				requireGreen(t, b, b.codex(t, version, "say something"))
				again, _ := b.answered(t)
				require.Equal(t, answered, again)
			})
		}
	})
}

// The provider ends a session before its time, and the host has signed in
// again: the client sees nothing of it.
func TestA401IsMendedBehindTheClientsBack(t *testing.T) {
	perVersion(t, func(t *testing.T, version string) {
		for _, mode := range []providertest.Mode{providertest.WebSocket, providertest.SSE} {
			t.Run(string(mode), func(t *testing.T) {
				s := standIn(t, providertest.Options{Mode: mode})
				b := newBottle(t, s, setup{})
				requireGreen(t, b, b.codex(t, version, "say something"))
				s.Rotate(s.Next())
				b.signIn(t, s.Login())
				o := b.codex(t, version, "say something")
				require.Zero(t, o.exit, "%s", o)
				require.Equal(t, s.Answer(), strings.TrimSpace(o.stdout))
				for _, r := range b.audited(t) {
					require.NotEqual(t, 401, r.Status, "the agent saw a 401\n%s", b.story(t))
				}
			})
		}
	})
}

// A host's login that has ended is told at once, and the client ends.
func TestALoginThatHasEndedIsToldAtOnce(t *testing.T) {
	perVersion(t, func(t *testing.T, version string) {
		s := standIn(t, providertest.Options{})
		ended := throwaway.Codex{Seed: t.Name(), Account: s.Account(), Expiry: time.Now().Add(-time.Minute).Truncate(time.Second)}
		b := newBottle(t, s, setup{edit: func(t *testing.T, b *bottle) { b.hold(t, ended) }})
		b.signIn(t, ended)
		o := b.codex(t, version, "say something")
		require.NotZero(t, o.exit)
		_, refused := b.answered(t)
		require.NotZero(t, refused, "%s\n%s", o, b.story(t))
		t.Logf("ended after %v: %s", o.took.Round(time.Millisecond), o.stderr)
	})
}

// With refresh = "proxy" egress renews a login that nears its end by itself,
// and once.
func TestTheProxyRenewsTheLogin(t *testing.T) {
	bothOrders(t, func(t *testing.T, version string, order []string) {
		s := standIn(t, providertest.Options{Login: throwaway.Codex{Seed: t.Name(), Expiry: time.Now().Add(11 * time.Minute).Truncate(time.Second)}})
		first := s.Login()
		b := newBottle(t, s, setup{order: order, refresh: "proxy"})
		require.Eventually(t, func() bool {
			c, err := hostauth.LoadCodex(b.loginFile())
			return err == nil && c.RefreshToken.Expose() != first.RefreshToken()
		}, 20*time.Second, 10*time.Millisecond, "%s", b.story(t))
		o := b.codex(t, version, "say something")
		require.Zero(t, o.exit, "%s\n%s", o, b.story(t))
		require.Equal(t, s.Answer(), strings.TrimSpace(o.stdout))
		renewals := 0
		for _, r := range s.Records() {
			require.NotEqual(t, "other-refresh", r.Asked)
			if r.Asked == "real-refresh" {
				renewals++
				require.Equal(t, 200, r.Status)
			}
		}
		require.Equal(t, 1, renewals)
	})
}
