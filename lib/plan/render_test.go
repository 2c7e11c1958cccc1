package plan

import (
	"testing"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/require"
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
