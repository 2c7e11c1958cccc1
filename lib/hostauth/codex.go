package hostauth

import (
	"fmt"
	"io"
	"strings"
	"time"

	"bottle/lib/secret"
)

// MaxSize is the most that is read of a login, in bytes. A real one has about 5 kB.
const MaxSize = 1 << 20

// DefaultMinTTL is how long an access token should still be valid when a
// bottle is prepared. Codex 0.169 refreshes 5 minutes before expiry; a bottle
// cannot refresh, so less than this is a session that soon stops.
const DefaultMinTTL = 10 * time.Minute

// Codex is a ChatGPT login of the Codex CLI, as auth.json holds it. Read only;
// safe for concurrent use. Only what a bottle needs is kept: the user's name,
// address, organizations and every field that is not known are dropped here.
type Codex struct {
	AuthMode     string       // "chatgpt", also when the file names none
	Plan         string       // chatgpt_plan_type, as the id token has it; empty if there is none
	AccountID    string       // the workspace; visible ASCII, never empty
	FedRAMP      bool         // chatgpt_account_is_fedramp
	Expiry       time.Time    // exp of the access token, UTC, whole seconds
	IssuedAt     time.Time    // iat of the access token, UTC; zero if there is none
	LastRefresh  time.Time    // UTC; zero if there is none
	AccessToken  secret.Value // real
	IDToken      secret.Value // real
	RefreshToken secret.Value // real; zero if there is none

	name string // where it was read, for errors
}

// ReadCodex reads a login from r, which is called name in errors. It reads at
// most [MaxSize] bytes; more is [ErrTooLarge]. Errors are of type [*Error].
func ReadCodex(r io.Reader, name string) (*Codex, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, &Error{Name: name, Err: ErrUnreadable, Cause: err}
	}
	return parseNamed(data, name)
}

func parseNamed(data []byte, name string) (*Codex, error) {
	c, err := ParseCodex(data)
	if e, ok := err.(*Error); ok {
		e.Name = name
	}
	if err != nil {
		return nil, err
	}
	c.name = name
	return c, nil
}

// ParseCodex reads the content of an auth.json. It does not look at the clock:
// see [Codex.CheckExpiry]. Errors are of type [*Error] and hold nothing of data.
func ParseCodex(data []byte) (*Codex, error) {
	if len(data) > MaxSize {
		return nil, bad("", ErrTooLarge)
	}
	file, err := parseObject(data)
	if err != nil {
		return nil, bad("", err)
	}
	mode, err := file.string("auth_mode")
	if err != nil {
		return nil, bad("auth_mode", err)
	}
	switch {
	case strings.EqualFold(mode, "apikey"), strings.EqualFold(mode, "api_key"):
		return nil, bad("", ErrAPIKey)
	case mode != "chatgpt" && file.has("auth_mode"):
		return nil, bad("", ErrAuthMode)
	}
	tokens, err := file.object("tokens")
	if err != nil {
		return nil, bad("tokens", err)
	}
	access, err := tokens.string("access_token")
	if err != nil {
		return nil, bad("tokens.access_token", err)
	}
	if access == "" {
		// Codex takes a key without auth_mode for an API-key login.
		if key, err := file.string("OPENAI_API_KEY"); mode == "" && (err != nil || key != "") {
			return nil, bad("", ErrAPIKey)
		}
		return nil, bad("tokens.access_token", ErrNoTokens)
	}
	c := &Codex{AuthMode: "chatgpt"}
	if err := c.readTokens(tokens, access); err != nil {
		return nil, err
	}
	// Codex wants last_refresh; a dummy gets a valid one in any case, so a bad
	// one here is no reason to stop.
	if s, err := file.string("last_refresh"); err == nil {
		if t, err := time.Parse(time.RFC3339, s); err == nil {
			c.LastRefresh = t.UTC()
		}
	}
	return c, nil
}

func (c *Codex) readTokens(tokens object, access string) error {
	accessClaims, err := parseClaims("tokens.access_token", access)
	if err != nil {
		return err
	}
	if accessClaims.expiry.IsZero() {
		return bad("tokens.access_token", ErrNoExp)
	}
	id, err := tokens.string("id_token")
	if err != nil {
		return bad("tokens.id_token", err)
	}
	if id == "" {
		// Codex rejects such a file. The plan is in the id token, and a dummy
		// without the plan would switch a workspace's policy off.
		return bad("tokens.id_token", ErrNoTokens)
	}
	idClaims, err := parseClaims("tokens.id_token", id)
	if err != nil {
		return err
	}
	account, err := tokens.string("account_id")
	if err != nil || !isPlain(account) {
		return bad("tokens.account_id", ErrBadField)
	}
	refresh, err := tokens.string("refresh_token")
	if err != nil {
		return bad("tokens.refresh_token", err)
	}

	c.Expiry, c.IssuedAt = accessClaims.expiry, accessClaims.issuedAt
	c.Plan = first(idClaims.plan, accessClaims.plan)
	c.FedRAMP = idClaims.fedRAMP || accessClaims.fedRAMP
	c.AccountID = first(account, idClaims.account, accessClaims.account)
	if c.AccountID == "" {
		return bad("", ErrNoAccount)
	}
	if c.AccessToken, err = secret.New(access); err != nil {
		return bad("tokens.access_token", ErrNotJWT)
	}
	if c.IDToken, err = secret.New(id); err != nil {
		return bad("tokens.id_token", ErrNotJWT)
	}
	if refresh == "" { // Codex accepts it, and a careful operator may blank it
		return nil
	}
	if c.RefreshToken, err = secret.New(refresh); err != nil {
		return bad("tokens.refresh_token", ErrBadField)
	}
	return nil
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// CheckExpiry returns nil if the access token is valid for at least minTTL
// after now, else an [*Error] with [ErrExpired] or [ErrNearExpiry]. A token is
// expired from the second of its exp on (RFC 7519, section 4.1.4).
func (c *Codex) CheckExpiry(now time.Time, minTTL time.Duration) error {
	return checkExpiry(c.Expiry, now, minTTL, c.name, codexKind)
}

func checkExpiry(expiry, now time.Time, minTTL time.Duration, name string, k *kind) error {
	left := expiry.Sub(now)
	switch {
	case left <= 0:
		return &Error{Name: name, Err: ErrExpired, kind: k,
			detail: fmt.Sprintf("%v %s ago", ErrExpired, ago(-left))}
	case left < minTTL:
		return &Error{Name: name, Err: ErrNearExpiry, kind: k,
			detail: fmt.Sprintf("%v: %s left, %s wanted", ErrNearExpiry, ago(left), ago(minTTL))}
	}
	return nil
}

// ago is d in whole seconds, and whole minutes when it is long.
func ago(d time.Duration) string {
	if d < 10*time.Minute {
		return d.Truncate(time.Second).String()
	}
	return strings.TrimSuffix(d.Truncate(time.Minute).String(), "0s")
}
