package providertest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"bottle/lib/hostauth/throwaway"
)

// TokenEndpoint is how the provider's token endpoint answers a refresh.
type TokenEndpoint string

const (
	// Refreshing answers the current refresh token once, with a new login, and
	// any other token with 401.
	Refreshing TokenEndpoint = "refresh"
	Refusing   TokenEndpoint = "refuse"    // 401 to every token
	Hanging    TokenEndpoint = "hang"      // no answer until the client has gone
	Failing    TokenEndpoint = "500"       // 500 and JSON
	Paging     TokenEndpoint = "html"      // 200 and a page, as of a front end or a captive portal
	Malformed  TokenEndpoint = "malformed" // 200 and JSON that ends early
	Lacking    TokenEndpoint = "lacking"   // 200 and JSON without an access token
)

// ParseTokenEndpoint returns the behaviour that s names.
func ParseTokenEndpoint(s string) (TokenEndpoint, error) {
	switch e := TokenEndpoint(s); e {
	case Refreshing, Refusing, Hanging, Failing, Paging, Malformed, Lacking:
		return e, nil
	}
	return "", fmt.Errorf("unknown token endpoint %q: refresh, refuse, hang, 500, html, malformed or lacking", s)
}

// refresh serves POST auth.openai.com/oauth/token.
func (s *Server) refresh(w http.ResponseWriter, r *http.Request) {
	refresh(s, &s.logins, w, r, func(login throwaway.Codex) map[string]any {
		return map[string]any{
			"access_token": login.AccessToken(), "id_token": login.IDToken(), "refresh_token": login.RefreshToken(),
			"token_type": "Bearer", "expires_in": int(s.opts.RefreshedLife.Seconds()),
		}
	})
}

// refreshClaude serves POST platform.claude.com/v1/oauth/token.
func (s *Server) refreshClaude(w http.ResponseWriter, r *http.Request) {
	refresh(s, &s.claude, w, r, func(login throwaway.Claude) map[string]any {
		return map[string]any{
			"access_token": login.AccessToken(), "refresh_token": login.RefreshToken(),
			"token_type": "Bearer", "expires_in": int(s.opts.RefreshedLife.Seconds()), "scope": "user:inference user:profile",
		}
	})
}

// refresh answers a refresh as the options say. The record says which refresh
// token came: "real-refresh" for the current one, "used-refresh" for one that
// was good before, "other-refresh" for any other.
func refresh[L login](s *Server, known *logins[L], w http.ResponseWriter, r *http.Request, answer func(L) map[string]any) {
	rec := s.describe(r)
	var body struct {
		GrantType    string `json:"grant_type"`
		RefreshToken string `json:"refresh_token"`
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&body)
	rec.Asked = known.refreshIs(body.RefreshToken)
	if err != nil || body.GrantType != "refresh_token" {
		s.answer(w, rec, http.StatusBadRequest, errorBody("invalid_request", "A JSON object with grant_type refresh_token is wanted."))
		return
	}
	switch s.tokenEndpoint.Load().(TokenEndpoint) {
	case Hanging:
		s.rec.add(rec)
		<-r.Context().Done()
		return
	case Failing:
		s.answer(w, rec, http.StatusInternalServerError, errorBody("server_error", "Something went wrong."))
		return
	case Paging:
		s.write(w, rec, "text/html; charset=utf-8", "<!doctype html><title>One moment</title><p>Checking your browser.")
		return
	case Malformed:
		s.write(w, rec, "application/json", `{"access_token":"ey`)
		return
	case Lacking:
		s.answer(w, rec, http.StatusOK, map[string]any{"token_type": "Bearer"})
		return
	case Refusing:
		s.answer(w, rec, http.StatusUnauthorized, errorBody("refresh_token_invalidated", "The refresh token was revoked."))
		return
	}
	if rec.Asked == usedRefresh {
		s.answer(w, rec, http.StatusUnauthorized, errorBody("refresh_token_reused", "The refresh token was already used."))
		return
	}
	login, ok := known.refresh(body.RefreshToken, s.opts.RefreshedLife)
	if !ok {
		s.answer(w, rec, http.StatusUnauthorized, errorBody("refresh_token_invalidated", "The refresh token was revoked."))
		return
	}
	s.answer(w, rec, http.StatusOK, answer(login))
}

// write records the request and answers it with 200 and text.
func (s *Server) write(w http.ResponseWriter, rec Record, contentType, text string) {
	rec.Status = http.StatusOK
	s.rec.add(rec)
	w.Header().Set("Content-Type", contentType)
	io.WriteString(w, text)
}
