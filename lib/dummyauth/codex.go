package dummyauth

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"bottle/lib/hostauth"
	"bottle/lib/secret"
)

// Marker is in every dummy token of every bottle: at the start of a refresh
// token, of what follows the prefix of one of Claude's tokens, and of the third
// part of a JWT. It is written in clear there, not
// inside base64, and consists of characters of the base64url alphabet.
const Marker = "bottle-dummy-"

const (
	// SeedSize is the size of what [NewSeed] returns, in bytes.
	SeedSize = 32
	// minSeed is the least that keeps the tokens of two bottles apart.
	minSeed = 16
	// attempts bounds each of the two searches of Mint.
	attempts = 64
	// signatureSize is that of an RS256 signature with a 2048-bit key.
	signatureSize = 256
)

var (
	// ErrIsDummy: the login to mint from is a bottle's dummy itself. A bottle
	// made of it would put dummies on its requests.
	ErrIsDummy = errors.New("the login is a bottle's dummy, not a host's")
	// ErrShared: every attempt had six characters in a row with a real token.
	// No login that a provider has issued is expected to cause it.
	ErrShared = errors.New("no dummy without text of a real token was found")
	// ErrSeed: the seed is shorter than 16 bytes.
	ErrSeed = errors.New("seed is too short")
	// ErrIncomplete: the login has no expiry, account or token, so it does not
	// come from package hostauth.
	ErrIncomplete = errors.New("login is incomplete")
)

// Codex is the dummy of a Codex login. None of it is a credential. Read only;
// safe for concurrent use.
type Codex struct {
	AuthMode     string    // the host's
	AccountID    string    // the host's
	AccessToken  string    // JWT-shaped, with the exp of the host's
	IDToken      string    // JWT-shaped
	RefreshToken string    // a placeholder: refreshing with it fails
	LastRefresh  time.Time // derived from the host's login, not from the clock
}

// NewSeed returns a fresh random seed.
func NewSeed() []byte {
	seed := make([]byte, SeedSize)
	rand.Read(seed) // never fails
	return seed
}

// IsDummy reports whether token was minted by this package for any bottle. It
// looks at the marker alone, so it is for scanners and messages: what a proxy
// replaces is decided by [Codex.SHA256].
func IsDummy(token string) bool {
	if _, ok := Unmarked(token); ok {
		return true
	}
	parts := strings.Split(token, ".")
	return len(parts) == 3 && strings.HasPrefix(parts[2], Marker)
}

// Unmarked returns what follows the marker in text that begins with one, or
// with the prefix of one of Claude's tokens and one. ok is false for other text.
func Unmarked(text string) (rest string, ok bool) {
	for _, prefix := range append(claudePrefixes, "") {
		if rest, ok := strings.CutPrefix(text, prefix+Marker); ok {
			return rest, true
		}
	}
	return "", false
}

// IsDummyLogin reports whether any token of the login is a dummy.
func IsDummyLogin(c *hostauth.Codex) bool {
	return IsDummy(c.AccessToken.Expose()) || IsDummy(c.IDToken.Expose()) || IsDummy(c.RefreshToken.Expose())
}

// Mint makes the dummy of a host's login. It depends on host and seed alone.
// Keep the seed out of the agent's sight: it is 16 bytes or more from
// [NewSeed] or the like, one per bottle.
//
// The dummy's JSON has no six characters in a row of a real token outside its
// JWT header, save in the dummy's own fixed words, the account id and the date
// in clear. Where no place for exp can be found so, because the real tokens
// have like numbers at all three offsets of base64, windows of nothing but
// digits of exp are let through: they say what the dummy has to say anyway.
// If no attempt satisfies this either, the error is [ErrShared].
func Mint(host *hostauth.Codex, seed []byte) (*Codex, error) {
	switch {
	case len(seed) < minSeed:
		return nil, fmt.Errorf("mint dummy: %w: %d bytes, %d or more are needed", ErrSeed, len(seed), minSeed)
	case host.AccountID == "" || host.AccessToken.IsZero() || host.Expiry.Unix() <= 0:
		return nil, fmt.Errorf("mint dummy: %w", ErrIncomplete)
	case IsDummyLogin(host):
		return nil, fmt.Errorf("mint dummy: %w", ErrIsDummy)
	}
	avoid := windows{}
	avoid.addToken(host.AccessToken.Expose())
	avoid.addToken(host.IDToken.Expose())
	avoid.addToken(host.RefreshToken.Expose())
	// What stands in every dummy, or in clear beside the tokens, tells nothing.
	avoid.remove(Marker)
	bare := draw(host, newStream("codex", seed, 0), nil)
	bare.AccessToken, bare.IDToken, bare.RefreshToken = "", "", ""
	avoid.remove(string(bare.JSON()))

	for attempt := range 2 * attempts {
		if attempt == attempts {
			avoid.removeExpiry(host.Expiry)
		}
		c := draw(host, newStream("codex", seed, attempt), avoid)
		if !avoid.meets(string(c.JSON())) {
			return c, nil
		}
	}
	return nil, fmt.Errorf("mint dummy: %w in %d attempts", ErrShared, 2*attempts)
}

// draw makes the dummy that s gives. It keeps clear of the windows in avoid
// where it can, which is most but not all of the time.
func draw(host *hostauth.Codex, s stream, avoid windows) *Codex {
	account := []member{{"chatgpt_account_id", host.AccountID}}
	if host.Plan != "" {
		// Workspace plans switch a mandatory policy on in the client.
		account = append(account, member{"chatgpt_plan_type", host.Plan})
	}
	if host.FedRAMP {
		account = append(account, member{"chatgpt_account_is_fedramp", true})
	}
	const issuer = "https://bottle.invalid/dummy"
	return &Codex{
		AuthMode:  host.AuthMode,
		AccountID: host.AccountID,
		// The client renews its login when exp comes near, and a dummy cannot
		// be renewed: so exp is the real one, neither sooner nor later.
		AccessToken: token(s, avoid, []member{
			{"iss", issuer},
			{"jti", s.text(12)},
			{"exp", host.Expiry.Unix()},
			{"https://api.openai.com/auth", account},
		}),
		IDToken: token(s, avoid, []member{
			{"iss", issuer},
			{"jti", s.text(12)},
			{"email", "agent@bottle.invalid"}, // shown by the client
			{"https://api.openai.com/auth", account},
		}),
		RefreshToken: Marker + s.text(24),
		LastRefresh:  lastRefresh(host),
	}
}

// token returns a JWT-shaped text with the members as its payload.
func token(s stream, avoid windows, members []member) string {
	var header string
	for n := range 16 {
		// The length of the key id decides how the header ends.
		kid := s.text(6 + n%3)
		header = encodeObject(s, avoid, []member{{"alg", "RS256"}, {"typ", "JWT"}, {"kid", kid}})
		if !avoid.meets(header + ".eyJ") {
			break
		}
	}
	signature := s.text(signatureSize)
	return header + "." + encodeObject(s, avoid, members) + "." + Marker + signature[len(Marker):]
}

// lastRefresh must be there and valid; the client looks at its age only when
// exp is missing. The clock is not used, so that the same login gives the same
// bytes.
func lastRefresh(host *hostauth.Codex) time.Time {
	t := host.Expiry.Add(-time.Hour)
	switch {
	case !host.IssuedAt.IsZero():
		t = host.IssuedAt
	case !host.LastRefresh.IsZero():
		t = host.LastRefresh
	}
	return t.UTC().Truncate(time.Second)
}

// JSON returns the content of the agent's auth.json, ending with a newline.
func (c *Codex) JSON() []byte {
	type tokens struct {
		IDToken      string `json:"id_token"`
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
		AccountID    string `json:"account_id"`
	}
	data, err := json.MarshalIndent(struct {
		AuthMode    string  `json:"auth_mode"`
		APIKey      *string `json:"OPENAI_API_KEY"` // always null: a value would switch to API-key mode
		Tokens      tokens  `json:"tokens"`
		LastRefresh string  `json:"last_refresh"`
	}{
		c.AuthMode, nil,
		tokens{c.IDToken, c.AccessToken, c.RefreshToken, c.AccountID},
		c.LastRefresh.Format(time.RFC3339),
	}, "", "  ")
	if err != nil { // strings alone cannot fail to marshal
		panic(err)
	}
	return append(data, '\n')
}

// SHA256 returns the lower-case hex SHA-256 of the access, the id and the
// refresh token, in this order: how the egress stage recognises this bottle's
// dummies.
func (c *Codex) SHA256() []string {
	return []string{secret.SHA256(c.AccessToken), secret.SHA256(c.IDToken), secret.SHA256(c.RefreshToken)}
}
