package echo_test

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"bottle/lib/echo"
)

func split(w *echo.Rewriter, text []byte, cut func(rest int) int) []byte {
	s := w.NewStream(nil)
	var out []byte
	for len(text) > 0 {
		n := cut(len(text))
		out = s.Append(out, text[:n])
		text = text[n:]
	}
	return s.Finish(out)
}

// document is harmless text with credentials in it, some cut short or changed.
func document(r *rand.Rand, reals []string) []byte {
	es := encodings()
	var b bytes.Buffer
	for range 12 {
		b.WriteString(token(r.Uint64(), r.IntN(60), tokenLetters+`  {}":,\%&;/`))
		text := es[r.IntN(len(es))].encode(reals[r.IntN(len(reals))])
		switch r.IntN(4) {
		case 0:
			text = text[:r.IntN(len(text))]
		case 1:
			i := r.IntN(len(text))
			text = text[:i] + "*" + text[i:]
		}
		b.WriteString(text)
	}
	return b.Bytes()
}

func TestHowTheTextIsCutMakesNoDifference(t *testing.T) {
	var reals []string
	for _, name := range slices.Sorted(maps.Keys(credentials())) {
		reals = append(reals, credentials()[name])
	}
	for _, some := range [][]string{reals[:1], reals[1:4], reals} {
		pairs := []string{}
		for i, real := range some {
			pairs = append(pairs, real, []string{"", "dummy-" + token(uint64(1000+i), 20, tokenLetters)}[i%2])
		}
		w := rewriter(t, pairs...)
		r := rand.New(rand.NewPCG(3, uint64(len(some))))
		for range 8 {
			text := document(r, some)
			want := split(w, text, func(rest int) int { return rest })
			for _, real := range some {
				requireNoForm(t, string(want), real)
			}
			require.Equal(t, string(want), string(split(w, text, func(int) int { return 1 })))
			for range 3 {
				most := 1 + r.IntN(50)
				require.Equal(t, string(want), string(split(w, text, func(rest int) int { return 1 + r.IntN(min(most, rest)) })))
			}
			got, err := io.ReadAll(iotest.OneByteReader(echo.NewReader(io.NopCloser(iotest.HalfReader(bytes.NewReader(text))), w, nil)))
			require.NoError(t, err)
			require.Equal(t, string(want), string(got))
		}
	}
}

func TestOtherBytesStayAsTheyAre(t *testing.T) {
	w := rewriter(t, jwt(1), "", token(2, 8, tokenLetters), "")
	r := rand.New(rand.NewPCG(1, 1))
	text := make([]byte, 1<<20)
	for i := range text {
		text[i] = byte(r.Uint32())
	}
	got, err := io.ReadAll(echo.NewReader(io.NopCloser(bytes.NewReader(text)), w, func(string) { t.Error("hit") }))
	require.NoError(t, err)
	require.True(t, bytes.Equal(text, got))
	for _, almost := range []string{jwt(1)[:len(jwt(1))-1], "x" + jwt(1)[1:], strings.ToUpper(jwt(1)), token(2, 8, tokenLetters)[1:]} {
		require.Equal(t, almost, w.String(almost, nil))
	}
}

func TestWhatCannotBecomeACredentialLeavesAtOnce(t *testing.T) {
	real := "ghp_" + token(4, 36, tokenLetters)
	w := rewriter(t, real, "")
	for _, event := range []string{"data: {\"type\":\"delta\",\"text\":\"g\"}\n\n", "data: \n\n", "{\"a\":1}\n", "\x00\x00\x00\x00\x05hello!"} {
		s := w.NewStream(nil)
		require.Equal(t, event, string(s.Append(nil, []byte(event))))
	}
	s := w.NewStream(nil)
	require.Equal(t, "data: ", string(s.Append(nil, []byte("data: "+real[:20]))))
	require.Equal(t, 20, s.Held())
	require.Equal(t, real[:20]+"\n\n", string(s.Append(nil, []byte("\n\n"))))
	require.Zero(t, s.Held())
}

func TestNoMoreIsHeldThanTheLongestForm(t *testing.T) {
	for name, real := range credentials() {
		w := rewriter(t, real, "")
		for _, e := range encodings() {
			s := w.NewStream(nil)
			text := []byte(strings.Repeat(e.encode(real[:len(real)-1]), 2))
			for piece := range slices.Chunk(text, 5) {
				s.Append(nil, piece)
				require.LessOrEqual(t, s.Held(), w.Longest(), "%s, %s", name, e.name)
			}
		}
	}
}

func TestSeveralCredentials(t *testing.T) {
	a, b := token(1, 20, tokenLetters), token(2, 30, tokenLetters)
	w := rewriter(t, a, "dummy-a", b, "dummy-b", a+b, "dummy-ab", a, "ignored")
	require.Equal(t, "dummy-a, dummy-b, dummy-ab, dummy-bdummy-a", w.String(a+", "+b+", "+a+b+", "+b+a, nil))
	var sources []string
	w.String(b+a+b[:29], func(s string) { sources = append(sources, s) })
	require.Equal(t, []string{"source 1", "source 0"}, sources)
	require.False(t, w.KeepsLength())
}

func TestShortCredentialsAreRefused(t *testing.T) {
	for n := 1; n < echo.MinLength; n++ {
		_, err := echo.New([]echo.Credential{{Real: value(t, token(1, n, tokenLetters)), Source: "env TOKEN"}})
		require.ErrorIs(t, err, echo.ErrShort)
		require.ErrorContains(t, err, "env TOKEN")
		require.NotContains(t, err.Error(), token(1, n, tokenLetters)+" ")
	}
	_, err := echo.New(nil)
	require.Error(t, err)
}

func TestAStreamThatBreaksOffKeepsWhatItHeld(t *testing.T) {
	real := token(1, 40, tokenLetters)
	broken := errors.New("connection reset")
	src := io.MultiReader(strings.NewReader("fine "+real[:39]), iotest.ErrReader(broken))
	got, err := io.ReadAll(echo.NewReader(io.NopCloser(src), rewriter(t, real, ""), nil))
	require.Equal(t, broken, err)
	require.Equal(t, "fine ", string(got))
}

func TestFewHeldBytesDoNotKeepAMessageFromItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		real := token(1, 40, tokenLetters)
		in, out := io.Pipe()
		r := echo.NewReader(in, rewriter(t, real, "dummy"), nil)
		defer r.Close()
		p := make([]byte, 100)
		read := func() string {
			n, err := r.Read(p)
			require.NoError(t, err)
			return string(p[:n])
		}
		go out.Write([]byte("message" + real[:2]))
		require.Equal(t, "message", read())
		start := time.Now()
		require.Equal(t, real[:2], read())
		require.Equal(t, echo.Patience, time.Since(start))
		// It goes on as a credential after all.
		go out.Write([]byte(real[2:] + " and on"))
		require.Equal(t, "mmy and on", read())
		// More than that is not given away.
		go func() {
			out.Write([]byte(real[:4]))
			time.Sleep(time.Hour)
			out.Close()
		}()
		start = time.Now()
		require.Equal(t, real[:4], read())
		require.Equal(t, time.Hour, time.Since(start))
		_, err := r.Read(p)
		require.Equal(t, io.EOF, err)
	})
}

func FuzzSplits(f *testing.F) {
	for _, c := range credentials() {
		for _, e := range encodings() {
			f.Add(c, "", []byte("text "+e.encode(c)+" text"), uint8(3))
		}
		f.Add(c, "dummy", []byte(c[:len(c)/2]+c), uint8(1))
	}
	f.Fuzz(func(t *testing.T, real, standIn string, text []byte, size uint8) {
		if len(real) < echo.MinLength || len(real) > 200 || size == 0 {
			return
		}
		for i := range len(real) {
			if real[i] < 0x20 || real[i] == 0x7f {
				return
			}
		}
		w := rewriter(t, real, standIn)
		whole := split(w, text, func(rest int) int { return rest })
		pieces := split(w, text, func(rest int) int { return min(int(size), rest) })
		if !bytes.Equal(whole, pieces) {
			t.Fatalf("%q cut into pieces of %d gives %q, whole %q", text, size, pieces, whole)
		}
		if standIn == "" && len(whole) != len(text) {
			t.Fatalf("%q has another length than %q", whole, text)
		}
		if bytes.Contains(text, []byte(real)) && bytes.Contains(whole, []byte(real)) && !strings.Contains(real, "redacted") {
			t.Fatalf("%q holds %q", whole, real)
		}
	})
}

func FuzzForms(f *testing.F) {
	for _, c := range credentials() {
		for i := range encodings() {
			f.Add(c, uint8(i), "before ", " after")
		}
	}
	es := encodings()
	f.Fuzz(func(t *testing.T, real string, which uint8, before, after string) {
		if len(real) < echo.MinLength || len(real) > 200 {
			return
		}
		for i := range len(real) {
			if real[i] < 0x20 || real[i] >= 0x7f {
				return
			}
		}
		form := es[int(which)%len(es)].encode(real)
		hits := 0
		out := rewriter(t, real, "").String(before+form+after, func(string) { hits++ })
		if hits == 0 {
			t.Fatalf("%q passes as %q", form, out)
		}
	})
}
