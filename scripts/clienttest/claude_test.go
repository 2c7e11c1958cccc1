package clienttest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/require"

	"bottle/lib/dummyauth"
	"bottle/lib/hostauth"
	"bottle/lib/hostauth/throwaway"
	"bottle/lib/providertest"
)

// claudeHosts are the hosts that Claude Code needs, and the one where it would
// renew its login.
const claudeAPI, claudeIssuer = "api.anthropic.com", "platform.claude.com"

// claudePath returns the path of Claude Code, or skips.
func claudePath(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("BOTTLE_E2E_CLAUDE")
	if dir == "" {
		t.Skipf(skipped, "BOTTLE_E2E_CLAUDE")
	}
	return installed(t, filepath.Join(dir, "claude"))
}

// The two kinds of credential that Claude Code can have.
const (
	claudeLogin = "login" // .credentials.json: a bearer, and a beta that says so
	claudeKey   = "key"   // ANTHROPIC_API_KEY: x-api-key
)

// claudeHeld is what an agent has of Claude's credentials: one of the two.
type claudeHeld struct {
	login []byte
	key   string
}

func claudeHas(kind string, c throwaway.Claude) claudeHeld {
	if kind == claudeKey {
		return claudeHeld{key: c.APIKey()}
	}
	c.Expiry = far()
	return claudeHeld{login: c.JSON()}
}

// claudeAgent is a place where Claude Code runs with a credential.
func claudeAgent(t *testing.T, held claudeHeld, variables ...string) (a *agent, mark string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "claude")
	require.NoError(t, os.Mkdir(dir, 0o700))
	mark = "CLAUDE_CONFIG_DIR=" + dir
	variables = append(variables, mark, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1")
	if held.key != "" {
		variables = append(variables, "ANTHROPIC_API_KEY="+held.key)
	} else {
		require.NoError(t, os.WriteFile(filepath.Join(dir, ".credentials.json"), held.login, 0o600))
	}
	env := filepath.Join(filepath.Dir(dir), "agent.env")
	require.NoError(t, os.WriteFile(env, []byte(strings.Join(variables, "\n")+"\n"), 0o600))
	a = newAgent(t, env, "")
	a.claudeHome = dir
	return a, mark
}

// claude runs `claude -p prompt`.
func (a *agent) claude(t *testing.T, mark, prompt string) *outcome {
	t.Helper()
	return a.run(t, mark, claudePath(t), "-p", prompt, "--allowedTools", "Bash")
}

// claudeChain is a chain to the stand-in, made by hand, and an agent with a
// dummy in it.
type claudeChain struct {
	*chain
	*agent
	provider  *providertest.Server
	mark      string
	loginFile string // the host's
}

// newClaudeChain makes a chain whose egress follows the host's login, or has
// its key from the environment.
func newClaudeChain(t *testing.T, s *providertest.Server, kind string, order []string) *claudeChain {
	t.Helper()
	seed := make([]byte, 32)
	rand.Read(seed)
	real := s.Claude()
	host, err := hostauth.ParseClaude(real.JSON())
	require.NoError(t, err)
	dummy, err := dummyauth.MintClaude(host, seed)
	require.NoError(t, err)
	c := &claudeChain{provider: s, loginFile: filepath.Join(t.TempDir(), ".credentials.json")}
	c.signIn(t, real)
	seedFile := filepath.Join(filepath.Dir(c.loginFile), "seed")
	require.NoError(t, os.WriteFile(seedFile, []byte(hex.EncodeToString(seed)+"\n"), 0o600))

	sums := dummy.SHA256()
	egress := fmt.Sprintf("[[login]]\nname = \"claude\"\nkind = \"claude\"\nfile = %q\n", c.loginFile) +
		fmt.Sprintf("[[route]]\nhost = %q\ntoken_endpoint = \"claude\"\n", claudeIssuer)
	auth := `[{ scheme = "Bearer", login = "claude" }, { header = "anthropic-beta", value = "oauth-2025-04-20", append = true }]`
	if kind == claudeKey {
		sum := sha256.Sum256([]byte(dummyauth.ClaudeKey(seed)))
		sums = []string{hex.EncodeToString(sum[:])}
		egress, auth = "", `{ header = "x-api-key", token_env = "EGRESS_TOKEN_0" }`
	}
	c.chain = startChain(t, chainSpec{
		order: order, hosts: []string{claudeAPI, claudeIssuer}, through: order[0] == "egress", origin: s.Addr(), originCA: s.CAPEM(),
		env: map[string]string{"EGRESS_TOKEN_0": real.APIKey()},
		egress: fmt.Sprintf("[dummies]\nsha256 = %s\nseed = %q\nminted = \"minted.json\"\n%s[[route]]\nhost = %q\ninject = \"replace\"\nrefusal_status = 400\nauth = %s\n",
			tomlList(sums), seedFile, egress, claudeAPI, auth),
		pipelock: fmt.Sprintf("[dummies]\nsha256 = %s\n[[expected]]\nhost = %q\ndummy = true\n[[expected]]\nhost = %q\ndummy = true\n[refusal_status]\n%q = 400\n",
			tomlList(sums), claudeAPI, claudeIssuer, claudeAPI),
	})
	c.secrets = newTokens(map[string]string{"access": real.AccessToken(), "refresh": real.RefreshToken(), "key": real.APIKey()})
	held := claudeHeld{login: dummy.JSON()}
	if kind == claudeKey {
		held = claudeHeld{key: dummyauth.ClaudeKey(seed)}
	}
	c.agent, c.mark = claudeAgent(t, held, "HTTPS_PROXY=http://"+c.entry, "NODE_EXTRA_CA_CERTS="+c.agentCA)
	return c
}

// signIn puts a login on the host, as its client does.
func (c *claudeChain) signIn(t *testing.T, login throwaway.Claude) {
	t.Helper()
	if login.Expiry.IsZero() {
		login.Expiry = far()
	}
	require.NoError(t, os.WriteFile(c.loginFile+".new", login.JSON(), 0o600))
	require.NoError(t, os.Rename(c.loginFile+".new", c.loginFile))
}

// ask runs the client and holds the run to what every run is held to.
func (c *claudeChain) ask(t *testing.T, prompt string) *outcome {
	t.Helper()
	o := c.claude(t, c.mark, prompt)
	texts := []string{o.stdout, o.stderr}
	for environ := range o.environs {
		texts = append(texts, environ)
	}
	for command := range o.commands {
		texts = append(texts, command)
	}
	c.requireNoSecret(t, texts, c.home, c.work, c.tmp, c.claudeHome)
	return o
}

func (c *claudeChain) story(t *testing.T, o *outcome) string {
	t.Helper()
	s := o.String()
	for _, r := range c.provider.Records() {
		s += fmt.Sprintf("\norigin: %s %s%s %d bearer %s key %s %s", r.Method, r.Host, r.Path, r.Status, r.BearerIs, r.KeyIs, r.Asked)
	}
	for name := range c.stages {
		s += "\n" + readFile(t, filepath.Join(c.dir, "run", name+".log"))
	}
	return s
}

// requireClaude: every turn came with the real credential of the kind, and no
// other one came at all.
func requireClaude(t *testing.T, s *providertest.Server, kind, about string) {
	t.Helper()
	turns := modelRequests(s)
	require.NotEmpty(t, turns, about)
	for _, r := range s.Records() {
		require.NotEqual(t, "other", r.BearerIs, about)
		require.NotEqual(t, "other", r.KeyIs, about)
	}
	for _, r := range turns {
		if kind == claudeKey {
			require.Equal(t, "none real", r.BearerIs+" "+r.KeyIs, about)
			continue
		}
		require.Equal(t, "real none", r.BearerIs+" "+r.KeyIs, about)
		betas := strings.Split(r.Headers["anthropic-beta"], ",")
		require.Contains(t, betas, "oauth-2025-04-20")
		require.Greater(t, len(betas), 1, "the client's own betas were overwritten")
		require.Len(t, slices.DeleteFunc(betas, func(b string) bool { return b != "oauth-2025-04-20" }), 1, "the beta was put on twice")
	}
}

// TestClaudeAlone runs the client against the stand-in with no bottle between
// them. Where it fails, the stand-in or the client is at fault.
func TestClaudeAlone(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{claudeLogin, claudeKey} {
		t.Run(kind, func(t *testing.T) {
			path := claudePath(t)
			s := standIn(t, providertest.Options{ToolCommand: "printf 'tool-%s-ran' was"})
			ca := filepath.Join(t.TempDir(), "ca.pem")
			require.NoError(t, os.WriteFile(ca, s.CAPEM(), 0o600))
			a, mark := claudeAgent(t, claudeHas(kind, s.Claude()), "HTTPS_PROXY=http://"+tunnelsTo(t, s.Addr()), "NODE_EXTRA_CA_CERTS="+ca)
			o := a.run(t, mark, path, "-p", "say hello", "--allowedTools", "Bash")
			requireAnswer(t, s, o)
			requireClaude(t, s, kind, o.String())
			requireToolRan(t, s, "tool-was-ran")
		})
	}
}

func TestClaude(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind  string
		order []string
	}{
		{claudeLogin, egressFirst},
		{claudeLogin, pipelockFirst},
		{claudeKey, egressFirst},
		{claudeKey, pipelockFirst},
	} {
		t.Run(tt.kind+" "+tt.order[0]+"-first", func(t *testing.T) {
			claudePath(t)
			s := standIn(t, providertest.Options{ToolCommand: "printf 'tool-%s-ran' was"})
			c := newClaudeChain(t, s, tt.kind, tt.order)
			o := c.ask(t, "say hello")
			require.Equal(t, s.Answer(), strings.TrimSpace(o.stdout), "%s", c.story(t, o))
			require.Zero(t, o.exit)
			requireClaude(t, s, tt.kind, c.story(t, o))
			requireToolRan(t, s, "tool-was-ran")
			t.Logf("answered after %v", o.took.Round(10*time.Millisecond))
		})
	}
}

// With the filter first the prompt is read. A secret in it costs one attempt,
// and the user reads why.
func TestClaudeShowsARefusal(t *testing.T) {
	t.Parallel()
	claudePath(t)
	s := standIn(t, providertest.Options{})
	c := newClaudeChain(t, s, claudeLogin, pipelockFirst)
	o := c.ask(t, "deploy with "+githubToken()+" please")
	t.Logf("exit %d after %v: %s%s", o.exit, o.took.Round(10*time.Millisecond), o.stdout, o.stderr)
	require.NotZero(t, o.exit)
	require.Contains(t, o.stdout+o.stderr, "contains secret", "%s", c.story(t, o))
	require.Empty(t, modelRequests(s), "%s", c.story(t, o))
	require.Equal(t, 1, c.refusedPosts(t), "the client retried\n%s", c.story(t, o))
}

// A login that has ended makes the client ask platform.claude.com for a new
// one. egress answers with a dummy of what the host has by now, and nothing of
// it goes to the provider.
func TestClaudeRenewsItsDummy(t *testing.T) {
	t.Parallel()
	for _, order := range [][]string{egressFirst, pipelockFirst} {
		t.Run(order[0]+"-first", func(t *testing.T) { claudeRenews(t, order) })
	}
}

func claudeRenews(t *testing.T, order []string) {
	claudePath(t)
	s := standIn(t, providertest.Options{})
	c := newClaudeChain(t, s, claudeLogin, order)
	file := filepath.Join(c.claudeHome, ".credentials.json")
	var held map[string]map[string]any
	require.NoError(t, json.Unmarshal([]byte(readFile(t, file)), &held))
	held["claudeAiOauth"]["expiresAt"] = time.Now().Add(-time.Minute).UnixMilli()
	data, err := json.Marshal(held)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, data, 0o600))
	next := throwaway.Claude{Seed: t.Name(), Expiry: time.Now().Add(3 * time.Hour).Truncate(time.Second)}
	s.RotateClaude(next)
	c.signIn(t, next)

	o := c.ask(t, "say hello")
	require.Equal(t, s.Answer(), strings.TrimSpace(o.stdout), "%s", c.story(t, o))
	requireClaude(t, s, claudeLogin, c.story(t, o))
	for _, r := range s.Records() {
		require.Equal(t, claudeAPI, r.Host, "%s", c.story(t, o))
	}
	now, err := hostauth.LoadClaude(file)
	require.NoError(t, err)
	require.True(t, dummyauth.IsDummyClaude(now))
	require.WithinDuration(t, next.Expiry, now.Expiry, time.Minute, "the client did not renew its login\n%s", c.story(t, o))
}

// A refusal by egress is shown, too, and not retried.
func TestClaudeShowsAForeignCredential(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{claudeLogin, claudeKey} {
		t.Run(kind, func(t *testing.T) {
			claudePath(t)
			s := standIn(t, providertest.Options{})
			c := newClaudeChain(t, s, kind, []string{"egress"})
			a, mark := claudeAgent(t, claudeHas(kind, throwaway.Claude{Seed: "another"}),
				"HTTPS_PROXY=http://"+c.entry, "NODE_EXTRA_CA_CERTS="+c.agentCA)
			c.agent, c.mark = a, mark
			o := c.ask(t, "say hello")
			t.Logf("exit %d after %v: %s%s", o.exit, o.took.Round(10*time.Millisecond), o.stdout, o.stderr)
			require.NotZero(t, o.exit)
			require.Contains(t, o.stdout+o.stderr, "not this bottle's dummy", "%s", c.story(t, o))
			for _, r := range s.Records() {
				require.Equal(t, "none none", r.BearerIs+" "+r.KeyIs, "%s", c.story(t, o))
			}
			require.Equal(t, 1, c.refusedPosts(t), "the client retried\n%s", c.story(t, o))
		})
	}
}

// prepareClaude makes a bottle as an operator would who has the provider's
// login or key, and starts its chain.
func prepareClaude(t *testing.T, s *providertest.Server, kind string, order []string) *bottle {
	t.Helper()
	root := t.TempDir()
	b := &bottle{provider: s, order: order, dir: filepath.Join(root, "bottle"), manifest: filepath.Join(root, "bottle.toml")}
	home := filepath.Join(root, "operator")
	ca := filepath.Join(root, "stand-in-ca.pem")
	require.NoError(t, os.MkdirAll(filepath.Join(home, ".claude"), 0o700))
	require.NoError(t, os.WriteFile(ca, s.CAPEM(), 0o600))
	environment := []string{"HOME=" + home, "PATH=/usr/bin:/bin"}
	agentTable := map[string]any{"provider": "claude", "forward_host_credentials": true}
	if kind == claudeKey {
		agentTable = map[string]any{"provider": "claude", "api_key": "CLAUDE_KEY"}
		environment = append(environment, "CLAUDE_KEY="+s.Claude().APIKey())
	} else {
		require.NoError(t, os.WriteFile(filepath.Join(home, ".claude", ".credentials.json"), claudeHas(kind, s.Claude()).login, 0o600))
	}
	data, err := toml.Marshal(map[string]any{
		"version":  1,
		"agent":    agentTable,
		"chain":    map[string]any{"order": order},
		"egress":   map[string]any{"listen": "127.0.0.1:0"},
		"pipelock": map[string]any{"listen": "127.0.0.1:0"},
		"network":  map[string]any{"connect_to": []string{":443:" + s.Addr()}, "upstream_ca": []string{ca}},
	})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(b.manifest, data, 0o600))
	b.prepared = run(t, environment, "bottle-prepare", "--manifest", b.manifest, "--dir", b.dir)
	require.Zero(t, b.prepared.exit, "%s", b.prepared.stderr)
	b.agent = newAgent(t, b.path("agent/agent.env"), "")
	b.start(t)
	return b
}

// TestClaudeInABottle is what a user does: bottle-prepare, the stages, claude.
func TestClaudeInABottle(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind  string
		order []string
	}{
		{claudeLogin, egressFirst},
		{claudeLogin, pipelockFirst},
		{claudeKey, egressFirst},
		{claudeKey, pipelockFirst},
	} {
		t.Run(tt.kind+" "+tt.order[0]+"-first", func(t *testing.T) {
			claudePath(t)
			s := standIn(t, providertest.Options{})
			b := prepareClaude(t, s, tt.kind, tt.order)
			o := b.claude(t, "CLAUDE_CONFIG_DIR="+b.path("agent/claude"), "say hello")
			require.Equal(t, s.Answer(), strings.TrimSpace(o.stdout), "%s\n%s", o, b.story(t))
			requireClaude(t, s, tt.kind, b.story(t))
			real := newTokens(map[string]string{
				"access": s.Claude().AccessToken(), "refresh": s.Claude().RefreshToken(), "key": s.Claude().APIKey(),
			})
			require.NotEmpty(t, real.find([]byte("x"+s.Claude().AccessToken())), "the search finds nothing")
			files := 0
			for _, dir := range []string{b.path("agent"), b.path("pipelock"), b.path("run"), b.home, b.work, b.tmp} {
				require.NoError(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
					if err != nil || !d.Type().IsRegular() {
						return err
					}
					files++
					require.Empty(t, real.find([]byte(readFile(t, name))), "%s", name)
					return nil
				}))
			}
			require.Greater(t, files, 6)
			for text := range maps.Keys(o.environs) {
				require.Empty(t, real.find([]byte(text)))
			}
			for text := range maps.Keys(o.commands) {
				require.Empty(t, real.find([]byte(text)))
			}
			require.Empty(t, real.find([]byte(o.stdout+o.stderr+b.prepared.stdout+b.prepared.stderr)))
		})
	}
}
