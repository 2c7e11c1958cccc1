package hostauth_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bottle/lib/hostauth"
	"bottle/lib/hostauth/throwaway"
)

func TestClaudeLogin(t *testing.T) {
	end := time.Date(2026, 2, 3, 4, 5, 6, 789e6, time.UTC)
	login := throwaway.Claude{Seed: "host", Expiry: end}
	path := filepath.Join(t.TempDir(), ".credentials.json")
	require.NoError(t, os.WriteFile(path, login.JSON(), 0o600))
	c, err := hostauth.LoadClaude(path)
	require.NoError(t, err)
	require.Equal(t, login.AccessToken(), c.AccessToken.Expose())
	require.Equal(t, login.RefreshToken(), c.RefreshToken.Expose())
	require.Equal(t, end, c.Expiry)
	require.Equal(t, "max", c.Subscription)
	require.Equal(t, "default_claude_max_5x", c.RateTier)
	require.Equal(t, []string{"user:inference", "user:mcp_servers", "user:profile", "user:sessions:claude_code"}, c.Scopes)
	require.NoError(t, c.CheckExpiry(end.Add(-time.Hour), time.Hour))
	require.ErrorIs(t, c.CheckExpiry(end.Add(-time.Hour), time.Hour+1), hostauth.ErrNearExpiry)
	require.ErrorIs(t, c.CheckExpiry(end, 0), hostauth.ErrExpired)

	found, err := hostauth.ClaudePath(func(name string) string {
		return map[string]string{"CLAUDE_CONFIG_DIR": filepath.Dir(path), "HOME": "/nowhere"}[name]
	})
	require.NoError(t, err)
	require.Equal(t, path, found)
	_, err = hostauth.ClaudePath(func(name string) string { return map[string]string{"HOME": "/nowhere"}[name] })
	require.ErrorIs(t, err, hostauth.ErrNoLogin)
	require.EqualError(t, err, "read /nowhere/.claude/.credentials.json: no Claude Code login found")
	require.NoError(t, os.Chmod(path, 0o640))
	_, err = hostauth.LoadClaude(path)
	require.ErrorIs(t, err, hostauth.ErrOthersMayRead)
}

func TestClaudeLoginsThatCannotBeUsed(t *testing.T) {
	login := throwaway.Claude{Seed: "bad"}
	with := func(key string, v any) string {
		f := login.File()
		if o := f["claudeAiOauth"].(map[string]any); v == nil {
			delete(o, key)
		} else {
			o[key] = v
		}
		data, err := json.Marshal(f)
		require.NoError(t, err)
		return string(data)
	}
	for _, tc := range []struct {
		text, where string
		want        error
	}{
		{"", "", hostauth.ErrNotJSON},
		{"[]", "", hostauth.ErrNotJSON},
		{"\ufeff" + string(login.JSON()), "", hostauth.ErrNotJSON},
		{string(login.JSON()[:200]), "", hostauth.ErrNotJSON},
		{string(login.JSON()) + "{}", "", hostauth.ErrTrailingData},
		{`{"claudeAiOauth":{},"claudeAiOauth":{}}`, "", hostauth.ErrDuplicateKey},
		{`{"mcpOAuth":{}}`, "accessToken", hostauth.ErrNoTokens},
		{`{"claudeAiOauth":"x"}`, "claudeAiOauth", hostauth.ErrBadField},
		{with("accessToken", ""), "accessToken", hostauth.ErrNoTokens},
		{with("accessToken", 1), "accessToken", hostauth.ErrBadField},
		{with("accessToken", "a b"), "accessToken", hostauth.ErrBadField},
		{with("accessToken", "a\nb"), "accessToken", hostauth.ErrBadField},
		{with("refreshToken", []string{"x"}), "refreshToken", hostauth.ErrBadField},
		{with("expiresAt", nil), "expiresAt", hostauth.ErrNoExp},
		{with("expiresAt", "2026-01-01"), "expiresAt", hostauth.ErrNoExp},
		{with("expiresAt", -1), "expiresAt", hostauth.ErrNoExp},
		{with("expiresAt", 1e18), "expiresAt", hostauth.ErrNoExp},
		{with("scopes", "user"), "scopes", hostauth.ErrBadField},
		{with("scopes", []any{"a b"}), "scopes", hostauth.ErrBadField},
		{with("subscriptionType", "<b>"), "subscriptionType", hostauth.ErrBadField},
		{strings.Repeat(" ", hostauth.MaxSize) + "{}", "", hostauth.ErrTooLarge},
	} {
		_, err := hostauth.ParseClaude([]byte(tc.text))
		require.ErrorIs(t, err, tc.want, tc.text)
		var e *hostauth.Error
		require.ErrorAs(t, err, &e)
		require.Contains(t, e.Where, tc.where)
		require.NotEmpty(t, e.HintText())
		require.NotContains(t, e.HintText()+e.Error(), "codex", "the words of the other client")
		require.NotContains(t, e.Error(), login.AccessToken()[:20])
	}
	c, err := hostauth.ParseClaude([]byte(with("refreshToken", nil)))
	require.NoError(t, err)
	require.True(t, c.RefreshToken.IsZero())
	c, err = hostauth.ParseClaude([]byte(with("expiresAt", 1.7e12)))
	require.NoError(t, err)
	require.Equal(t, int64(1.7e12), c.Expiry.UnixMilli())
}

func FuzzParseClaude(f *testing.F) {
	f.Add(throwaway.Claude{Seed: "fuzz"}.JSON())
	f.Add([]byte(`{"claudeAiOauth":{"accessToken":"x","expiresAt":1e12}}`))
	f.Add([]byte(`{"claudeAiOauth":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := hostauth.ParseClaude(data)
		if err != nil {
			return
		}
		if c.AccessToken.IsZero() || strings.ContainsAny(c.AccessToken.Expose(), " \r\n\x00") || c.Expiry.IsZero() {
			t.Fatalf("%+v", c)
		}
	})
}
