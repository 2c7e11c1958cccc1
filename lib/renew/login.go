package renew

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"bottle/lib/dummyauth"
	"bottle/lib/hostauth"
	"bottle/lib/provider"
	"bottle/lib/secret"
)

// Kind is whose login it is, and how it is renewed.
type Kind struct {
	name     string // of the preset
	clientID string // public, the client's own
	read     func(data []byte) (*login, error)
	// merge returns data with the answer in it, and nothing else changed.
	merge func(data []byte, old *login, a *answer, now time.Time) ([]byte, error)
}

// The kinds. The client ids are those of the clients themselves:
// Codex CLI 0.135 and 0.169, Claude Code 2.1.
var (
	Codex = Kind{
		name: "codex", clientID: "app_EMoamEEZ73f0CkXaXp7hrann",
		read: readCodex, merge: mergeCodex,
	}
	Claude = Kind{
		name: "claude", clientID: "9d1c250a-e61b-44d9-88ed-5944d1962f5e",
		read: readClaude, merge: mergeClaude,
	}
)

// KindOf returns the kind with a name: codex or claude.
func KindOf(name string) (Kind, bool) {
	for _, k := range []Kind{Codex, Claude} {
		if k.name == name {
			return k, true
		}
	}
	return Kind{}, false
}

func (k Kind) String() string { return k.name }

// Host is the host of the token endpoint.
func (k Kind) Host() string { return k.preset().TokenHost }

// Path is the path of the token endpoint.
func (k Kind) Path() string { return k.preset().TokenPath }

func (k Kind) endpoint() string { return "https://" + k.Host() + k.Path() }

func (k Kind) preset() provider.Provider {
	p, ok := provider.Find(k.name)
	if !ok { // the kinds are this package's
		panic("renew: no preset " + k.name)
	}
	return p
}

// login is what renewing needs of one.
type login struct {
	access  secret.Value
	refresh secret.Value // zero: it cannot be renewed
	expiry  time.Time
	issued  time.Time // zero: not known
	account string    // "": not known
	// client is the client id that the login was given to, if it says so;
	// scopes are sent where the login has them.
	client, scopes string
}

// due returns when l is to be renewed: a tenth of its life before its end, and
// at least ten minutes, but never in the first half of its life.
func (l *login) due() time.Time {
	const least = 10 * time.Minute
	lead := least
	if !l.issued.IsZero() && l.expiry.After(l.issued) {
		life := l.expiry.Sub(l.issued)
		lead = min(max(life/10, least), life/2)
	}
	return l.expiry.Add(-lead)
}

func readCodex(data []byte) (*login, error) {
	c, err := hostauth.ParseCodex(data)
	if err != nil {
		return nil, err
	}
	return &login{access: c.AccessToken, refresh: c.RefreshToken, expiry: c.Expiry, issued: c.IssuedAt, account: c.AccountID}, nil
}

// claudeLife is how long an access token of Claude's lives, in whose login
// only its end stands.
const claudeLife = 8 * time.Hour

func readClaude(data []byte) (*login, error) {
	c, err := hostauth.ParseClaude(data)
	if err != nil {
		return nil, err
	}
	client, err := hostauth.Field(data, "claudeAiOauth.clientId")
	if err != nil && !errors.Is(err, hostauth.ErrNoField) {
		return nil, err
	}
	return &login{
		access: c.AccessToken, refresh: c.RefreshToken, expiry: c.Expiry, issued: c.Expiry.Add(-claudeLife),
		client: client, scopes: strings.Join(c.Scopes, " "),
	}, nil
}

func mergeCodex(data []byte, old *login, a *answer, now time.Time) ([]byte, error) {
	// The account is the tokens' own claim: the file's field is the old login's.
	for _, id := range []string{a.Access, a.ID} {
		if id == "" {
			continue
		}
		probe, err := json.Marshal(map[string]any{"tokens": map[string]string{"access_token": a.Access, "id_token": id}})
		if err != nil {
			return nil, err
		}
		c, err := hostauth.ParseCodex(probe)
		if errors.Is(err, hostauth.ErrNoAccount) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("answer: %w", err)
		}
		if c.AccountID != old.account {
			return nil, errOtherAccount
		}
	}
	edits := []edit{{[]string{"tokens", "access_token"}, a.Access}}
	if a.ID != "" {
		edits = append(edits, edit{[]string{"tokens", "id_token"}, a.ID})
	}
	if a.Refresh != "" {
		edits = append(edits, edit{[]string{"tokens", "refresh_token"}, a.Refresh})
	}
	return splice(data, append(edits, edit{[]string{"last_refresh"}, now.UTC().Format(time.RFC3339Nano)}))
}

func mergeClaude(data []byte, _ *login, a *answer, now time.Time) ([]byte, error) {
	const longest = 10 * 365 * 24 * 3600
	if a.ExpiresIn <= 0 || a.ExpiresIn > longest {
		return nil, errors.New("answer: expires_in is missing or no time in seconds")
	}
	edits := []edit{
		{[]string{"claudeAiOauth", "accessToken"}, a.Access},
		{[]string{"claudeAiOauth", "expiresAt"}, now.Add(time.Duration(a.ExpiresIn) * time.Second).UnixMilli()},
	}
	if a.Refresh != "" {
		edits = append(edits, edit{[]string{"claudeAiOauth", "refreshToken"}, a.Refresh})
	}
	if n := a.RefreshExpiresIn; n > 0 && n <= longest {
		edits = append(edits, edit{[]string{"claudeAiOauth", "refreshTokenExpiresAt"}, now.Add(time.Duration(n) * time.Second).UnixMilli()})
	}
	return splice(data, edits)
}

var errOtherAccount = errors.New("answer: the tokens are another account's")

// check makes sure that merged is a login that can be used, and newer.
func (k Kind) check(merged []byte, now time.Time) (*login, error) {
	l, err := k.read(merged)
	switch {
	case err != nil:
		return nil, fmt.Errorf("answer: %w", err)
	case dummyauth.IsDummy(l.access.Expose()) || dummyauth.IsDummy(l.refresh.Expose()):
		return nil, errors.New("answer: a bottle's dummy; the endpoint that was asked is no provider's")
	case !l.expiry.After(now):
		return nil, errors.New("answer: the token has ended already; look at this machine's clock")
	}
	return l, nil
}
