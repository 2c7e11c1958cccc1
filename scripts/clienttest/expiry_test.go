package clienttest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/require"

	"bottle/lib/audit"
	"bottle/lib/hostauth/throwaway"
	"bottle/lib/providertest"
)

// A dummy of an expired login would make the client refresh it with a
// placeholder and end at the sign-in screen, so prepare stops first. So it does
// with one that would expire at work.
func TestExpiredLoginIsRefused(t *testing.T) {
	t.Parallel()
	for name, left := range map[string]time.Duration{"expired": -time.Minute, "expires soon": 4 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			s := standIn(t, providertest.Options{Login: throwaway.Codex{Expiry: time.Now().Add(left).Truncate(time.Second)}})
			b := prepare(t, s, setup{})
			require.Equal(t, 2, b.prepared.exit, "%s", b.prepared.stderr)
			require.Contains(t, b.prepared.stderr, "expire")
			require.Regexp(t, `(?m)^hint: .*codex`, b.prepared.stderr)
			require.NoDirExists(t, b.dir)
			require.Empty(t, tokensOf(s.Login()).find([]byte(b.prepared.stderr)))
		})
	}
}

// 0.169 refreshes five minutes before the end. The refresh is refused at once,
// and the client goes on with what it has. An operator who insists on such a
// login mints its dummy by hand.
func TestLoginNearItsEnd(t *testing.T) {
	perVersion(t, func(t *testing.T, version string) {
		near := throwaway.Codex{Seed: t.Name(), Expiry: time.Now().Add(4 * time.Minute).Truncate(time.Second)}
		earlier := near
		earlier.Expiry = far()
		s := standIn(t, providertest.Options{Login: near})
		b := newBottle(t, s, setup{login: &earlier, edit: func(t *testing.T, b *bottle) { b.relogin(t, near) }})
		o := b.codex(t, version, "say something")
		requireGreen(t, b, o)

		refreshes := 0
		for _, r := range b.audited(t) {
			if strings.HasPrefix(r.Host, "auth.openai.com") {
				require.Equal(t, audit.Refuse, r.Decision)
				refreshes++
			}
		}
		if version == "0.169" {
			require.NotZero(t, refreshes, "the client did not try to refresh: this case tests nothing\n%s", o)
		}
		t.Logf("green after %v with %d refreshes refused", o.took.Round(time.Millisecond), refreshes)
	})
}

// relogin puts a dummy of login into the prepared bottle, by hand.
func (b *bottle) relogin(t *testing.T, login throwaway.Codex) {
	t.Helper()
	host := filepath.Join(t.TempDir(), "auth.json")
	require.NoError(t, os.WriteFile(host, login.JSON(), 0o600))
	minted := run(t, []string{"PATH=/usr/bin:/bin"}, "bottle-mintauth", "codex", "--in", host, "--out", "-", "--min-ttl", "1m")
	require.Zero(t, minted.exit, "%s", minted.stderr)
	var dummy struct {
		Tokens map[string]string `json:"tokens"`
	}
	require.NoError(t, json.Unmarshal([]byte(minted.stdout), &dummy))

	file := b.path("egress/egress.toml")
	var config map[string]any
	_, err := toml.Decode(readFile(t, file), &config)
	require.NoError(t, err)
	sum := sha256.Sum256([]byte(dummy.Tokens["access_token"]))
	config["dummies"] = map[string]any{"sha256": []string{hex.EncodeToString(sum[:])}}
	data, err := toml.Marshal(config)
	require.NoError(t, err)
	for name, content := range map[string]string{
		"egress/egress.toml": string(data), "agent/codex/auth.json": minted.stdout,
		"egress/egress.env": "EGRESS_TOKEN_0=" + login.AccessToken() + "\n",
	} {
		require.NoError(t, os.WriteFile(b.path(name), []byte(content), 0o600))
	}
}
