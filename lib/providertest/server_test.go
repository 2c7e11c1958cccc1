package providertest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"bottle/lib/hostauth/throwaway"
)

func start(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// client sends every host to s and trusts s alone.
func client(t *testing.T, s *Server, http2 bool) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(s.CAPEM()))
	tr := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, s.Addr())
		},
		TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: http2,
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 10 * time.Second}
}

func request(t *testing.T, s *Server, method, url string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+s.Token())
	r.Header.Set("chatgpt-account-id", s.Account())
	return r
}

func do(t *testing.T, c *http.Client, r *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := c.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(body)
}

const responsesURL = "https://chatgpt.com/backend-api/codex/responses"

func TestProviderAnswersItsLoginOnly(t *testing.T) {
	s := start(t, Options{})
	c := client(t, s, true)
	for _, tt := range []struct {
		name   string
		change func(h http.Header)
		status int
		is     string
	}{
		{"real", func(http.Header) {}, 200, "real"},
		{"no bearer", func(h http.Header) { h.Del("Authorization") }, 401, "none"},
		{"other bearer", func(h http.Header) { h.Set("Authorization", "Bearer x") }, 401, "other"},
		{"real after another", func(h http.Header) {
			h["Authorization"] = []string{"Bearer " + s.Token(), "Bearer x"}
		}, 401, "other"},
		{"other scheme", func(h http.Header) { h.Set("Authorization", "Basic "+s.Token()) }, 401, "other"},
		{"no account", func(h http.Header) { h.Del("chatgpt-account-id") }, 403, "real"},
		{"other account", func(h http.Header) { h.Set("chatgpt-account-id", "another") }, 403, "real"},
	} {
		for _, path := range []string{
			"/backend-api/wham/accounts/check", "/backend-api/wham/config/bundle", "/backend-api/wham/config/requirements",
		} {
			r := request(t, s, "GET", "https://chatgpt.com"+path, nil)
			tt.change(r.Header)
			resp, body := do(t, c, r)
			require.Equal(t, tt.status, resp.StatusCode, "%s %s: %s", tt.name, path, body)
			records := s.Records()
			last := records[len(records)-1]
			require.Equal(t, tt.is, last.BearerIs, tt.name)
			require.Equal(t, tt.status, last.Status)
			require.Equal(t, "HTTP/2.0", last.Proto)
		}
	}
	require.Equal(t, Fingerprint(s.Token()), s.Records()[0].Bearer)
}

func TestExpiredTokenIsRefused(t *testing.T) {
	s := start(t, Options{Login: throwaway.Codex{Seed: t.Name(), Expiry: time.Now().Add(-time.Minute)}})
	resp, body := do(t, client(t, s, true), request(t, s, "GET", "https://chatgpt.com/backend-api/wham/accounts/check", nil))
	require.Equal(t, 401, resp.StatusCode)
	require.Contains(t, body, "token_expired")
}

func TestAccountsCheckNamesTheOrigin(t *testing.T) {
	s := start(t, Options{WorkspaceOrigin: "https://us.chatgpt.com"})
	_, body := do(t, client(t, s, false), request(t, s, "GET", "https://chatgpt.com/backend-api/wham/accounts/check", nil))
	var answer struct {
		Accounts []map[string]string `json:"accounts"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &answer))
	require.Equal(t, s.Account(), answer.Accounts[0]["id"])
	require.Equal(t, "https://us.chatgpt.com", answer.Accounts[0]["workspace_backend_origin"])
	require.Equal(t, "us", answer.Accounts[0]["account_routing_override"])
}

func zstdBody(t *testing.T, text string) []byte {
	t.Helper()
	e, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	return e.EncodeAll([]byte(text), nil)
}

func TestEventStream(t *testing.T) {
	const turn = `{"input":[{"type":"message"}]}`
	s := start(t, Options{Mode: SSE, Answer: "one two"})
	c := client(t, s, true)
	for _, tt := range []struct {
		name, coding string
		body         []byte
		status       int
	}{
		{"plain", "", []byte(turn), 200},
		{"zstd", "zstd", zstdBody(t, turn), 200},
		{"cut zstd", "zstd", zstdBody(t, turn)[:10], 400},
		{"not zstd", "zstd", []byte(turn), 400},
		{"gzip", "gzip", []byte(turn), 400},
		{"not JSON", "", []byte("{"), 400},
	} {
		r := request(t, s, "POST", responsesURL, bytes.NewReader(tt.body))
		if tt.coding != "" {
			r.Header.Set("Content-Encoding", tt.coding)
		}
		resp, body := do(t, c, r)
		require.Equal(t, tt.status, resp.StatusCode, "%s: %s", tt.name, body)
		if tt.status != 200 {
			continue
		}
		require.Equal(t, "text/event-stream", resp.Header.Get("Content-Type"))
		require.Contains(t, body, "event: response.completed\ndata: {")
		require.Contains(t, body, `"text":"one two"`)
		records := s.Records()
		last := records[len(records)-1]
		require.Equal(t, tt.coding, last.Coding)
		require.EqualValues(t, len(tt.body), last.BodyBytes)
		require.EqualValues(t, len(turn), last.DecodedBytes)
		require.Equal(t, "turn", last.Asked)
	}
	r := request(t, s, "GET", responsesURL, nil)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	resp, _ := do(t, client(t, s, false), r)
	require.Equal(t, http.StatusUpgradeRequired, resp.StatusCode)
}

func TestWebSocketTurns(t *testing.T) {
	for _, mode := range []Mode{WebSocket, WebSocketDeflate} {
		s := start(t, Options{Mode: mode, Answer: "the answer", ToolCommand: "echo hi"})
		opts := &websocket.DialOptions{
			HTTPClient: client(t, s, false), HTTPHeader: request(t, s, "GET", responsesURL, nil).Header,
			CompressionMode: websocket.CompressionContextTakeover, CompressionThreshold: 1,
		}
		conn, _, err := websocket.Dial(t.Context(), responsesURL, opts)
		require.NoError(t, err)
		defer conn.CloseNow()
		ask := func(text string) string {
			require.NoError(t, conn.Write(t.Context(), websocket.MessageText, []byte(text)))
			var all []string
			for {
				_, data, err := conn.Read(t.Context())
				require.NoError(t, err)
				all = append(all, string(data))
				if strings.Contains(string(data), "response.completed") || strings.Contains(string(data), `"type":"error"`) {
					return strings.Join(all, "\n")
				}
			}
		}
		pad := strings.Repeat("same again ", 4000)
		require.NotContains(t, ask(`{"generate":false,"input":[],"instructions":"`+pad+`"}`), "output_item")
		require.Contains(t, ask(`{"input":[{"type":"message"}],"tools":[{"type":"function","name":"exec_command"}]}`), `{\"cmd\":\"echo hi\"}`)
		require.Contains(t, ask(`{"input":[{"type":"additional_tools","tools":[{"type":"namespace","name":"functions","tools":[{"type":"custom","name":"exec"}]}]}]}`), `"type":"custom_tool_call"`)
		require.Contains(t, ask(`{"input":[{"type":"function_call_output","output":"hi\n"}]}`), `"text":"the answer"`)
		require.Contains(t, ask(`{"input":[],"tools":[]}`), `"status":400`)
		require.Contains(t, ask(`not json`), `"status":400`)

		var frames []Record
		for _, r := range s.Records() {
			if r.Kind == "frame" {
				frames = append(frames, r)
			}
		}
		require.Len(t, frames, 6)
		require.Equal(t, "prewarm", frames[0].Asked)
		require.Equal(t, "hi\n", frames[3].ToolOutput)
		require.Equal(t, "real", frames[3].BearerIs)
		if mode == WebSocketDeflate {
			require.Equal(t, "permessage-deflate", frames[0].Coding)
			require.Less(t, frames[0].BodyBytes*10, frames[0].DecodedBytes)
		} else {
			require.Empty(t, frames[0].Coding)
			require.GreaterOrEqual(t, frames[0].BodyBytes, frames[0].DecodedBytes)
		}
	}
}

func TestUnauthorizedOnDemand(t *testing.T) {
	for _, tt := range []struct {
		n    int
		want []int
	}{{0, []int{200, 200}}, {1, []int{401, 200}}, {Always, []int{401, 401}}} {
		s := start(t, Options{Unauthorized: tt.n})
		for _, want := range tt.want {
			resp, _ := do(t, client(t, s, true), request(t, s, "POST", responsesURL, strings.NewReader(`{}`)))
			require.Equal(t, want, resp.StatusCode, "%d", tt.n)
		}
	}
}

func TestDemoStreamSendsAsItGoes(t *testing.T) {
	s := start(t, Options{})
	c := client(t, s, true)
	resp, err := c.Get("https://api.example.org/demo/stream?n=3&delay_ms=30")
	require.NoError(t, err)
	defer resp.Body.Close()
	var sent []int64
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			var e struct {
				SentNS int64 `json:"sent_ns"`
			}
			require.NoError(t, json.Unmarshal([]byte(data), &e))
			sent = append(sent, e.SentNS)
		}
	}
	require.Len(t, sent, 3)
	require.GreaterOrEqual(t, sent[2]-sent[0], int64(60*time.Millisecond))
	bad, body := do(t, c, request(t, s, "GET", "https://api.example.org/demo/stream?n=x", nil))
	require.Equal(t, 400, bad.StatusCode, body)
}

func TestOtherHostsEchoFingerprints(t *testing.T) {
	s := start(t, Options{})
	_, body := do(t, client(t, s, true), request(t, s, "POST", "https://api.github.com/user", strings.NewReader("12345")))
	require.Contains(t, body, Fingerprint(s.Token()))
	require.Contains(t, body, `"body_bytes":5`)
	require.NotContains(t, body, s.Token())
}

// askRefresh posts a refresh token as the client does and returns the answer
// and what the record says of the token.
func askRefresh(t *testing.T, s *Server, token string) (status int, body, asked string) {
	t.Helper()
	r := request(t, s, "POST", "https://auth.openai.com/oauth/token",
		strings.NewReader(`{"grant_type":"refresh_token","refresh_token":"`+token+`"}`))
	resp, body := do(t, client(t, s, true), r)
	records := s.Records()
	return resp.StatusCode, body, records[len(records)-1].Asked
}

func TestRefreshIsGoodOnce(t *testing.T) {
	s := start(t, Options{RefreshedLife: time.Hour})
	first := s.Login()
	account := s.Account()
	status, body, asked := askRefresh(t, s, "placeholder")
	require.Equal(t, 401, status)
	require.Contains(t, body, "refresh_token_invalidated")
	require.Equal(t, "other-refresh", asked)

	status, body, asked = askRefresh(t, s, first.RefreshToken())
	require.Equal(t, 200, status, body)
	require.Equal(t, "real-refresh", asked)
	var got map[string]any
	require.NoError(t, json.Unmarshal([]byte(body), &got))
	require.Equal(t, s.Token(), got["access_token"])
	require.Equal(t, s.Login().RefreshToken(), got["refresh_token"])
	require.NotEqual(t, first.AccessToken(), s.Token())
	require.Equal(t, account, s.Account(), "a refresh changes no account")
	require.WithinDuration(t, time.Now().Add(time.Hour), s.Login().Expiry, 5*time.Second)

	status, body, asked = askRefresh(t, s, first.RefreshToken())
	require.Equal(t, 401, status)
	require.Contains(t, body, "refresh_token_reused")
	require.Equal(t, "used-refresh", asked)

	const check = "https://chatgpt.com/backend-api/wham/accounts/check"
	old := request(t, s, "GET", check, nil)
	old.Header.Set("Authorization", "Bearer "+first.AccessToken())
	resp, _ := do(t, client(t, s, true), old)
	require.Equal(t, 200, resp.StatusCode, "a refreshed access token is good until it ends")
}

func TestRotateRevokesWhatWasBefore(t *testing.T) {
	s := start(t, Options{})
	first := s.Login()
	old := request(t, s, "GET", "https://chatgpt.com/backend-api/wham/accounts/check", nil)
	s.Rotate(throwaway.Codex{Seed: "second", Account: s.Account()})
	resp, _ := do(t, client(t, s, true), old)
	require.Equal(t, 401, resp.StatusCode)
	resp, _ = do(t, client(t, s, true), request(t, s, "GET", old.URL.String(), nil))
	require.Equal(t, 200, resp.StatusCode)
	status, _, asked := askRefresh(t, s, first.RefreshToken())
	require.Equal(t, 401, status)
	require.Equal(t, "used-refresh", asked)
	status, _, _ = askRefresh(t, s, s.Login().RefreshToken())
	require.Equal(t, 200, status)
}

func TestTokenEndpointFailures(t *testing.T) {
	s := start(t, Options{TokenEndpoint: Refusing})
	before := s.Login()
	for _, tt := range []struct {
		e        TokenEndpoint
		status   int
		contains string
	}{
		{Refusing, 401, "refresh_token_invalidated"},
		{Failing, 500, "server_error"},
		{Paging, 200, "<!doctype html>"},
		{Malformed, 200, `{"access_token":"ey`},
		{Lacking, 200, `"token_type":"Bearer"`},
	} {
		_, err := ParseTokenEndpoint(string(tt.e))
		require.NoError(t, err)
		s.SetTokenEndpoint(tt.e)
		status, body, asked := askRefresh(t, s, before.RefreshToken())
		require.Equal(t, tt.status, status, tt.e)
		require.Contains(t, body, tt.contains)
		require.Equal(t, "real-refresh", asked)
	}
	s.SetTokenEndpoint(Hanging)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	r := request(t, s, "POST", "https://auth.openai.com/oauth/token", strings.NewReader(`{"grant_type":"refresh_token"}`))
	_, err := client(t, s, true).Do(r.WithContext(ctx))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, before, s.Login(), "a failure uses nothing up")
}

func TestModelsAndMCP(t *testing.T) {
	s := start(t, Options{})
	c := client(t, s, true)
	_, body := do(t, c, request(t, s, "GET", "https://chatgpt.com/backend-api/codex/models?client_version=0", nil))
	require.JSONEq(t, `{"models":[]}`, body)
	for _, path := range []string{"/backend-api/ps/mcp", "/backend-api/wham/apps"} {
		for call, want := range map[string]string{
			`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}`: `"protocolVersion":"2025-06-18"`,
			`{"jsonrpc":"2.0","id":"a","method":"tools/list"}`:                                         `"result":{"tools":[]}`,
			`{"jsonrpc":"2.0","id":3,"method":"prompts/list"}`:                                         `"code":-32601`,
			`{"jsonrpc":"2.0","method":"notifications/initialized"}`:                                   "",
			`not JSON`: "bad_request",
		} {
			_, body := do(t, c, request(t, s, "POST", "https://chatgpt.com"+path, strings.NewReader(call)))
			require.Contains(t, body, want, call)
		}
		resp, _ := do(t, c, request(t, s, "GET", "https://chatgpt.com"+path, nil))
		require.Equal(t, 405, resp.StatusCode)
	}
}

// lockedBuffer is a Writer that a test may read while the server writes.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestRecordHoldsNoCredential(t *testing.T) {
	var out lockedBuffer
	s := start(t, Options{Record: &out})
	r := request(t, s, "GET", "https://chatgpt.com/backend-api/wham/accounts/check", nil)
	r.Header.Set("Cookie", "session="+s.Token())
	do(t, client(t, s, false), r)
	var rec Record
	require.NoError(t, json.Unmarshal([]byte(out.String()), &rec))
	require.Equal(t, s.Records()[0].Bearer, rec.Bearer)
	require.Equal(t, Fingerprint("session="+s.Token()), rec.Headers["cookie"])
	for _, part := range strings.Split(s.Token(), ".")[1:] {
		require.NotContains(t, out.String(), part[:12])
	}
}
