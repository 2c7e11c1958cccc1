package hostauth

import (
	"errors"
	"io"
	"math"
	"strconv"
	"time"

	"bottle/lib/secret"
)

// Claude is a subscription's login of Claude Code, as .credentials.json holds
// it under claudeAiOauth. Read only; safe for concurrent use. What else stands
// in the file (tokens of MCP servers among it) is not kept.
type Claude struct {
	Expiry       time.Time    // expiresAt, UTC, whole milliseconds
	Scopes       []string     // in the file's order; plain text
	Subscription string       // subscriptionType, such as "pro"; may be empty
	RateTier     string       // rateLimitTier; may be empty
	AccessToken  secret.Value // real
	RefreshToken secret.Value // real; zero if there is none

	name string // where it was read, for errors
}

// ReadClaude reads a login from r, as [ReadCodex] does.
func ReadClaude(r io.Reader, name string) (*Claude, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, &Error{Name: name, Err: ErrUnreadable, Cause: err, kind: claudeKind}
	}
	return parseClaudeNamed(data, name)
}

// LoadClaude reads and validates the .credentials.json at path, under the
// rules of [LoadCodex].
func LoadClaude(path string) (*Claude, error) {
	data, err := secret.ReadPrivateFile(path, MaxSize)
	if err != nil {
		return nil, fileError(path, err, claudeKind)
	}
	return parseClaudeNamed(data, path)
}

// ClaudePath finds the host's login where Claude Code keeps it on Linux:
// .credentials.json in $CLAUDE_CONFIG_DIR, then in $HOME/.claude. It is
// [CodexPath] in all else.
func ClaudePath(getenv func(string) string) (string, error) {
	return find(getenv, claudeKind, ".credentials.json", "CLAUDE_CONFIG_DIR", ".claude")
}

func parseClaudeNamed(data []byte, name string) (*Claude, error) {
	c, err := ParseClaude(data)
	if e, ok := errors.AsType[*Error](err); ok {
		e.Name = name
	}
	if err != nil {
		return nil, err
	}
	c.name = name
	return c, nil
}

// ParseClaude reads the content of a .credentials.json. It does not look at
// the clock: see [Claude.CheckExpiry]. Errors are of type [*Error] and hold
// nothing of data.
func ParseClaude(data []byte) (*Claude, error) {
	c := &Claude{}
	where, err := c.read(data)
	if err != nil {
		return nil, &Error{Where: where, Err: err, kind: claudeKind}
	}
	return c, nil
}

// read returns where the trouble is.
func (c *Claude) read(data []byte) (where string, err error) {
	if len(data) > MaxSize {
		return "", ErrTooLarge
	}
	file, err := parseObject(data)
	if err != nil {
		return "", err
	}
	const root = "claudeAiOauth"
	oauth, err := file.object(root)
	if err != nil {
		return root, err
	}
	access, err := oauth.string("accessToken")
	if err == nil && access == "" {
		return root + ".accessToken", ErrNoTokens
	}
	if err == nil {
		c.AccessToken, err = bearerToken(access)
	}
	if err != nil {
		return root + ".accessToken", ErrBadField
	}
	refresh, err := oauth.string("refreshToken")
	if err == nil && refresh != "" {
		c.RefreshToken, err = bearerToken(refresh)
	}
	if err != nil {
		return root + ".refreshToken", ErrBadField
	}
	if c.Expiry = oauth.millis("expiresAt"); c.Expiry.IsZero() {
		return root + ".expiresAt", ErrNoExp
	}
	if c.Scopes, err = oauth.plainList("scopes"); err != nil {
		return root + ".scopes", err
	}
	if c.Subscription, err = oauth.string("subscriptionType"); err != nil || !isPlain(c.Subscription) {
		return root + ".subscriptionType", ErrBadField
	}
	if c.RateTier, err = oauth.string("rateLimitTier"); err != nil || !isPlain(c.RateTier) {
		return root + ".rateLimitTier", ErrBadField
	}
	return "", nil
}

// bearerToken is a secret of visible ASCII, as a b64token is (RFC 6750, section 2.1).
func bearerToken(s string) (secret.Value, error) {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] > '~' {
			return secret.Value{}, ErrBadField
		}
	}
	return secret.New(s)
}

// millis returns the time at key, in milliseconds since 1970; zero if there is
// none before the year 10000. Claude Code computes it as a number of
// JavaScript, so a fraction or an exponent may stand there.
func (o object) millis(key string) time.Time {
	const last = 253402300799999 // 9999-12-31T23:59:59.999Z
	f, err := strconv.ParseFloat(string(o[key]), 64)
	if err != nil || f < 1 || f > last {
		return time.Time{}
	}
	return time.UnixMilli(int64(math.Trunc(f))).UTC()
}

// plainList returns the array of plain texts at key, nil if it is absent or
// null.
func (o object) plainList(key string) ([]string, error) {
	if !o.has(key) {
		return nil, nil
	}
	list, err := o.strings(key)
	if err != nil {
		return nil, err
	}
	for _, s := range list {
		if s == "" || !isPlain(s) {
			return nil, ErrBadField
		}
	}
	return list, nil
}

// CheckExpiry is [Codex.CheckExpiry] for this login.
func (c *Claude) CheckExpiry(now time.Time, minTTL time.Duration) error {
	return checkExpiry(c.Expiry, now, minTTL, c.name, claudeKind)
}
