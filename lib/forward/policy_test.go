package forward_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/audit"
	"bottle/lib/authority"
	"bottle/lib/forward"
	"bottle/lib/refusal"
)

const inside = "inside-of-the-policy"

// breakdowns are how a policy can fail.
var breakdowns = []struct {
	name string
	fail func() error
}{
	{"plain error", func() error { return errors.New(inside) }},
	{"panic", func() error { panic(inside) }},
	{"refusal", func() error { return refusal.New(refusal.MethodNotAllowed, "no") }},
}

func TestPolicyThatFailsRefuses(t *testing.T) {
	at := func(step string, m requestFunc) *forward.Policy {
		p := allowAll()
		switch step {
		case "judge":
			p.Judge = m
		case "strip":
			p.Strip = m
		case "inject":
			p.Inject = m
		}
		return p
	}
	for _, step := range []string{"judge", "strip", "inject"} {
		for _, b := range breakdowns {
			t.Run(step+": "+b.name, func(t *testing.T) {
				w := newWorld(t, at(step, func(req *http.Request) error {
					if req.URL.Path == "/works" {
						return nil
					}
					return b.fail()
				}), http.HandlerFunc(echo))
				overBoth(t, func(t *testing.T, http2 bool) {
					accepts := w.accepts.Load()
					res, err := w.client(http2).Post("https://origin.test/x", "text/plain", strings.NewReader("body"))
					require.NoError(t, err)
					var p refusal.PayloadError
					if b.name == "refusal" {
						p = refusalIn(t, res, 403, refusal.MethodNotAllowed)
					} else {
						p = refusalIn(t, res, 500, refusal.InternalError)
						require.Contains(t, w.log.String(), inside, "the operator learns the cause")
					}
					require.NotContains(t, p.Message, inside, "the agent does not")
					require.Equal(t, accepts, w.accepts.Load())
					w.works()
				})
				for i, r := range w.records(4) {
					require.Equal(t, i%2 == 0, r.Decision == audit.Refuse)
				}
			})
		}
	}
}

func TestPolicyThatFailsAtTheAnswerWithholdsIt(t *testing.T) {
	for _, b := range breakdowns {
		t.Run(b.name, func(t *testing.T) {
			policy := allowAll()
			policy.Response = responseFunc(func(res *http.Response) error {
				if res.Request.URL.Path == "/works" {
					return nil
				}
				return b.fail()
			})
			w := newWorld(t, policy, http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) { io.WriteString(rw, "the answer") }))
			overBoth(t, func(t *testing.T, http2 bool) {
				res, err := w.client(http2).Post("https://origin.test/x", "text/plain", strings.NewReader("body"))
				switch b.name {
				case "refusal":
					require.NoError(t, err)
					refusalIn(t, res, 403, refusal.MethodNotAllowed)
				default:
					require.NoError(t, err)
					refusalIn(t, res, 500, refusal.InternalError)
				}
				w.works()
			})
		})
	}
}

func TestVerdictThatPanicsEndsOneConnectionOnly(t *testing.T) {
	policy := allowAll()
	policy.Tunnel = func(a authority.Authority) forward.Verdict {
		if a.Host == "other.test" {
			panic(inside)
		}
		return forward.Verdict{}
	}
	w := newWorld(t, policy, http.HandlerFunc(echo))
	_, res := w.connect("other.test:443")
	refusalIn(t, res, 500, refusal.InternalError)
	require.Zero(t, w.accepts.Load())
	w.works()
}

func TestStepsRunInTheirOrder(t *testing.T) {
	var order []string
	step := func(name string) requestFunc {
		return func(req *http.Request) error {
			hop := "hop-by-hop there"
			if req.Header.Get("Proxy-Authorization") == "" {
				hop = "hop-by-hop gone"
			}
			order = append(order, name+", "+hop)
			return nil
		}
	}
	policy := &forward.Policy{
		Tunnel: func(authority.Authority) forward.Verdict { order = append(order, "tunnel"); return forward.Verdict{} },
		Judge:  step("judge"), Strip: step("strip"), Inject: step("inject"),
		Response: responseFunc(func(*http.Response) error { order = append(order, "response"); return nil }),
	}
	w := newWorld(t, policy, http.HandlerFunc(echo))
	exchange(t, w.tunnel(), "GET / HTTP/1.1\r\nHost: origin.test\r\nProxy-Authorization: Basic eA==\r\n\r\n")
	require.Equal(t, []string{"tunnel", "tunnel", "judge, hop-by-hop there", "strip, hop-by-hop gone", "inject, hop-by-hop gone", "response"}, order)
}

func TestConnectionHeaderCannotTakeTheInjectedCredentialOff(t *testing.T) {
	policy := allowAll()
	policy.Inject = requestFunc(func(req *http.Request) error {
		req.Header.Set("X-Injected", "real")
		return nil
	})
	w := newWorld(t, policy, http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) { io.WriteString(rw, req.Header.Get("X-Injected")) }))
	res := exchange(t, w.tunnel(), "GET / HTTP/1.1\r\nHost: origin.test\r\nConnection: X-Injected\r\nX-Injected: mine\r\n\r\n")
	require.Equal(t, "real", readAll(t, res))
}

func TestPolicyMayCutABodyOff(t *testing.T) {
	policy := allowAll()
	policy.Judge = requestFunc(func(req *http.Request) error {
		if req.URL.Path == "/cut" {
			req.Body = &cutBody{req.Body, forward.ExchangeOf(req)}
		}
		return nil
	})
	var got []byte
	done := make(chan error, 1)
	w := newWorld(t, policy, http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/cut" {
			var err error
			got, err = io.ReadAll(req.Body)
			done <- err
		}
	}))
	overBoth(t, func(t *testing.T, http2 bool) {
		pr, pw := io.Pipe()
		go func() {
			io.WriteString(pw, "clean ")
			io.WriteString(pw, "secret")
			pw.Close()
		}()
		res, err := w.client(http2).Post("https://origin.test/cut", "text/plain", pr)
		require.NoError(t, err)
		refusalIn(t, res, 403, refusal.SecretInRequest)
		require.Error(t, receive(t, done, "end of the body at the origin"), "a cut body must not look whole")
		require.NotContains(t, string(got), "secret")
		w.works()
	})
	for i, r := range w.records(4) {
		require.Equal(t, i%2 == 0, r.Code == "secret_in_request")
	}
}

// cutBody ends with a refusal at the word "secret".
type cutBody struct {
	io.ReadCloser
	x *forward.Exchange
}

func (b *cutBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if strings.Contains(string(p[:n]), "secret") {
		r := refusal.New(refusal.SecretInRequest, "secret")
		b.x.Cut(r)
		return 0, r
	}
	return n, err
}
