package dlp

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func phraseRules(t testing.TB) *Rules {
	t.Helper()
	r, err := Compile(append(Builtin(), SeedPhrases()...), Options{})
	require.NoError(t, err)
	return r
}

// phrase makes a mnemonic of n words, as BIP-39 says.
func (m maker) phrase(n int) []string {
	entropy := make([]byte, n*4/3)
	for i := range entropy {
		entropy[i] = byte(m.IntN(256))
	}
	sum := sha256.Sum256(entropy)
	bits := ""
	for _, b := range append(entropy, sum[0]) {
		bits += fmt.Sprintf("%08b", b)
	}
	list := strings.Fields(bip39Words)
	words := make([]string, n)
	for i := range words {
		var index int
		fmt.Sscanf(bits[i*11:i*11+11], "%b", &index)
		words[i] = list[index]
	}
	return words
}

func TestTheWordListIsTheStandards(t *testing.T) {
	sum := sha256.Sum256([]byte(bip39Words))
	require.Equal(t, "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda", hex.EncodeToString(sum[:]))
}

func numbered(words []string) string { return eachAs(words, "%d. %s\n") }

func TestSeedPhrasesAreFound(t *testing.T) {
	r := phraseRules(t)
	s := r.NewStream()
	m := newMaker(500)
	for _, n := range []int{12, 15, 18, 21, 24} {
		for range 20 {
			words := m.phrase(n)
			for name, text := range map[string]string{
				"spaces":     strings.Join(words, " "),
				"lines":      strings.Join(words, "\r\n"),
				"in json":    strings.Join(words, `\n`),
				"commas":     strings.Join(words, ", "),
				"array":      `["` + strings.Join(words, `", "`) + `"]`,
				"numbered":   numbered(words),
				"upper case": strings.ToUpper(strings.Join(words, " ")),
				"embedded":   "wallet word " + strings.Join(words, " ") + " wallet",
				"percent":    strings.Join(words, "%20"),
				"base64":     base64.StdEncoding.EncodeToString([]byte(" " + strings.Join(words, " "))),
				"plus":       strings.Join(words, "+"),
				"list":       "<li>" + strings.Join(words, "</li>\n    <li>") + "</li>",
				"breaks":     strings.Join(words, "<br/>"),
				"tags, json": asJSON("<p>" + strings.Join(words, "</p><p>") + "</p>"),
				"digits":     strings.Join(words, "1 ") + "1",
				"in signs":   "<" + strings.Join(words, ">, <") + ">",
				"less than":  strings.Join(words, " < "),
				"labels":     labelled(words),
				"names":      eachAs(words, "w%d: %s\n"),
				"list names": eachAs(words, "word%d: %s, "),
				"form":       eachAs(words, "&word%d=%s"),
				"json names": eachAs(words, `"word%d": "%s", `),
				"attributes": `<ol class="list"><li class="word title">` + strings.Join(words, "</li>\n<li class=\"word title\">") + "</li></ol>",
				"table":      eachAs(words, `<tr class="word"><td class="index number">%d</td><td class="word">%s</td></tr>`),
				"nbsp":       strings.Join(words, "\u00a0"),
				"dots":       strings.Join(words, " · "),
				"bullets":    "• " + strings.Join(words, "\n• "),
				"ideograms":  strings.Join(words, "\u3000"),
			} {
				whole := "x7 = 9 Zz; " + text + " ;Qq"
				found := r.Scan([]byte(whole))
				require.NotEmpty(t, found, "%s: %s", name, text)
				require.Equal(t, "seed-phrase", found[0].Rule)
				require.Equal(t, "…", found[0].Sample)
				if name == "spaces" {
					require.EqualValues(t, 11, found[0].Start)
					require.EqualValues(t, 11+len(text), found[len(found)-1].End)
				}
				s.Reset()
				require.Equal(t, found, inPieces(t, s, []byte(whole), func() int { return 1 + m.IntN(20) }), name)
			}
		}
	}
}

// labelled writes words as members: "w1":"abandon".
func labelled(words []string) string { return eachAs(words, `"w%d":"%s",`) }

// eachAs writes each word with its number by format.
func eachAs(words []string, format string) string {
	var b strings.Builder
	for i, w := range words {
		fmt.Fprintf(&b, format, i+1, w)
	}
	return b.String()
}

// The length of a string of protobuf may be a letter.
func TestASeedPhraseBehindItsLength(t *testing.T) {
	r := phraseRules(t)
	m := newMaker(506)
	for range 50 {
		text := strings.Join(m.phrase(12), " ")
		found := r.Scan(append([]byte{0x0a, byte(len(text))}, text...))
		require.Len(t, found, 1, text)
		require.EqualValues(t, 2, found[0].Start)
	}
}

func TestCodeIsNoSeedPhrase(t *testing.T) {
	r := phraseRules(t)
	for _, text := range []string{
		strings.Repeat("{0x800080, true, false, true, false},\n", 30), strings.Repeat("\tcase \"false\":\n\t\treturn true\n\tcase \"\":\n", 30),
		strings.Repeat("#include <sys/types.h>\n#include <signal.h>\n#include <stdio.h>\n", 30), strings.Repeat("\tv0.Put(pool)\n\tv1.Put(pool)\n", 30),
		strings.Repeat("<option label=\"Off\" name=\"off\">off</option>\n<option label=\"High\">high</option>\n<option>normal</option>\n", 30),
	} {
		require.Empty(t, r.Scan([]byte(text)), text[:60])
	}
}

func TestWhatIsNoSeedPhrase(t *testing.T) {
	r := phraseRules(t)
	m := newMaker(501)
	words := m.phrase(12)
	words[3], words[4] = "zzz", words[3]
	other := m.phrase(12)
	require.Empty(t, r.Scan([]byte(bip39Words)), "the list itself")
	require.Empty(t, r.Scan([]byte(strings.Join(words, " "))))
	require.Empty(t, r.Scan([]byte(strings.Join(other[:6], " ")+strings.Repeat(" ", 30)+strings.Join(other[6:], " "))))
	require.Empty(t, builtin(t).Scan([]byte(strings.Join(other, " "))), "off by default")
	for name, text := range newMaker(502).benign() {
		require.Empty(t, r.Scan([]byte(text)), name)
	}
	wrong := 0
	for range 200 {
		w := m.phrase(12)
		w[m.IntN(12)] = "zoo"
		if len(r.Scan([]byte(strings.Join(w, " ")))) > 0 {
			wrong++
		}
	}
	require.Less(t, wrong, 40, "one in sixteen by chance, and those whose word was zoo")
}

func TestAWordLongerThanTheWindowIsNone(t *testing.T) {
	r := phraseRules(t)
	words := strings.Join(newMaker(504).phrase(12), " ")
	long := strings.Repeat("abcdefghij", 20_000)
	require.Len(t, r.Scan([]byte(long+" "+words+" Q")), 1)
	require.Empty(t, r.Scan([]byte("zoo "+percentAll(long))))
}

func FuzzPhraseSplit(f *testing.F) {
	m := newMaker(503)
	for i := range 5 {
		f.Add([]byte("zoo zoo "+strings.Join(m.phrase(12+3*i), m.pick(" ", `\n`, "%20", `","`))), uint64(i))
	}
	r := phraseRules(f)
	s := r.NewStream()
	f.Fuzz(func(t *testing.T, text []byte, seed uint64) {
		if len(text) > 8000 {
			return
		}
		rng := rand.New(rand.NewPCG(seed, 3))
		s.Reset()
		require.Equal(t, r.Scan(text), inPieces(t, s, text, func() int { return 1 + rng.IntN(1+rng.IntN(40)) }))
	})
}

// A view that begins amid a word takes no part of it for one.
func TestAViewAmidAWordFindsNoPhraseThere(t *testing.T) {
	r := phraseRules(t)
	s := r.NewStream()
	for seed := uint64(0); ; seed++ {
		words := strings.Join(newMaker(seed).phrase(12), " ")
		if len(words) > cueBack {
			continue
		}
		for _, escape := range []string{"&#10;", "%0a", "\u200b"} {
			text := []byte("j" + words + strings.Repeat(" ", cueBack-len(words)) + escape + "le")
			require.Equal(t, r.Scan(text), inPieces(t, s, text, func() int { return 1 }), "%s", text)
			s.Reset()
		}
		return
	}
}
