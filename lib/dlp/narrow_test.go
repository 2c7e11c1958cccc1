package dlp

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
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
	sources := map[string]string{
		"bounded":      `\b(SK[0-9a-f]{8})\b`,
		"case":         `(?i)[\w.-]{0,50}?(?:access|auth|(?-i:[Aa]pi|API)|creds?|key)[ '"=:]{1,5}([\w=-]{4,20})(?:['";\s]|$)`,
		"end":          `token[a-z]{2,6}$`,
		"begin":        `^token[a-z]{2}`,
		"lines":        `(?m)^token[a-z]+$`,
		"any":          `.{0,8}secret.*?x`,
		"overlapping":  `[a-z]{0,20}aa[a-z]{0,4}`,
		"alternatives": `(?:ab|cde){2,3}|token`,
		"not a word":   `\Btoken\B`,
		"optional":     `(?:token)?abc`,
		"wide":         `é?token.`,
	}
	theirs := map[string]bool{}
	for _, rule := range gitleaksOwn(t) {
		theirs[rule.Name] = true
		if rule.expression.narrow != nil {
			sources[rule.Name] = rule.expression.narrow.source
		}
	}
	require.Greater(t, len(sources), 150, "hardly any rule of gitleaks is narrowed")
	rng := rand.New(rand.NewPCG(85, 1))
	m := newMaker(85)
	code, err := os.ReadFile("narrow.go")
	require.NoError(t, err)
	for name, source := range sources {
		re, n := regexp.MustCompile(source), narrow(source)
		require.NotNil(t, n, name)
		parts := append([]string{"a", "aa", "ab", "cde", "abc", "token", "TOKEN", "key", "api", "API", "SK", "secret", "é", "\xff", "\n", " ", "x", " = ", " SK0a1b2c3d ", `"`, "0a1b2c3d", "=", ";", ".", "-"}, n.literals...)
		matched := false
		for range few(300) {
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
			text := []byte(b.String())
			want := re.FindAllSubmatchIndex(text, -1)
			matched = matched || want != nil
			require.Equal(t, want, n.matches(re, text, lowered(text)), "%s in %q", name, text)
		}
		require.Equal(t, re.FindAllSubmatchIndex(code, -1), n.matches(re, code, lowered(code)), name)
		require.True(t, matched || theirs[name], "%s matched nothing", name)
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
