package plan

import (
	"testing"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/require"

	"bottle/lib/manifest"
)

func FuzzText(f *testing.F) {
	for _, s := range []string{"", "a", `a"b\c`, "a\nb\tc\x00\x7f", "grün ☃", `\u0041`, "'''"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return // the manifest is TOML, so every text from it is UTF-8
		}
		var v struct{ K []string }
		_, err := toml.Decode("K = "+list([]string{s, s}, itself), &v)
		require.NoError(t, err)
		require.Equal(t, []string{s, s}, v.K)
	})
}

func TestKnownSecretsAreNamedNotRead(t *testing.T) {
	h := newHost(t)
	h.prepare(`
[[pipelock.known_secrets]]
name = "a"
env = "NOT_SET_HERE"
[[pipelock.known_secrets]]
name = "b"
file = "not/there"
[[pipelock.known_secrets]]
name = "c"
file = "~/there"
[[pipelock.known_secrets]]
name = "d"
command = ["./tool", "x y"]
timeout = "5s"
[[pipelock.known_secrets]]
name = "e"
command = ["op", "read"]
`)
	text := h.read("pipelock/pipelock.toml")
	for _, want := range []string{
		"name = \"a\"\nenv = \"NOT_SET_HERE\"\n", "name = \"b\"\nfile = \"" + h.root + "/not/there\"\n",
		"name = \"c\"\nfile = \"" + h.env["HOME"] + "/there\"\n",
		"name = \"d\"\ncommand = [\"" + h.root + "/tool\", \"x y\"]\ntimeout = \"5s\"\n", "name = \"e\"\ncommand = [\"op\", \"read\"]\n",
	} {
		require.Contains(t, text, "[[known_secrets]]\n"+want)
	}
}

func TestScannerSettings(t *testing.T) {
	h := newHost(t)
	h.prepare("[pipelock]\nrules = ['a.toml', '~/b.toml']\ndisable = ['jwt']\nseed_phrases = true\nallowlist = 'allow.toml'\non_undecodable = 'block'\n")
	require.Contains(t, h.read("pipelock/pipelock.toml"), "[dlp]\non_match = \"block\"\nrules = [\""+h.root+"/a.toml\", \""+h.env["HOME"]+"/b.toml\"]\ndisable = [\"jwt\"]\n"+
		"seed_phrases = true\nallowlist = \""+h.root+"/allow.toml\"\non_undecodable = \"block\"\n")
	_, err := manifest.Parse("bottle.toml", []byte("version = 1\n[pipelock]\non_undecodable = 'raw'\n"))
	require.ErrorContains(t, err, "bottle.toml:3: pipelock.on_undecodable: \"raw\" is not known")
}
