package clienttest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/hostauth/throwaway"
	"bottle/lib/providertest"
)

// Every test here runs both clients in a bottle and wants the answer printed,
// the real bearer and account at the origin, and no leak: requireNoLeak runs
// in bottle.codex.

func bothOrders(t *testing.T, test func(t *testing.T, version string, order []string)) {
	t.Helper()
	perVersion(t, func(t *testing.T, version string) {
		for name, order := range map[string][]string{"egress-first": egressFirst, "pipelock-first": pipelockFirst} {
			t.Run(name, func(t *testing.T) { test(t, version, order) })
		}
	})
}

func requireGreen(t *testing.T, b *bottle, o *outcome, hosts ...string) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("%s\n%s", o, b.story(t))
		}
	}()
	requireAnswer(t, b.provider, o)
	requireReal(t, b.provider, hosts...)
}

func TestWebSocket(t *testing.T) {
	bothOrders(t, func(t *testing.T, version string, order []string) {
		s := standIn(t, providertest.Options{Mode: providertest.WebSocket})
		b := newBottle(t, s, setup{order: order})
		o := b.codex(t, version, "say something")
		requireGreen(t, b, o)
		require.NotContains(t, o.stderr, "ERROR", "a good run has nothing to complain of")
		requireTransport(t, s, providertest.WebSocket)
	})
}

// The client falls back to a POST with a zstd body, and a filter that looks
// must be able to read that.
func TestEventStreamAfter426(t *testing.T) {
	bothOrders(t, func(t *testing.T, version string, order []string) {
		s := standIn(t, providertest.Options{Mode: providertest.SSE})
		b := newBottle(t, s, setup{order: order})
		requireGreen(t, b, b.codex(t, version, "say something"))
		requireTransport(t, s, providertest.SSE)
	})
}

func TestPermessageDeflate(t *testing.T) {
	bothOrders(t, func(t *testing.T, version string, order []string) {
		s := standIn(t, providertest.Options{Mode: providertest.WebSocketDeflate})
		b := newBottle(t, s, setup{order: order})
		requireGreen(t, b, b.codex(t, version, "say something"))
		requireTransport(t, s, providertest.WebSocketDeflate)
	})
}

func TestToolCallBetweenTwoTurns(t *testing.T) {
	bothOrders(t, func(t *testing.T, version string, order []string) {
		for _, mode := range []providertest.Mode{providertest.WebSocket, providertest.SSE} {
			t.Run(string(mode), func(t *testing.T) {
				s := standIn(t, providertest.Options{Mode: mode, ToolCommand: "printf 'tool-%s-ran' was"})
				b := newBottle(t, s, setup{order: order})
				requireGreen(t, b, b.codex(t, version, "use the tool"))
				requireTransport(t, s, mode)
				requireToolRan(t, s, "tool-was-ran")
			})
		}
	})
}

// A workspace's plan makes the client fetch a policy that it insists on.
func TestBusinessPlanGetsItsPolicy(t *testing.T) {
	perVersion(t, func(t *testing.T, version string) {
		s := standIn(t, providertest.Options{Login: throwaway.Codex{Plan: "business"}})
		b := newBottle(t, s, setup{})
		requireGreen(t, b, b.codex(t, version, "say something"))
		requirePath(t, b, map[string]string{
			"0.135": "/backend-api/wham/config/requirements", "0.169": "/backend-api/wham/config/bundle",
		}[version], 200)
	})
}

// 0.169 follows the origin that accounts/check names; 0.135 does not ask.
func TestWorkspaceOnAnotherHost(t *testing.T) {
	perVersion(t, func(t *testing.T, version string) {
		s := standIn(t, providertest.Options{WorkspaceOrigin: "https://us.chatgpt.com"})
		b := newBottle(t, s, setup{extraHosts: []string{"us.chatgpt.com"}})
		o := b.codex(t, version, "say something")
		requireGreen(t, b, o, "us.chatgpt.com")
		want := map[string]string{"0.135": "chatgpt.com", "0.169": "us.chatgpt.com"}[version]
		for _, r := range modelRequests(s) {
			if r.Host != want {
				t.Errorf("a turn went to %s, not %s", r.Host, want)
			}
		}
	})
}

// The client reads its login again and retries; the dummy is still good.
func TestOne401FromTheOrigin(t *testing.T) {
	perVersion(t, func(t *testing.T, version string) {
		for _, mode := range []providertest.Mode{providertest.WebSocket, providertest.SSE} {
			t.Run(string(mode), func(t *testing.T) {
				s := standIn(t, providertest.Options{Mode: mode, Unauthorized: 1})
				b := newBottle(t, s, setup{})
				requireGreen(t, b, b.codex(t, version, "say something"))
				requirePath(t, b, "/backend-api/codex/responses", 401)
			})
		}
	})
}
