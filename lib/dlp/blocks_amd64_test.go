//go:build !purego

package dlp

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"
)

// A processor without AVX2 is asked for none of it, and finds the same.
func TestWithoutAVX2(t *testing.T) {
	if !hasAVX2 {
		t.Skip("this processor has none")
	}
	r, m := builtin(t), newMaker(81)
	random := m.text(stdChars, 4_000)
	text := []byte(string(llmJSON(20_000)) + random + " " + base64.StdEncoding.EncodeToString([]byte("words, and "+m.github()+" in it")) + random)
	want := r.Scan(text)
	require.NotEmpty(t, want)
	require.NotZero(t, sweepWide([]byte(random)))
	_, marks := r.auto.skim.pairsWide(text)
	require.NotZero(t, marks)

	hasAVX2 = false
	defer func() { hasAVX2 = true }()
	require.Zero(t, sweepWide([]byte(random)))
	_, marks = r.auto.skim.pairsWide(text)
	require.Zero(t, marks)
	require.Equal(t, want, r.Scan(text))
}
