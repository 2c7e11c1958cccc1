package inject

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/authority"
	"bottle/lib/credential"
	"bottle/lib/forward"
	"bottle/lib/refusal"
	"bottle/lib/secret"
)

// login is a source of a token and an account, which belong together.
type login struct {
	state atomic.Pointer[credential.State]
}

func (l *login) set(t *testing.T, token string, version uint64) {
	v, err := secret.New(token)
	require.NoError(t, err)
	account, err := secret.New("account-of-" + token)
	require.NoError(t, err)
	l.state.Store(&credential.State{Token: v, Fields: map[string]secret.Value{"account_id": account}, Version: version})
}

func (l *login) Current() (credential.State, error) {
	if st := l.state.Load(); st != nil {
		return *st, nil
	}
	return credential.State{}, errors.New("nothing there")
}
func (l *login) Refetch(context.Context) (credential.State, error) { return l.Current() }
func (l *login) String() string                                    { return "login of a test" }
func (l *login) Close() error                                      { return nil }

// loginRoute has a bearer, its account, Basic, and a constant.
func loginRoute(t *testing.T, s credential.Source) *Route {
	t.Helper()
	pattern, err := authority.ParsePattern("api.test")
	require.NoError(t, err)
	account, err := parseTemplate("{account_id}")
	require.NoError(t, err)
	return &Route{Pattern: pattern, Mode: Always, RedactResponses: true, auth: []part{
		{place: inHeader, name: "Authorization", value: schemeTemplate("Bearer"), source: s, redacted: "bottle-redacted-0"},
		{place: inHeader, name: "Chatgpt-Account-Id", value: account, source: s, redacted: "bottle-redacted-0"},
		{place: inHeader, name: "X-Basic", basic: true, user: "u", value: template{{field: tokenField}}, source: s, redacted: "bottle-redacted-0"},
		{place: inHeader, name: "X-Constant", value: template{{text: "c"}}},
	}}
}

const testDummy = "the-dummy-of-this-bottle"

// judged runs the policy on a request and returns what it decided.
func judged(t *testing.T, r *Route, header http.Header) (*http.Request, *decision, *refusal.Refusal) {
	t.Helper()
	req, err := http.NewRequest("GET", "https://api.test/", nil)
	require.NoError(t, err)
	req.Header = header
	x, v := forward.Check(NewRoutes([]*Route{r}, []string{secret.SHA256(testDummy)}).Policy(), req, authority.Authority{Host: "api.test", Port: 443}, "https")
	d, _ := x.State.(*decision)
	return req, d, v.Refusal
}

func TestWhatWasSentIsNoted(t *testing.T) {
	code := func(password string) string { return base64.StdEncoding.EncodeToString([]byte("u:" + password)) }
	s := &login{}
	s.set(t, "the-real-token", 7)
	for _, tc := range []struct {
		name        string
		header      http.Header
		token, code string // what stands for them
	}{
		{"no dummy came", http.Header{}, "bottle-redacted-0", "bottle-redacted-0"},
		{"a foreign one came", http.Header{"Authorization": {"Bearer foreign"}}, "bottle-redacted-0", "bottle-redacted-0"},
		{"the dummy came as a bearer", http.Header{"Authorization": {"bearer " + testDummy}}, testDummy, "bottle-redacted-0"},
		{"the dummy came in Basic", http.Header{"X-Basic": {"Basic " + code(testDummy)}}, testDummy, code(testDummy)},
	} {
		_, d, r := judged(t, loginRoute(t, s), tc.header)
		require.Nil(t, r, tc.name)
		require.Len(t, d.sent, 2, "the token and the Basic string; account and constant are no credentials: %s", tc.name)
		require.Equal(t, []string{code("the-real-token"), "the-real-token"}, []string{d.sent[0].Real.Expose(), d.sent[1].Real.Expose()}, "longest first: %s", tc.name)
		require.Equal(t, []string{tc.code, tc.token}, []string{d.sent[0].Dummy, d.sent[1].Dummy}, tc.name)
		for _, x := range d.sent {
			require.Equal(t, uint64(7), x.Version)
			require.Equal(t, credential.Source(s), x.Source)
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", x, x, d), "the-real-token")
		}
	}
}

func TestNothingIsNotedWhereNothingIsSent(t *testing.T) {
	s := &login{}
	s.set(t, "the-real-token", 1)
	r := loginRoute(t, s)
	r.Mode = Replace
	req, d, refused := judged(t, r, http.Header{"Chatgpt-Account-Id": {"theirs"}})
	require.Nil(t, refused)
	require.Empty(t, d.sent)
	require.Equal(t, http.Header{"Chatgpt-Account-Id": {"theirs"}}, req.Header)
}

func TestARequestThatIsPutAgainGetsTheNewCredential(t *testing.T) {
	s := &login{}
	s.set(t, "the-first-token", 1)
	req, d, refused := judged(t, loginRoute(t, s), http.Header{"Authorization": {"Bearer " + testDummy}})
	require.Nil(t, refused)
	s.set(t, "the-second-token", 2)
	require.Equal(t, "Bearer the-first-token", req.Header.Get("Authorization"))
	require.NoError(t, d.put(req))
	require.Equal(t, []string{"Bearer the-second-token"}, req.Header["Authorization"])
	require.Equal(t, []string{"account-of-the-second-token"}, req.Header["Chatgpt-Account-Id"])
	require.Equal(t, []uint64{2, 2}, []uint64{d.sent[0].Version, d.sent[1].Version})
	require.Equal(t, testDummy, d.sent[1].Dummy, "the dummy of the first time")
}

func TestTokenAndAccountAreOfOneLogin(t *testing.T) {
	s := &login{}
	s.set(t, "token-number-0", 1)
	r := loginRoute(t, s)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := uint64(1); ; i++ {
			select {
			case <-stop:
				return
			default:
				s.set(t, fmt.Sprint("token-number-", i), i)
			}
		}
	}()
	for range 2000 {
		req, _, refused := judged(t, r, http.Header{})
		require.Nil(t, refused)
		require.Equal(t, "account-of-"+req.Header.Get("Authorization")[len("Bearer "):], req.Header.Get("Chatgpt-Account-Id"))
	}
	close(stop)
	<-stopped
}

func TestACredentialThatCannotBeUsedRefuses(t *testing.T) {
	for name, set := range map[string]func(*login){
		"none":      func(*login) {},
		"too short": func(s *login) { s.set(t, "x", 1) },
		"no field":  func(s *login) { s.set(t, "the-real-token", 1); s.state.Load().Fields = nil },
		"a space":   func(s *login) { s.set(t, "the real token", 1) },
	} {
		s := &login{}
		set(s)
		req, d, refused := judged(t, loginRoute(t, s), http.Header{"Authorization": {"Bearer " + testDummy}})
		require.NotNil(t, refused, name)
		require.Equal(t, refusal.CredentialUnavailable, refused.Code, name)
		require.Empty(t, d.sent, name)
		require.Empty(t, req.Header, "stripped, and nothing in its place: %s", name)
		require.Contains(t, refused.Cause.Error(), "login of a test", name)
	}
	s := &login{}
	s.set(t, "x", 1)
	r := loginRoute(t, s)
	r.RedactResponses = false
	_, _, refused := judged(t, r, http.Header{})
	require.Nil(t, refused, "where nothing is searched for, any length will do")
}

func TestPartsOfARequestHeldInATrailerAreRemoved(t *testing.T) {
	req, err := http.NewRequest("POST", "https://api.test/", http.NoBody)
	require.NoError(t, err)
	req.Trailer = http.Header{"X-Second": nil, "X-Sum": nil}
	(&part{place: inHeader, name: "X-Second"}).put(req, "v")
	require.Equal(t, http.Header{"X-Sum": nil}, req.Trailer)
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"{token}", "a{{b}}{token}c", "{", "}", "{{", "}}{", "{}", "{a b}", "{{{token}}}"} {
		f.Add(s, "value")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		tpl, err := parseTemplate(text)
		v, serr := secret.New(value)
		if err != nil || serr != nil {
			return
		}
		p := part{place: inQuery, name: "k", value: tpl, source: credential.Fixed("f", v)}
		if !p.secret() {
			return
		}
		st, _ := p.source.Current()
		out, err := tpl.expand(st)
		if err != nil {
			return
		}
		// What is put on reads back as what was put in, whatever the secret holds.
		if got, ok := p.tokenOf(out); !ok || got != value {
			t.Fatalf("%q with %q gives %q, and that %q", text, value, out, got)
		}
	})
}
