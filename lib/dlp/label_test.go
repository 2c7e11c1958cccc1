package dlp

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/secret"
)

func TestLabel(t *testing.T) {
	known, err := secret.New("a known value, 7 words of it")
	require.NoError(t, err)
	rules, err := KnownRules([]KnownSecret{{Name: "k", Value: known}})
	require.NoError(t, err)
	r, err := Compile(append(Builtin(), rules...), Options{Label: func(rule string, value []byte) string { return rule + " " + secret.SHA256(string(value))[:8] }})
	require.NoError(t, err)
	token := "glpat" + "-" + secret.SHA256("a")[:20]
	for _, text := range []string{token, base64.StdEncoding.EncodeToString([]byte("it is " + token))} {
		fs := r.Scan([]byte(text))
		require.Len(t, fs, 1)
		require.Equal(t, "gitlab-personal-token "+secret.SHA256(token)[:8], fs[0].Label, "of the value, not of its encoding")
	}
	fs := r.Scan([]byte("it is " + known.Expose()))
	require.Len(t, fs, 1)
	require.Equal(t, "known:k "+known.SHA256()[:8], fs[0].Label)
}
