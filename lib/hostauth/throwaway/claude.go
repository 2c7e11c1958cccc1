package throwaway

import (
	"encoding/json"
	"time"
)

// Claude describes a throwaway login of Claude Code. The same value gives the
// same bytes. Zero Expiry means eight hours after the start of 2026; empty
// Subscription means "max".
type Claude struct {
	Seed         string
	Expiry       time.Time
	Subscription string
}

func (c Claude) text(name string, n int) string { return Codex{Seed: "claude " + c.Seed}.text(name, n) }

// AccessToken returns the login's access token. Its shape is that of a real
// one: a prefix and 95 characters.
func (c Claude) AccessToken() string { return "sk-ant-oat01-" + c.text("access", 70)[:93] + "AA" }

// RefreshToken returns the login's refresh token.
func (c Claude) RefreshToken() string { return "sk-ant-ort01-" + c.text("refresh", 70)[:93] + "AA" }

// APIKey returns an API key of the same account.
func (c Claude) APIKey() string { return "sk-ant-api03-" + c.text("key", 70)[:93] + "AA" }

// File returns the content of .credentials.json as a value that a test may
// change.
func (c Claude) File() map[string]any {
	if c.Expiry.IsZero() {
		c.Expiry = time.Date(2026, 1, 1, 8, 0, 0, 0, time.UTC)
	}
	if c.Subscription == "" {
		c.Subscription = "max"
	}
	return map[string]any{
		"claudeAiOauth": map[string]any{
			"accessToken": c.AccessToken(), "refreshToken": c.RefreshToken(), "expiresAt": c.Expiry.UnixMilli(),
			"scopes":           []string{"user:inference", "user:mcp_servers", "user:profile", "user:sessions:claude_code"},
			"subscriptionType": c.Subscription, "rateLimitTier": "default_claude_" + c.Subscription + "_5x",
		},
		"mcpOAuth": map[string]any{"server|1": map[string]any{"accessToken": c.text("mcp", 30)}},
	}
}

// JSON returns the content of .credentials.json.
func (c Claude) JSON() []byte {
	data, err := json.Marshal(c.File())
	if err != nil {
		panic(err)
	}
	return data
}
