package plan

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/manifest"
)

// parseStrict reads NAME=value lines literally, as docker --env-file does, and
// accepts nothing that another reader could take differently.
func parseStrict(t *testing.T, env string) map[string]string {
	t.Helper()
	out := map[string]string{}
	require.True(t, strings.HasSuffix(env, "\n"))
	for line := range strings.Lines(env) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		require.True(t, ok, "%q", line)
		require.Regexp(t, `^[A-Za-z_][A-Za-z0-9_]*$`, name)
		require.NotContains(t, out, name, "set twice")
		require.False(t, strings.ContainsAny(value, " \t\"'`$\\#;&|<>()~*?!{}\r"), "%q", line)
		out[name] = value
	}
	return out
}

// sourced is what a shell makes of the file when it reads it as commands.
func sourced(t *testing.T, path string) map[string]string {
	t.Helper()
	cmd := exec.Command("sh", "-c", `set -a; . "$1"; exec env -0`, "sh", path)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	data, err := cmd.Output()
	require.NoError(t, err)
	out := map[string]string{}
	for entry := range strings.SplitSeq(string(bytes.TrimSuffix(data, []byte{0})), "\x00") {
		name, value, _ := strings.Cut(entry, "=")
		out[name] = value
	}
	delete(out, "PATH")
	delete(out, "PWD")
	delete(out, "OLDPWD")
	delete(out, "_")
	delete(out, "SHLVL")
	return out
}

func TestAgentEnvMeansTheSameToAllReaders(t *testing.T) {
	h := chainedHost(t)
	h.env["TERM"] = "xterm+256color:[x]@1,2%3"
	h.prepare(strings.Replace(chained, `EDITOR = "vi"`, `EDITOR = "vi", EMPTY = "", WORT = "grün"`, 1))
	strict := parseStrict(t, h.read("agent/agent.env"))
	require.Equal(t, strict, sourced(t, filepath.Join(h.dir, "agent/agent.env")))

	bundle := filepath.Join(h.dir, "agent/ca-bundle.pem")
	for _, name := range []string{"SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "CARGO_HTTP_CAINFO", "AWS_CA_BUNDLE", "DENO_CERT", "CODEX_CA_CERTIFICATE"} {
		require.Equal(t, bundle, strict[name], name)
	}
	require.Equal(t, "/own/ca.pem", strict["GIT_SSL_CAINFO"], "the operator's value wins")
	require.Equal(t, "grün", strict["WORT"])
	require.Contains(t, strict, "EMPTY")
	require.NotContains(t, strict, "NOT_SET")
	require.Equal(t, filepath.Join(h.dir, "agent/codex"), strict["CODEX_HOME"])
	for _, name := range []string{"OPENAI_API_KEY", "CODEX_API_KEY", "CODEX_ACCESS_TOKEN", "EGRESS_TOKEN_0", "GITHUB_TOKEN"} {
		require.NotContains(t, strict, name)
	}
}

func TestInexpressibleValuesAreRefused(t *testing.T) {
	for _, value := range []string{"a b", " ", "a\tb", `a"b`, "a'b", "a$b", "a`b", `a\b`, "#a", "a#b", "a;b", "a&b", "a|b", "~", "~/x", "a:~", "a*", "a?b", "a(b", "{a,b}", "!a", "a\nb", "a\r", "a\x00b", "a\u00a0b", "a\u2028b", "\xff", "a\x1bb", "<a"} {
		h := newHost(t)
		h.env["HOSTS"] = value
		_, err := h.plan("[agent]\npass_env = ['TERM',\n'HOSTS']\n")
		require.ErrorContains(t, err, "bottle.toml:4: agent.pass_env[1]: HOSTS: value ", "%q", value)
		require.NoDirExists(t, h.dir)
	}
	h := newHost(t)
	_, err := h.plan("[agent.env]\nA = 'x'\nLESS = '-R -F'\n")
	require.ErrorContains(t, err, "bottle.toml:4: agent.env.LESS: LESS: value has a space")

	h.dir = filepath.Join(h.root, "my bottle")
	_, err = h.plan("")
	require.ErrorContains(t, err, "agent.env: SSL_CERT_FILE: value has a space")
}

// TestExpressibleIsTrueToTheShell asks a shell about every ASCII character, and
// some others, in all positions: what expressible lets through, stays.
func TestExpressibleIsTrueToTheShell(t *testing.T) {
	var script strings.Builder
	want := map[string]string{}
	n := 0
	for r := rune(1); r < 0x180; r++ {
		for _, value := range []string{string(r), "a" + string(r), string(r) + "a", "a" + string(r) + "b", "a:" + string(r) + "/b", string(r) + string(r)} {
			if expressible(value) == nil {
				name := fmt.Sprintf("V%d", n)
				n++
				want[name] = value
				fmt.Fprintf(&script, "%s=%s\n", name, value)
			}
		}
	}
	require.Greater(t, n, 400)
	file := filepath.Join(t.TempDir(), "env")
	require.NoError(t, os.WriteFile(file, []byte(script.String()), 0o600))
	require.Equal(t, want, sourced(t, file))
}

func TestStampProxy(t *testing.T) {
	h := newHost(t)
	src := "[agent]\nenv = { http_proxy = 'http://own:1' }\n[egress]\nlisten = '127.0.0.1:0'\n"
	h.prepare(src)
	env := parseStrict(t, h.read("agent/agent.env"))
	require.Equal(t, nobody, env["HTTPS_PROXY"], "until the port is known nothing is reached")
	m, err := manifest.Parse("bottle.toml", []byte("version = 1\n"+src))
	require.NoError(t, err)

	before := h.tree()
	for range 2 {
		require.NoError(t, StampProxy(h.dir, m, "http://user:pw@127.0.0.1:40123"))
		after := h.tree()
		env = parseStrict(t, h.read("agent/agent.env"))
		for _, name := range []string{"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "all_proxy"} {
			require.Equal(t, "http://user:pw@127.0.0.1:40123", env[name])
		}
		require.Equal(t, "http://own:1", env["http_proxy"])
		require.Equal(t, strings.ReplaceAll(before["agent/agent.env"], nobody, "http://user:pw@127.0.0.1:40123"), after["agent/agent.env"])
		delete(after, "agent/agent.env")
		for name, text := range after {
			require.Equal(t, before[name], text)
		}
	}

	for _, bad := range []string{"", "127.0.0.1:1", "https://127.0.0.1:1", "http://127.0.0.1", "http://127.0.0.1:1/", "http://127.0.0.1:1?x", "socks5://127.0.0.1:1", "unix:/x", "http://a b:1", "HTTP://127.0.0.1:1", "http://u:$x@127.0.0.1:1", "http://127.0.0.1:0", "http://127.0.0.1:1\nX=y"} {
		require.ErrorContains(t, StampProxy(h.dir, m, bad), "proxy URL ", "%q", bad)
	}
	require.ErrorContains(t, StampProxy(h.root, m, "http://127.0.0.1:1"), "no such file")

	h.write("bottle/agent/agent.env", "A=b\nevil line\n", 0o600)
	require.ErrorContains(t, StampProxy(h.dir, m, "http://127.0.0.1:1"), "holds a line that bottle-prepare did not write")
	path := filepath.Join(h.dir, "agent/agent.env")
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Symlink(h.write("other", "A=b\n", 0o600), path))
	require.ErrorContains(t, StampProxy(h.dir, m, "http://127.0.0.1:1"), "is not what bottle-prepare made")
}
