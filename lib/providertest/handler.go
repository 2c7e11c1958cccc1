package providertest

import (
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"time"
)

// handler routes by host first: the same path means something else, or
// nothing, on another host.
func (s *Server) handler() http.Handler {
	provider := http.NewServeMux()
	provider.HandleFunc("GET /backend-api/codex/responses", s.upgrade)
	provider.HandleFunc("POST /backend-api/codex/responses", s.post)
	provider.HandleFunc("GET /backend-api/wham/accounts/check", s.accountsCheck)
	provider.HandleFunc("GET /backend-api/wham/config/bundle", s.policy(map[string]any{}))
	provider.HandleFunc("GET /backend-api/wham/config/requirements", s.policy(map[string]any{"contents": ""}))
	provider.HandleFunc("GET /backend-api/codex/models", s.models)
	provider.HandleFunc("/backend-api/ps/mcp", s.mcp)    // 0.169
	provider.HandleFunc("/backend-api/wham/apps", s.mcp) // 0.135
	provider.HandleFunc("/", s.notFound)
	issuer := http.NewServeMux()
	issuer.HandleFunc("POST /oauth/token", s.refresh)
	issuer.HandleFunc("/", s.notFound)
	messages := http.NewServeMux()
	messages.HandleFunc("POST /v1/messages", s.messages)
	messages.HandleFunc("/", s.notFound)
	claudeIssuer := http.NewServeMux()
	claudeIssuer.HandleFunc("POST /v1/oauth/token", s.refreshClaude)
	claudeIssuer.HandleFunc("/", s.notFound)

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		switch {
		case r.URL.Path == "/demo/stream":
			s.demoStream(w, r)
		case host == anthropicAPI:
			messages.ServeHTTP(w, r)
		case host == "platform.claude.com":
			claudeIssuer.ServeHTTP(w, r)
		case host == "auth.openai.com":
			issuer.ServeHTTP(w, r)
		case host == "chatgpt.com" || strings.HasSuffix(host, ".chatgpt.com") || host == "api.openai.com":
			provider.ServeHTTP(w, r)
		default:
			s.echo(w, r)
		}
	})
}

// describe starts the record of r.
func (s *Server) describe(r *http.Request) Record {
	rec := Record{
		Kind: "request", Host: r.Host, Method: r.Method, Path: r.URL.Path, Proto: r.Proto, Transport: "http",
		BearerIs: "none", KeyIs: "none", Account: r.Header.Get("Chatgpt-Account-Id"),
		Coding: r.Header.Get("Content-Encoding"), Headers: headerSummary(r.Header),
	}
	if value := r.Header.Get("Authorization"); value != "" {
		rec.BearerIs = "other"
		if token, ok := strings.CutPrefix(value, "Bearer "); ok {
			rec.Bearer = Fingerprint(token)
			expiry, known := s.logins.expiry(token)
			if strings.HasPrefix(r.Host, anthropicAPI) {
				expiry, known = s.claude.expiry(token)
			}
			if known && len(r.Header.Values("Authorization")) == 1 {
				rec.BearerIs, rec.bearerEnds = "real", expiry
			}
		}
	}
	if keys := r.Header.Values("X-Api-Key"); len(keys) > 0 {
		rec.KeyIs = "other"
		if len(keys) == 1 && keys[0] == s.Claude().APIKey() {
			rec.KeyIs = "real"
		}
	}
	return rec
}

// authorized refuses a request that lacks the login's bearer or has an expired
// one (401), or names another account (403), as the service does.
func (s *Server) authorized(w http.ResponseWriter, rec Record) bool {
	switch {
	case rec.BearerIs != "real":
		s.answer(w, rec, http.StatusUnauthorized, errorBody("token_invalid", "Your authentication token is not valid."))
	case time.Now().After(rec.bearerEnds):
		s.answer(w, rec, http.StatusUnauthorized, errorBody("token_expired", "Provided authentication token is expired."))
	case rec.Account != s.Account():
		s.answer(w, rec, http.StatusForbidden, errorBody("account_mismatch", "The token does not belong to this account."))
	default:
		return true
	}
	return false
}

func errorBody(code, message string) map[string]any {
	return map[string]any{"error": map[string]any{"message": message, "type": "invalid_request_error", "code": code}}
}

// answer records the request and answers it with JSON.
func (s *Server) answer(w http.ResponseWriter, rec Record, status int, body any) {
	rec.Status = status
	s.rec.add(rec)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

// accountsCheck tells the client which workspace it is in. The client looks
// its own account up in the list, and sends model requests to the origin named
// there.
func (s *Server) accountsCheck(w http.ResponseWriter, r *http.Request) {
	rec := s.describe(r)
	if !s.authorized(w, rec) {
		return
	}
	override := "NO_CONSTRAINT"
	if strings.HasPrefix(s.opts.WorkspaceOrigin, "https://us.") {
		override = "us"
	}
	// The service sets cookies like this one, and the client sends them back.
	w.Header().Set("Set-Cookie", "__cf_bm=stand-in; Path=/; Domain=.chatgpt.com; Secure; HttpOnly; SameSite=None")
	s.answer(w, rec, http.StatusOK, map[string]any{
		"accounts": []any{map[string]any{
			"id": s.Account(), "name": "stand-in", "structure": "personal",
			"workspace_backend_origin": s.opts.WorkspaceOrigin, "account_routing_override": override,
		}},
		"default_account_id": s.Account(),
		"account_ordering":   []string{s.Account()},
	})
}

// policy answers a workspace's policy, here an empty one. The client of a
// business plan stops when it cannot have it.
func (s *Server) policy(body map[string]any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		rec := s.describe(r)
		if s.authorized(w, rec) {
			s.answer(w, rec, http.StatusOK, body)
		}
	}
}

func (s *Server) notFound(w http.ResponseWriter, r *http.Request) {
	s.answer(w, s.describe(r), http.StatusNotFound, errorBody("not_found", "Not found."))
}
