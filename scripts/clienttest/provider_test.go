package clienttest

import (
	"crypto/rand"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/providertest"
)

// standIn starts a stand-in provider whose answer no other one gives.
func standIn(t *testing.T, o providertest.Options) *providertest.Server {
	t.Helper()
	if o.Answer == "" {
		o.Answer = "the answer is " + rand.Text()
	}
	s, err := providertest.Start(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// requireAnswer: the client ended well and printed what the model said.
func requireAnswer(t *testing.T, s *providertest.Server, o *outcome) {
	t.Helper()
	require.Zero(t, o.exit, "%s", o)
	require.Equal(t, s.Answer(), strings.TrimSpace(o.stdout), "%s", o)
}

// modelRequests are the records of turns: frames or POSTs that ask for an
// answer, prewarms and refused ones left out.
func modelRequests(s *providertest.Server) []providertest.Record {
	return slices.DeleteFunc(s.Records(), func(r providertest.Record) bool {
		return r.Asked != "turn" && r.Asked != "tool-result"
	})
}

// requireReal: every turn reached the origin with the real bearer and the
// login's account, no bearer but the real one reached it at all, and no host
// but the provider's was let through.
func requireReal(t *testing.T, s *providertest.Server, hosts ...string) {
	t.Helper()
	turns := modelRequests(s)
	require.NotEmpty(t, turns)
	for _, r := range turns {
		require.Equal(t, "real", r.BearerIs, "%+v", r)
		require.Equal(t, providertest.Fingerprint(s.Token()), r.Bearer)
		require.Equal(t, s.Account(), r.Account)
	}
	requireNoOther(t, s, hosts...)
}

// requireNoOther: the origin saw the real bearer or none, on hosts of the
// provider only.
func requireNoOther(t *testing.T, s *providertest.Server, hosts ...string) {
	t.Helper()
	hosts = append(hosts, "chatgpt.com", "api.openai.com")
	for _, r := range s.Records() {
		require.NotEqual(t, "other", r.BearerIs, "%+v", r)
		require.Contains(t, hosts, r.Host, "%+v", r)
		require.NotContains(t, []string{"real-refresh", "other-refresh"}, r.Asked, "%+v", r)
	}
}

// requireTransport: the turns came as mode says.
func requireTransport(t *testing.T, s *providertest.Server, mode providertest.Mode) {
	t.Helper()
	turns := modelRequests(s)
	require.NotEmpty(t, turns)
	for _, r := range turns {
		switch mode {
		case providertest.SSE:
			require.Equal(t, "request POST http zstd", r.Kind+" "+r.Method+" "+r.Transport+" "+r.Coding)
			require.Less(t, r.BodyBytes, r.DecodedBytes)
		case providertest.WebSocketDeflate:
			require.Equal(t, "frame websocket-deflate permessage-deflate", r.Kind+" "+r.Transport+" "+r.Coding)
			require.Less(t, r.BodyBytes, r.DecodedBytes, "the client compressed nothing")
		default:
			require.Equal(t, "frame websocket", r.Kind+" "+r.Transport)
		}
	}
	upgrades := slices.DeleteFunc(s.Records(), func(r providertest.Record) bool {
		return r.Kind != "request" || !strings.HasPrefix(r.Transport, "websocket")
	})
	require.NotEmpty(t, upgrades, "the client tries WebSocket first")
	if mode == providertest.SSE {
		require.Equal(t, 426, upgrades[0].Status)
	}
}

// requireToolRan: the client ran the model's command between two turns, and
// the second one held what it printed.
func requireToolRan(t *testing.T, s *providertest.Server, printed string) {
	t.Helper()
	turns := modelRequests(s)
	require.Len(t, turns, 2)
	require.Equal(t, "turn", turns[0].Asked)
	require.Equal(t, "tool-result", turns[1].Asked)
	require.Contains(t, turns[1].ToolOutput, printed)
}

// requirePath: the origin was asked for path and answered with status.
func requirePath(t *testing.T, b *bottle, path string, status int) {
	t.Helper()
	for _, r := range b.provider.Records() {
		if r.Path == path && r.Status == status {
			return
		}
	}
	require.Fail(t, "no such request", "%s with %d\n%s", path, status, b.story(t))
}
