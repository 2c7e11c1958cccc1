package dlp

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// A view that is given much at once takes shorter ways than one that is given a byte at a time. It sees the same.
func TestViewSeesTheSameInPieces(t *testing.T) {
	s := builtin(t).NewStream()
	rng := rand.New(rand.NewPCG(83, 1))
	parts := []string{`\`, `\\`, `\\\\`, "u", "u0041", "u005c", "u0026", "u0075", "x41", "n", `"`, "/", "a", "0", "41", "%41", "%5C", "%", "&amp;", "&", "#65;", "\u00e9", "\u0430", "\u200b", "\x00", " "}
	for range few(20_000) {
		var text []byte
		for range rng.IntN(24) {
			text = append(text, parts[rng.IntN(len(parts))]...)
		}
		whole, pieces := newView(s), newView(s)
		whole.begin(nil)
		pieces.begin(nil)
		whole.feed(text, 0)
		for i := range text {
			pieces.feed(text[i:i+1], int64(i))
		}
		whole.finish()
		pieces.finish()
		require.Equal(t, string(whole.buf), string(pieces.buf), "%q", text)
		require.Equal(t, whole.origins, pieces.origins, "%q", text)
	}
}

// A keyword may have begun before another that is amid it and breaks off at the escape.
func TestKeywordAroundAnotherThatBreaksOff(t *testing.T) {
	r := builtin(t)
	m := newMaker(86)
	text := "k=BOOTSTRAP_TOKEN=" + m.text("abcdefgh", 5) + "1." + m.text("abcdefgh0123", 15) + "2 ,"
	require.NotEmpty(t, r.Scan([]byte(text)))
	for i := 2; i < 17; i++ {
		escaped := text[:i] + fmt.Sprintf(`\u%04x`, text[i]) + text[i+1:]
		require.NotEmpty(t, r.Scan([]byte(escaped)), escaped)
	}
}

// A stream may be of any length: what a view finds stands where it does also where an offset's lowest bits begin anew.
func TestViewsOfLongStreams(t *testing.T) {
	x := newStress(t, 21)
	r := x.rules
	for seed := range uint64(few(20)) {
		m := newMaker(seed)
		text := x.text(m, 40_000)
		want := r.Scan(text)
		for _, begin := range []int64{1<<31 - 20_000, 1<<32 - 20_000, 1<<33 - int64(m.IntN(40_000)), 1 << 45} {
			s := r.NewStream()
			s.engine.base, s.fed, s.settled, s.end = begin, begin, begin, begin
			var got []Finding
			for at := 0; at < len(text); {
				n := min(len(text)-at, 1+m.IntN(9_000))
				_, found := s.Scan(text[at : at+n])
				got, at = append(got, found...), at+n
			}
			got = append(got, s.Finish()...)
			for i := range got {
				got[i].Start, got[i].End = got[i].Start-begin, got[i].End-begin
			}
			require.Equal(t, want, got, "seed %d, from %d", seed, begin)
			s.Release()
		}
	}
}
