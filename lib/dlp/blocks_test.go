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

// muddle returns n bytes: of all values, of text, and of what is marked.
func muddle(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		switch rng.IntN(4) {
		case 0:
			b[i] = byte(rng.IntN(256))
		case 1:
			b[i] = `\\\\ux/U01%&+-_=`[rng.IntN(16)]
		default:
			b[i] = ' ' + byte(rng.IntN(95))
		}
	}
	return b
}

func TestMarksOfABlock(t *testing.T) {
	rng := rand.New(rand.NewPCG(81, 1))
	for range few(5_000) {
		block := (*[blockLen]byte)(muddle(rng, blockLen))
		var wide, plain marks
		marksWide(block, &wide)
		marksPlain(block, &plain)
		require.Equal(t, plain, wide, "%q", block)
		for i, c := range block {
			require.Equal(t, [...]bool{runChars[c], leadChars[c], c == '\\', hidden[c]},
				[...]bool{plain.runs>>i&1 == 1, plain.leads>>i&1 == 1, plain.slashes>>i&1 == 1, plain.letters>>i&1 == 1}, "%q at %d", block, i)
		}
	}
}

// What stands behind a block is seen as if it were of it.
func TestBackslashesAtTheEndOfABlock(t *testing.T) {
	rng := rand.New(rand.NewPCG(81, 2))
	s := sniffer{}
	for range few(5_000) {
		n := 1 + rng.IntN(blockLen)
		text := muddle(rng, n+rng.IntN(6))
		n = min(n, len(text))
		m := marksOf(text[:n])
		got := m.backslashes(n, text[n:])
		for i, c := range text[:n] {
			if c != '\\' {
				require.Zero(t, got>>i&1, "%q at %d", text, i)
			} else if yes, more := s.hides(text, i); yes || more {
				require.NotZero(t, got>>i&1, "%q at %d of %d", text, i, n)
			}
		}
	}
}

// runsText is a run of base64's characters, most often random.
func runsText(rng *rand.Rand) string {
	random := make([]byte, rng.IntN(120))
	for i := range random {
		random[i] = byte(rng.IntN(256))
	}
	var b strings.Builder
	for b.Len() < 60 || rng.IntN(5) > 0 {
		text := random
		if rng.IntN(4) == 0 {
			text = []byte(strings.Repeat("text and more of it ", 3)[rng.IntN(20):])
		}
		switch rng.IntN(6) {
		case 0:
			b.WriteString(hex.EncodeToString(text))
		case 1:
			b.WriteString(b32.StdEncoding.WithPadding(b32.NoPadding).EncodeToString(text))
		case 2:
			b.WriteString(strings.ToLower(b32.StdEncoding.WithPadding(b32.NoPadding).EncodeToString(text)))
		case 3:
			b.WriteString(base64.RawURLEncoding.EncodeToString(text))
		case 4:
			b.WriteByte("_+-/ .\x80\xffz9"[rng.IntN(10)])
		default:
			b.WriteString(base64.RawStdEncoding.EncodeToString(text))
		}
	}
	return b.String()
}

// What sweepWide goes past has no sample that could be text, and ends in the run.
func TestSweepGoesPastNothing(t *testing.T) {
	if !hasAVX2 {
		t.Skip("this processor, or this build, looks at byte after byte")
	}
	rng := rand.New(rand.NewPCG(81, 3))
	all, past := 0, 0
	for range few(2_000) {
		text := []byte(runsText(rng))
		for at := 0; at+sampleChars <= len(text); at += sampleStep {
			n := sweepWide(text[at:])
			require.Zero(t, n%sampleStep)
			require.LessOrEqual(t, at+n+sampleChars-sampleStep, len(text))
			for i := at; i < at+n; i += sampleStep {
				sample := (*[sampleChars]byte)(text[i:])
				require.Zero(t, sampled(sample), "%q at %d", text, i)
				for _, c := range sample {
					require.True(t, runChars[c], "%q at %d", text, i)
				}
			}
			all++
			if n > 0 {
				past++
			}
		}
	}
	require.Greater(t, past, all/8, "it goes past hardly anything")
}

// Where a keyword may begin does not depend on how many bytes are looked at at once, nor on what is known of a block.
func TestSkimmingOfBlocks(t *testing.T) {
	r := builtin(t)
	keywords := r.auto.texts()
	rng := rand.New(rand.NewPCG(81, 4))
	for range few(1_000) {
		text := muddle(rng, rng.IntN(300))
		for range rng.IntN(8) {
			if k := keywords[rng.IntN(len(keywords))]; len(k) < len(text) {
				copy(text[rng.IntN(len(text)-len(k)):], k)
			}
		}
		var last skimmed
		for from := 0; from < len(text); {
			at := r.auto.skim.next(text, from, &last)
			end := len(text) - 3*skimAt - 1 // where not all is looked at
			require.Equal(t, min(r.auto.skim.nextPlain(text, from), end), min(at, end), "%q from %d", text, from)
			from = max(from, at) + 1 + rng.IntN(2)*rng.IntN(100)
		}
	}
}
