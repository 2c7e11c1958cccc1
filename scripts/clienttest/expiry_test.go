package clienttest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
