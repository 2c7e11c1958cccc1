package filter_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/refusal"
)

// folder makes a folder of private files.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

const badge = `
[[rules]]
id = "badge"
regex = '''badge-(\d{8})'''
keywords = ["badge"]
`

func TestRulesOfAFile(t *testing.T) {
	dir := folder(t, map[string]string{"extra.toml": badge})
	w := newWorldIn(t, dir, allowed+"[dlp]\nrules = [\"extra.toml\"]\n", nil)
	c := w.client(false)
	e := w.refused(c, request(t, "POST", "https://origin.test/", strings.NewReader("my badge-12345678")), 403, refusal.SecretInRequest)
	require.Contains(t, e.Message, "badge")
	w.refused(c, request(t, "GET", "https://origin.test/?q="+w.secret("beside the built-in ones"), nil), 403, refusal.SecretInRequest)
	w.works()
}

func TestDisabledRule(t *testing.T) {
	w := newWorld(t, allowed+"[dlp]\ndisable = [\""+gitlab+"\"]\n", nil)
	res, _ := w.do(w.client(false), request(t, "GET", "https://origin.test/?q="+token("not looked for"), nil))
	require.Equal(t, http.StatusOK, res.StatusCode)
}

func TestMistakesInRules(t *testing.T) {
	dir := folder(t, map[string]string{
		"extra.toml": badge, "again.toml": badge,
		"broken.toml": "[[rules]]\nid = \"x\"\nregex = '''(?=x)'''\n[[rules]]\nid = \"y\"\nregx = \"y\"\n",
	})
	for text, want := range map[string]string{
		`rules = ["missing.toml"]`:                         "pipelock.toml:2: dlp.rules[0]: " + dir + "/missing.toml: no such file",
		`rules = ["extra.toml", "again.toml"]`:             `pipelock.toml:2: dlp.rules[1]: ` + dir + `/again.toml has a rule "badge", and so has ` + dir + `/extra.toml`,
		`rules = ["broken.toml"]`:                          dir + "/broken.toml:6: rules[1].regx: unknown key",
		"disable = [\n\"" + gitlab + "\",\n\"no-such\"\n]": `pipelock.toml:4: dlp.disable[1]: there is no rule "no-such"`,
		`disable = "x"`:                                    "pipelock.toml:2: dlp.disable: must be a",
	} {
		_, err := parseIn(dir, "[dlp]\n"+text)
		require.ErrorContains(t, err, want, text)
	}
}

// value is a secret of no known form.
func value(seed string) string {
	sum := sha256.Sum256([]byte(seed))
	return "value " + hex.EncodeToString(sum[:8]) + "/" + base64.RawStdEncoding.EncodeToString(sum[8:20])
}

func TestKnownSecrets(t *testing.T) {
	ofFile, ofEnv, ofCommand := value("file"), value("env"), value("command")
	dir := folder(t, map[string]string{"key": ofFile + "\n", "other": ofCommand})
	t.Setenv("KNOWN_TO_THE_FILTER", ofEnv)
	w := newWorldIn(t, dir, allowed+`
[[known_secrets]]
name = "a-file"
file = "key"
[[known_secrets]]
name = "a-variable"
env = "KNOWN_TO_THE_FILTER"
[[known_secrets]]
name = "a-command"
command = ["cat", "other"]
`, nil)
	c := w.client(true)
	for name, v := range map[string]string{"a-file": ofFile, "a-variable": ofEnv, "a-command": ofCommand} {
		w.mustKeep(v[4:])
		for _, text := range []string{v, base64.StdEncoding.EncodeToString([]byte("and " + v)), percent(v), strings.ToUpper(hex.EncodeToString([]byte(v)))} {
			for _, req := range []*http.Request{
				request(t, "GET", "https://origin.test/?q="+url.QueryEscape(text), nil),
				request(t, "POST", "https://origin.test/", strings.NewReader("it is "+text)),
				request(t, "POST", "https://origin.test/", unsized(strings.NewReader("it is "+text+" "+filler))),
				request(t, "POST", "https://origin.test/", bytes.NewReader(encode(t, "it is "+text, "zstd")), "Content-Encoding", "zstd"),
				request(t, "GET", "https://origin.test/", nil, "X-Note", text),
			} {
				e := w.refused(c, req, 403, refusal.SecretInRequest)
				require.Contains(t, e.Message, "known:"+name)
			}
		}
	}
	w.works()
}

func TestMistakesInKnownSecrets(t *testing.T) {
	dir := folder(t, map[string]string{"key": value("x"), "open": value("y"), "short": "abc", "placeholder": "xxxxxxxxxxxxxxxx"})
	require.NoError(t, os.Chmod(filepath.Join(dir, "open"), 0o640))
	for text, want := range map[string]string{
		`env = "NOT_SET_ANYWHERE"`: "pipelock.toml:2: known_secrets[0]: environment variable NOT_SET_ANYWHERE is not set",
		`file = "missing"`:         "pipelock.toml:2: known_secrets[0]: read " + dir + "/missing: no such file",
		`file = "open"`:            "pipelock.toml:2: known_secrets[0]: read " + dir + "/open: mode 0640 lets others at it",
		`file = "short"`:           "pipelock.toml:2: known_secrets[0]: the value has 3 bytes",
		`file = "placeholder"`:     "pipelock.toml:2: known_secrets[0]: the value has fewer than 4 different bytes",
		`command = ["sh", "-c", "echo locked >&2; exit 1"]`: "pipelock.toml:2: known_secrets[0]: command sh: exit status 1; it said: locked",
	} {
		_, err := parseIn(dir, "\n[[known_secrets]]\nname = \"it\"\n"+text)
		require.ErrorContains(t, err, want, text)
	}
}
