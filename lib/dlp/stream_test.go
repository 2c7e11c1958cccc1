package dlp

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// inPieces feeds text to s in the pieces that next sizes and checks Scan's promises on the way.
func inPieces(t testing.TB, s *Stream, text []byte, next func() int) []Finding {
	t.Helper()
	var all []Finding
	var fed, lastClean, lastSettled int64
	note := func(found []Finding) {
		for _, f := range found {
			require.GreaterOrEqual(t, f.Start, lastSettled, "found in what was settled before: %v", f)
			all = append(all, f)
		}
	}
	// A failed promise stops the test; the fast path is plain Go, as this runs for each byte.
	must := func(ok bool, what string) {
		if !ok {
			require.Fail(t, what, "after %d bytes: settled %d, findings %v", fed, s.Settled(), all)
		}
	}
	for rest := text; len(rest) > 0; {
		n := min(max(next(), 1), len(rest))
		clean, found := s.Scan(rest[:n])
		rest, fed = rest[n:], fed+int64(n)
		note(found)
		must(clean <= fed && s.Settled() <= fed, "clean is more than was fed")
		must(clean >= lastClean && s.Settled() >= lastSettled, "clean went back")
		must(fed-s.Settled() <= MaxHeld, "held too much")
		if len(all) > 0 {
			must(clean == all[0].Start, "clean is not the first finding's start")
		} else {
			must(clean == s.Settled(), "clean is not what is settled")
		}
		lastClean, lastSettled = clean, s.Settled()
	}
	note(s.Finish())
	require.EqualValues(t, len(text), s.Settled())
	require.LessOrEqual(t, cap(s.buf), window, "a stream's memory is constant")
	return all
}

// mixture is text with many secrets, near secrets and beginnings of secrets.
func mixture(seed uint64, size int) []byte {
	m := newMaker(seed)
	var b bytes.Buffer
	var parts []string
	for _, s := range m.secrets() {
		parts = append(parts, s.text)
	}
	for b.Len() < size {
		part := parts[m.IntN(len(parts))]
		switch m.IntN(6) {
		case 0:
			b.WriteString(part)
		case 1:
			b.WriteString(part[:m.IntN(len(part))])
		case 2:
			b.WriteString(part[m.IntN(len(part)):])
		case 3:
			b.WriteString(m.pick("eyJ", "sk-", "ghp_", "-----BEGIN ", "AKIA", "ya29.", "aws_secret", `\n`, "%0A", `\u000a`, "."))
		default:
			b.WriteString(m.text(stdChars+" \"\\\n.-_", m.IntN(60)))
		}
	}
	return b.Bytes()
}

func TestAnySplitGivesTheSameFindings(t *testing.T) {
	r := builtin(t)
	s := r.NewStream()
	for seed := range few(uint64(12)) {
		text := mixture(seed, 60_000)
		want := r.Scan(text)
		require.Greater(t, len(want), 20)
		rng := rand.New(rand.NewPCG(seed, 2))
		for name, next := range map[string]func() int{
			"at once":       func() int { return len(text) },
			"bytes":         func() int { return 1 },
			"1 to 9":        func() int { return 1 + rng.IntN(9) },
			"1 to 3000":     func() int { return 1 + rng.IntN(3000) },
			"window sized":  func() int { return window },
			"a little less": func() int { return MaxMatch - 1 },
		} {
			s.Reset()
			require.Equal(t, want, inPieces(t, s, text, next), "%s, seed %d", name, seed)
		}
	}
}

func TestSplitAtEachPositionOfEachKind(t *testing.T) {
	r := builtin(t)
	s := r.NewStream()
	for _, secret := range newMaker(21).secrets() {
		text := []byte(`{"a":"` + secret.text + `"}`)
		want := r.Scan(text)
		require.Len(t, want, 1)
		for at := 1; at < len(text); at += 1 + len(text)/400 {
			s.Reset()
			sizes := []int{at, len(text)}
			next := func() int { n := sizes[0]; sizes = sizes[1:]; return n }
			require.Equal(t, want, inPieces(t, s, text, next), "%s at %d", secret.rule, at)
		}
	}
}

func TestNoByteOfASecretIsEverClean(t *testing.T) {
	r := builtin(t)
	s := r.NewStream()
	for _, secret := range newMaker(22).secrets() {
		s.Reset()
		text := strings.Repeat("harmless text ", 3000) + secret.text
		from := int64(strings.Index(text, secret.text))
		if secret.value != "" { // the name before it is harmless
			from = int64(strings.Index(text, secret.value))
		}
		s.Scan([]byte(text[:from-100]))
		for i := int(from) - 100; i < len(text); i++ {
			if clean, _ := s.Scan([]byte{text[i]}); clean > from {
				require.Fail(t, "released", "%s: %d bytes are clean, the value begins at %d", secret.rule, clean, from)
			}
		}
		s.Finish()
	}
}

func TestHarmlessBytesAreReleasedAtOnce(t *testing.T) {
	s := builtin(t).NewStream()
	for text, held := range map[string]int64{
		"an ordinary sentence;":        0,
		"an ordinary sentence.":        1, // may begin a mark
		"a word that begins a key: gh": 2,
		"ghp_ is only the prefix,":     0,
		"a word may precede a mark":    4,
		"-----":                        5,
		"eyJ":                          3,
		"eyJhbGciOiJIUzI1NiJ9":         20,
		"eyJhbGciOiJIUzI1NiJ9 ":        0, // a JWT's header, but no dot
		"eyJmb28iOiJiYXIifQ.!":         0, // JSON without alg
		"AKIA":                         4,
		"AKIA!":                        0,
	} {
		s.Reset()
		clean, _ := s.Scan([]byte(text))
		require.Equal(t, held, int64(len(text))-clean, text)
	}
}

func TestACandidateThatGoesOnIsDroppedAtItsBound(t *testing.T) {
	// base64 of JSON begins like a JWT; no header is that long.
	s := builtin(t).NewStream()
	clean, found := s.Scan([]byte("eyJ" + strings.Repeat("A", jwtHeaderMax-10)))
	require.Zero(t, clean)
	require.Empty(t, found)
	clean, _ = s.Scan([]byte(strings.Repeat("0", 100)))
	require.EqualValues(t, jwtHeaderMax+93-cueRun, clean, "only the end of the run is held, which may yet be base64 of text")
}

func TestStreamGoesOnPastFindings(t *testing.T) {
	m := newMaker(31)
	a, b := m.github(), m.github()
	s := builtin(t).NewStream()
	clean, found := s.Scan([]byte("one " + a + " two "))
	require.Len(t, found, 1)
	require.EqualValues(t, 4, clean)
	require.EqualValues(t, 49, s.Settled())
	clean, found = s.Scan([]byte(b + " three"))
	require.Len(t, found, 1)
	require.EqualValues(t, 49, found[0].Start)
	require.EqualValues(t, 4, clean, "clean stays at the first finding")
	require.Empty(t, s.Finish())
}

func TestTheByteBeforeACandidateIsKnownAcrossTheWindow(t *testing.T) {
	id := "AKIA" + newMaker(33).text(base32Chars, 16)
	s := builtin(t).NewStream()
	for pad := window - 12; pad < window+2; pad++ {
		for before, findings := range map[string]int{"X": 0, ".": 1, `\n`: 1, `\u000A`: 1, "%0A": 1, "00A": 0} {
			s.Reset()
			_, found := s.Scan([]byte(strings.Repeat("x", pad) + before + id + "."))
			require.Len(t, found, findings, "%q after %d bytes", before, pad)
		}
	}
}

func TestAKeywordIsNotContinuedBehindAMatch(t *testing.T) {
	m := newMaker(34)
	value := func() string { return m.text("abcde", 10) + m.text("VWXYZ", 10) + m.text(alnumChars, 19) + "7" }
	require.Len(t, builtin(t).Scan([]byte("aws_secret = "+value()+"_access_key = "+value())), 1)
}

func TestResetForgets(t *testing.T) {
	s := builtin(t).NewStream()
	token := newMaker(32).github()
	s.Scan([]byte(token[:20]))
	s.Reset()
	clean, found := s.Scan([]byte(token[20:] + " " + token + "."))
	require.Len(t, found, 1)
	require.EqualValues(t, 21, found[0].Start)
	require.EqualValues(t, 21, clean)
	s.Reset()
	clean, found = s.Scan([]byte("nothin!"))
	require.Empty(t, found)
	require.EqualValues(t, 7, clean)
}

func TestScanningAllocatesNothingWhenClean(t *testing.T) {
	r := builtin(t)
	s := r.NewStream()
	text := []byte(strings.Repeat(`{"role":"user","content":"ordinary text"},`, 200))
	require.Zero(t, leastAllocs(func() { s.Reset(); s.Scan(text); s.Finish() }))
	require.Zero(t, leastAllocs(func() { r.Scan(text) }))
}

// leastAllocs is the least of several counts: each may have allocations of the runtime's own goroutines in it, and those of a
// pool that a collection, or the race detector, has emptied.
func leastAllocs(f func()) float64 {
	least := testing.AllocsPerRun(5, f)
	for range 20 {
		least = min(least, testing.AllocsPerRun(5, f))
	}
	return least
}

func FuzzSplit(f *testing.F) {
	for seed := range few(uint64(4)) {
		f.Add(mixture(seed, 500), uint64(seed))
	}
	for _, s := range newMaker(41).secrets() {
		f.Add([]byte(s.text), uint64(5))
	}
	f.Add([]byte(strings.Repeat("eyJ", 2000)+"."), uint64(6))
	r, err := Compile(Builtin(), Options{})
	require.NoError(f, err)
	s := r.NewStream()
	f.Fuzz(func(t *testing.T, text []byte, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 3))
		s.Reset()
		require.Equal(t, r.Scan(text), inPieces(t, s, text, func() int { return 1 + rng.IntN(1+rng.IntN(40)) }))
	})
}
