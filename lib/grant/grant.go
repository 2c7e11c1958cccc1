// Package grant answers the agent's own refresh in the provider's stead: to
// the bottle's dummy refresh token, new dummies with the expiry that the
// host's login has now. Nothing goes upstream.
//
//	e, err := grant.New(grant.Options{Kind: renew.Codex, Path: path, Seed: seed, Dummies: set})
//	refusal := e.Judge(req)
//	answer, err := e.Answer(req)
//
// Everything else that a client asks of its provider's sign-in host is refused
// at once, with a status on which it does not try again: other refresh tokens,
// other grants, device logins, revocation. A client that is left to wait ends
// its session (Codex after 15 to 20 seconds).
//
// Limits: the answer holds dummies of the login as it is on the disk at that
// moment; where it cannot be read, of the last one that could, until its end.
package grant

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"bottle/lib/dummyset"
	"bottle/lib/forward"
	"bottle/lib/hostauth"
	"bottle/lib/refusal"
	"bottle/lib/renew"
	"bottle/lib/secret"
)

const (
	// mostBody and bodyTime bound what a client sends; a real one has 200 bytes.
	mostBody = 64 << 10
	bodyTime = 5 * time.Second
	// renewTime bounds the wait for a renewal of a login that has ended: clients
	// wait for 15 seconds.
	renewTime = 8 * time.Second
)

// Options say whose refresh is answered, and with what.
type Options struct {
	Kind    renew.Kind
	Path    string // of the host's login
	Seed    []byte // of this bottle's dummies
	Dummies *dummyset.Set
}

// Endpoint stands in for one provider's token endpoint. It is safe for
// concurrent use.
type Endpoint struct {
	o    Options
	mint func(data, seed []byte) (*minted, error)
	now  func() time.Time

	beside atomic.Pointer[beside]

	mu   sync.Mutex
	last *minted
	sum  [sha256.Size]byte // of the login that last was minted from
}

// beside is what an endpoint has while its stage serves.
type beside struct {
	log *slog.Logger
	// renew, unless nil, renews a login that has ended.
	renew func(context.Context, secret.Value) (bool, error)
}

// minted is the dummy of one login.
type minted struct {
	real    secret.Value // access token
	expiry  time.Time
	digests []string
	// body is the answer at a time.
	body func(now time.Time) any
}

// New returns an endpoint. It reads the login, and writes nothing.
func New(o Options) (*Endpoint, error) {
	e := &Endpoint{o: o, mint: minters[o.Kind.String()], now: time.Now}
	e.beside.Store(&beside{log: slog.New(slog.DiscardHandler)})
	if e.mint == nil {
		return nil, fmt.Errorf("no dummies are known of a %s login", o.Kind)
	}
	if _, err := e.current(); err != nil {
		return nil, err
	}
	return e, nil
}

// Start begins to serve: the dummy of the login as it is now is known to the
// bottle from here on, whoever minted it. renewer, unless nil, renews
// a login that has ended; see [renew.Renewer.Renew].
func (e *Endpoint) Start(log *slog.Logger, renewer func(context.Context, secret.Value) (bool, error)) {
	e.beside.Store(&beside{log, renewer})
	if m, err := e.current(); err == nil {
		e.keep(m)
	}
}

// keep makes m one of the bottle's dummies.
func (e *Endpoint) keep(m *minted) {
	if err := e.o.Dummies.Add(m.digests); err != nil {
		// It would be a stranger after a restart; it is of use until then.
		e.beside.Load().log.Error("a minted dummy is known until a restart only", "err", err)
	}
}

// Judge refuses what is not a token request, by its method and path.
func (e *Endpoint) Judge(req *http.Request) *refusal.Refusal {
	switch {
	case req.URL.EscapedPath() != e.o.Kind.Path():
		return refusal.New(refusal.SignInRefused, "this bottle's login is the host's: signing in or out is done on the host; go on with the login that the bottle gave you")
	case req.Method != http.MethodPost:
		return refusal.New(refusal.MethodNotAllowed, "a token request is a POST")
	case len(req.Header["Content-Encoding"]) > 0:
		return refusal.New(refusal.BadTokenRequest, "the token request is compressed; send it as it is")
	}
	return nil
}

// Answer answers a request that Judge has let through. The error is a
// [*refusal.Refusal] or a [*forward.BodyError].
func (e *Endpoint) Answer(req *http.Request) (*forward.Answer, error) {
	x := forward.ExchangeOf(req)
	x.Credential = forward.CredentialNone
	form, err := readForm(x, req)
	if err != nil {
		return nil, err
	}
	if form.Grant != "refresh_token" {
		return nil, refusal.New(refusal.SignInRefused, "this bottle's login is the host's: signing in is done on the host; go on with the login that the bottle gave you")
	}
	if form.Refresh == "" || !e.o.Dummies.Has(form.Refresh) {
		return nil, refusal.New(refusal.ForeignCredential, "the refresh token is not this bottle's; use the login that the bottle gave you")
	}
	m, err := e.valid(req.Context())
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(m.body(e.now()))
	if err != nil {
		return nil, err
	}
	e.keep(m) // before the agent can use it
	x.Credential = forward.CredentialDummy
	return &forward.Answer{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}, nil
}

// form is a token request (RFC 6749, section 6).
type form struct {
	Grant   string `json:"grant_type"`
	Refresh string `json:"refresh_token"`
}

func readForm(x *forward.Exchange, req *http.Request) (*form, error) {
	if err := x.SetReadDeadline(time.Now().Add(bodyTime)); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(req.Body, mostBody+1))
	if err != nil {
		return nil, &forward.BodyError{Err: err}
	}
	if err := x.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	if len(data) > mostBody {
		return nil, refusal.New(refusal.BadTokenRequest, "the token request is longer than %d bytes", mostBody)
	}
	return parseForm(req.Header.Get("Content-Type"), data)
}

// parseForm reads JSON, as Codex and Claude Code send it, or what the standard
// says.
func parseForm(contentType string, data []byte) (*form, error) {
	kind, _, _ := mime.ParseMediaType(contentType)
	var f form
	if kind == "application/x-www-form-urlencoded" {
		v, err := url.ParseQuery(string(data))
		if err != nil {
			return nil, refusal.New(refusal.BadTokenRequest, "the token request is not a form")
		}
		return &form{v.Get("grant_type"), v.Get("refresh_token")}, nil
	}
	if json.Unmarshal(data, &f) != nil {
		return nil, refusal.New(refusal.BadTokenRequest, "the token request is neither JSON nor a form")
	}
	return &f, nil
}

// valid returns the dummy of a login that has not ended.
func (e *Endpoint) valid(ctx context.Context) (*minted, error) {
	m, err := e.current()
	if renewer := e.beside.Load().renew; m != nil && !m.expiry.After(e.now()) && renewer != nil {
		wait, cancel := context.WithTimeout(ctx, renewTime)
		defer cancel()
		if changed, rerr := renewer(wait, m.real); changed {
			m, err = e.current()
		} else if rerr != nil {
			err = rerr
		}
	}
	switch {
	case m == nil:
		return nil, refusal.New(refusal.LoginEnded, "the host's login cannot be read; the operator's log has the cause").Because(err)
	case !m.expiry.After(e.now()):
		return nil, refusal.New(refusal.LoginEnded, "the host's login has ended; the operator has to run its client on the host, and then you can go on").Because(err)
	case err != nil:
		e.beside.Load().log.Warn("answered a refresh from the last good login", "login", e.o.Path, "err", err)
	}
	return m, nil
}

// current mints from the login as it is, or returns the last dummy with the
// reason why there is no newer one.
func (e *Endpoint) current() (*minted, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	data, err := secret.ReadPrivateFile(e.o.Path, hostauth.MaxSize)
	if err != nil {
		return e.last, err
	}
	sum := sha256.Sum256(data)
	if e.last != nil && sum == e.sum {
		return e.last, nil
	}
	m, err := e.mint(data, e.o.Seed)
	if err != nil {
		return e.last, err
	}
	e.last, e.sum = m, sum
	return m, nil
}
