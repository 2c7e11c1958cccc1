package dlp

import (
	"bytes"
	"encoding/base64"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	stressFor  = flag.Duration("stress", 0, "how long TestAnySplitOfAnythingGivesTheSameFindings goes on to further seeds")
	stressFrom = flag.Uint64("stress-from", 1000, "the first of them")
)

// stress holds rules of all sorts at once, and what they find.
type stress struct {
	rules  *Rules
	values []string // known to it
}

// newStress makes them from seed alone, also the keys of the known values' hashes.
func newStress(t *testing.T, seed uint64) stress {
	cryptotest.SetGlobalRandom(t, seed)
	m := newMaker(seed)
	made := m.knownValues()
	var values []string
	for _, kind := range slices.Sorted(maps.Keys(made)) {
		values = append(values, made[kind])
	}
	var list []KnownSecret
	for i, v := range values {
		k := knownOf(t, v)
		k.Name = string(rune('A' + i))
		list = append(list, k)
	}
	known, err := KnownRules(list)
	require.NoError(t, err)
	more, err := readRules(t, acmeRules)
	require.NoError(t, err)
	var all []Rule
	for _, part := range [][]Rule{Builtin(), Dummy(), SeedPhrases(), known} {
		all = append(all, part...)
	}
	if m.IntN(2) == 0 { // they hold a whole block, which hides what is held for less
		all = append(all, more...)
	}
	r, err := Compile(all, Options{})
	require.NoError(t, err)
	return stress{r, values}
}

// secret is one that the rules find, as it stands.
func (x stress) secret(m maker, planted []planted) string {
	switch m.IntN(10) {
	case 0, 1, 2:
		return x.values[m.IntN(len(x.values))]
	case 3:
		return strings.Join(m.phrase(12+3*m.IntN(5)), m.pick(" ", "\n", `","`, ", ", `\n`, strings.Repeat(" ", m.IntN(phraseGap+3))))
	case 4:
		return m.pick("badge-"+m.text(digitChars, 8), "acme_token="+m.text("bcdefghijk123456", 24))
	case 5:
		return dummyMarker + m.text(urlChars, 20)
	case 6, 7:
		d := m.lined()
		return d[m.pick(slices.Sorted(maps.Keys(d))...)]
	default:
		return planted[m.IntN(len(planted))].text
	}
}

// hidden writes s in one of all the ways that the tests know, or in several.
func (x stress) hidden(m maker, s string) string {
	forms := slices.Sorted(maps.Keys(knownForms))
	between := slices.Sorted(maps.Keys(joints))
	for range m.IntN(4) {
		if len(s) < 2 || len(s) > MaxMatch {
			break
		}
		switch m.IntN(7) {
		case 6:
			s = wrappedAt[m.pick(slices.Sorted(maps.Keys(wrappedAt))...)](s, 1+m.IntN(40))
		case 0:
			s = knownForms[forms[m.IntN(len(forms))]](m, s)
		case 1:
			at := 1 + m.IntN(len(s)-1)
			s = s[:at] + joints[between[m.IntN(len(between))]] + s[at:]
		case 2:
			s = wrapped(s, 1+m.IntN(20), m.pick("-", "\n", `\n`, "%0A", `" + "`, " ", "\u200b", "&#10;", "\r\n\t", strings.Repeat(" ", m.IntN(maxGap+3)), strings.Repeat(".", maxGap)))
		case 3:
			s = asJSON(s)
			if m.IntN(4) == 0 {
				s = entities8(s[:min(len(s), 800)])
			}
		default:
			if len(s) > 10 {
				s = disguises[m.IntN(len(disguises))].do(m, s)
			}
		}
	}
	return s
}

// text is a mixture of all of it, whole, cut, one in another, damaged, with what begins like a secret and what is long.
func (x stress) text(m maker, size int) []byte {
	planted := m.secrets()
	var b bytes.Buffer
	for b.Len() < size {
		d := x.hidden(m, x.secret(m, planted))
		switch m.IntN(11) {
		case 0:
			b.WriteString(d[:m.IntN(len(d))])
		case 1:
			b.WriteString(d[m.IntN(len(d)):])
		case 2:
			b.WriteString(m.text(stdChars+" \"\\\n%&.-_=", m.IntN(80)))
		case 3:
			b.WriteString(m.pick("eyJ", "sk-", "ghp_", "-----BEGIN ", "AKIA", "ya29.", "aws_secret", `\n`, "%0A", `\u000a`, ".", `\`, "%", "&", "\x00", "\xe2", "=\r\n"))
		case 4:
			other := x.hidden(m, x.secret(m, planted))
			at := m.IntN(len(d))
			b.WriteString(d[:at] + other + d[at:])
		case 5:
			damaged := []byte(d)
			for range 1 + m.IntN(3) {
				damaged[m.IntN(len(damaged))] = byte(m.IntN(256))
			}
			b.Write(damaged)
		case 6:
			unit := m.pick("eyJ", "sk-", "ghp_", "YWJj", "6162", "%41", `\u0041`, "MFRGG", "a ", "abandon ", "\x00a", "AAAA", `","`, "&b=", "eyJhbGciOiJIUzI1NiJ9.", "\u200b", "\n", "%0A", `\n    `, "&#00000065;")
			b.WriteString(strings.Repeat(unit, m.IntN(1+m.IntN(900))))
		default:
			b.WriteString(d + m.pick(`"`, " ", "\n", "", "&", `\n`))
		}
	}
	return b.Bytes()
}

func entities8(s string) string {
	return each(s, func(c byte) string { return fmt.Sprintf("&#%08d;", c) })
}

// splits are the sizes that a text is written in.
func splits(rng *rand.Rand, size int) map[string]func() int {
	return map[string]func() int{
		"bytes":   func() int { return 1 },
		"1 to 9":  func() int { return 1 + rng.IntN(9) },
		"any":     func() int { return 1 + rng.IntN(1+rng.IntN(3000)) },
		"in two":  func() int { return 1 + rng.IntN(size) },
		"at once": func() int { return size },
		"a match": func() int { return MaxMatch - 20 + rng.IntN(40) },
	}
}

func (x stress) check(t *testing.T, seed uint64) {
	m := newMaker(seed)
	text := x.text(m, 500+m.IntN(1+m.IntN(40_000)))
	want := x.rules.Scan(text)
	s := x.rules.NewStream()
	sizes := splits(m.Rand, len(text))
	for _, name := range slices.Sorted(maps.Keys(sizes)) {
		s.Reset()
		defer func() {
			if t.Failed() {
				t.Logf("%s, seed %d", name, seed)
			}
		}()
		require.Equal(t, want, inPieces(t, s, text, sizes[name]), "%s, seed %d", name, seed)
	}
}

// A finding never depends on the writes that bring the text, whatever rules there are, and never begins in what was
// settled before. Further seeds:
//
//	go test ./lib/dlp -run TestAnySplitOfAnything -stress 5m -stress-from 12345
func TestAnySplitOfAnythingGivesTheSameFindings(t *testing.T) {
	until := time.Now().Add(*stressFor)
	for seed := uint64(0); seed < few(uint64(2)); seed++ {
		x := newStress(t, seed)
		for i := range few(uint64(4)) {
			x.check(t, seed<<32+i)
		}
	}
	for seed := *stressFrom; time.Now().Before(until); seed++ {
		x := newStress(t, seed)
		for i := range uint64(40) {
			x.check(t, seed<<32+i)
		}
		if seed%100 == 0 {
			t.Logf("seed %d", seed)
		}
	}
}

// What a view waits for comes within a bounded part of the stream, or it waits no longer: else a body could make the window
// full, and the scan stand still.
func TestWhatIsHeldIsBounded(t *testing.T) {
	token := newMaker(1).github()
	text64 := base64.StdEncoding.EncodeToString([]byte("some text that is long enough " + token[:15]))
	for name, text := range map[string]string{
		"escapes inside each other":        entities8(entities8(entities8(percentAll(strings.Repeat("YWJj", 10))))),
		"invisible characters":             "\u200b" + token[:10] + strings.Repeat("\u200b", 100_000) + token[10:],
		"zeros":                            "\u200b" + token[:10] + strings.Repeat("\x00", 300_000) + token[10:],
		"invisible ones in an escape":      "%4" + strings.Repeat("\u200b", 100_000) + token[10:],
		"lines of base64":                  text64 + strings.Repeat("\n", 300_000),
		"indents in base64":                text64 + strings.Repeat(" \r\n", 100_000),
		"escaped lines of base64":          percentAll(text64) + strings.Repeat("%0A", 100_000),
		"a block of escapes":               strings.Repeat(`\u0041`, 60_000),
		"a block of escapes of escapes":    entities8(strings.Repeat(`\u0041`, 6_000)),
		"a JWT behind a seed of base64":    text64 + strings.Repeat("A", 15_000) + strings.Repeat("eyJ", 6_000),
		"invisible characters amid a seed": strings.Repeat("abandon\u200b"+strings.Repeat("\u00ad", 100), 2_000),
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(2) { // with blocks of expressions, and without
				s := newStress(t, seed).rules.NewStream()
				inPieces(t, s, []byte(text), func() int { return 100 })
			}
		})
	}
}

// What no cue gave away when it came must not be a part of what a later cue shows: it has been released.
func TestWhatWasReleasedIsNoPartOfAFinding(t *testing.T) {
	m := newMaker(1)
	uuid := m.knownValues()["uuid"]
	r := knowing(t, uuid, "a!b#c!d#e$f")
	token := m.github()
	hubspot := "pat-" + "na1-" + uuid
	var lookalike string
	for _, d := range disguises {
		if d.name == "look-alikes" {
			lookalike = d.do(m, hubspot)
		}
	}
	for name, text := range map[string]string{
		"a zero in an escape":          "%\x00" + percentAll(uuid)[1:],
		"a zero-width one in it":       "%\u200b" + percentAll(token)[1:],
		"half an escape":               "%" + percentAll(token[:1])[1:2] + "\u200b" + percentAll(token[:1])[2:] + token[1:],
		"look-alikes":                  "k=" + lookalike,
		"zeros amid punctuation":       "a\x00!\x00b\x00#\x00c\x00!\x00d%23e$f",
		"escaped quotes":               `\"a\"!\"b%23c!d#e$f`,
		"zeros before a keyword":       "\x00\x00" + strings.ReplaceAll(token, "", "\x00"),
		"invisible before a keyword":   "\u00ad\u00ad" + token[:1] + "\u00ad" + token[1:],
		"a piece far before an escape": uuid[:3] + strings.Repeat(" ", maxGap) + uuid[3:5] + "%20" + uuid[5:],
	} {
		for n := 1; n < 5; n++ {
			s := r.NewStream()
			require.Equal(t, r.Scan([]byte(text)), inPieces(t, s, []byte(text), func() int { return n }), name)
		}
	}
}
