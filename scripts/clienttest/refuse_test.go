package clienttest

import (
	"bufio"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bottle/lib/audit"
	"bottle/lib/providertest"
)

// agentClient is an agent's HTTP client that is no Codex: it knows the bottle's
// proxy and bundle and nothing else.
func (b *bottle) agentClient(t *testing.T) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(readFile(t, b.path("agent/ca-bundle.pem")))))
	tr := &http.Transport{
		Proxy:           http.ProxyURL(&url.URL{Scheme: "http", Host: b.entry}),
		TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true,
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 10 * time.Second}
}

// dummyToken is the access token that the agent holds.
func (b *bottle) dummyToken(t *testing.T) string {
	t.Helper()
	var login struct {
		Tokens struct {
			AccessToken string `json:"access_token"`
		} `json:"tokens"`
	}
	require.NoError(t, json.Unmarshal([]byte(readFile(t, b.path("agent/codex/auth.json"))), &login))
	require.NotEmpty(t, login.Tokens.AccessToken)
	return login.Tokens.AccessToken
}

// The real bearer takes the dummy's place, and nothing else's.
func TestOnlyTheDummyIsReplaced(t *testing.T) {
	t.Parallel()
	for name, order := range map[string][]string{"egress-first": egressFirst, "pipelock-first": pipelockFirst} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := standIn(t, providertest.Options{})
			b := newBottle(t, s, setup{order: order})
			agent := b.agentClient(t)
			ask := func(url, bearer string) (int, string) {
				r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
				require.NoError(t, err)
				r.Header.Set("chatgpt-account-id", s.Account())
				if bearer != "" {
					r.Header.Set("Authorization", "Bearer "+bearer)
				}
				resp, err := agent.Do(r)
				require.NoError(t, err, "%s", b.story(t))
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				return resp.StatusCode, string(body)
			}
			const chatgpt, openai = "https://chatgpt.com/backend-api/wham/accounts/check", "https://api.openai.com/v1/responses"

			status, body := ask(chatgpt, b.dummyToken(t))
			require.Equal(t, 200, status, "%s\n%s", body, b.story(t))
			require.Equal(t, "real", s.Records()[0].BearerIs)

			for _, url := range []string{chatgpt, openai} {
				before := len(s.Records())
				status, body = ask(url, "")
				require.Contains(t, []int{401, 404}, status, body) // the origin's own answer
				require.Len(t, s.Records(), before+1)
				require.Equal(t, "none", s.Records()[before].BearerIs)

				status, body = ask(url, "somebody-elses-credential")
				require.Equal(t, 400, status, body)
				require.Contains(t, body, `"type":"bottle_refused"`)
				require.Contains(t, body, `"code":"foreign_credential"`)
				require.Len(t, s.Records(), before+1, "a foreign credential reached the origin")
			}
			requireNoOther(t, s)
		})
	}
}

// 0.169 goes on without a login when its file is broken, to api.openai.com. It
// must not be handed the real one there.
func TestBrokenLoginIsNotMended(t *testing.T) {
	perVersion(t, func(t *testing.T, version string) {
		s := standIn(t, providertest.Options{})
		b := newBottle(t, s, setup{edit: func(t *testing.T, b *bottle) {
			file := b.path("agent/codex/auth.json")
			var login map[string]any
			require.NoError(t, json.Unmarshal([]byte(readFile(t, file)), &login))
			delete(login["tokens"].(map[string]any), "id_token")
			data, err := json.Marshal(login)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(file, data, 0o600))
		}})
		o := b.codex(t, version, "say something")
		require.NotZero(t, o.exit, "%s", o)
		require.NotContains(t, o.stdout, s.Answer())
		for _, r := range s.Records() {
			require.Equal(t, "none", r.BearerIs, "%+v", r)
		}
		t.Logf("exit %d after %v, %d requests at the origin, none with a bearer", o.exit, o.took.Round(time.Millisecond), len(s.Records()))
	})
}

// A client waits for hosts that it merely likes to have: they are refused at
// CONNECT, at once.
func TestOptionalHostsAreRefusedFast(t *testing.T) {
	t.Parallel()
	for name, order := range map[string][]string{"egress-first": egressFirst, "pipelock-first": pipelockFirst} {
		t.Run(name, func(t *testing.T) {
			s := standIn(t, providertest.Options{})
			b := newBottle(t, s, setup{order: order})
			for _, host := range []string{"ab.chatgpt.com", "github.com", "api.github.com", "raw.githubusercontent.com", "us.chatgpt.com"} {
				var took []time.Duration
				for range 5 {
					start := time.Now()
					require.Equal(t, http.StatusForbidden, connect(t, b.entry, host+":443"), host)
					took = append(took, time.Since(start))
				}
				slices.Sort(took)
				t.Logf("CONNECT %s refused in %v (median of 5)", host, took[2].Round(10*time.Microsecond))
				// A few hundred microseconds on an idle machine.
				require.Less(t, took[2], 100*time.Millisecond)
			}
			require.Empty(t, s.Records())
		})
	}
}

// connect asks the proxy for a tunnel and returns the status of the answer.
func connect(t *testing.T, proxy, destination string) int {
	t.Helper()
	c, err := net.Dial("tcp", proxy)
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = io.WriteString(c, "CONNECT "+destination+" HTTP/1.1\r\nHost: "+destination+"\r\n\r\n")
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	resp.Body.Close()
	return resp.StatusCode
}

// refusedByFilter counts the requests in which the filter found a secret.
func (b *bottle) refusedByFilter(t *testing.T) (upgrades, posts, all int) {
	t.Helper()
	for _, r := range b.audited(t) {
		if r.Stage != "bottle-pipelock" || r.Decision != audit.Refuse || r.Code != "secret_in_request" {
			continue
		}
		all++
		switch {
		case r.Protocol == "websocket":
			upgrades++
		case r.Method == "POST":
			posts++
		}
	}
	return upgrades, posts, all
}

// A filter that decrypts what egress has put the real bearer on finds it, and
// must say so in a way that the client passes on and does not retry.
func TestFilterWithoutPassthrough(t *testing.T) {
	perVersion(t, func(t *testing.T, version string) {
		s := standIn(t, providertest.Options{})
		b := newBottle(t, s, setup{noPassthrough: true})
		o := b.codex(t, version, "say something")
		upgrades, posts, all := b.refusedByFilter(t)
		t.Logf("exit %d after %v; refused by the filter: %d upgrades, %d POSTs, %d in all", o.exit, o.took.Round(time.Millisecond), upgrades, posts, all)
		require.NotZero(t, o.exit)
		require.Contains(t, o.stderr, "request header contains secret", "%s", o)
		for _, r := range s.Records() {
			require.Equal(t, "none", r.BearerIs, "the refused request reached the origin: %+v", r)
		}
		switch version {
		case "0.135":
			require.NotContains(t, o.stderr, "Reconnecting", "the client retried\n%s", o)
			require.LessOrEqual(t, upgrades, 2, "the prewarm's and the turn's")
			require.Less(t, all, 20)
			require.Less(t, o.took, clientTimeout/3, "a few seconds on an idle machine")
		case "0.169":
			// It never gets to the model: it asks for its account first, and asks
			// 15 times in 13 s for that whatever the answer says.
			require.Zero(t, upgrades)
			require.Less(t, all, 45)
		}
	})
}

// With the filter first the prompt is read. A secret in it does not leave, on
// any transport that the client has, and the session goes on.
func TestSecretInPromptIsRedacted(t *testing.T) {
	perVersion(t, func(t *testing.T, version string) {
		for _, mode := range []providertest.Mode{providertest.WebSocket, providertest.WebSocketDeflate, providertest.SSE} {
			t.Run(string(mode), func(t *testing.T) {
				s := standIn(t, providertest.Options{Mode: mode})
				b := newBottle(t, s, setup{order: pipelockFirst})
				o := b.codex(t, version, "deploy with "+githubToken()+" please")
				require.Zero(t, o.exit, "%s\n%s", o, b.story(t))
				requireReal(t, s)
				redacted := 0
				for _, r := range b.audited(t) {
					if r.Event == audit.EventMatch {
						require.Equal(t, "redact", r.Action)
						require.Equal(t, "github-token", r.Rule)
						redacted += r.Count
					}
				}
				require.NotZero(t, redacted, b.story(t))
			})
		}
	})
}

// Where the operator wants it refused, it costs one attempt, and the user reads
// why.
func TestSecretInPromptIsRefusedOnce(t *testing.T) {
	perVersion(t, func(t *testing.T, version string) {
		for _, mode := range []providertest.Mode{providertest.WebSocket, providertest.WebSocketDeflate, providertest.SSE} {
			t.Run(string(mode), func(t *testing.T) {
				s := standIn(t, providertest.Options{Mode: mode})
				b := newBottle(t, s, setup{order: pipelockFirst, onMatch: "block"})
				o := b.codex(t, version, "deploy with "+githubToken()+" please")
				_, _, all := b.refusedByFilter(t)
				t.Logf("exit %d after %v; refused by the filter: %d", o.exit, o.took.Round(time.Millisecond), all)
				require.NotZero(t, o.exit, "%s", o)
				require.Contains(t, o.stderr, "contains secret", "%s\n%s", o, b.story(t))
				require.NotContains(t, o.stderr, "Reconnecting", "the client retried\n%s\n%s", o, b.story(t))
				require.Empty(t, modelRequests(s), "the turn reached the origin\n%s", b.story(t))
				require.Less(t, all, 4)
			})
		}
	})
}

// githubToken returns text in the form of a classic GitHub token, checksum and
// all, that nobody has issued.
func githubToken() string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	body := "none" + rand.Text()[:26]
	check := make([]byte, 6)
	for i, sum := 5, crc32.ChecksumIEEE([]byte(body)); i >= 0; i-- {
		check[i], sum = digits[sum%62], sum/62
	}
	return "ghp" + "_" + body + string(check)
}
