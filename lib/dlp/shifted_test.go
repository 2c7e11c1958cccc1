package dlp

import (
	std32 "encoding/base32"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A letter or two before a value move it to another alignment. They do not make it part of a longer word.
func TestValueMovedToAnotherAlignmentByLetters(t *testing.T) {
	r := builtin(t)
	m := newMaker(41)
	for _, token := range []string{"glpat-" + m.text(urlChars, 20), "AKIA" + m.text(base32Chars, 16), "r8_" + m.text(alnumChars, 35) + "aZ", "SK" + m.text(hexChars, 32), m.text(alnumChars, 42) + "AzSe" + m.text(alnumChars, 6)} {
		for _, before := range []string{"", "x", "xy", "xyz"} {
			for _, text := range []string{
				base64.StdEncoding.EncodeToString([]byte(before + token)),
				`{"data":"` + base64.RawURLEncoding.EncodeToString([]byte(before+token)) + `"}`,
				std32.StdEncoding.EncodeToString([]byte(before + token)),
				"/v1/hook/" + base64.RawURLEncoding.EncodeToString([]byte(before+token)) + "/done",
			} {
				found := r.Scan([]byte(text))
				require.Len(t, found, 1, "%s before %s: %s", before, token, text)
			}
		}
	}
	require.Empty(t, r.Scan([]byte("xSK"+m.text(hexChars, 32))), "not decoded")
	long := base64.StdEncoding.EncodeToString([]byte("the word abcdeSK" + m.text(hexChars, 32)))
	require.Empty(t, r.Scan([]byte(long)), "amid what was decoded")
}

func TestBase32InLowerCase(t *testing.T) {
	r := builtin(t)
	m := newMaker(42)
	for range 20 {
		token := m.github()
		text := strings.ToLower(strings.TrimRight(std32.StdEncoding.EncodeToString([]byte(m.text(alnumChars, m.IntN(5))+" "+token)), "="))
		for _, in := range []string{text, `{"name":"` + text + `.example"}`, base64.StdEncoding.EncodeToString([]byte(text))} {
			found := r.Scan([]byte(in))
			require.Len(t, found, 1, in)
			require.Equal(t, "github-token", found[0].Rule)
			require.Contains(t, found[0].Encoding, "base32")
		}
	}
}

// What moves the alignment of base64 may look like more of what stands before a mark: it is held, as it is found.
func TestWhatMovesATailIsNoPartOfIt(t *testing.T) {
	r := builtin(t)
	m := newMaker(905)
	s := r.NewStream()
	for n := range 40 {
		token := m.text(alnumChars, 76) + "AZ" + "DO" + m.text(alnumChars, 4)
		text := []byte("x/" + m.text(alnumChars, n) + wrapped(base64.StdEncoding.EncodeToString([]byte(token)), 20, "\n    "))
		want := r.Scan(text)
		s.Reset()
		require.Equal(t, want, inPieces(t, s, text, func() int { return 1 }), "%d: %q", n, text)
	}
}

// A tail that letters before it move to another alignment is held until its mark is known.
func TestTailMovedToAnotherAlignmentIsHeld(t *testing.T) {
	r := builtin(t)
	m := newMaker(43)
	for _, before := range []string{"x", "xy", "\xff\xfex", "\xff\xffxyz"} {
		text := []byte(`{"a":"` + base64.StdEncoding.EncodeToString([]byte(before+m.text(alnumChars, 11)+":APA91b"+m.text(alnumChars, 140))) + `"}`)
		want := r.Scan(text)
		require.Len(t, want, 1)
		require.Equal(t, want, inPieces(t, r.NewStream(), text, func() int { return 1 }), "%q", before)
	}
}

// What was decoded may begin with a byte or two before a value whose mark is amid it.
func TestAShiftedTailIsHeld(t *testing.T) {
	r := builtin(t)
	m := newMaker(590)
	for _, before := range []string{"", "0", "0a"} {
		text := []byte(before + "W7v-f70ex" + "\u00ad" + "4r23aVv327zq1Mxpc-O6yA_bKxBcs9brmKa" + "AzFu" + m.text(alnumChars, 6) + "==\n")
		want := r.Scan(text)
		require.Len(t, want, 1)
		require.EqualValues(t, len(before), want[0].Start)
		require.Equal(t, want, inPieces(t, r.NewStream(), text, func() int { return 1 }))
	}
}
