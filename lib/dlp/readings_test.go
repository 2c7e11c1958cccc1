package dlp

import (
	b32 "encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A sample that is nothing but encoded text, at any alignment, could be it; of random characters few could.
func TestWhatIsTextCouldBe(t *testing.T) {
	m, rng := newMaker(83), rand.New(rand.NewPCG(83, 1))
	for range few(2000) {
		plain := []byte(m.text(" !az09AZ~\t\n{}\"", 64))
		for i, encoded := range []string{
			base64.RawStdEncoding.EncodeToString(plain),
			b32.StdEncoding.EncodeToString(plain),
			hex.EncodeToString(plain),
			strings.ToLower(b32.StdEncoding.EncodeToString(plain)),
		} {
			at := rng.IntN(40)
			sample := [sampleChars]byte([]byte(encoded[at:]))
			in := sampled(&sample)
			require.NotZero(t, in>>i&1, "%s in %s", sample, encodings[i].name)
			require.True(t, text(&sample, sampleChars, in), "%s", sample)
		}
	}
	for range few(2000) { // behind what is of no group, too
		before := m.text(stdChars, rng.IntN(4))
		sample := [sampleChars]byte([]byte(before + base64.StdEncoding.EncodeToString([]byte(m.text(" !az09AZ~", 12)))))
		require.True(t, text(&sample, sampleChars, sampled(&sample)), "%s", sample)
	}
	passed := 0
	for range few(20_000) {
		sample := [sampleChars]byte([]byte(m.text(stdChars, sampleChars)))
		if sampled(&sample) != 0 {
			passed++
		}
	}
	require.Less(t, passed, few(20_000)/100)
}
