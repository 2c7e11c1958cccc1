package dlp

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// ends are where the automaton sees keywords end in text, by stepping through each byte, and which.
func (a *automaton) ends(text []byte) (ends []int, hits [][]keyword) {
	state := uint32(0)
	for i, c := range text {
		if state = a.step(state, c); state >= a.accepts {
			ends, hits = append(ends, i+1), append(hits, a.hits[state])
		}
	}
	return ends, hits
}

// texts are those of the keywords, as often as they end in a state.
func (a *automaton) texts() (texts []string) {
	for _, hits := range a.hits {
		for _, k := range hits {
			texts = append(texts, k.text)
		}
	}
	return texts
}

// What seek leaves out has no keyword in it that a match could begin with, however the text is cut.
func TestSeekFindsWhatSteppingFinds(t *testing.T) {
	r := builtin(t)
	keywords := r.auto.texts()
	inCase := func(k *keyword, before []byte) bool { // which the engine asks for
		return k.pattern.fold || bytes.HasSuffix(before, []byte(k.text))
	}
	names := func(hits []keyword, before []byte) (names []string) {
		for _, k := range hits {
			if inCase(&k, before) {
				names = append(names, fmt.Sprint(k.text, k.rule))
			}
		}
		return names
	}
	rng := rand.New(rand.NewPCG(82, 1))
	for range few(3000) {
		var b strings.Builder
		for range rng.IntN(40) {
			k := keywords[rng.IntN(len(keywords))]
			switch rng.IntN(5) {
			case 0:
				k = strings.ToUpper(k)
			case 1:
				k = k[:rng.IntN(len(k)+1)]
			case 2:
				k = k[rng.IntN(len(k)):]
			case 3:
				k = strings.Repeat("\u00e9x ", rng.IntN(9))
			}
			b.WriteString(k)
		}
		text := []byte(b.String())
		ends, hits := r.auto.ends(text)
		matches := func(i int) bool { // behind the i-th there is what a match must have
			return slices.ContainsFunc(hits[i], func(k keyword) bool {
				if !inCase(&k, text[:ends[i]]) || k.otherwise(text[ends[i]:]) == yes {
					return false
				}
				for j, c := range k.follows() {
					if at := ends[i] + j; len(k.text)+j < skimLen+1 && (at >= len(text) || !c[text[at]]) {
						return false
					}
				}
				return true
			})
		}
		pos, state, seen := 0, uint32(0), 0
		for limit := 0; limit < len(text) || pos < len(text); {
			limit = min(len(text), limit+1+rng.IntN(30))
			for pos < limit {
				var found bool
				if pos, state, found = r.auto.seek(text[:limit], pos, state); !found {
					require.Equal(t, limit, pos)
					break
				}
				for seen < len(ends) && ends[seen] < pos && !matches(seen) {
					seen++
				}
				require.Less(t, seen, len(ends), "%q", text)
				require.Equal(t, ends[seen], pos, "%q", text)
				require.Equal(t, names(hits[seen], text[:pos]), names(r.auto.hits[state], text[:pos]), "%q", text)
				seen++
			}
		}
		for ; seen < len(ends); seen++ {
			require.False(t, matches(seen), "%q", text)
		}
	}
}
