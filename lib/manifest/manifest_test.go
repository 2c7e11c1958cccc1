package manifest

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/inject"

	"bottle/lib/stage"
	"bottle/lib/tomlfile"
)

const full = `version = 1
[agent]
provider = "codex"
forward_host_credentials = true
auth_file = "~/.codex/auth.json"
env = { EDITOR = "vi" }
pass_env = ["TERM", "LANG"]
extra_hosts = ["us.chatgpt.com"]
[chain]
order = ["pipelock", "egress"]
[egress]
listen = "127.0.0.1:0"
[[egress.route]]
host = "API.GitHub.com."
methods = ["GET", "POST"]
paths = ["/repos/acme/", "/a%20b"]
auth = { scheme = "Bearer", token_ref = "GITHUB_TOKEN" }
[[egress.route]]
host = "*.example.com:8443"
[[egress.route]]
host = "files.example.com:8443"
auth = { token_ref = { file = "token" } }
[[egress.route]]
host = "192.0.2.1"
inject = "replace"
auth = { scheme = "token", token_ref = { command = ["op", "read", "op://x/y"] } }
[pipelock]
listen = "unix:run/pipelock.sock"
allow = ["pkg.example.org"]
tls_passthrough = ["pkg.example.org", "a.example.com:8443"]
requests_per_minute = 0
[network]
connect_to = ["api.github.com:443:127.0.0.1:8443"]
upstream_ca = ["ca.pem"]
allow_addresses = ["10.1.0.0/16", "127.0.0.1"]
`

func TestParse(t *testing.T) {
	m, err := Parse("/etc/bottle/bottle.toml", []byte(full))
	require.NoError(t, err)
	require.False(t, m.EgressFirst())
	r := m.Egress.Routes
	require.Equal(t, "api.github.com", r[0].Host.String())
	require.Equal(t, "always", r[0].Inject)
	require.Equal(t, TokenRef{Env: "GITHUB_TOKEN"}, r[0].Parts()[0].TokenRef)
	require.Equal(t, "*.example.com:8443", r[1].Host.String())
	require.Equal(t, "*.example.com", r[1].Host.Name())
	require.Nil(t, r[1].Auth)
	require.Equal(t, []Auth{{inject.AuthPlace{Scheme: "Bearer"}, TokenRef{File: "token"}}}, r[2].Parts())
	require.Equal(t, []Auth{{inject.AuthPlace{Scheme: "token"}, TokenRef{Command: []string{"op", "read", "op://x/y"}}}}, r[3].Parts())
	require.Equal(t, "replace", r[3].Inject)
	require.True(t, m.Egress.Listen.Chosen())
	require.Equal(t, "unix:/etc/bottle/run/pipelock.sock", m.Pipelock.Listen.String())
	require.Zero(t, m.Pipelock.RequestsPerMinute)
	require.Len(t, m.Network.Prefixes(), 2)
	var hosts []string
	for _, h := range m.ProviderHosts() {
		hosts = append(hosts, h.String())
	}
	require.Equal(t, []string{"chatgpt.com", "api.openai.com", "us.chatgpt.com"}, hosts)
	require.Equal(t, "/etc/bottle/token", m.Resolve("token"))
	require.Equal(t, "/home/u/.codex/auth.json", m.ResolveHome(m.Agent.AuthFile, "/home/u"))
	require.Equal(t, "/etc/bottle", m.Dir())
}

func TestSocketsAreAbsolute(t *testing.T) {
	t.Chdir(t.TempDir())
	dir, err := os.Getwd()
	require.NoError(t, err)
	m, err := Parse("sub/bottle.toml", []byte("version = 1\n[egress]\nlisten = 'unix:e.sock'\n[pipelock]\nlisten = 'unix:/p.sock'\n"))
	require.NoError(t, err)
	require.Equal(t, "unix:"+dir+"/sub/e.sock", m.Egress.Listen.String())
	require.Equal(t, "unix:/p.sock", m.Pipelock.Listen.String())
}

func TestDefaults(t *testing.T) {
	m, err := Parse("bottle.toml", []byte("version = 1\n"))
	require.NoError(t, err)
	require.Equal(t, None, m.Agent.Provider)
	require.True(t, m.EgressFirst())
	require.Equal(t, "127.0.0.1:9099", m.Egress.Listen.String())
	require.Equal(t, "127.0.0.1:8888", m.Pipelock.Listen.String())
	require.Equal(t, 3000, m.Pipelock.RequestsPerMinute)
	require.Equal(t, Block, m.Pipelock.OnMatch)
	require.Nil(t, m.ProviderHosts())
}

// refused are manifests with one problem each. A line "|" stands for the
// preamble with the version; want begins after "bottle.toml:".
var refused = []struct{ name, src, want string }{
	{"version missing", "[agent]", "version: is missing"},
	{"version 2", "version = 2", "1: version: 2 is not known; this program reads version 1"},
	{"version as text", "version = '1'", "1: version: must be an integer, not a string"},
	{"unknown key", "|[agent]\nprovder = 'codex'", `3: agent.provder: unknown key; did you mean "provider"?`},
	{"unknown table", "|[pipelok]", `2: pipelok: unknown key; did you mean "pipelock"?`},
	{"wrong type", "|[agent]\npass_env = 'TERM'", "3: agent.pass_env: must be an array, not a string"},
	{"syntax", "|[agent\n", "2: "},
	{"another provider", "|[agent]\nprovider = 'copilot'", `3: agent.provider: "copilot" is not supported`},
	{"key of a provider without", "|[agent]\nprovider = 'codex'\napi_key = 'K'", "4: agent.api_key: there is no preset for a key"},
	{"key and login", "|[agent]\nprovider = 'claude'\nforward_host_credentials = true\napi_key = 'K'", "5: agent.api_key: stands for the host's login"},
	{"key passed to the agent", "|[agent]\nprovider = 'claude'\napi_key = 'MY_KEY'\npass_env = ['MY_KEY']", "5: agent.pass_env[0]: MY_KEY holds the provider's key"},
	{"another refresh", "|[agent]\nprovider = 'codex'\nforward_host_credentials = true\nrefresh = 'auto'", `5: agent.refresh: "auto" is not known`},
	{"refresh of no login", "|[agent]\nprovider = 'codex'\nrefresh = 'proxy'", "4: agent.refresh: has no effect without"},
	{"another git", "|[[egress.route]]\nhost = 'a.b'\ngit = 'push'", `4: egress.route[0].git: "push" is not known`},
	{"two places", "|[[egress.route]]\nhost = 'a.b'\nauth = { header = 'x', query = 'y', token_ref = 'T' }", "4: egress.route[0].auth: names more than one place"},
	{"part without a source", "|[[egress.route]]\nhost = 'a.b'\nauth = [{ token_ref = 'T' }, { header = 'x' }]", "4: egress.route[0].auth[1].token_ref: is missing"},
	{"bad template", "|[[egress.route]]\nhost = 'a.b'\nauth = { header = 'x', value = '{', token_ref = 'T' }", "4: egress.route[0].auth.value: has a {"},
	{"constants alone", "|[[egress.route]]\nhost = 'a.b'\nauth = [{ header = 'x', value = 'y' }, { header = 'z', value = 'y' }]", "egress.route[0].auth: puts no token anywhere"},
	{"the other client's variable", "|[agent]\nprovider = 'claude'\npass_env = ['ANTHROPIC_API_KEY']", "4: agent.pass_env[0]: makes Claude Code leave its login aside"},
	{"login of nobody", "|[agent]\nforward_host_credentials = true", "3: agent.forward_host_credentials: needs a provider whose login it is"},
	{"login file unused", "|[agent]\nprovider = 'codex'\nauth_file = 'x'", "4: agent.auth_file: has no effect without forward_host_credentials = true"},
	{"extra host unused", "|[agent]\nprovider = 'codex'\nextra_hosts = ['x.example']", "4: agent.extra_hosts: has no effect without"},
	{"extra host twice", "|[agent]\nprovider = 'codex'\nforward_host_credentials = true\nextra_hosts = ['x.example',\n'x.example']", "6: agent.extra_hosts[1]: x.example is a host of the provider already"},
	{"extra host known", "|[agent]\nprovider = 'codex'\nforward_host_credentials = true\nextra_hosts = ['chatgpt.com']", "5: agent.extra_hosts[0]: chatgpt.com is a host of the provider already"},
	{"extra host wild", "|[agent]\nprovider = 'codex'\nforward_host_credentials = true\nextra_hosts = ['*.chatgpt.com']", "5: agent.extra_hosts[0]: *.chatgpt.com: the login goes to hosts named one by one"},
	{"variable name", "|[agent]\npass_env = ['A', 'a-b']", `3: agent.pass_env[1]: "a-b" is not the name of an environment variable`},
	{"variable name in env", "|[agent.env]\n'1A' = 'x'", `3: agent.env.1A: "1A" is not the name`},
	{"variable twice", "|[agent]\npass_env = ['A', 'A']", "3: agent.pass_env[1]: A is named twice"},
	{"variable set and passed", "|[agent]\nenv = { A = 'x' }\npass_env = ['A']", "4: agent.pass_env[0]: A has a value in agent.env already"},
	{"variable overriding the login", "|[agent]\nprovider = 'codex'\npass_env = ['OPENAI_API_KEY']", "4: agent.pass_env[0]: makes Codex leave its login aside"},
	{"variable overriding the login in env", "|[agent]\nprovider = 'codex'\n[agent.env]\nCODEX_API_KEY = 'x'", "5: agent.env.CODEX_API_KEY: makes Codex leave its login aside"},
	{"egress's variable", "|[agent]\npass_env = ['EGRESS_TOKEN_0']", "3: agent.pass_env[0]: the agent must not have egress's variables"},
	{"a route's secret passed", "|[agent]\npass_env = ['T']\n[[egress.route]]\nhost = 'a.b'\nauth = { token_ref = 'T' }", "3: agent.pass_env[0]: T holds the secret of a route; the agent must not have it"},
	{"order with one stage", "|[chain]\norder = ['egress']", "3: chain.order: must name both stages once"},
	{"order with a stage twice", "|[chain]\norder = ['egress', 'egress']", "3: chain.order: must name both stages once"},
	{"order with three", "|[chain]\norder = ['egress', 'pipelock', 'egress']", "3: chain.order: must name both stages once"},
	{"order with another", "|[chain]\norder = ['egress', 'squid']", "3: chain.order: must name both stages once"},
	{"listen without port", "|[egress]\nlisten = '127.0.0.1'", `3: egress.listen: "127.0.0.1" is not ADDRESS:PORT or unix:PATH`},
	{"listen on a name", "|[egress]\nlisten = 'localhost:1'", `3: egress.listen: "localhost:1" does not begin with an IP address`},
	{"listen on everything", "|[pipelock]\nlisten = '0.0.0.0:1'", `3: pipelock.listen: "0.0.0.0:1" would let other machines`},
	{"listen on everything too", "|[pipelock]\nlisten = '[::]:1'", `3: pipelock.listen: "[::]:1" would let other machines`},
	{"listen on the network", "|[egress]\nlisten = '192.168.1.2:1'", `3: egress.listen: "192.168.1.2:1" would let other machines`},
	{"listen without an address", "|[pipelock]\nlisten = ':1'", `3: pipelock.listen: ":1" does not begin with an IP address`},
	{"listen on a large port", "|[egress]\nlisten = '127.0.0.1:65536'", `3: egress.listen: "127.0.0.1:65536" has no port from 0 to 65535`},
	{"listen on no path", "|[egress]\nlisten = 'unix:'", `3: egress.listen: "unix:" names no path`},
	{"listen on a long path", "|[egress]\nlisten = 'unix:" + strings.Repeat("x", 108) + "'", `is longer than the 107 bytes that a socket's path may have`},
	{"one address for both", "|[egress]\nlisten = '127.0.0.1:8888'", "3: egress.listen: 127.0.0.1:8888 is where the other stage listens"},
	{"route without host", "|[[egress.route]]\nmethods = ['GET']", "2: egress.route[0].host: is missing"},
	{"route with a URL", "|[[egress.route]]\nhost = 'https://a.b/'", "3: egress.route[0].host: parse host pattern"},
	{"route with a star inside", "|[[egress.route]]\nhost = 'a.*.b'", "3: egress.route[0].host: parse host pattern"},
	{"route to a numeric name", "|[[egress.route]]\nhost = '0x7f.1'", "3: egress.route[0].host: parse host pattern"},
	{"route twice", "|[[egress.route]]\nhost = 'a.b'\n[[egress.route]]\nhost = 'A.b.:443'", "5: egress.route[1].host: a.b has a route already, at line 3"},
	{"route to the provider's host", "|[agent]\nprovider = 'codex'\nforward_host_credentials = true\n[[egress.route]]\nhost = 'chatgpt.com'", "6: egress.route[0].host: chatgpt.com belongs to the provider's login"},
	{"route to an extra host", "|[agent]\nprovider = 'codex'\nforward_host_credentials = true\nextra_hosts = ['x.example']\n[[egress.route]]\nhost = 'x.example'", "7: egress.route[0].host: x.example belongs to the provider's login"},
	{"no methods", "|[[egress.route]]\nhost = 'a.b'\nmethods = []", "4: egress.route[0].methods: names no method"},
	{"method in lower case", "|[[egress.route]]\nhost = 'a.b'\nmethods = ['GET', 'post']", `4: egress.route[0].methods[1]: "post": methods are case-sensitive; did you mean "POST"?`},
	{"method with a space", "|[[egress.route]]\nhost = 'a.b'\nmethods = ['GET ']", `4: egress.route[0].methods[0]: "GET " is not a method`},
	{"method CONNECT", "|[[egress.route]]\nhost = 'a.b'\nmethods = ['CONNECT']", `4: egress.route[0].methods[0]: CONNECT opens tunnels`},
	{"method twice", "|[[egress.route]]\nhost = 'a.b'\nmethods = ['GET', 'GET']", `4: egress.route[0].methods[1]: GET is named twice`},
	{"no paths", "|[[egress.route]]\nhost = 'a.b'\npaths = []", "4: egress.route[0].paths: names no path"},
	{"path without slash", "|[[egress.route]]\nhost = 'a.b'\npaths = ['x']", `4: egress.route[0].paths[0]: "x" does not begin with /`},
	{"path with dots", "|[[egress.route]]\nhost = 'a.b'\npaths = ['/x/../y']", "has a dot segment"},
	{"path with escaped dots", "|[[egress.route]]\nhost = 'a.b'\npaths = ['/x/%2e%2E/y']", "has a dot segment"},
	{"path with dots and parameter", "|[[egress.route]]\nhost = 'a.b'\npaths = ['/x/..;a/y']", "has a dot segment"},
	{"path with empty segment", "|[[egress.route]]\nhost = 'a.b'\npaths = ['/x//y']", "has an empty segment"},
	{"path with escaped slash", "|[[egress.route]]\nhost = 'a.b'\npaths = ['/x%2fy']", "escapes a slash"},
	{"path with query", "|[[egress.route]]\nhost = 'a.b'\npaths = ['/x?y']", "has a query or fragment"},
	{"path with backslash", "|[[egress.route]]\nhost = 'a.b'\npaths = ['/x\\y']", "has a space, control character or backslash"},
	{"path with bad escape", "|[[egress.route]]\nhost = 'a.b'\npaths = ['/x%y']", "has a bad percent escape"},
	{"unknown inject", "|[[egress.route]]\nhost = 'a.b'\ninject = 'never'\nauth = { token_ref = 'T' }", `4: egress.route[0].inject: "never" is not known`},
	{"inject without auth", "|[[egress.route]]\nhost = 'a.b'\ninject = 'always'", "4: egress.route[0].inject: has no effect without auth"},
	{"replace without a dummy", "|[[egress.route]]\nhost = 'a.b'\ninject = 'replace'\nauth = { token_ref = 'T' }", "4: egress.route[0].inject: this bottle has no dummy"},
	{"auth without token_ref", "|[[egress.route]]\nhost = 'a.b'\nauth = { scheme = 'Bearer' }", "4: egress.route[0].auth.token_ref: is missing"},
	{"scheme with a space", "|[[egress.route]]\nhost = 'a.b'\n[egress.route.auth]\ntoken_ref = 'T'\nscheme = 'Bearer x'", `6: egress.route[0].auth.scheme: "Bearer x" is not an authentication scheme`},
	{"empty scheme", "|[[egress.route]]\nhost = 'a.b'\nauth = { token_ref = 'T', scheme = '' }", `4: egress.route[0].auth.scheme: "" is not an authentication scheme`},
	{"token_ref with two keys", "|[[egress.route]]\nhost = 'a.b'\nauth = { token_ref = { file = 'x', command = ['y'] } }", "4: egress.route[0].auth.token_ref: must have one key, file or command"},
	{"token_ref with another key", "|[[egress.route]]\nhost = 'a.b'\nauth = { token_ref = { fil = 'x' } }", "4: egress.route[0].auth.token_ref: must be a variable's name"},
	{"token_ref with no command", "|[[egress.route]]\nhost = 'a.b'\nauth = { token_ref = { command = [] } }", "command must name a program"},
	{"token_ref with a number", "|[[egress.route]]\nhost = 'a.b'\nauth = { token_ref = { command = ['a', 1] } }", "command must be an array of strings; it holds an integer"},
	{"token_ref of another type", "|[[egress.route]]\nhost = 'a.b'\nauth = { token_ref = 1 }", "4: egress.route[0].auth.token_ref: must be a variable's name, { file"},
	{"negative rate", "|[pipelock]\nrequests_per_minute = -1", "3: pipelock.requests_per_minute: -1 is negative; 0 is off"},
	{"unknown action", "|[pipelock]\non_match = 'warn'", `3: pipelock.on_match: "warn" is not an action`},
	{"unknown action of a host", "|[pipelock]\nallow = ['a.b']\n[pipelock.on_match_by_host]\n'a.b' = 'allow'", `"allow" is not an action`},
	{"action of a stranger", "|[pipelock.on_match_by_host]\n'a.b' = 'log'", "a.b is no host of a route"},
	{"action of no host", "|[pipelock.on_match_by_host]\n'*' = 'log'", "parse host pattern"},
	{"passthrough of a stranger", "|[pipelock]\ntls_passthrough = ['a.b']", "3: pipelock.tls_passthrough[0]: a.b is no host of a route"},
	{"passthrough of another port", "|[pipelock]\nallow = ['a.b']\ntls_passthrough = ['a.b:444']", "4: pipelock.tls_passthrough[0]: a.b:444 is no host of a route"},
	{"bad allow", "|[pipelock]\nallow = ['a.b', '*']", "3: pipelock.allow[1]: parse host pattern"},
	{"bad connect_to", "|[network]\nconnect_to = ['a:1:b']", "3: network.connect_to[0]: parse connect_to"},
	{"bad network", "|[network]\nallow_addresses = ['10.0.0.1/8']", "3: network.allow_addresses[0]: parse allow_addresses"},
	{"empty upstream_ca", "|[network]\nupstream_ca = ['']", "3: network.upstream_ca[0]: is empty"},
}

func TestParseRefuses(t *testing.T) {
	for _, tc := range refused {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse("bottle.toml", []byte(strings.ReplaceAll(tc.src, "|", "version = 1\n")))
			require.Len(t, tomlfile.Problems(err), 1, "%v", err)
			require.Contains(t, err.Error(), tc.want)
			require.True(t, strings.HasPrefix(err.Error(), "bottle.toml:"))
		})
	}
}

func TestATokenPastedAsReferenceIsNotQuoted(t *testing.T) {
	for _, pasted := range []string{"ghp" + "_abcDEF0123456789", "sk" + "-proj-abcdef", "xoxb" + "-1-2"} {
		_, err := Parse("bottle.toml", []byte("version = 1\n[[egress.route]]\nhost = 'a.b'\nauth = { token_ref = '"+pasted+"' }"))
		require.ErrorContains(t, err, "bottle.toml:4: egress.route[0].auth.token_ref: must name an environment variable in capital letters")
		require.NotContains(t, err.Error(), pasted)
	}
}

func TestProblemsAreReportedTogether(t *testing.T) {
	_, err := Parse("bottle.toml", []byte("version = 3\n[chain]\norder = []\n[[egress.route]]\n[[egress.route]]\nhost = 'a.b'\npaths = ['x']\n"))
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, 4)
	for i, want := range []string{"bottle.toml:1: version", "bottle.toml:3: chain.order", "bottle.toml:4: egress.route[0].host", "bottle.toml:7: egress.route[1].paths[0]"} {
		require.True(t, strings.HasPrefix(lines[i], want), lines[i])
	}
}

func TestReadMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bottle.toml")
	_, err := Read(path)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.EqualError(t, err, path+": no such file")
	var h stage.Hinter
	require.ErrorAs(t, err, &h)

	// The hint's command makes a manifest that Read takes.
	_, text, ok := strings.Cut(h.HintText(), "printf '")
	require.True(t, ok)
	text, _, ok = strings.Cut(text, "' > "+path)
	require.True(t, ok)
	require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(text, `\n`, "\n")), 0o600))
	m, err := Read(path)
	require.NoError(t, err)
	require.True(t, m.Agent.ForwardHostCredentials)
}

func TestCovers(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{"a.b", "a.b", true}, {"*.a.b", "*.a.b", true}, {"*.b", "a.b", true}, {"*.b", "*.a.b", true}, {"*.b", "x.a.b", true},
		{"a.b", "*.a.b", false}, {"*.a.b", "a.b", false}, {"*.b", "ab", false}, {"a.b", "x.a.b", false}, {"*.b", "a.b:444", false}, {"*.a.b", "*.b", false},
	} {
		require.Equal(t, tc.want, mustHost(tc.a).Covers(mustHost(tc.b)), "%v", tc)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(full)
	for _, tc := range refused {
		f.Add(strings.ReplaceAll(tc.src, "|", "version = 1\n"))
	}
	f.Fuzz(func(t *testing.T, src string) {
		m, err := Parse("bottle.toml", []byte(src))
		if err != nil {
			require.NotEmpty(t, tomlfile.Problems(err))
			return
		}
		for _, r := range m.Egress.Routes {
			require.NotEmpty(t, r.Host.Name())
			require.NotEmpty(t, r.Inject)
		}
		m.ProviderHosts()
	})
}
