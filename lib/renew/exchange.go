package renew

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"bottle/lib/authority"
	"bottle/lib/dummyauth"
	"bottle/lib/peererr"
	"bottle/lib/refusal"
	"bottle/lib/secret"
)

const (
	// exchangeTime bounds the whole exchange with the token endpoint.
	exchangeTime = 20 * time.Second
	// mostAnswer bounds its answer, in bytes; a real one has about 5 kB.
	mostAnswer = 256 << 10
)

// Transport returns the way to token endpoints: TLS verified by roots, on
// connections that dial opens, which is the stage's own way out.
func Transport(dial func(context.Context, authority.Authority) (net.Conn, error), roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			a, err := authority.Parse(addr)
			if err != nil {
				return nil, err
			}
			return dial(ctx, a)
		},
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DisableKeepAlives:      true, // once in hours
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// answer is what a token endpoint answers (RFC 6749, section 5.1).
type answer struct {
	Access    string `json:"access_token"`
	Refresh   string `json:"refresh_token"`
	ID        string `json:"id_token"`
	ExpiresIn int64  `json:"expires_in"` // seconds
	// RefreshExpiresIn is Claude's own, in seconds.
	RefreshExpiresIn int64 `json:"refresh_token_expires_in"`
}

// spentError says that the provider will not take this refresh token any more.
type spentError struct{ reason string }

func (e *spentError) Error() string { return "the provider refuses the refresh token: " + e.reason }

// HintText returns what to do about it.
func (e *spentError) HintText() string {
	return "sign in on the host again; the bottle follows the new login"
}

// exchange asks the token endpoint (RFC 6749, section 6). Nothing of what it
// sends or gets stands in an error, but for the error code of section 5.2.
func (r *Renewer) exchange(ctx context.Context, l *login) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeTime)
	defer cancel()
	form := struct {
		ClientID  string `json:"client_id"`
		GrantType string `json:"grant_type"`
		Refresh   string `json:"refresh_token"`
		Scope     string `json:"scope,omitempty"`
	}{cmp.Or(l.client, r.kind.clientID), "refresh_token", l.refresh.Expose(), l.scopes}
	body, err := json.Marshal(form)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.kind.endpoint(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.GetBody = nil // a token that works once is sent once
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "bottle-egress")
	res, err := r.transport.RoundTrip(req) // follows no redirect
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", r.kind.Host(), unquoted(err))
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, mostAnswer+1))
	switch {
	case res.StatusCode != http.StatusOK:
		return nil, refused(res.StatusCode, data)
	case err != nil:
		return nil, fmt.Errorf("ask %s: read answer: %w", r.kind.Host(), unquoted(err))
	case len(data) > mostAnswer:
		return nil, fmt.Errorf("ask %s: the answer is longer than %d bytes", r.kind.Host(), mostAnswer)
	}
	return parseAnswer(data)
}

// unquoted keeps what the endpoint sent out of err: where it is not HTTP,
// net/http quotes it, and the new tokens may stand there.
func unquoted(err error) error {
	if r, ok := errors.AsType[*refusal.Refusal](err); ok { // the stage's own way out did not let it through
		return r
	}
	return peererr.Cause(err)
}

func parseAnswer(data []byte) (*answer, error) {
	var a answer
	if json.Unmarshal(data, &a) != nil {
		return nil, errors.New("the answer is not JSON of the expected shape")
	}
	if a.Access == "" {
		return nil, errors.New("the answer has no access_token")
	}
	for _, token := range []string{a.Access, a.Refresh, a.ID} {
		if token == "" {
			continue
		}
		if _, err := secret.New(token); err != nil || strings.Contains(token, " ") {
			return nil, errors.New("the answer has a token that cannot stand in a header")
		}
		if dummyauth.IsDummy(token) {
			return nil, errors.New("the answer has a bottle's dummy in it; the endpoint that was asked is no provider's")
		}
	}
	return &a, nil
}

// refused tells an answer that says no for good from one that says no now.
// OpenAI has its code in error.code or error, others in error.
func refused(status int, data []byte) error {
	var body struct {
		Error json.RawMessage `json:"error"`
	}
	var code string
	if json.Unmarshal(data, &body) == nil {
		var object struct {
			Code string `json:"code"`
			Type string `json:"type"`
		}
		if json.Unmarshal(body.Error, &code) != nil && json.Unmarshal(body.Error, &object) == nil {
			code = object.Code
			if code == "" {
				code = object.Type
			}
		}
	}
	switch code {
	case "invalid_grant", "refresh_token_reused", "refresh_token_expired", "refresh_token_invalidated":
		return &spentError{code}
	}
	// Any other text is the endpoint's, or of whoever answered in its place.
	return fmt.Errorf("the token endpoint answered with status %d", status)
}
