package dlp

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAppendPercentDecoded(t *testing.T) {
	for in, want := range map[string]string{
		"":            "",
		"abc":         "abc",
		"a%20b":       "a b",
		"%41%6a%6A":   "Ajj",
		"%2541":       "%41",
		"100%":        "100%",
		"%4":          "%4",
		"%4g%zz%":     "%4g%zz%",
		"%%41":        "%A",
		"a+b":         "a+b",
		"%00%ff":      "\x00\xff",
		"gh%70_%5Fxx": "ghp__xx",
	} {
		require.Equal(t, want, string(AppendPercentDecoded(nil, []byte(in))), in)
		require.Equal(t, "x"+want, string(AppendPercentDecoded([]byte("x"), []byte(in))), in)
	}
}

func FuzzAppendPercentDecoded(f *testing.F) {
	f.Add("a%20b%")
	f.Add("%%41%g0")
	f.Fuzz(func(t *testing.T, s string) {
		got := string(AppendPercentDecoded(nil, []byte(s)))
		require.LessOrEqual(t, len(got), len(s))
		if want, err := url.PathUnescape(s); err == nil {
			require.Equal(t, want, got)
		}
		require.Equal(t, s, string(AppendPercentDecoded(nil, []byte(url.PathEscape(s)))))
	})
}
