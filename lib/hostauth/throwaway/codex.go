// Package throwaway makes host logins that no provider has issued, for tests,
// demonstrations and the stand-in: the shape and the claims of real logins
// of Codex and Claude Code, with text that comes from a seed.
//
//	login := throwaway.Codex{Seed: "demo", Expiry: time.Now().Add(240 * time.Hour)}
//	os.WriteFile("auth.json", login.JSON(), 0o600)
//
// Limits: nothing verifies these tokens, and nothing should.
package throwaway

import (
	"crypto/sha3"
	"encoding/base64"
	"encoding/json"
	"time"
)

// Codex describes a throwaway Codex login. The same value gives the same
// bytes. Empty fields get a default; [time.Time] zero means ten days after
// IssuedAt for Expiry, and the start of 2026 for IssuedAt.
type Codex struct {
	Seed     string
	Expiry   time.Time // exp of the access token
	IssuedAt time.Time // iat of both tokens
	Account  string
	Plan     string
}

func (c Codex) defaults() Codex {
	if c.IssuedAt.IsZero() {
		c.IssuedAt = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		if !c.Expiry.IsZero() {
			c.IssuedAt = c.Expiry.Add(-240 * time.Hour)
		}
	}
	if c.Expiry.IsZero() {
		c.Expiry = c.IssuedAt.Add(240 * time.Hour)
	}
	if c.Account == "" {
		c.Account = uuid(c.text("account", 16))
	}
	if c.Plan == "" {
		c.Plan = "pro"
	}
	return c
}

// text returns n bytes of base64url text that belong to name.
func (c Codex) text(name string, n int) string {
	h := sha3.NewSHAKE256()
	h.Write([]byte("throwaway\x00" + c.Seed + "\x00" + name))
	b := make([]byte, n)
	h.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

func uuid(text string) string {
	const hex = "0123456789abcdef"
	var out []byte
	for i := range 32 {
		if i == 8 || i == 12 || i == 16 || i == 20 {
			out = append(out, '-')
		}
		out = append(out, hex[text[i%len(text)]*byte(i+1)%16])
	}
	return string(out)
}

// AccessToken returns the login's access token.
func (c Codex) AccessToken() string {
	c = c.defaults()
	iat := c.IssuedAt.Unix()
	return c.JWT("access", map[string]any{
		"aud": []string{"https://api.openai.com/v1"}, "client_id": "app_throwaway",
		"exp": c.Expiry.Unix(), "iat": iat, "nbf": iat, "iss": "https://auth.openai.com",
		"https://api.openai.com/auth":    c.auth(),
		"https://api.openai.com/profile": map[string]any{"email": c.Email(), "email_verified": true},
		"jti":                            c.text("jti", 16), "pwd_auth_time": iat * 1000,
		"scp": []string{"openid", "profile", "email", "offline_access"},
		"sub": "auth0|" + c.text("sub", 18),
	})
}

// IDToken returns the login's id token.
func (c Codex) IDToken() string {
	c = c.defaults()
	iat := c.IssuedAt.Unix()
	return c.JWT("id", map[string]any{
		"at_hash": c.text("at_hash", 16), "aud": []string{"app_throwaway"}, "auth_provider": "password",
		"auth_time": iat - 5, "email": c.Email(), "email_verified": true, "exp": iat + 3600, "iat": iat,
		"https://api.openai.com/auth": c.auth(),
		"iss":                         "https://auth.openai.com", "rat": iat - 9, "sid": c.text("sid", 16),
		"sub": "auth0|" + c.text("sub", 18),
	})
}

// RefreshToken returns the login's refresh token.
func (c Codex) RefreshToken() string { return "rt." + c.text("refresh", 48) }

// Email returns the address that the tokens name.
func (c Codex) Email() string { return "throwaway-" + c.text("email", 6) + "@example.org" }

// UserID returns the user that the tokens name.
func (c Codex) UserID() string { return "user-" + c.text("user", 18) }

func (c Codex) auth() map[string]any {
	return map[string]any{
		"chatgpt_account_id": c.Account, "chatgpt_plan_type": c.Plan,
		"chatgpt_user_id": c.UserID(), "user_id": c.UserID(),
		"organizations": []any{map[string]any{"id": "org-" + c.text("org", 18), "is_default": true, "role": "owner", "title": "Personal"}},
	}
}

// JWT returns a token with the claims and a signature that verifies nowhere.
func (c Codex) JWT(name string, claims map[string]any) string {
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	header := `{"alg":"RS256","kid":"` + c.text("kid", 12) + `","typ":"JWT"}`
	b64 := base64.RawURLEncoding.EncodeToString
	return b64([]byte(header)) + "." + b64(payload) + "." + c.text("signature "+name, 256)
}

// File returns the content of auth.json as a value that a test may change.
func (c Codex) File() map[string]any {
	c = c.defaults()
	return map[string]any{
		"auth_mode": "chatgpt", "OPENAI_API_KEY": nil,
		"tokens": map[string]any{
			"id_token": c.IDToken(), "access_token": c.AccessToken(),
			"refresh_token": c.RefreshToken(), "account_id": c.Account,
		},
		"last_refresh": c.IssuedAt.UTC().Format(time.RFC3339Nano),
	}
}

// JSON returns the content of auth.json.
func (c Codex) JSON() []byte {
	data, err := json.MarshalIndent(c.File(), "", "  ")
	if err != nil {
		panic(err)
	}
	return append(data, '\n')
}
