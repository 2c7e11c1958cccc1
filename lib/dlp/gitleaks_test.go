package dlp

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const acmeRules = `
title = "ours"
minVersion = "v8.25.0"

[extend]
useDefault = true

[[allowlists]]
description = "fixtures"
targetRules = ["acme-token"]
stopwords = ["fixture"]

[[rules]]
id = "acme-token"
description = "a token of ACME"
regex = '''(?i)\bacme[_-]?token\s*[:=]\s*['"]?([a-z0-9]{24})\b'''
keywords = ["ACME"]
entropy = 3
tags = ["ours"]

[[rules.allowlists]]
condition = "AND"
regexTarget = "line"
regexes = ['''never real''']
stopwords = ["a"]

[[rules]]
id = "badge"
regex = '''(badge)-(\d{8})'''
secretGroup = 2

[rules.allowlist]
regexes = ['''^0+''']
paths = ['''testdata''']
`

func readRules(t testing.TB, text string) ([]Rule, error) {
	path := filepath.Join(t.TempDir(), "rules.toml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return ReadRules(path)
}

func acme(t testing.TB) *Rules {
	rules, err := readRules(t, acmeRules)
	require.NoError(t, err)
	r, err := Compile(append(Builtin(), rules...), Options{})
	require.NoError(t, err)
	return r
}

func TestRulesOfAFile(t *testing.T) {
	rules, err := readRules(t, acmeRules)
	require.NoError(t, err)
	r, err := Compile(rules, Options{}) // without the built-in ones, which know random values behind any name of a token
	require.NoError(t, err)
	value := newMaker(91).text("bcdefghijk123456", 24)
	for text, want := range map[string]string{
		`ACME_TOKEN = "` + value + `"`:                             value,
		"acme-token:" + value + "\n":                               value,
		"acmetoken=" + strings.Repeat("ab", 12):                    "", // varied too little
		"acme_token=" + value + "b":                                "",
		"acme_token=fixture" + value[7:]:                           "",
		"acme_token=a" + value[1:] + " # never real":               "",
		"acme_token=a" + value[1:] + "\n# never real":              "a" + value[1:],
		"token=" + value:                                           "",
		"a badge-12345678.":                                        "12345678",
		"a badge-00000008.":                                        "",
		strings.Repeat("x ", 5000) + "badge-12345678":              "12345678",
		strings.Repeat("x", blockSize-4) + " badge-12345678":       "12345678",
		strings.Repeat("x", 2*blockSize-9) + " badge-12345678 end": "12345678",
	} {
		found := r.Scan([]byte(text))
		if want == "" {
			require.Empty(t, found, text)
			continue
		}
		require.Len(t, found, 1, text)
		require.Equal(t, want, text[found[0].Start:found[0].End], text)
	}
}

func TestRulesOfAFileSeeDecodedText(t *testing.T) {
	text := "x=" + disguises[11].do(newMaker(1), "this is badge-12345678 for you")
	require.Equal(t, "base64", disguises[11].name)
	found := acme(t).Scan([]byte(text))
	require.Len(t, found, 1)
	require.Equal(t, "badge", found[0].Rule)
	require.Equal(t, "base64", found[0].Encoding)
}

func TestAnySplitGivesTheSameFindingsByExpression(t *testing.T) {
	r := acme(t)
	s := r.NewStream()
	m := newMaker(92)
	var b strings.Builder
	for b.Len() < 60_000 {
		b.WriteString(m.pick("badge-"+m.text(digitChars, 8), "acme_token="+m.text("bcdefghijk123456", 24), m.text(stdChars+" \n", m.IntN(900)),
			disguises[m.IntN(len(disguises))].do(m, "so badge-"+m.text(digitChars, 8)+" it is "), m.github()) + " ")
	}
	text := []byte(b.String())
	want := r.Scan(text)
	require.Greater(t, len(want), 20)
	rng := rand.New(rand.NewPCG(5, 2))
	for _, next := range []func() int{
		func() int { return 1 }, func() int { return 1 + rng.IntN(50) }, func() int { return 1 + rng.IntN(9000) }, func() int { return len(text) },
	} {
		s.Reset()
		require.Equal(t, want, inPieces(t, s, text, next))
	}
}

func TestReadRulesRefuses(t *testing.T) {
	rule := "[[rules]]\nid = 'a'\n"
	for text, want := range map[string]string{
		rule + "regex = '''(?<!x)y'''":                                   "rules.toml:3: rules[0].regex: RE2 does not take it",
		rule + "regex = 'y'\nkeyword = ['x']":                            `rules.toml:4: rules[0].keyword: unknown key; did you mean "keywords"?`,
		rule + "regex = 'y'\nsecretGroup = 1":                            "rules.toml:4: rules[0].secretGroup: the regex has 0 groups",
		rule + "regex = 'y'\nkeywords = ['']":                            "rules.toml:4: rules[0].keywords[0]: is empty",
		rule:                                                             "rules.toml:1: rules[0]: the rule has no regex",
		"[[rules]]\nregex = 'y'":                                         "rules.toml:1: rules[0]: the rule has no id",
		rule + "regex = 'y'\n" + rule + "regex = 'y'":                    `rules.toml:5: rules[1].id: there is a rule "a" already`,
		rule + "regex = 'y'\n[[rules.allowlists]]\nregexes = ['(']":      "rules.toml:5: rules[0].allowlists[0].regexes[0]: RE2",
		rule + "regex = 'y'\n[[rules.allowlists]]\ncondition = 'XOR'":    "condition: \"XOR\" is neither OR nor AND",
		rule + "regex = 'y'\n[[rules.allowlists]]\nregexTarget = 'file'": "regexTarget: \"file\" is none of",
		"[extend]\npath = 'x'\n" + rule + "regex = 'y'":                  "rules.toml:1: extend: only useDefault",
		"title = 'x'":     "rules: the file has no rules",
		rule + "regex = ": "rules.toml:3: ",
	} {
		_, err := readRules(t, text)
		require.ErrorContains(t, err, want, text)
	}
	_, err := ReadRules(filepath.Join(t.TempDir(), "none.toml"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestEntropyOfTexts(t *testing.T) {
	require.Zero(t, entropy([]byte("aaaa")))
	require.InDelta(t, 1, entropy([]byte("abab")), 1e-9)
	require.InDelta(t, 4, entropy([]byte("0123456789abcdef")), 1e-9)
}

// gitleaksDir is where the module of gitleaks is.
func gitleaksDir(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "mod", "download", "-C", "../../scripts/bench", "-json", "github.com/zricethezav/gitleaks/v8").Output()
	require.NoError(t, err, "%s", out)
	var module struct{ Dir string }
	require.NoError(t, json.Unmarshal(out, &module))
	return module.Dir
}

// The file that gitleaks brings along is what people have.
func TestGitleaksOwnRules(t *testing.T) {
	more := gitleaksOwn(t)
	both, err := Compile(append(Builtin(), more...), Options{})
	require.NoError(t, err)
	m := newMaker(90)
	require.Len(t, both.Scan([]byte("key = "+m.github()+" ")), 1)
	require.NotEmpty(t, both.Scan([]byte(`adafruit_key = "`+m.text("abcdefghijklmnopqrstuvwxyz0123456789", 32)+`"`)))
}

func TestRulesForPaths(t *testing.T) {
	rules, err := readRules(t, "[[rules]]\nid = 'jwt'\nregex = 'badge-[0-9]{8}'\npath = 'x'\n[[rules]]\nid = 'file'\npath = '[.]p12$'")
	require.NoError(t, err)
	require.Len(t, rules, 1)
	r, err := Compile(append(Builtin(), rules...), Options{})
	require.NoError(t, err)
	found := r.Scan([]byte("a badge-12345678 "))
	require.Len(t, found, 1)
	require.Equal(t, "jwt", found[0].Rule)
}
