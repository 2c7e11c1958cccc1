package dummyauth

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bottle/lib/hostauth"
	"bottle/lib/hostauth/throwaway"
	"bottle/lib/secret"
)

func claudeHost(t testing.TB, seed string) (*hostauth.Claude, throwaway.Claude) {
	login := throwaway.Claude{Seed: seed, Expiry: time.UnixMilli(1_790_000_000_123).UTC()}
	host, err := hostauth.ParseClaude(login.JSON())
	require.NoError(t, err)
	return host, login
}

func TestMintClaude(t *testing.T) {
	host, login := claudeHost(t, "host")
	seed := bytes.Repeat([]byte{7}, SeedSize)
	c, err := MintClaude(host, seed)
	require.NoError(t, err)
	again, err := MintClaude(host, seed)
	require.NoError(t, err)
	require.Equal(t, c.JSON(), again.JSON(), "the same bottle has the same dummy")
	other, err := MintClaude(host, bytes.Repeat([]byte{8}, SeedSize))
	require.NoError(t, err)
	require.NotEqual(t, c.AccessToken, other.AccessToken)

	// The client takes it for a login of the same kind, plan and end.
	read, err := hostauth.ParseClaude(c.JSON())
	require.NoError(t, err)
	require.Equal(t, host.Expiry, read.Expiry)
	require.Equal(t, host.Scopes, read.Scopes)
	require.Equal(t, host.Subscription, read.Subscription)
	require.Equal(t, host.RateTier, read.RateTier)
	require.True(t, IsDummyClaude(read))
	require.False(t, IsDummyClaude(host))
	require.Len(t, c.AccessToken, len(login.AccessToken()), "as long as a real one")
	require.Equal(t, []string{secret.SHA256(c.AccessToken), secret.SHA256(c.RefreshToken)}, c.SHA256())
	require.NotContains(t, string(c.JSON()), "mcpOAuth", "nothing else of the host's file")

	_, err = MintClaude(read, seed)
	require.ErrorIs(t, err, ErrIsDummy)
	_, err = MintClaude(host, seed[:8])
	require.ErrorIs(t, err, ErrSeed)
	_, err = MintClaude(&hostauth.Claude{}, seed)
	require.ErrorIs(t, err, ErrIncomplete)
	require.True(t, IsDummy(ClaudeKey(seed)))
	require.Len(t, ClaudeKey(seed), len(login.APIKey()))
}

func FuzzMintClaude(f *testing.F) {
	f.Add("a", "0123456789abcdef")
	f.Add("", "seed of some more than 16 bytes")
	f.Fuzz(func(t *testing.T, name, seed string) {
		host, login := claudeHost(t, name)
		c, err := MintClaude(host, []byte(seed))
		if err != nil {
			require.Less(t, len(seed), minSeed)
			return
		}
		out := string(c.JSON())
		for _, real := range []string{login.AccessToken(), login.RefreshToken()} {
			real = real[len(claudeAccess):]
			for i := 0; i+windowSize <= len(real); i++ {
				require.NotContains(t, out, real[i:i+windowSize])
			}
		}
	})
}
