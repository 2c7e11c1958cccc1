package dummyauth

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"bottle/lib/hostauth"
	"bottle/lib/secret"
)

// The prefixes of Claude's credentials say what kind each is, and clients take
// them by it.
const (
	claudeAccess  = "sk-ant-oat01-"
	claudeRefresh = "sk-ant-ort01-"
	claudeKey     = "sk-ant-api03-"
)

var claudePrefixes = []string{claudeAccess, claudeRefresh, claudeKey}

// claudeText is how many random bytes follow the marker: as many characters as
// a real credential has, which ends with AA.
const claudeText = 60

// Claude is the dummy of a Claude Code login. None of it is a credential. Read
// only; safe for concurrent use.
type Claude struct {
	AccessToken  string
	RefreshToken string    // a placeholder: the provider does not know it
	Expiry       time.Time // the host's
	Scopes       []string  // the host's
	Subscription string    // the host's
	RateTier     string    // the host's
}

// IsDummyClaude reports whether any token of the login is a dummy.
func IsDummyClaude(c *hostauth.Claude) bool {
	return IsDummy(c.AccessToken.Expose()) || IsDummy(c.RefreshToken.Expose())
}

// MintClaude makes the dummy of a host's login of Claude Code; it is [Mint] in
// all else. The dummy's JSON has no six characters in a row of a real token,
// save in the prefixes that all such tokens have and in the dummy's own fixed
// words.
func MintClaude(host *hostauth.Claude, seed []byte) (*Claude, error) {
	switch {
	case len(seed) < minSeed:
		return nil, fmt.Errorf("mint dummy: %w: %d bytes, %d or more are needed", ErrSeed, len(seed), minSeed)
	case host.AccessToken.IsZero() || host.Expiry.IsZero():
		return nil, fmt.Errorf("mint dummy: %w", ErrIncomplete)
	case IsDummyClaude(host):
		return nil, fmt.Errorf("mint dummy: %w", ErrIsDummy)
	}
	avoid := windows{}
	avoid.add(host.AccessToken.Expose())
	avoid.add(host.RefreshToken.Expose())
	c := &Claude{Expiry: host.Expiry, Scopes: host.Scopes, Subscription: host.Subscription, RateTier: host.RateTier}
	// What stands in every dummy, or in clear beside the tokens, tells nothing.
	avoid.remove(claudeAccess + Marker)
	avoid.remove(claudeRefresh + Marker)
	avoid.remove(string(c.JSON()))
	for attempt := range attempts {
		s := newStream("claude", seed, attempt)
		c.AccessToken, c.RefreshToken = claudeToken(claudeAccess, s), claudeToken(claudeRefresh, s)
		if !avoid.meets(string(c.JSON())) {
			return c, nil
		}
	}
	return nil, fmt.Errorf("mint dummy: %w in %d attempts", ErrShared, attempts)
}

func claudeToken(prefix string, s stream) string { return prefix + Marker + s.text(claudeText) + "AA" }

// ClaudeKey makes a dummy of an Anthropic API key. It depends on the
// seed alone.
func ClaudeKey(seed []byte) string { return claudeToken(claudeKey, newStream("claude key", seed, 0)) }

// ClaudeToken makes a dummy of a long-lived token, which claude
// setup-token gives out. It depends on the seed alone.
func ClaudeToken(seed []byte) string {
	return claudeToken(claudeAccess, newStream("claude token", seed, 0))
}

// JSON returns the content of the agent's .credentials.json, ending with a
// newline.
func (c *Claude) JSON() []byte {
	type oauth struct {
		AccessToken  string   `json:"accessToken"`
		RefreshToken string   `json:"refreshToken"`
		ExpiresAt    int64    `json:"expiresAt"`
		Scopes       []string `json:"scopes"`
		Subscription *string  `json:"subscriptionType"`
		RateTier     *string  `json:"rateLimitTier"`
	}
	orNull := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	scopes := c.Scopes
	if scopes == nil {
		scopes = []string{}
	}
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(map[string]oauth{"claudeAiOauth": {
		c.AccessToken, c.RefreshToken, c.Expiry.UnixMilli(), scopes, orNull(c.Subscription), orNull(c.RateTier),
	}}); err != nil { // strings alone cannot fail to marshal
		panic(err)
	}
	return []byte(out.String())
}

// SHA256 returns the lower-case hex SHA-256 of the access and the refresh
// token, in this order.
func (c *Claude) SHA256() []string {
	return []string{secret.SHA256(c.AccessToken), secret.SHA256(c.RefreshToken)}
}
