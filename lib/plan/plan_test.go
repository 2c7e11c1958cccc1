package plan

import (
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bottle/lib/hostauth/throwaway"
	"bottle/lib/manifest"
	"bottle/lib/mintca"
	"bottle/lib/secret"
	"bottle/lib/stage"
)

var update = flag.Bool("update", false, "write the golden files anew")

// host is a machine with a login, an environment and a manifest.
type host struct {
	t     *testing.T
	root  string
	dir   string // of the bottle
	env   map[string]string
	login throwaway.Codex
	now   time.Time
}

func newHost(t *testing.T) *host {
	t.Helper()
	root := t.TempDir()
	h := &host{t: t, root: root, dir: filepath.Join(root, "bottle"), now: time.Now()}
	roots, err := mintca.New(mintca.Options{Name: "system"})
	require.NoError(t, err)
	h.env = map[string]string{
		"HOME":          root,
		"SSL_CERT_FILE": h.write("roots.pem", string(roots.CertPEM()), 0o644),
		"TERM":          "xterm-256color",
	}
	h.signIn("one")
	return h
}

func (h *host) write(name, text string, mode fs.FileMode) string {
	h.t.Helper()
	path := filepath.Join(h.root, name)
	require.NoError(h.t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(h.t, os.WriteFile(path, []byte(text), 0o600))
	require.NoError(h.t, os.Chmod(path, mode))
	return path
}

func (h *host) signIn(seed string) {
	h.login = throwaway.Codex{Seed: seed, Expiry: h.now.Add(240 * time.Hour).Truncate(time.Second)}
	h.write(".codex/auth.json", string(h.login.JSON()), 0o600)
}

func (h *host) options() Options {
	return Options{Dir: h.dir, Now: h.now, LookupEnv: func(k string) (string, bool) { v, ok := h.env[k]; return v, ok }}
}

func (h *host) plan(src string) (*Plan, error) {
	h.t.Helper()
	m, err := manifest.Parse(filepath.Join(h.root, "bottle.toml"), []byte("version = 1\n"+src))
	require.NoError(h.t, err)
	return New(context.Background(), m, h.options())
}

func (h *host) prepare(src string) *Plan {
	h.t.Helper()
	p, err := h.plan(src)
	require.NoError(h.t, err)
	require.NoError(h.t, p.Write())
	return p
}

func (h *host) read(name string) string {
	h.t.Helper()
	data, err := os.ReadFile(filepath.Join(h.dir, name))
	require.NoError(h.t, err)
	return string(data)
}

// tree is every name below the folder with its mode and content.
func (h *host) tree() map[string]string {
	h.t.Helper()
	tree := map[string]string{}
	require.NoError(h.t, filepath.WalkDir(h.dir, func(path string, d fs.DirEntry, err error) error {
		require.NoError(h.t, err)
		st, err := d.Info()
		require.NoError(h.t, err)
		text := st.Mode().String()
		if st.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			require.NoError(h.t, err)
			text += " " + string(data)
		}
		rel, _ := filepath.Rel(h.dir, path)
		tree[rel] = text
		return nil
	}))
	return tree
}

// token makes a secret that no literal in this repository looks like.
func token(seed string) string { return "token-" + secret.SHA256(seed)[:32] }

const codexLogin = `[agent]
provider = "codex"
forward_host_credentials = true
`

const chained = codexLogin + `env = { EDITOR = "vi", GIT_SSL_CAINFO = "/own/ca.pem" }
pass_env = ["TERM", "NOT_SET"]
extra_hosts = ["us.chatgpt.com"]
[[egress.route]]
host = "api.github.com"
methods = ["GET", "POST"]
paths = ["/repos/acme/"]
auth = { scheme = "token", token_ref = "GITHUB_TOKEN" }
[[egress.route]]
host = "uploads.github.com"
auth = { token_ref = "GITHUB_TOKEN" }
[[egress.route]]
host = "*.example.com:8443"
auth = { token_ref = { file = "secrets/example" } }
[[egress.route]]
host = "pkg.example.org"
[pipelock]
allow = ["files.example.org", "pkg.example.org"]
[network]
connect_to = ["api.github.com:443:127.0.0.1:8443"]
upstream_ca = ["corporate.pem"]
allow_addresses = ["10.1.0.0/16", "127.0.0.1"]
`

const claudeLogin = `[agent]
provider = "claude"
forward_host_credentials = true
refresh = "proxy"
`

const claudeKey = `[agent]
provider = "claude"
api_key = "MY_ANTHROPIC_KEY"
`

// everyKind has each place that a credential can go to.
const everyKind = `[[egress.route]]
host = "git.example"
git = "read"
auth = { user = "x-access-token", token_ref = "GITHUB_TOKEN" }
[[egress.route]]
host = "key.example"
redact_responses = false
auth = { header = "x-api-key", token_ref = "GITHUB_TOKEN" }
[[egress.route]]
host = "query.example"
auth = { query = "key", token_ref = "GITHUB_TOKEN" }
[[egress.route]]
host = "cookie.example"
auth = { cookie = "session", value = "v1.{token}", token_ref = "GITHUB_TOKEN" }
[[egress.route]]
host = "several.example"
[[egress.route.auth]]
token_ref = "GITHUB_TOKEN"
[[egress.route.auth]]
header = "x-second"
value = "Token {token}"
token_ref = { file = "secrets/example" }
[[egress.route.auth]]
header = "x-constant"
value = "{{c}}"
append = true
`

// claude is the host's login of Claude Code.
func (h *host) claude() throwaway.Claude {
	return throwaway.Claude{Seed: "host", Expiry: h.now.Add(8 * time.Hour).Truncate(time.Second)}
}

func chainedHost(t *testing.T) *host {
	h := newHost(t)
	h.write(".claude/.credentials.json", string(h.claude().JSON()), 0o600)
	h.env["MY_ANTHROPIC_KEY"] = h.claude().APIKey()
	h.env["GITHUB_TOKEN"] = token("github")
	h.write("secrets/example", token("example")+"\n", 0o600)
	corporate, err := mintca.New(mintca.Options{Name: "corporate", Hosts: []string{"api.github.com", "chatgpt.com"}})
	require.NoError(t, err)
	h.write("corporate.pem", "a comment\n"+string(corporate.CertPEM()), 0o644)
	return h
}

var placeholder = regexp.MustCompile(`(=sk-ant-[a-z0-9]+-bottle-dummy-).*`)

var digest = regexp.MustCompile(`"[0-9a-f]{64}"`)

func TestGolden(t *testing.T) {
	for name, src := range map[string]string{
		"egress-first":   chained,
		"pipelock-first": chained + "[chain]\norder = [\"pipelock\", \"egress\"]\n",
		"bare":           "",
		"on-match":       codexLogin + "[chain]\norder = [\"pipelock\", \"egress\"]\n[pipelock]\nallow = ['api.github.com']\non_match = 'log'\n[pipelock.on_match_by_host]\n'API.github.com' = 'block'\n'chatgpt.com' = 'log'\n",
		"claude":         claudeLogin,
		"claude-key":     claudeKey,
		"every-kind":     everyKind,
		"open-ports":     codexLogin + "[egress]\nlisten = '127.0.0.1:0'\n[pipelock]\nlisten = '127.0.0.1:0'\nrequests_per_minute = 0\n",
		"sockets":        "[egress]\nlisten = 'unix:run/e.sock'\n[pipelock]\nlisten = 'unix:run/p.sock'\n",
	} {
		t.Run(name, func(t *testing.T) {
			h := chainedHost(t)
			h.prepare(src)
			for _, file := range []string{"egress/egress.toml", "pipelock/pipelock.toml", "agent/agent.env"} {
				got := strings.ReplaceAll(h.read(file), h.root, "/srv")
				got = digest.ReplaceAllString(got, `"…"`)
				got = placeholder.ReplaceAllString(got, "$1…")
				golden := filepath.Join("testdata", name, filepath.Base(file))
				if *update {
					require.NoError(t, os.MkdirAll(filepath.Dir(golden), 0o755))
					require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
				}
				want, err := os.ReadFile(golden)
				require.NoError(t, err)
				require.Equal(t, string(want), got, golden)
			}
		})
	}
}

func TestFolder(t *testing.T) {
	h := chainedHost(t)
	p := h.prepare(chained)
	modes := map[string]string{}
	for name, text := range h.tree() {
		modes[name] = text[:10]
	}
	require.Equal(t, map[string]string{
		".": "drwxr-xr-x", ".gitignore": "-rw-r--r--",
		"agent": "drwxr-xr-x", "agent/agent.env": "-rw-------", "agent/ca-bundle.pem": "-rw-r--r--",
		"agent/codex": "drwx------", "agent/codex/auth.json": "-rw-------",
		"egress": "drwx------", "egress/egress.toml": "-rw-r--r--", "egress/egress.env": "-rw-------",
		"egress/ca.pem": "-rw-r--r--", "egress/ca-key.pem": "-rw-------", "egress/upstream-ca.pem": "-rw-r--r--", "egress/dummy-seed": "-rw-------",
		"pipelock": "drwx------", "pipelock/pipelock.toml": "-rw-r--r--", "pipelock/ca.pem": "-rw-r--r--", "pipelock/ca-key.pem": "-rw-------", "pipelock/upstream-ca.pem": "-rw-r--r--",
		"run": "drwx------",
	}, modes)
	for _, f := range p.Files {
		require.Equal(t, Create, f.Change, f.Path)
		require.NotEmpty(t, f.Purpose)
		require.Equal(t, string(f.Content()), h.read(f.Path))
		if f.Secret {
			require.Equal(t, fs.FileMode(0o600), f.Mode)
		}
	}
	require.Equal(t, fmt.Sprintf("EGRESS_TOKEN_0=%s\nEGRESS_TOKEN_1=%s\nEGRESS_TOKEN_2=%s\n", h.login.AccessToken(), token("github"), token("example")), h.read("egress/egress.env"))

	// Real credentials are in egress.env and nowhere else.
	for name, text := range h.tree() {
		for _, s := range []string{h.login.AccessToken(), h.login.RefreshToken(), token("github"), token("example")} {
			require.Equal(t, name == "egress/egress.env" && s != h.login.RefreshToken(), strings.Contains(text, s), name)
		}
	}
	// The dummy that the agent holds is the one that both stages know.
	dummy := regexp.MustCompile(`"access_token": *"([^"]+)"`).FindStringSubmatch(h.read("agent/codex/auth.json"))
	require.NotNil(t, dummy)
	require.Contains(t, h.read("egress/egress.toml"), secret.SHA256(dummy[1]))
	require.Contains(t, h.read("pipelock/pipelock.toml"), secret.SHA256(dummy[1]))
}

func TestPreparingAgainChangesNothing(t *testing.T) {
	for name, src := range map[string]string{"egress first": chained, "pipelock first": chained + "[chain]\norder = ['pipelock', 'egress']", "bare": ""} {
		t.Run(name, func(t *testing.T) {
			h := chainedHost(t)
			h.prepare(src)
			before := h.tree()
			p := h.prepare(src)
			require.Equal(t, before, h.tree())
			for _, f := range p.Files {
				require.Equal(t, Keep, f.Change, f.Path)
			}
		})
	}
}

func changed(p *Plan) []string {
	var out []string
	for _, f := range p.Files {
		if f.Change != Keep {
			out = append(out, string(f.Change)+" "+f.Path)
		}
	}
	return out
}

func TestAnotherLoginGivesAnotherDummyOnly(t *testing.T) {
	h := chainedHost(t)
	h.prepare(chained)
	h.signIn("two")
	p := h.prepare(chained)
	require.ElementsMatch(t, []string{"update agent/codex/auth.json", "update egress/egress.env", "update egress/egress.toml", "update pipelock/pipelock.toml"}, changed(p))
}

func TestCAsAreReplacedWhenTheyNoLongerFit(t *testing.T) {
	h := chainedHost(t)
	h.prepare(chained)
	const egressCA, pipelockCA = "update egress/ca.pem", "update pipelock/ca.pem"

	p, err := h.plan(chained + "[[egress.route]]\nhost = 'new.example'\n")
	require.NoError(t, err)
	require.Subset(t, changed(p), []string{egressCA, pipelockCA, "update egress/upstream-ca.pem", "update agent/ca-bundle.pem"})
	require.Contains(t, strings.Join(p.Notes, "\n"), "the CA of egress is a new one: the hosts that it intercepts have changed")

	// A host that the filter lets pass is no longer the filter's to vouch for.
	p, err = h.plan(strings.Replace(chained, "[pipelock]", "[pipelock]\ntls_passthrough = ['pkg.example.org']", 1))
	require.NoError(t, err)
	require.Contains(t, changed(p), pipelockCA)
	require.NotContains(t, changed(p), egressCA)

	h.now = h.now.Add(mintca.Lifetime - mintca.RenewBefore + time.Minute)
	h.signIn("one")
	p, err = h.plan(chained)
	require.NoError(t, err)
	require.Subset(t, changed(p), []string{egressCA, pipelockCA})
	require.Contains(t, strings.Join(p.Notes, "\n"), "near its end")
}

func TestBrokenStateIsReplaced(t *testing.T) {
	for name, breakIt := range map[string]func(h *host){
		"key that others may read":  func(h *host) { h.write("bottle/egress/ca-key.pem", h.read("egress/ca-key.pem"), 0o640) },
		"key of another":            func(h *host) { h.write("bottle/egress/ca-key.pem", h.read("pipelock/ca-key.pem"), 0o600) },
		"no certificate":            func(h *host) { h.write("bottle/egress/ca.pem", "", 0o644) },
		"seed that others may read": func(h *host) { h.write("bottle/egress/dummy-seed", h.read("egress/dummy-seed"), 0o644) },
		"seed that is none":         func(h *host) { h.write("bottle/egress/dummy-seed", "zz", 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			h := chainedHost(t)
			h.prepare(chained)
			before := h.tree()
			breakIt(h)
			p := h.prepare(chained)
			require.Contains(t, strings.Join(p.Notes, "\n"), "is a new one: ")
			after := h.tree()
			require.NotEqual(t, before, after)
			h.prepare(chained)
			require.Equal(t, after, h.tree())
			seed, err := hex.DecodeString(strings.TrimSpace(h.read("egress/dummy-seed")))
			require.NoError(t, err)
			require.Len(t, seed, 32)
			st, err := os.Stat(filepath.Join(h.dir, "egress/ca-key.pem"))
			require.NoError(t, err)
			require.Equal(t, fs.FileMode(0o600), st.Mode().Perm())
		})
	}
}

func TestTheFolderDependsOnTheManifestNotOnItsPast(t *testing.T) {
	h := chainedHost(t)
	p := h.prepare(chained)
	require.Len(t, p.Notes, 1)
	for range 2 {
		p = h.prepare("")
	}
	require.Empty(t, changed(p))
	past := h.tree()
	require.NoError(t, os.RemoveAll(h.dir))
	h.prepare("")
	fresh := h.tree()
	delete(past, "agent/codex") // an agent may have its own files in there
	for name := range past {
		require.Contains(t, fresh, name)
	}
	require.Len(t, fresh, len(past))
}

func TestLoosenedFoldersAreTightened(t *testing.T) {
	h := chainedHost(t)
	h.prepare(chained)
	for dir, mode := range map[string]fs.FileMode{"egress": 0o755, "pipelock": 0o711, "agent": 0o777} {
		require.NoError(t, os.Chmod(filepath.Join(h.dir, dir), mode))
	}
	h.prepare(chained)
	tree := h.tree()
	require.Equal(t, []string{"drwx------", "drwx------", "drwxr-xr-x"}, []string{tree["egress"], tree["pipelock"], tree["agent"]})
}

func TestAFolderOfTheOperatorsOwnGetsNoGitignore(t *testing.T) {
	h := chainedHost(t)
	h.write("bottle/README", "mine", 0o644)
	h.prepare("")
	require.NotContains(t, h.tree(), ".gitignore")
	h.write("bottle/.gitignore", "*.o\n", 0o644)
	h.prepare("")
	require.Equal(t, "*.o\n", h.read(".gitignore"))
}

func TestObstaclesAreFoundBeforeAnythingIsWritten(t *testing.T) {
	outside := t.TempDir()
	for name, put := range map[string]func(h *host){
		"file for the folder":      func(h *host) { h.write("bottle", "x", 0o600) },
		"file for a folder in it":  func(h *host) { h.write("bottle/pipelock", "x", 0o600) },
		"link for a folder in it":  func(h *host) { link(h, outside, "agent/codex") },
		"link for the agent's":     func(h *host) { link(h, outside, "agent") },
		"link for a file":          func(h *host) { link(h, filepath.Join(outside, "x"), "agent/agent.env") },
		"folder for a file":        func(h *host) { h.write("bottle/egress/egress.toml/x", "x", 0o600) },
		"link for the dummy login": func(h *host) { link(h, filepath.Join(outside, "x"), "agent/codex/auth.json") },
	} {
		t.Run(name, func(t *testing.T) {
			h := chainedHost(t)
			put(h)
			before := h.tree()
			_, err := h.plan(chained)
			require.ErrorContains(t, err, "prepare "+h.dir)
			var hint stage.Hinter
			require.ErrorAs(t, err, &hint)
			require.NotEmpty(t, hint.HintText())
			require.Equal(t, before, h.tree())
		})
	}
	// A link that the agent made must not turn a clean-up against the host.
	h := chainedHost(t)
	link(h, filepath.Join(h.root, ".codex"), "agent/codex")
	_, err := h.plan("")
	require.ErrorContains(t, err, "agent/codex: is not a folder")
	require.FileExists(t, filepath.Join(h.root, ".codex/auth.json"))

	left, err := os.ReadDir(outside)
	require.NoError(t, err)
	require.Empty(t, left)
}

func link(h *host, to, name string) {
	path := filepath.Join(h.dir, name)
	require.NoError(h.t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(h.t, os.Symlink(to, path))
}

func TestRunsAtTheSameTimeLeaveOneFolder(t *testing.T) {
	h := chainedHost(t)
	plans := make([]*Plan, 6)
	for i := range plans {
		var err error
		plans[i], err = h.plan(chained) // each with authorities and a seed of its own
		require.NoError(t, err)
	}
	errs := make(chan error, len(plans))
	for _, p := range plans {
		go func() { errs <- p.Write() }()
	}
	for range plans {
		require.NoError(t, <-errs)
	}
	match := 0
	for _, p := range plans {
		same := true
		for _, f := range p.Files {
			same = same && string(f.content) == h.read(f.Path)
		}
		if same {
			match++
		}
	}
	require.Equal(t, 1, match, "the folder is the work of one run")
}

func TestADryRunsPlanCannotBeWritten(t *testing.T) {
	h := newHost(t)
	m, err := manifest.Parse(filepath.Join(h.root, "bottle.toml"), []byte("version = 1\n[[egress.route]]\nhost = 'a.b'\nauth = { token_ref = { command = ['touch', 'ran'] } }\n"))
	require.NoError(t, err)
	o := h.options()
	o.SkipCommands = true
	p, err := New(context.Background(), m, o)
	require.NoError(t, err)
	require.Contains(t, p.Notes, "command touch was not run")
	require.Error(t, p.Write())
	require.NoFileExists(t, filepath.Join(h.root, "ran"))
	require.NoDirExists(t, h.dir)
}
