package echo_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/echo"
	"bottle/lib/secret"
)

const tokenLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// token makes a credential that nobody issued.
func token(seed uint64, length int, letters string) string {
	r := rand.New(rand.NewPCG(seed, 7))
	b := make([]byte, length)
	for i := range b {
		b[i] = letters[r.IntN(len(letters))]
	}
	return string(b)
}

func jwt(seed uint64) string {
	return "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9." + token(seed, 700, tokenLetters+"-_") + "." + token(seed+1, 340, tokenLetters+"-_")
}

func value(t testing.TB, s string) secret.Value {
	t.Helper()
	v, err := secret.New(s)
	require.NoError(t, err)
	return v
}

func rewriter(t testing.TB, pairs ...string) *echo.Rewriter {
	t.Helper()
	var creds []echo.Credential
	for i := 0; i < len(pairs); i += 2 {
		creds = append(creds, echo.Credential{Real: value(t, pairs[i]), StandIn: pairs[i+1], Source: fmt.Sprintf("source %d", i/2)})
	}
	w, err := echo.New(creds)
	require.NoError(t, err)
	return w
}

// credentials are of every length and every kind of character.
func credentials() map[string]string {
	return map[string]string{
		"short":      token(1, 8, tokenLetters),
		"nine":       token(2, 9, tokenLetters),
		"ten":        token(3, 10, tokenLetters),
		"GitHub's":   "ghp_" + token(4, 36, tokenLetters),
		"JWT":        jwt(5),
		"base64":     token(6, 43, tokenLetters+"+/") + "=",
		"digits":     token(7, 16, "0123456789"),
		"hex":        token(8, 40, "0123456789abcdef"),
		"special":    token(9, 24, `%\&/"<>'+=?#@! `),
		"percents":   "p%41%25ss%2525" + token(10, 4, tokenLetters),
		"backslash":  `a\u0061\/b\\` + token(11, 5, tokenLetters),
		"references": `&amp;&#38;&#x26;` + token(12, 3, tokenLetters),
		"repeating":  "abababababababababab",
		"one letter": "aaaaaaaaaaaa",
		"not ASCII":  "pässwörd-" + token(13, 6, tokenLetters),
	}
}

func TestEveryFormIsReplacedInItsForm(t *testing.T) {
	for name, real := range credentials() {
		for _, standIn := range []string{"", dummyOf(real), dummyOf(real) + "-and-more"} {
			w := rewriter(t, real, standIn)
			for _, e := range encodings() {
				text := e.encode(real)
				hits := 0
				out := w.String("before "+text+"\nafter", func(string) { hits++ })
				require.Equal(t, 1, hits, "%s, %s: %s", name, e.name, text)
				require.True(t, strings.HasPrefix(out, "before ") && strings.HasSuffix(out, "\nafter"), "%s, %s: %s", name, e.name, out)
				got := strings.TrimSuffix(strings.TrimPrefix(out, "before "), "\nafter")
				requireNoForm(t, out, real)
				if len(standIn) != len(real)+len("-and-more") {
					require.Len(t, got, len(text), "%s, %s", name, e.name)
				}
				// Those, and &#97; for a, are written shorter than some letters.
				if standIn != "" && e.name != "HTML, decimal" && !strings.ContainsAny(real, `\/"&<>'`) {
					require.Equal(t, standIn, strings.TrimRight(e.decode(got), "_"), "%s, %s: %s", name, e.name, got)
				}
			}
		}
	}
}

// dummyOf makes a dummy as mints do: as long as the real one, and it begins
// like that.
func dummyOf(real string) string {
	keep := strings.IndexFunc(real, func(r rune) bool { return special(byte(min(r, 127))) })
	if keep < 0 || keep > 2 {
		keep = 2
	}
	return real[:keep] + token(99, len(real)-keep, "abcdefghijklmnop")
}

// requireNoForm is the oracle: real is in text in no form at all.
func requireNoForm(t testing.TB, text, real string) {
	t.Helper()
	for _, e := range encodings() {
		form := e.encode(real)
		if strings.HasPrefix(e.name, "base64") || e.name == "Basic" {
			continue // its ends share characters with the surroundings; see below
		}
		if strings.Contains(text, form) {
			t.Fatalf("%s: %q is still in %q", e.name, form, text)
		}
	}
	for align := range 3 {
		for _, url := range []bool{false, true} {
			if form := interior(align, real, url); strings.Contains(text, form) {
				t.Fatalf("base64: %q is still in %q", form, text)
			}
		}
	}
}
