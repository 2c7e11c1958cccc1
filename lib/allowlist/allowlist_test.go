package allowlist

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/authority"
)

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func host(t *testing.T, s string) authority.Authority {
	t.Helper()
	a, err := authority.Parse(s)
	require.NoError(t, err)
	return a
}

func TestEntriesRoundTrip(t *testing.T) {
	fresh := New()
	digest := fresh.Digest([]byte("value"))
	key, err := hex.DecodeString(strings.Trim(strings.TrimPrefix(fresh.KeyLine(), "key = "), "\"\n"))
	require.NoError(t, err)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("value"))
	require.Equal(t, "hmac-sha256:"+hex.EncodeToString(mac.Sum(nil)), digest)

	const location = `body json path messages[3].content[0]."a \"b"`
	path := write(t, t.TempDir(), "allow.toml", fresh.KeyLine()+Entry("jwt", location, digest))
	l, err := Read(path)
	require.NoError(t, err)
	require.True(t, l.Allows("jwt", location, l.Digest([]byte("value")), host(t, "a.test:443")))
	require.True(t, l.Allows("jwt", strings.ReplaceAll(location, "[3]", "[12]"), digest, authority.Authority{}))
	require.False(t, l.Allows("jwt", "body json path messages[3].role", digest, authority.Authority{}))
	require.False(t, l.Allows("other", location, digest, authority.Authority{}))
	require.False(t, l.Allows("jwt", location, l.Digest([]byte("value2")), authority.Authority{}))
	require.False(t, l.Allows("jwt", location, New().Digest([]byte("value")), authority.Authority{}), "another key")
	require.False(t, (*List)(nil).Allows("jwt", location, digest, authority.Authority{}))
	require.Empty(t, (*List)(nil).Digest([]byte("value")))
}

func TestHostAndKeyFile(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "allow.key", strings.Repeat("0f", 32)+"\n")
	l, err := Read(write(t, dir, "allow.toml", "key_file = \"allow.key\"\n[[allow]]\nrule = \"r\"\nlocation = \"*\"\nhost = \"*.a.test\"\ncomment = \"why\"\nvalue = \"hmac-sha256:"+strings.Repeat("00", 32)+"\"\n"))
	require.NoError(t, err)
	zero := "hmac-sha256:" + strings.Repeat("00", 32)
	require.True(t, l.Allows("r", "anywhere", zero, host(t, "x.a.test:443")))
	require.False(t, l.Allows("r", "anywhere", zero, host(t, "a.test:443")))
	require.False(t, l.Allows("r", "anywhere", zero, authority.Authority{}))
	require.NoError(t, os.Chmod(filepath.Join(dir, "allow.key"), 0o644))
	_, err = Read(filepath.Join(dir, "allow.toml"))
	require.ErrorContains(t, err, "allow.toml:1: key_file: read "+dir+"/allow.key: mode 0644 lets others at it")
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		pattern, place string
		want           bool
	}{
		{"*", "body", true},
		{"body", "body", true},
		{"body", "body json path a", true},
		{"body", "bodyguard", false},
		{"body json path a", "body json path a.b", true},
		{"body json path a", "body json path a[1]", true},
		{"body json path a", "body json path ab", false},
		{"body json path a.b", "body json path a", false},
		{"body json path a[*].b", "body json path a[17].b", true},
		{"body json path a[*].b", "body json path a[].b", false},
		{"body json path a[*]", "body json path a[x]", false},
		{"body json path a[*]", "body json path a[", false},
		{"header X-Foo", "header X-Foo", true},
		{"header X-Foo", "header X-Foo-Bar", false},
		{"", "", true},
	} {
		require.Equal(t, c.want, covers(c.pattern, c.place), "%s / %s", c.pattern, c.place)
	}
}

func TestMistakes(t *testing.T) {
	good := strings.Repeat("ab", 32)
	for text, want := range map[string]string{
		"":              "allow.toml: key: is missing",
		"key = \"abc\"": "allow.toml:1: key: want 64 hexadecimal digits",
		"key = \"" + good + "\"\nkey_file = \"x\"": "allow.toml:2: key_file: and key are both given",
		"key_file = \"missing\"":                   "allow.toml:1: key_file: read ",
		"key = \"" + good + "\"\n[[allow]]\nlocation = \"body\"\nvalue = \"hmac-sha256:" + good + "\"":                                    "allow.toml:2: allow[0].rule: is missing",
		"key = \"" + good + "\"\n[[allow]]\nrule = \"r\"\nvalue = \"hmac-sha256:" + good + "\"":                                           "allow.toml:2: allow[0].location: is missing",
		"key = \"" + good + "\"\n[[allow]]\nrule = \"r\"\nlocation = \"body\"\nvalue = \"pasted\"":                                        "allow.toml:5: allow[0].value: is not hmac-sha256: and 64",
		"key = \"" + good + "\"\n[[allow]]\nrule = \"r\"\nlocation = \"body\"\nhost = \"http://x\"\nvalue = \"hmac-sha256:" + good + "\"": "allow.toml:5: allow[0].host: ",
		"key = \"" + good + "\"\n[[allow]]\nrule = \"r\"\nplace = \"body\"":                                                               "allow.toml:4: allow[0].place: unknown key",
	} {
		_, err := Read(write(t, t.TempDir(), "allow.toml", text))
		require.ErrorContains(t, err, want, text)
		require.NotContains(t, err.Error(), "pasted")
	}
}

func TestAnyIndex(t *testing.T) {
	for in, want := range map[string]string{
		"body": "body", "body json path a[1].b[22]": "body json path a[*].b[*]", `a["x"][0]`: `a["x"][*]`, "a[": "a[", "": "",
	} {
		require.Equal(t, want, AnyIndex(in))
	}
}
