package dlp

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// gitleaksOwn are the rules that gitleaks brings along.
func gitleaksOwn(t testing.TB) []Rule {
	t.Helper()
	more, err := ReadRules(filepath.Join(gitleaksDir(t), "config", "gitleaks.toml"))
	require.NoError(t, err)
	require.Greater(t, len(more), 200)
	return more
}

// Where an expression is run only near its literals, it has the matches that it has anywhere.
func TestNarrowedExpressionsMatchTheSame(t *testing.T) {
	type source struct{ expression, match string }
	sources := map[string]source{
		"bounded":      {`\b(SK[0-9a-f]{8})\b`, " SK0a1b2c3d "},
		"case":         {`(?i)[\w.-]{0,50}?(?:access|auth|(?-i:[Aa]pi|API)|creds?|key)[ '"=:]{1,5}([\w=-]{4,20})(?:['";\s]|$)`, "my.KEY = abcd;"},
		"end":          {`token[a-z]{2,6}$`, "tokenab"},
		"begin":        {`^token[a-z]{2}`, "tokenab"},
		"lines":        {`(?m)^token[a-z]+$`, "\ntokenab\n"},
		"any":          {`.{0,8}secret.*?x`, "secretx"},
		"overlapping":  {`[a-z]{0,20}aa[a-z]{0,4}`, "baab"},
		"alternatives": {`(?:ab|cde){2,3}|token`, "abcde"},
		"not a word":   {`\Btoken\B`, "xtokenx"},
		"optional":     {`(?:token)?abc`, "tokenabc"},
		"wide":         {`é?token.`, "étokené"},
	}
	for _, rule := range gitleaksOwn(t) {
		if rule.expression.narrow != nil {
			sources[rule.Name] = source{expression: rule.expression.narrow.source}
		}
	}
	require.Greater(t, len(sources), 150, "hardly any rule of gitleaks is narrowed")
	rng := rand.New(rand.NewPCG(85, 1))
	m := newMaker(85)
	code, err := os.ReadFile("narrow.go")
	require.NoError(t, err)
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		source := sources[name]
		re, n := regexp.MustCompile(source.expression), narrow(source.expression)
		require.NotNil(t, n, name)
		parts := append([]string{"a", "aa", "ab", "cde", "abc", "token", "TOKEN", "key", "api", "API", "SK", "secret", "é", "\xff", "\n", " ", "x", " = ", `"`, "0a1b2c3d", "=", ";", ".", "-", source.match}, n.literals...)
		same := func(text []byte) (matches int) {
			want := re.FindAllSubmatchIndex(text, -1)
			require.Equal(t, want, n.matches(re, text, lowered(text)), "%s in %q", name, text)
			return len(want)
		}
		require.True(t, source.match == "" || same([]byte(source.match)) > 0, name)
		same(code)
		for range few(100) {
			var b strings.Builder
			for range rng.IntN(30) {
				switch rng.IntN(12) {
				case 0:
					b.WriteString(m.text(alnumChars, rng.IntN(60)))
				case 1:
					b.WriteString(m.text(hexChars, 32))
				default:
					b.WriteString(parts[rng.IntN(len(parts))])
				}
			}
			same([]byte(b.String()))
		}
	}
}

func lowered(text []byte) []byte {
	b := make([]byte, len(text))
	for i, c := range text {
		b[i] = fold(c)
	}
	return b
}

// The long s and the sign of Kelvin are letters of ASCII to an expression without regard to case.
func TestNarrowedExpressionsFoldAsOthers(t *testing.T) {
	const source = `(?i)secret_key=[a-z]{4}`
	re, n := regexp.MustCompile(source), narrow(source)
	require.NotNil(t, n)
	for _, text := range []string{"secret_key=abcd", "SECRET_KEY=ABCD", "\u017fecret_key=abcd", "secret_\u212aey=abcd"} {
		require.Len(t, n.matches(re, []byte(text), lowered([]byte(text))), 1, text)
	}
}

// An expression that is as deep as the library takes is none in a group more. It is matched as it is, and nothing panics.
func TestNarrowedExpressionsThatAreTooDeep(t *testing.T) {
	var re *regexp.Regexp
	var source string
	for depth := 900; depth < 1100; depth++ {
		s := strings.Repeat("(", depth) + "token[0-9]" + strings.Repeat(")", depth)
		compiled, err := regexp.Compile(s)
		if err != nil {
			break
		}
		re, source = compiled, s
	}
	n := narrow(source)
	require.NotNil(t, n)
	require.False(t, n.ready())
	text := []byte("a token1 and token2")
	require.Len(t, n.matches(re, text, lowered(text)), 2)
}

func TestWhatCannotBeNarrowed(t *testing.T) {
	for _, source := range []string{`[0-9a-f]{32}`, `(?:token)?[a-z]{8}`, `a|token`, `.*token`, `[a-z]{400}token`, `clé`, `x`} {
		require.Nil(t, narrow(source), source)
	}
}

// What people load costs little: BenchmarkGitleaksRules beside BenchmarkScan.
func BenchmarkGitleaksRules(b *testing.B) {
	r, err := Compile(append(Builtin(), gitleaksOwn(b)...), Options{})
	require.NoError(b, err)
	for name, text := range map[string][]byte{"llm-json-1MB": llmJSON(1 << 20), "source-1MB": sourceCode(1 << 20), "image-1MB": imageJSON(1 << 20)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				r.Scan(text)
			}
		})
	}
}
