package plan

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bottle/lib/manifest"
	"bottle/lib/stage"
	"bottle/lib/tomlfile"
)

func route(ref string) string {
	return "[[egress.route]]\nhost = 'a.b'\nauth = { token_ref = " + ref + " }\n"
}

func TestTokenRefs(t *testing.T) {
	h := newHost(t)
	h.env["T"] = token("env")
	h.write("with-newline", token("file")+"\n", 0o600)
	h.write("with-crlf", token("crlf")+"\r\n", 0o400)
	h.write("bare", token("bare"), 0o600)
	for ref, want := range map[string]string{
		"'T'":                           token("env"),
		"{ file = 'with-newline' }":     token("file"),
		"{ file = 'with-crlf' }":        token("crlf"),
		"{ file = '~/bare' }":           token("bare"),
		"{ command = ['cat', 'bare'] }": token("bare"), // in the manifest's directory
		"{ command = ['sh', '-c', 'cat with-newline; echo noise >&2'] }": token("file"),
		"{ command = ['printf', '%s', '$HOME`x`;'] }":                    "$HOME`x`;", // no shell
	} {
		p, err := h.plan(route(ref))
		require.NoError(t, err, ref)
		for _, f := range p.Files {
			if f.Path == egressEnv {
				require.Equal(t, "EGRESS_TOKEN_0="+want+"\n", string(f.content), ref)
			}
		}
	}
}

func TestSlotsAreSharedAndInOrder(t *testing.T) {
	h := newHost(t)
	h.env["A"], h.env["B"] = token("a"), token("b")
	counter := filepath.Join(h.root, "runs")
	command := "{ command = ['sh', '-c', 'echo run >> runs; echo " + token("c") + "'] }"
	var src strings.Builder
	src.WriteString(codexLogin)
	for i, ref := range []string{"'B'", command, "'A'", "'B'", command} {
		src.WriteString(strings.Replace(route(ref), "a.b", "h"+string(rune('0'+i))+".example", 1))
	}
	h.prepare(src.String())
	require.Equal(t, "EGRESS_TOKEN_0="+h.login.AccessToken()+"\nEGRESS_TOKEN_1="+token("b")+"\nEGRESS_TOKEN_2="+token("c")+"\nEGRESS_TOKEN_3="+token("a")+"\n", h.read("egress/egress.env"))
	runs, err := os.ReadFile(counter)
	require.NoError(t, err)
	require.Equal(t, "run\n", string(runs), "one command runs once")
	var slots []string
	for line := range strings.Lines(h.read("egress/egress.toml")) {
		if _, s, ok := strings.Cut(line, "EGRESS_TOKEN_"); ok {
			slots = append(slots, s[:1])
		}
	}
	require.Equal(t, []string{"1", "2", "3", "1", "2"}, slots, "the login is followed, the others have slots")
}

// Every refusal names the line, quotes no secret and leaves no folder.
func TestBadSecretsAreRefused(t *testing.T) {
	for _, tc := range []struct{ name, ref, want string }{
		{"not set", "'UNSET'", "environment variable UNSET is not set"},
		{"empty", "'EMPTY'", "environment variable EMPTY: secret is empty"},
		{"with line break", "'LF'", "environment variable LF: secret contains a line break or control character"},
		{"with carriage return", "'CR'", "environment variable CR: secret contains a line break"},
		{"with a space", "'SPACE'", "environment variable SPACE: secret contains a space"},
		{"file missing", "{ file = 'gone' }", "gone: no such file"},
		{"file that others may read", "{ file = 'open' }", "open: mode 0644 lets others at it"},
		{"file that is a link", "{ file = 'link' }", "link: is a symbolic link"},
		{"file that is a folder", "{ file = '.' }", "is not a regular file"},
		{"file of two lines", "{ file = 'two' }", "two: secret contains a line break"},
		{"file with NUL", "{ file = 'nul' }", "nul: secret contains a line break or control character"},
		{"file empty", "{ file = 'empty' }", "empty: secret is empty"},
		{"file too large", "{ file = 'large' }", "more than the 65536 allowed"},
		{"command missing", "{ command = ['no-such-program-here'] }", "command no-such-program-here: exec: "},
		{"command that fails", "{ command = ['sh', '-c', 'echo $SECRET; printf \"vault\\nis\\033[1m sealed\" >&2; exit 3'] }", "command sh: exit status 3; it said: vault is[1m sealed"},
		{"command that says nothing", "{ command = ['true'] }", "command true: secret is empty"},
		{"command of two lines", "{ command = ['sh', '-c', 'echo $SECRET; echo $SECRET'] }", "command sh: secret contains a line break"},
		{"command that hangs", "{ command = ['sleep', '60'] }", "command sleep: no answer within 300ms"},
		{"command that leaves a child", "{ command = ['sh', '-c', 'sleep 60 & sleep 60'] }", "command sh: no answer within 300ms"},
		{"command without end", "{ command = ['sh', '-c', 'yes 2>&1 | head -c 200000'] }", "command sh: printed more than 65536 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("SECRET", token("live"))
			h := newHost(t)
			h.env["EMPTY"], h.env["LF"], h.env["CR"], h.env["SPACE"] = "", token("live")+"\n", token("live")+"\r", "Bearer "+token("live")
			h.write("open", token("live"), 0o644)
			h.write("two", token("live")+"\n"+token("live")+"\n", 0o600)
			h.write("nul", token("live")+"\x00", 0o600)
			h.write("empty", "\n", 0o600)
			h.write("large", strings.Repeat("x", 70<<10), 0o600)
			require.NoError(t, os.Symlink("two", filepath.Join(h.root, "link")))
			m, err := manifest.Parse(filepath.Join(h.root, "bottle.toml"), []byte("version = 1\n"+route(tc.ref)))
			require.NoError(t, err)
			o := h.options()
			o.CommandTimeout = time.Hour // of those that end by themselves, however slow the machine is
			if strings.Contains(tc.want, "no answer") {
				o.CommandTimeout = 300 * time.Millisecond
			}
			start := time.Now()
			_, err = New(context.Background(), m, o)
			require.Less(t, time.Since(start), 50*time.Second, "sleep 60 was not waited for")
			require.ErrorContains(t, err, filepath.Join(h.root, "bottle.toml")+":4: egress.route[0].auth.token_ref: ")
			require.ErrorContains(t, err, tc.want)
			require.NotContains(t, err.Error(), token("live"))
			var hint stage.Hinter
			require.ErrorAs(t, err, &hint)
			require.NoDirExists(t, h.dir)
		})
	}
}

func TestEveryBadSecretIsReported(t *testing.T) {
	h := newHost(t)
	_, err := h.plan(route("'A'") + strings.Replace(route("'B'"), "a.b", "c.d", 1) + strings.Replace(route("'A'"), "a.b", "e.f", 1))
	require.Len(t, tomlfile.Problems(err), 2)
}

func TestBadLoginsAreRefused(t *testing.T) {
	for _, tc := range []struct {
		name, src string
		put       func(h *host)
		want      string
	}{
		{"none", "", func(h *host) { os.RemoveAll(filepath.Join(h.root, ".codex")) }, ":4: agent.forward_host_credentials: "},
		{"none at auth_file", "auth_file = 'gone.json'\n", nil, ":5: agent.auth_file: "},
		{"expired", "", func(h *host) { h.now = h.now.Add(241 * time.Hour) }, "access token has expired"},
		{"near its end", "", func(h *host) { h.now = h.now.Add(240*time.Hour - time.Minute) }, "access token expires too soon"},
		{"group may read", "", func(h *host) { os.Chmod(filepath.Join(h.root, ".codex/auth.json"), 0o640) }, "mode 0640"},
		{"not JSON", "", func(h *host) { h.write(".codex/auth.json", "{", 0o600) }, "not a JSON object"},
		{"a dummy", "auth_file = 'bottle/agent/codex/auth.json'\n", func(h *host) { h.prepare(codexLogin) }, ":5: agent.auth_file: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHost(t)
			if tc.put != nil {
				tc.put(h)
			}
			var before map[string]string
			if _, err := os.Stat(h.dir); err == nil {
				before = h.tree()
			}
			_, err := h.plan(codexLogin + tc.src)
			require.ErrorContains(t, err, tc.want)
			require.ErrorContains(t, err, "bottle.toml:")
			var hint stage.Hinter
			require.ErrorAs(t, err, &hint)
			if before == nil {
				require.NoDirExists(t, h.dir)
			} else {
				require.Equal(t, before, h.tree())
			}
		})
	}
}

func TestTheLoginIsNotReadUnlessForwarded(t *testing.T) {
	h := newHost(t)
	h.write(".codex/auth.json", "not a login", 0o644)
	p := h.prepare("[agent]\nprovider = 'codex'\n")
	require.Contains(t, strings.Join(p.Notes, "\n"), "the host's Codex login was not read")
	require.NotContains(t, h.tree(), "agent/codex/auth.json")
	require.Contains(t, h.tree(), "agent/codex", "CODEX_HOME has to exist")
	require.NotContains(t, h.read("egress/egress.toml"), "chatgpt.com")
	require.Empty(t, h.read("egress/egress.env"))
}

func TestAuthFileAndCodexHomeAreFollowed(t *testing.T) {
	for _, src := range []string{"", "auth_file = 'elsewhere/auth.json'", "auth_file = '~/elsewhere/auth.json'"} {
		h := newHost(t)
		require.NoError(t, os.Rename(filepath.Join(h.root, ".codex"), filepath.Join(h.root, "elsewhere")))
		if src == "" {
			h.env["CODEX_HOME"] = filepath.Join(h.root, "elsewhere")
		}
		h.prepare(codexLogin + src)
		require.Contains(t, h.read("egress/egress.env"), h.login.AccessToken())
	}
}

func TestUpstreamCAIsChecked(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"missing.pem", "", "no such file or directory"},
		{"empty.pem", " ", "holds no certificate in PEM form"},
		{"broken.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "holds no certificate in PEM form"},
		{".", "", "not a regular file"},
	} {
		h := newHost(t)
		if tc.text != "" {
			h.write(tc.name, tc.text, 0o644)
		}
		_, err := h.plan("[network]\nupstream_ca = [\n'" + tc.name + "']")
		require.ErrorContains(t, err, "bottle.toml:4: network.upstream_ca[0]: ")
		require.ErrorContains(t, err, tc.want)
		require.NoDirExists(t, h.dir)
	}
	h := chainedHost(t)
	half := h.write("half.pem", "", 0o644)
	good, err := os.ReadFile(filepath.Join(h.root, "corporate.pem"))
	require.NoError(t, err)
	h.write("half.pem", string(good)+"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", 0o644)
	p := h.prepare("[network]\nupstream_ca = ['half.pem']")
	require.Contains(t, p.Notes, half+": of 2 certificates, 1 are usable and no doubles; the others were left out")
}

func TestSystemRoots(t *testing.T) {
	h := newHost(t)
	h.env["SSL_CERT_FILE"] = h.write("none.pem", "# nothing\n", 0o644)
	p := h.prepare("")
	require.Contains(t, p.Notes, "this machine has no system roots; the agent trusts the bottle's CA alone")
	require.Equal(t, h.read("egress/ca.pem"), h.read("agent/ca-bundle.pem"))
	h.env["SSL_CERT_FILE"] = "/no/such/file"
	_, err := h.plan("")
	require.ErrorContains(t, err, "read SSL_CERT_FILE")
}

func TestARealSecretInTheAgentsEnvironmentIsRefused(t *testing.T) {
	for name, src := range map[string]string{
		"set":               "[agent]\nenv = { MINE = 'x=" + token("t") + "' }\n" + route("'T'"),
		"passed":            "[agent]\npass_env = ['SAME']\n" + route("'T'"),
		"passed from login": codexLogin + "pass_env = ['BEARER']\n",
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			h.env["T"], h.env["SAME"], h.env["BEARER"] = token("t"), token("t"), h.login.AccessToken()
			_, err := h.plan(src)
			require.ErrorContains(t, err, "agent.env: would hold the secret of ")
			require.NotContains(t, err.Error(), token("t"))
			require.NoDirExists(t, h.dir)
		})
	}
}
