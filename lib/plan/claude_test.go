package plan

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/dummyauth"
	"bottle/lib/hostauth"
	"bottle/lib/secret"
)

func TestClaudeBottle(t *testing.T) {
	h := chainedHost(t)
	p := h.prepare(claudeLogin)
	path := filepath.Join(h.dir, "agent/claude/.credentials.json")
	login, err := hostauth.LoadClaude(path)
	require.NoError(t, err)
	require.True(t, dummyauth.IsDummyClaude(login))
	require.Equal(t, h.claude().Expiry.UTC(), login.Expiry)
	require.Contains(t, h.read("egress/egress.toml"), secret.SHA256(login.AccessToken.Expose()))
	require.Contains(t, h.read("agent/agent.env"), "CLAUDE_CONFIG_DIR="+filepath.Dir(path)+"\n")
	require.Equal(t, "EGRESS_TOKEN_0="+h.claude().AccessToken()+"\n", h.read("egress/egress.env"))
	require.Contains(t, strings.Join(p.Notes, "\n"), "the host's Claude Code login ends")

	// Another client, another bottle: nothing of the first is left.
	h.prepare(codexLogin)
	require.NoFileExists(t, path)
	require.NotContains(t, h.read("egress/egress.toml"), "anthropic")
}

func TestClaudeKeyBottle(t *testing.T) {
	for name, tc := range map[string]struct{ value, variable, header string }{
		"an API key":         {(&host{}).claude().APIKey(), "ANTHROPIC_API_KEY", `{ header = "x-api-key", token_env = "EGRESS_TOKEN_0" }`},
		"a long-lived token": {(&host{}).claude().AccessToken(), "CLAUDE_CODE_OAUTH_TOKEN", `{ scheme = "Bearer", token_env = "EGRESS_TOKEN_0" }`},
	} {
		h := chainedHost(t)
		h.env["MY_ANTHROPIC_KEY"] = tc.value
		h.prepare(claudeKey)
		_, rest, ok := strings.Cut(h.read("agent/agent.env"), "\n"+tc.variable+"=")
		require.True(t, ok, name)
		placeholder, _, _ := strings.Cut(rest, "\n")
		require.True(t, dummyauth.IsDummy(placeholder), name)
		require.Equal(t, tc.value[:10], placeholder[:10], "of the same kind")
		require.Contains(t, h.read("egress/egress.toml"), secret.SHA256(placeholder))
		require.Contains(t, h.read("egress/egress.toml"), tc.header)
		require.NoFileExists(t, filepath.Join(h.dir, "agent/claude/.credentials.json"))
		before := h.tree()
		h.prepare(claudeKey)
		require.Equal(t, before, h.tree(), "again, nothing changes")
	}
	h := chainedHost(t)
	delete(h.env, "MY_ANTHROPIC_KEY")
	_, err := h.plan(claudeKey)
	require.ErrorContains(t, err, "bottle.toml:4: agent.api_key: environment variable MY_ANTHROPIC_KEY is not set")
}

func TestAShortCredentialIsRefusedWhereAnswersAreSearched(t *testing.T) {
	h := newHost(t)
	h.env["T"] = "x"
	_, err := h.plan(route("'T'"))
	require.ErrorContains(t, err, "environment variable T: the credential is shorter than the 8 bytes")
	_, err = h.plan(strings.Replace(route("'T'"), "auth", "redact_responses = false\nauth", 1))
	require.NoError(t, err)
}
