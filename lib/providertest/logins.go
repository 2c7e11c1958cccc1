package providertest

import (
	"fmt"
	"sync"
	"time"

	"bottle/lib/hostauth/throwaway"
)

// login is what the two providers' logins have in common.
type login interface {
	AccessToken() string
	RefreshToken() string
}

// logins are the logins that a provider knows. It is safe for concurrent use.
type logins[L login] struct {
	// next makes the nth login that follows another one, to end at expiry.
	next func(before L, n int, expiry time.Time) L

	mu        sync.Mutex
	current   L
	access    map[string]time.Time // to the token's expiry
	usedUp    map[string]bool      // refresh tokens that were good once
	refreshed int                  // how many logins the token endpoint has made
}

// rotate makes login, which ends at expiry, the only one that is accepted.
func (l *logins[L]) rotate(login L, expiry time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.access == nil {
		l.usedUp = map[string]bool{}
	} else {
		l.usedUp[l.current.RefreshToken()] = true
	}
	delete(l.usedUp, login.RefreshToken())
	l.current = login
	l.access = map[string]time.Time{login.AccessToken(): expiry}
}

func (l *logins[L]) login() L {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

// expiry returns when an accepted access token ends.
func (l *logins[L]) expiry(access string) (time.Time, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.access[access]
	return at, ok
}

// What a refresh token is to the provider.
const (
	realRefresh  = "real-refresh"
	usedRefresh  = "used-refresh"
	otherRefresh = "other-refresh"
)

func (l *logins[L]) refreshIs(token string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case token == l.current.RefreshToken():
		return realRefresh
	case l.usedUp[token]:
		return usedRefresh
	}
	return otherRefresh
}

// refresh answers the current refresh token with a login of the same account
// that ends after life. The token is used up by that; access tokens are good
// until they end, as nobody asks the service whether a JWT still is.
func (l *logins[L]) refresh(token string, life time.Duration) (login L, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if token != l.current.RefreshToken() {
		return login, false
	}
	l.usedUp[token] = true
	l.refreshed++
	expiry := time.Now().Add(life).Truncate(time.Second)
	l.current = l.next(l.current, l.refreshed, expiry)
	l.access[l.current.AccessToken()] = expiry
	return l.current, true
}

func nextCodex(before throwaway.Codex, n int, expiry time.Time) throwaway.Codex {
	next := before
	next.Account = before.File()["tokens"].(map[string]any)["account_id"].(string)
	next.Seed = fmt.Sprintf("%s, refreshed %d", before.Seed, n)
	next.IssuedAt, next.Expiry = time.Now().Truncate(time.Second), expiry
	return next
}

func nextClaude(before throwaway.Claude, n int, expiry time.Time) throwaway.Claude {
	next := before
	next.Seed, next.Expiry = fmt.Sprintf("%s, refreshed %d", before.Seed, n), expiry
	return next
}
