package knownsecret

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/tomlfile"
)

func TestCheck(t *testing.T) {
	for text, want := range map[string]string{
		"name = \"a\"\nenv = \"A\"":                                "",
		"name = \"a\"\nfile = \"x\"":                               "",
		"name = \"a\"\ncommand = [\"x\", \"y\"]\ntimeout = \"5s\"": "",
		"env = \"A\"":                                 "f.toml:1: known_secrets[0].name: is missing",
		"name = \"a b\"\nenv = \"A\"":                 "f.toml:2: known_secrets[0].name: may hold up to 64",
		"name = \"a\"":                                "f.toml:1: known_secrets[0]: wants one of env, file and command",
		"name = \"a\"\nenv = \"A\"\nfile = \"x\"":     "f.toml:1: known_secrets[0]: wants one of env, file and command",
		"name = \"a\"\nenv = \"hunter 2\"":            "f.toml:3: known_secrets[0].env: must name a variable",
		"name = \"a\"\nenv = \"EGRESS_TOKEN_0\"":      "f.toml:3: known_secrets[0].env: EGRESS_TOKEN_0 is egress's own",
		"name = \"a\"\ncommand = []":                  "f.toml:3: known_secrets[0].command: names no program",
		"name = \"a\"\nenv = \"A\"\ntimeout = \"5s\"": "f.toml:4: known_secrets[0].timeout: has no effect",
		"name = \"a\"\nenv = \"A\"\n[[known_secrets]]\nname = \"a\"\nenv = \"B\"": "f.toml:5: known_secrets[1].name: a is a name already, at line 2",
		"name = \"a\"\ncommand = [\"x\"]\ntimeout = \"-1s\"":                      "f.toml:4: known_secrets[0].timeout: must not be negative",
		"name = \"a\"\nenv = \"A\"\nvalue = \"the secret itself, pasted\"":        "f.toml:4: known_secrets[0].value: unknown key",
	} {
		var c struct {
			KnownSecrets []Source `toml:"known_secrets"`
		}
		f, err := tomlfile.Parse("f.toml", []byte("[[known_secrets]]\n"+text), &c)
		if err == nil {
			err = tomlfile.Join(Check(f, "known_secrets", c.KnownSecrets)...)
		}
		if want == "" {
			require.NoError(t, err, text)
			continue
		}
		require.ErrorContains(t, err, want, text)
		require.NotContains(t, err.Error(), "hunter")
		require.NotContains(t, err.Error(), "pasted")
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"key": "of a file\n", "lines": "a\nb\n", "empty": "\n", "open": "seen by all"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	require.NoError(t, os.Chmod(filepath.Join(dir, "open"), 0o644))
	r := Reader{
		LookupEnv: func(name string) (string, bool) { return "of the environment", name == "SET" },
		Resolve:   func(name string) string { return filepath.Join(dir, name) },
		Dir:       dir,
	}
	for _, c := range []struct {
		s         Source
		want, err string
	}{
		{Source{Env: "SET"}, "of the environment", ""},
		{Source{Env: "UNSET"}, "", "environment variable UNSET is not set"},
		{Source{File: "key"}, "of a file", ""},
		{Source{File: "lines"}, "a\nb", ""},
		{Source{File: "empty"}, "", "file empty: secret is empty"},
		{Source{File: "missing"}, "", "read " + dir + "/missing: no such file"},
		{Source{File: "open"}, "", "read " + dir + "/open: mode 0644 lets others at it"},
		{Source{Command: []string{"cat", "key"}}, "of a file", ""},
		{Source{Command: []string{"sh", "-c", "echo of a command; echo no >&2; exit 4", "argument"}}, "", "command sh: exit status 4; it said: no"},
	} {
		v, err := r.Read(t.Context(), c.s)
		if c.err != "" {
			require.EqualError(t, err, c.err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.want, v.Expose())
	}
}
