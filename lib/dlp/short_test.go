package dlp

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The short ways undo what push does, byte for byte, from the same places of the stream, however the text is cut.
func TestShortWaysAreTheLongWay(t *testing.T) {
	s := builtin(t).NewStream()
	m, rng := newMaker(912), rand.New(rand.NewPCG(912, 1))
	undo := func(feed func(v *view)) (string, []origin) {
		v := newView(s)
		v.begin(nil)
		feed(v)
		for i := range v.stages {
			v.settle(i, true)
		}
		return string(v.buf), v.origins
	}
	for range few(20_000) {
		var b strings.Builder
		for range 1 + rng.IntN(12) {
			b.WriteString(m.pick("%", "%4", "%41", "%25", "%2541", "%5c", `\`, `\\`, `\\\\`, "n", "u", "x", "U", "0", "1", "u0041", "u005c", "u{41}", "x41", "101", "U00000041",
				"&", "&amp;", "&#65;", "&#x41;", "&lt", "a", "41", ";", "#", "\u200b", "\u00ad", "\ufe0f", "é", "а", "ｕ", "％", "＆", "\u2011", "—", "\xe2", "\xc2", "\xf0\x9d", "\x00", " ", `"`, "{", "}"))
		}
		text := []byte(b.String())
		long, from := undo(func(v *view) {
			for i, c := range text {
				v.push(symbol{c: c, start: spot(i), end: spot(i) + 1})
			}
		})
		cut := rng.IntN(len(text) + 1)
		for _, at := range []int{len(text), cut} {
			short, shortFrom := undo(func(v *view) {
				v.feed(text[:at], 0)
				v.feed(text[at:], int64(at))
			})
			require.Equal(t, long, short, "%q, cut at %d", text, at)
			require.Equal(t, from, shortFrom, "%q, cut at %d", text, at)
		}
	}
}
