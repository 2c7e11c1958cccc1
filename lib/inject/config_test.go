package inject_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/inject"
	"bottle/lib/secret"
	"bottle/lib/stage"
	"bottle/lib/tomlfile"
)

func TestConfigErrorsNameTheirLine(t *testing.T) {
	const auth = `auth = { scheme = "Bearer", token_env = "EGRESS_TOKEN_0" }` + "\n"
	route := func(lines string) string { return "listen = \"127.0.0.1:0\"\n[[route]]\nhost = \"a.test\"\n" + lines }
	for _, tc := range []struct{ name, text, want, hint string }{
		{"unknown key", route("metods = [\"GET\"]\n"), `egress.toml:4: route[0].metods: unknown key`, `did you mean "methods"`},
		{"unknown key of auth", route(`auth = { schema = "Bearer", token_env = "EGRESS_TOKEN_0" }`), `egress.toml:4: route[0].auth.schema: unknown key`, `did you mean "scheme"`},
		{"unknown table", "[rout]\nhost = \"a.test\"\n", "egress.toml:1: rout: unknown", "did you mean"},
		{"wrong type", route("methods = \"GET\"\n"), "egress.toml:4: route[0].methods:", ""},
		{"wrong type of a status", route("refusal_status = \"400\"\n"), "egress.toml:4: route[0].refusal_status:", ""},
		{"not TOML", route("methods = [\n"), "egress.toml:", ""},
		{"key twice", route("host = \"b.test\"\n"), "egress.toml:4:", ""},
		{"no host", "[[route]]\n" + auth, "egress.toml:1: route[0].host: ", ""},
		{"a bad host", "[[route]]\nhost = \"https://a.test/\"\n", "egress.toml:2: route[0].host: ", ""},
		{"a host that is a number", "[[route]]\nhost = \"0x7f.1\"\n", "egress.toml:2: route[0].host: ", ""},
		{"a bare wildcard", "[[route]]\nhost = \"*\"\n", "egress.toml:2: route[0].host: ", ""},
		{"a wildcard inside", "[[route]]\nhost = \"a.*.test\"\n", "egress.toml:2: route[0].host: ", ""},
		{"a duplicate route", route("[[route]]\nhost = \"A.test.:443\"\n"), "egress.toml:5: route[1].host: duplicate route: route[0] has the same host", "merge the two routes"},
		{"a method in lower case", route("methods = [\"GET\", \"post\"]\n"), `egress.toml:4: route[0].methods[1]: "post" is not a method`, ""},
		{"the method CONNECT", route("methods = [\"CONNECT\"]\n"), `egress.toml:4: route[0].methods[0]: "CONNECT" is not a method`, ""},
		{"no methods", route("methods = []\n"), "egress.toml:4: route[0].methods: an empty list allows nothing", ""},
		{"a bad path", route("paths = [\"/fine\", \"/a/../b\"]\n"), "egress.toml:4: route[0].paths[1]: ", ""},
		{"no paths", route("paths = []\n"), "egress.toml:4: route[0].paths: an empty list allows nothing", ""},
		{"a bad mode", route("inject = \"never\"\n" + auth), `egress.toml:4: route[0].inject: "never" is not a mode`, `use "always" or "replace"`},
		{"replace without auth", route("inject = \"replace\"\n"), "egress.toml:4: route[0].inject: replace needs auth", ""},
		{"a status that is retried", route("refusal_status = 503\n"), "egress.toml:4: route[0].refusal_status: 503 is not a status", ""},
		{"the status 429", route("refusal_status = 429\n"), "egress.toml:4: route[0].refusal_status: 429 is not a status", ""},
		{"a bad scheme", route(`auth = { scheme = "Bearer token", token_env = "EGRESS_TOKEN_0" }`), "egress.toml:4: route[0].auth.scheme: ", ""},
		{"a header in the scheme", route(`auth = { scheme = "Bearer\r\nX", token_env = "EGRESS_TOKEN_0" }`), "egress.toml:4: route[0].auth.scheme: ", ""},
		{"no scheme", route(`auth = { token_env = "EGRESS_TOKEN_0" }`), "egress.toml:4: route[0].auth.scheme: ", ""},
		{"no variable", route(`auth = { scheme = "Bearer" }`), "egress.toml:4: route[0].auth: names no source", "token_env"},
		{"a variable that is not set", route(`auth = { scheme = "Bearer", token_env = "NOT_SET" }`), "egress.toml:4: route[0].auth.token_env: NOT_SET is not set", "--env-file"},
		{"a token with a line feed", route(`auth = { scheme = "Bearer", token_env = "WITH_LF" }`), "egress.toml:4: route[0].auth.token_env: WITH_LF: secret contains a line break", ""},
		{"a token with a carriage return", route(`auth = { scheme = "Bearer", token_env = "WITH_CR" }`), "egress.toml:4: route[0].auth.token_env: WITH_CR: secret contains a line break", ""},
		{"a token with NUL", route(`auth = { scheme = "Bearer", token_env = "WITH_NUL" }`), "egress.toml:4: route[0].auth.token_env: WITH_NUL: secret contains a line break or control", ""},
		{"an empty token", route(`auth = { scheme = "Bearer", token_env = "EMPTY" }`), "egress.toml:4: route[0].auth.token_env: EMPTY: secret is empty", ""},
		{"a token with its scheme", route(`auth = { scheme = "Bearer", token_env = "WITH_SCHEME" }`), "egress.toml:4: route[0].auth.token_env: environment variable WITH_SCHEME: the token contains a space", "scheme"},
		{"a bad digest", "[dummies]\nsha256 = [\"abc\"]\n", "egress.toml:2: dummies.sha256[0]: want 64 lower-case hex digits", ""},
		{"a digest in upper case", "[dummies]\nsha256 = [\n  \"" + strings.ToUpper(secret.SHA256("x")) + "\"]\n", "dummies.sha256[0]: want 64 lower-case hex digits", ""},
		{"two places", route(`auth = { header = "x-a", query = "b", token_env = "EGRESS_TOKEN_0" }`), "route[0].auth: names more than one place", "auth = [{"},
		{"a scheme in a query", route(`auth = { scheme = "Bearer", query = "b", token_env = "EGRESS_TOKEN_0" }`), "route[0].auth: scheme, user and append are for headers", ""},
		{"a scheme and a value", route(`auth = { scheme = "Bearer", value = "{token}", token_env = "EGRESS_TOKEN_0" }`), "route[0].auth.value: stands for scheme", ""},
		{"a user of another scheme", route(`auth = { scheme = "Bearer", user = "u", token_env = "EGRESS_TOKEN_0" }`), "route[0].auth.scheme: a user makes it Basic", ""},
		{"a colon in the user", route(`auth = { user = "u:v", token_env = "EGRESS_TOKEN_0" }`), "route[0].auth.user: holds a colon", ""},
		{"a header that is none", route(`auth = { header = "x y", token_env = "EGRESS_TOKEN_0" }`), `route[0].auth.header: "x y" is not the name of a header`, ""},
		{"a header of the connection", route(`auth = { header = "transfer-encoding", token_env = "EGRESS_TOKEN_0" }`), "route[0].auth.header: Transfer-Encoding is the connection's", ""},
		{"the header Cookie", route(`auth = { header = "cookie", token_env = "EGRESS_TOKEN_0" }`), "route[0].auth.header: Cookie takes many", ""},
		{"a header of the handshake", route(`auth = { header = "sec-websocket-protocol", token_env = "EGRESS_TOKEN_0" }`), "is the WebSocket handshake's", ""},
		{"an open brace", route(`auth = { header = "x", value = "{token", token_env = "EGRESS_TOKEN_0" }`), "route[0].auth.value: has a { without", ""},
		{"a closing brace", route(`auth = { header = "x", value = "token}", token_env = "EGRESS_TOKEN_0" }`), "route[0].auth.value: has a } without", ""},
		{"an unknown field", route(`auth = { header = "x", value = "{Token}", token_env = "EGRESS_TOKEN_0" }`), "route[0].auth.value: {Token} is no field", ""},
		{"a field that the credential has not", route(`auth = { header = "x", value = "{account_id}", token_env = "EGRESS_TOKEN_0" }`), "route[0].auth: environment variable EGRESS_TOKEN_0: the credential has no account_id", ""},
		{"the token twice", route(`auth = { header = "x", value = "{token}{token}", token_env = "EGRESS_TOKEN_0" }`), "names {token} twice", ""},
		{"a line break in a value", route(`auth = { header = "x", value = "\n{token}", token_env = "EGRESS_TOKEN_0" }`), "holds a line break", ""},
		{"an empty value", route(`auth = { header = "x", value = "", token_env = "EGRESS_TOKEN_0" }`), "route[0].auth.value: is empty", ""},
		{"a source without a use", route(`auth = { header = "x", value = "c", token_env = "EGRESS_TOKEN_0" }`), "route[0].auth.value: has no {token}", ""},
		{"no source", route(`auth = { header = "x" }`), "route[0].auth: names no source", ""},
		{"constants alone", route(`auth = { header = "x", value = "c" }`), "route[0].auth: puts no token anywhere", ""},
		{"append without a value", route(`auth = { header = "x", append = true, token_env = "EGRESS_TOKEN_0" }`), "route[0].auth.append: needs the value", ""},
		{"an appended credential", route(`auth = { header = "x", append = true, value = "{token}", token_env = "EGRESS_TOKEN_0" }`), "route[0].auth.append: a credential is set", ""},
		{"one place twice", route(`auth = [{ scheme = "Bearer", token_env = "EGRESS_TOKEN_0" }, { header = "authorization", token_env = "EGRESS_TOKEN_0" }]`), "egress.toml:4: route[0].auth[1]: Authorization has a value already, from auth[0]", ""},
		{"an unknown key in an array", route("[[route.auth]]\nscheme = \"Bearer\"\ntoken_en = \"A\"\n"), `egress.toml:6: route[0].auth[0].token_en: unknown key; did you mean "token_env"?`, ""},
		{"an empty array", route("auth = []"), "egress.toml:4: route[0].auth: must not be empty", ""},
		{"a string", route(`auth = "Bearer"`), "egress.toml:4: route[0].auth: must be a table or an array of tables, not a string", ""},
		{"a short credential", route(`auth = { scheme = "Bearer", token_env = "SHORT" }`), "environment variable SHORT: the credential is shorter than the 8 bytes", "redact_responses = false"},
		{"a cookie with a semicolon", route(`auth = { cookie = "s", token_env = "SEMICOLON" }`), "cannot stand in a cookie", ""},
		{"two sources", route(`auth = { scheme = "Bearer", token_env = "EGRESS_TOKEN_0", token_file = "x" }`), "route[0].auth.token_file: there is token_env already", ""},
		{"a file that is missing", route(`auth = { scheme = "Bearer", token_file = "/nowhere/x" }`), "egress.toml:4: route[0].auth.token_file: read /nowhere/x: no such file", "check the path"},
		{"a field of nothing", route(`auth = { scheme = "Bearer", token_env = "EGRESS_TOKEN_0", field = "a" }`), "route[0].auth.field: is the field of a token_file", ""},
		{"a TTL of a file", route(`auth = { scheme = "Bearer", token_file = "x", ttl = "1m" }`), "route[0].auth: ttl and timeout are a token_command's", ""},
		{"a TTL that is none", route(`auth = { scheme = "Bearer", token_command = ["true"], ttl = "soon" }`), `route[0].auth.ttl: "soon" is not a duration`, ""},
		{"a command that fails", route(`auth = { scheme = "Bearer", token_command = ["sh", "-c", "echo sealed >&2; exit 7"] }`), "route[0].auth.token_command: command sh: exit status 7; it said: sealed", ""},
		{"a credential without systemd", route(`auth = { scheme = "Bearer", token_credential = "x" }`), "route[0].auth.token_credential: CREDENTIALS_DIRECTORY is not set", ""},
		{"a login that is not there", route(`auth = { scheme = "Bearer", login = "codex" }`), `route[0].auth.login: no login is called "codex"`, "[[login]]"},
		{"a login without a name", "[[login]]\nkind = \"codex\"\nfile = \"x\"\n", "egress.toml:1: login[0].name: is missing", ""},
		{"a login without a file", "[[login]]\nname = \"a\"\nkind = \"codex\"\n", "login[0].file: is missing", ""},
		{"a login of another kind", "[[login]]\nname = \"a\"\nfile = \"x\"\nkind = \"copilot\"\n", `egress.toml:4: login[0].kind: "copilot" is not known`, "claude, codex"},
		{"a refresh that is not known", "[[login]]\nname = \"a\"\nfile = \"x\"\nkind = \"codex\"\nrefresh = \"auto\"\n", `egress.toml:5: login[0].refresh: "auto" is not known`, `"follow" or "proxy"`},
		{"a login twice", "[[login]]\nname = \"a\"\nfile = \"x\"\nkind = \"codex\"\n[[login]]\nname = \"a\"\nfile = \"x\"\nkind = \"codex\"\n", `egress.toml:6: login[1].name: "a" is another login's name`, ""},
		{"a login that cannot be read", "[[login]]\nname = \"a\"\nfile = \"/nowhere/auth.json\"\nkind = \"codex\"\n" + "[[route]]\nhost = \"a.test\"\nauth = { scheme = \"Bearer\", login = \"a\" }\n", "egress.toml:7: route[0].auth.login: read /nowhere/auth.json: no such file", ""},
		{"a git that is not known", route(`git = "push"`), `route[0].git: "push" is not known`, `"read", "write" or "off"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := parse(tc.text, func(name string) (string, bool) {
				v, ok := map[string]string{
					"EGRESS_TOKEN_0": realToken, "WITH_LF": realToken + "\n", "WITH_CR": "a\r" + realToken, "WITH_NUL": realToken + "\x00", "EMPTY": "", "WITH_SCHEME": "Bearer " + realToken,
					"SHORT": "x", "SEMICOLON": realToken + ";",
				}[name]
				return v, ok
			})
			require.ErrorContains(t, err, tc.want)
			if tc.hint != "" {
				var b strings.Builder
				stage.PrintError(&b, "bottle-egress", err)
				require.Contains(t, b.String(), tc.hint)
			}
			requireAbsent(t, fmt.Sprintf("%v %+v %#v", err, err, err), realToken)
		})
	}
}

func TestAllConfigErrorsAreReportedAtOnce(t *testing.T) {
	_, err := parse("[[route]]\nhost = \"a b\"\nmethods = [\"get\"]\n[[route]]\nhost = \"b.test\"\ninject = \"x\"\n", lookup)
	var lines []int
	for _, p := range tomlfile.Problems(err) {
		lines = append(lines, p.Line)
	}
	require.Equal(t, []int{2, 3, 6}, lines)
}

func TestEmptyConfigHasNoRoutes(t *testing.T) {
	r, err := parse("", lookup)
	require.NoError(t, err)
	require.NotNil(t, r.Policy().Tunnel(authorityOf(t, "https://a.test")).Refusal)
}

func writeEnv(t *testing.T, text string, mode fs.FileMode) string {
	path := filepath.Join(t.TempDir(), "egress.env")
	require.NoError(t, os.WriteFile(path, []byte(text), mode))
	require.NoError(t, os.Chmod(path, mode))
	return path
}

func TestLoadEnvFile(t *testing.T) {
	env, err := inject.LoadEnvFile(writeEnv(t, "# tokens\n\nEGRESS_TOKEN_0="+realToken+"\r\n_a=b=c==\nSPACES= x \nEMPTY=\nQUOTED=\"q\"\nLAST=1", 0o600))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"EGRESS_TOKEN_0": realToken, "_a": "b=c==", "SPACES": " x ", "EMPTY": "", "QUOTED": `"q"`, "LAST": "1"}, env)
	for _, tc := range []struct{ text, want string }{
		{"A=1\n" + realToken + "\n", ":2: want NAME=value"},
		{"A=1\nexport B=" + realToken + "\n", ":2: want NAME=value"},
		{"1A=" + realToken + "\n", ":1: want NAME=value"},
		{"=" + realToken, ":1: want NAME=value"},
		{" A=" + realToken, ":1: want NAME=value"},
		{"A=" + realToken + "\nA=2\n", ":2: A is set twice"},
		{"\ufeffA=" + realToken, ":1: want NAME=value"},
	} {
		_, err := inject.LoadEnvFile(writeEnv(t, tc.text, 0o600))
		require.ErrorContains(t, err, tc.want)
		requireAbsent(t, err.Error(), realToken)
	}
}

func TestEnvFileMustBePrivate(t *testing.T) {
	for mode, ok := range map[fs.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o604: false, 0o660: false, 0o644: false} {
		_, err := inject.LoadEnvFile(writeEnv(t, "A="+realToken, mode))
		require.Equal(t, ok, err == nil, "%o: %v", mode, err)
		if err != nil {
			var fe *secret.FileError
			require.True(t, errors.As(err, &fe))
			require.Contains(t, fe.HintText(), "chmod 600")
		}
	}
	target := writeEnv(t, "A=1", 0o600)
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(target, link))
	_, err := inject.LoadEnvFile(link)
	require.ErrorContains(t, err, "symbolic link")
	_, err = inject.LoadEnvFile(t.TempDir())
	require.ErrorContains(t, err, "not a regular file")
	_, err = inject.LoadEnvFile(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = inject.LoadEnvFile(writeEnv(t, strings.Repeat("#", 1<<20+1), 0o600))
	require.ErrorContains(t, err, "more than")
}

func FuzzLoadEnvFile(f *testing.F) {
	for _, s := range []string{"A=1\nB=2\n", "A=1\r\n", "#\n\nA==\n", "A", "A=1\nA=2", "\x00=\x00", "A=\x00\r", "\ufeffA=1"} {
		f.Add(s)
	}
	path := filepath.Join(f.TempDir(), "env")
	f.Fuzz(func(t *testing.T, text string) {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		env, err := inject.LoadEnvFile(path)
		if err != nil {
			// An error names a line and, at most, a name.
			require.Regexp(t, `^`+path+`:\d+: (want NAME=value|[A-Za-z_][A-Za-z0-9_]* is set twice)$`, err.Error())
			return
		}
		for name, value := range env {
			require.Regexp(t, `^[A-Za-z_][A-Za-z0-9_]*$`, name)
			require.Contains(t, text, name+"="+value)
			require.NotContains(t, value, "\n")
		}
	})
}
