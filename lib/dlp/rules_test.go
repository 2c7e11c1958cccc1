package dlp

import (
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func builtin(t testing.TB) *Rules {
	t.Helper()
	r, err := Compile(Builtin(), Options{})
	require.NoError(t, err)
	return r
}

func TestEachKindIsFoundInEachPlace(t *testing.T) {
	r := builtin(t)
	for seed := range uint64(10) {
		for _, s := range newMaker(seed).secrets() {
			for _, p := range places {
				text := p.before + s.text + p.after
				found := r.Scan([]byte(text))
				require.Len(t, found, 1, "%s, %s, seed %d: %q", s.rule, p.name, seed, text)
				require.Equal(t, s.rule, found[0].Rule, "%s, seed %d", p.name, seed)
				if s.value != "" {
					require.Equal(t, s.value, text[found[0].Start:found[0].End], "%s, %s, seed %d", s.rule, p.name, seed)
				}
			}
		}
	}
}

func TestEachRuleIsDocumentedAndTested(t *testing.T) {
	tested := map[string]bool{}
	for _, s := range newMaker(1).secrets() {
		tested[s.rule] = true
	}
	for _, rule := range Builtin() {
		require.True(t, tested[rule.Name], rule.Name)
		require.Regexp(t, `^[a-z0-9-]+$`, rule.Name)
		require.NotEmpty(t, rule.Matches, rule.Name)
		require.NotEmpty(t, rule.Check, rule.Name)
		require.Regexp(t, `^https://`, rule.Source, rule.Name)
	}
}

func TestWhatFailsItsCheckIsNoFinding(t *testing.T) {
	r := builtin(t)
	m := newMaker(7)
	github := m.github()
	swapped := github[:10] + github[11:12] + github[10:11] + github[12:]
	require.NotEqual(t, github, swapped)
	b64 := base64.RawURLEncoding.EncodeToString
	jwt := m.jwt(`{"alg":"HS256"}`, 30)
	begin := "-----" + "BEGIN "
	for name, text := range map[string]string{
		"github checksum":             swapped,
		"github wrong case":           strings.ToUpper(github[:4]) + github[4:],
		"github cut":                  github[:39],
		"fine-grained, long":          "github_pat_" + m.text(alnumChars, 22) + "_" + m.text(alnumChars, 60),
		"fine-grained placeholder":    "github_pat_" + strings.Repeat("X", 22) + "_" + strings.Repeat("X", 59),
		"openai infix at the start":   "sk-T3Blbk" + "FJ" + m.text(alnumChars, 80),
		"anthropic without AA":        "sk-ant-" + "api03-" + m.text("BCDEFGHIJKLMNOPQRSTUVWXYZabcdef0123456789", 95),
		"anthropic placeholder":       "sk-ant-" + "api03-" + strings.Repeat("x", 93) + "AA",
		"css class":                   "sk-loading-indicator-with-a-very-long-name-that-goes-on-and-on-and-on",
		"aws example":                 "AKIA" + "IOSFODNN7EXAMPLE",
		"aws example secret":          "aws_secret_access_key = wJalrXUtnFE" + "MI/K7MDENG/bPxRfiCYEXAMPLEKEY",
		"aws amid a word":             "XAKIA" + m.text(base32Chars, 16),
		"aws longer":                  "AKIA" + m.text(base32Chars, 17),
		"aws placeholder":             "AKIA" + strings.Repeat("X", 16),
		"aws not base32":              "AKIA" + m.text(base32Chars, 10) + "018918",
		"aws secret without keyword":  m.text(stdChars, 40),
		"aws keyword and a sha1":      "aws_secret_access_key: " + m.text(hexChars, 40),
		"aws keyword far away":        "aws_secret_access_key" + strings.Repeat(" ", 30) + m.text(stdChars, 40),
		"slack documentation":         "xoxb-not-a-real-token-this-will-not-work",
		"slack webhook documentation": "https://hooks.slack.com/services/T00000000/B00000000/" + strings.Repeat("X", 24),
		"google, long":                "AIza" + m.text(alnumChars, 36),
		"google amid base64":          m.text(alnumChars, 8) + "AIza" + m.text(alnumChars, 35),
		"ya29 short":                  "ya29." + m.text(urlChars, 20),
		"public key":                  m.pem("PUBLIC KEY"),
		"certificate":                 m.pem("CERTIFICATE"),
		"key line in code":            `if strings.Contains(s, "` + begin + `PRIVATE KEY-----") { return true }`,
		"key line and dots":           begin + "PRIVATE KEY-----\nMIIEvQIBADANBgkq...\n",
		"jwt without alg":             b64([]byte(`{"typ":"JWT","kid":"1"}`)) + jwt[strings.Index(jwt, "."):],
		"jwt two parts":               jwt[:strings.LastIndex(jwt, ".")],
		"jwt short signature":         jwt[:strings.LastIndex(jwt, ".")+9],
		"jwt payload no object":       b64([]byte(`{"alg":"HS256"}`)) + "." + b64([]byte("plain text payload")) + "." + m.text(urlChars, 43),
		"jwt padded":                  "eyJhbGciOiJIUzI1NiJ9==" + jwt[strings.Index(jwt, "."):],
		"base64 of json":              b64([]byte(`{"messages":[{"role":"user","content":"` + m.text(alnumChars, 4000) + `"}]}`)),
	} {
		require.Empty(t, r.Scan([]byte("x = '"+text+"';")), name)
	}
}

func TestSourcesOfThisPackageAreClean(t *testing.T) {
	// Code that speaks of secrets is what an agent sends all day.
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	r := builtin(t)
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		b, err := os.ReadFile(e.Name())
		require.NoError(t, err)
		require.Empty(t, r.Scan(b), e.Name())
	}
}

func TestRandomBase64IsClean(t *testing.T) {
	r := builtin(t)
	m := newMaker(3)
	for range 5 {
		require.Empty(t, r.Scan([]byte(`{"image":"`+m.text(stdChars, 300_000)+`"}`)))
		require.Empty(t, r.Scan([]byte(`{"blob":"`+m.text(urlChars, 300_000)+`"}`)))
		require.Empty(t, r.Scan([]byte(m.text(base32Chars, 100_000))))
	}
}

func TestFindingShowsNoMoreThanFourCharacters(t *testing.T) {
	r := builtin(t)
	for _, s := range newMaker(9).secrets() {
		for _, f := range r.Scan([]byte("x " + s.text)) {
			value := ("x " + s.text)[f.Start:f.End]
			for _, shown := range []string{f.String(), fmt.Sprintf("%v", f), fmt.Sprintf("%+v", f), fmt.Sprintf("%#v", f)} {
				shown = strings.ReplaceAll(shown, s.rule, "") // github-token shows "githu"
				require.NotContains(t, shown, value[:5], s.rule)
			}
			require.LessOrEqual(t, len([]rune(f.Sample)), 5)
		}
	}
}

func TestSampleOfUnprintableBytes(t *testing.T) {
	require.Equal(t, "a..b…", sample([]byte("a\x00\xffb12345")))
	require.Equal(t, "a…", sample([]byte("a")))
}

func TestNeighboursAreBothFound(t *testing.T) {
	m := newMaker(4)
	a, b := m.github(), m.github()
	found := builtin(t).Scan([]byte(a + b + " " + a))
	require.Len(t, found, 3)
	require.Equal(t, []int64{0, 40, 81}, []int64{found[0].Start, found[1].Start, found[2].Start})
}

func TestTrailingTextIsNotPartOfTheValue(t *testing.T) {
	m := newMaker(5)
	openai := "sk-proj-" + m.text(alnumChars, 58) + "T3Blbk" + "FJ" + m.text(alnumChars, 58)
	anthropic := "sk-ant-" + "api03-" + m.text(alnumChars, 86) + "-" + m.text(alnumChars, 6) + "AA"
	jwt := m.jwt(`{"alg":"HS256"}`, 30)
	for value, tail := range map[string]string{openai: "_and_more", anthropic: "-and-more", jwt: ". And more"} {
		found := builtin(t).Scan([]byte(value + tail))
		require.Len(t, found, 1)
		require.EqualValues(t, len(value), found[0].End, found[0].Rule)
	}
}

func TestCompileRefusesBadRules(t *testing.T) {
	good := pattern{keywords: []string{"x"}}
	for want, rules := range map[string][]Rule{
		"no rules given":       nil,
		"rule 0 has no name":   {{patterns: []pattern{good}}},
		`"a" has no pattern`:   {{Name: "a"}},
		`two rules`:            {{Name: "a", patterns: []pattern{good}}, {Name: "a", patterns: []pattern{good}}},
		"no keyword":           {{Name: "a", patterns: []pattern{{}}}},
		"a keyword is 0 bytes": {{Name: "a", patterns: []pattern{{keywords: []string{""}}}}},
		"impossible length":    {{Name: "a", patterns: []pattern{{keywords: []string{"x"}, steps: run(digit, 3, 2)}}}},
		"the limit is 16384":   {{Name: "a", patterns: []pattern{{keywords: []string{"x"}, steps: run(digit, 3, MaxMatch)}}}},
	} {
		_, err := Compile(rules, Options{})
		require.ErrorContains(t, err, want)
	}
}

// What follows in a path, or a URL that is a part of one, is not the measure of the secret before it.
func TestSecretsInAPathThatGoesOn(t *testing.T) {
	r := builtin(t)
	m := newMaker(6)
	for rule, value := range map[string]string{
		"slack-webhook":      "hooks.slack.com/services/T" + m.text(upperChars, 10) + "/B" + m.text(upperChars, 10) + "/" + m.text(alnumChars, 24),
		"docker-swarm-token": "SWMTKN-1-" + m.text(hexChars, 50) + "-" + m.text(hexChars, 25),
	} {
		found := r.Scan([]byte("/hooks/" + value + "/done"))
		require.Len(t, found, 1, rule)
		require.Equal(t, rule, found[0].Rule)
	}
	require.Empty(t, r.Scan([]byte("hooks.slack.com/services/T00000000/B00000000/"+strings.Repeat("X", 24)+"/done")))
}

// The marks of Modal's tokens are words of English.
func TestWordsBehindAShortMarkAreNoToken(t *testing.T) {
	r := builtin(t)
	for _, text := range []string{"known-as-SomeCamelCaseNameOfIts", `"as-getServerSidePropsOfIt"`, "ak-getV2ServerSidePropsOfX", "as-abcdefghijklmnopqr1234"} {
		require.Empty(t, r.Scan([]byte(text)), text)
	}
	require.Len(t, r.Scan([]byte("as-"+newMaker(7).text(alnumChars, 19)+"a1B")), 1)
}
