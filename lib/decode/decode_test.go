package decode

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func encode(t testing.TB, coding string, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch coding {
	case "gzip", "x-gzip", "GZIP":
		w = gzip.NewWriter(&b)
	case "deflate":
		w = zlib.NewWriter(&b)
	case "bare deflate":
		w, err = flate.NewWriter(&b, 6)
	case "zstd":
		w, err = zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	case "br":
		w = brotli.NewWriterLevel(&b, 5)
	case "identity":
		return data
	default:
		t.Fatal(coding)
	}
	require.NoError(t, err)
	_, err = w.Write(data)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

// text compresses, but not by more than a factor of ten or so.
func text(n int) []byte {
	r := rand.New(rand.NewPCG(1, 1))
	words := strings.Fields("the quick brown fox jumps over a lazy dog and runs away from twelve angry bees")
	var b bytes.Buffer
	for b.Len() < n {
		b.WriteString(words[r.IntN(len(words))])
		b.WriteByte(byte('a' + r.IntN(26)))
		b.WriteByte(' ')
	}
	return b.Bytes()[:n]
}

func decodeAll(t testing.TB, encoding string, data []byte, l Limits) ([]byte, error) {
	t.Helper()
	r, err := Body(encoding, bytes.NewReader(data), l)
	require.NoError(t, err)
	defer r.Close()
	return io.ReadAll(r)
}

func TestBodyUndoesEachCoding(t *testing.T) {
	for _, c := range []struct {
		encoding string
		applied  []string
	}{
		{"", nil},
		{"identity", nil},
		{" identity , ", nil},
		{"gzip", []string{"gzip"}},
		{"x-gzip", []string{"gzip"}},
		{"GZip", []string{"gzip"}},
		{"deflate", []string{"deflate"}},
		{"deflate", []string{"bare deflate"}},
		{"zstd", []string{"zstd"}},
		{"br", []string{"br"}},
		{"gzip, BR", []string{"gzip", "br"}},
		{"br, zstd, gzip", []string{"br", "zstd", "gzip"}},
		{"gzip, zstd", []string{"gzip", "zstd"}},
		{"zstd,,gzip", []string{"zstd", "gzip"}},
		{"deflate, identity, zstd , gzip", []string{"deflate", "zstd", "gzip"}},
	} {
		for _, size := range []int{0, 1, 1000, 300_000} {
			want := text(size)
			data := want
			for _, coding := range c.applied {
				data = encode(t, coding, data)
			}
			got, err := decodeAll(t, c.encoding, data, Limits{})
			require.NoError(t, err, c.encoding)
			require.Equal(t, len(want), len(got), c.encoding)
			require.True(t, bytes.Equal(want, got), c.encoding)

			r, err := Body(c.encoding, iotest.OneByteReader(bytes.NewReader(data)), Limits{})
			require.NoError(t, err)
			got, err = io.ReadAll(iotest.OneByteReader(r))
			require.NoError(t, err, c.encoding)
			require.True(t, bytes.Equal(want, got), c.encoding)
		}
	}
}

func TestNoDataAtAllIsAnEmptyBody(t *testing.T) {
	for _, encoding := range []string{"gzip", "deflate", "zstd", "br", "gzip, zstd"} {
		got, err := decodeAll(t, encoding, nil, Limits{})
		require.NoError(t, err, encoding)
		require.Empty(t, got)
	}
}

func TestSeveralMembersAndFramesAreOneBody(t *testing.T) {
	for _, coding := range []string{"gzip", "zstd"} {
		data := append(encode(t, coding, []byte("one ")), encode(t, coding, []byte("two"))...)
		got, err := decodeAll(t, coding, data, Limits{})
		require.NoError(t, err)
		require.Equal(t, "one two", string(got))
	}
}

func TestUnknownCodingIsRefusedBeforeReading(t *testing.T) {
	for encoding, coding := range map[string]string{
		"lzma":       "lzma",
		"gzip, LZMA": "lzma",
		"gzip;q=1":   "gzip;q=1",
		"gzip gzip":  "gzip gzip",
	} {
		_, err := Body(encoding, iotest.ErrReader(errors.New("was read")), Limits{})
		var unsupported *UnsupportedError
		require.ErrorAs(t, err, &unsupported, encoding)
		require.Equal(t, coding, unsupported.Coding)
	}
}

func TestTooManyCodingsAreALimit(t *testing.T) {
	_, err := Body("gzip, br, gzip, zstd", iotest.ErrReader(errors.New("was read")), Limits{})
	var limit *LimitError
	require.ErrorAs(t, err, &limit)
	require.Equal(t, LimitError{Coding: "gzip, br, gzip, zstd", Limit: "codings", Max: 3}, *limit)
}

func TestCorruptBodies(t *testing.T) {
	plain := text(5000)
	for _, coding := range []string{"gzip", "deflate", "bare deflate", "zstd", "br"} {
		encoding := strings.TrimPrefix(coding, "bare ")
		good := encode(t, coding, plain)
		cases := map[string][]byte{
			"followed by other bytes": append(bytes.Clone(good), "trailing"...),
			"cut by one byte":         good[:len(good)-1],
			"cut in half":             good[:len(good)/2],
			"one byte only":           good[:1],
			"another coding":          []byte("plain text, not coded at all"),
		}
		if coding != "bare deflate" && coding != "br" { // they have no checksum
			flipped := bytes.Clone(good)
			flipped[len(flipped)-2] ^= 1
			cases["checksum"] = flipped
		}
		for name, data := range cases {
			got, err := decodeAll(t, encoding, data, Limits{})
			var corrupt *CorruptError
			require.ErrorAs(t, err, &corrupt, "%s %s", coding, name)
			require.Equal(t, encoding, corrupt.Coding)
			require.LessOrEqual(t, len(got), len(plain))
		}
	}
}

func TestDeflateThatReadsTwoWaysIsCorrupt(t *testing.T) {
	// As zlib: header 78 01. As bare deflate: a stored block of length 0x0101 whose complement is 0xfefe.
	_, err := decodeAll(t, "deflate", []byte{0x78, 0x01, 0x01, 0xfe, 0xfe, 0, 0, 0}, Limits{})
	require.ErrorIs(t, err, errAmbiguous)
}

func TestBombs(t *testing.T) {
	zeros := make([]byte, 8<<20)
	for _, coding := range []string{"gzip", "deflate", "bare deflate", "zstd", "br"} {
		encoding := strings.TrimPrefix(coding, "bare ")
		bomb := encode(t, coding, zeros)
		var limit *LimitError

		got, err := decodeAll(t, encoding, bomb, Limits{})
		require.ErrorAs(t, err, &limit, coding)
		require.Equal(t, LimitError{Coding: encoding, Limit: "ratio", Max: 200}, *limit)
		require.Less(t, len(got), 3<<20)

		got, err = decodeAll(t, encoding, bomb, Limits{MaxBytes: 2 << 20, MaxRatio: -1})
		require.ErrorAs(t, err, &limit, coding)
		require.Equal(t, LimitError{Coding: encoding, Limit: "size", Max: 2 << 20}, *limit)
		require.Less(t, len(got), 3<<20)

		got, err = decodeAll(t, encoding, bomb, Limits{MaxBytes: -1, MaxRatio: -1})
		require.NoError(t, err, coding)
		require.Len(t, got, len(zeros))
	}
}

func TestTheRatioIsThatOfAllLayersTogether(t *testing.T) {
	// Each layer alone stays below the limit.
	bomb := encode(t, "gzip", encode(t, "gzip", make([]byte, 60<<20)))
	require.Less(t, len(bomb), 2000)
	_, err := decodeAll(t, "gzip, gzip", bomb, Limits{MaxRatio: 1100})
	var limit *LimitError
	require.ErrorAs(t, err, &limit)
	require.Equal(t, "ratio", limit.Limit)
}

func TestSmallBodiesMayBeVeryCompressible(t *testing.T) {
	got, err := decodeAll(t, "zstd", encode(t, "zstd", make([]byte, ratioFloor)), Limits{})
	require.NoError(t, err)
	require.Len(t, got, ratioFloor)
}

func TestZstdWindowIsLimited(t *testing.T) {
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, zstd.WithWindowSize(16<<20), zstd.WithEncoderConcurrency(1))
	require.NoError(t, err)
	_, err = io.Copy(w, bytes.NewReader(text(17<<20)))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	_, err = decodeAll(t, "zstd", b.Bytes(), Limits{})
	var limit *LimitError
	require.ErrorAs(t, err, &limit)
	require.Equal(t, LimitError{Coding: "zstd", Limit: "window", Max: 8 << 20}, *limit)
	_, err = decodeAll(t, "zstd", b.Bytes(), Limits{MaxWindow: 16 << 20})
	require.NoError(t, err)
}

func TestBrotliWindowIsLimited(t *testing.T) {
	for bits := 10; bits <= 24; bits++ {
		var b bytes.Buffer
		w := brotli.NewWriterOptions(&b, brotli.WriterOptions{Quality: 5, LGWin: bits})
		want := text(5000)
		_, err := w.Write(want)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		for _, max := range []int{10, 16, 17, 22, 23, 24} {
			got, err := decodeAll(t, "br", b.Bytes(), Limits{MaxWindow: 1 << max})
			if bits <= max {
				require.NoError(t, err, "%d bits of %d", bits, max)
				require.Equal(t, want, got)
				continue
			}
			var limit *LimitError
			require.ErrorAs(t, err, &limit, "%d bits of %d", bits, max)
			require.Equal(t, LimitError{Coding: "br", Limit: "window", Max: 1 << max}, *limit)
		}
	}
}

func TestErrorsOfTheSourceStayWhatTheyAre(t *testing.T) {
	broken := errors.New("connection reset")
	for _, encoding := range []string{"", "gzip", "deflate", "zstd", "br", "gzip, zstd"} {
		data := text(100_000)
		for _, coding := range strings.Split(encoding, ", ") {
			if coding != "" {
				data = encode(t, coding, data)
			}
		}
		for _, at := range []int{0, 1, len(data) / 2} {
			r, err := Body(encoding, io.MultiReader(bytes.NewReader(data[:at]), iotest.ErrReader(broken)), Limits{})
			require.NoError(t, err)
			_, err = io.ReadAll(r)
			require.Equal(t, broken, err, "%q at %d", encoding, at)
			_, err = r.Read(make([]byte, 1))
			require.Equal(t, broken, err, "the error stays")
		}
	}
}

func TestReadAfterCloseFails(t *testing.T) {
	for _, encoding := range []string{"", "gzip", "zstd"} {
		r, err := Body(encoding, strings.NewReader(""), Limits{})
		require.NoError(t, err)
		require.NoError(t, r.Close())
		require.NoError(t, r.Close())
		_, err = r.Read(make([]byte, 1))
		require.ErrorIs(t, err, errClosed)
	}
}

func TestDecodedBytesComeBeforeTheBodyEnds(t *testing.T) {
	for _, coding := range []string{"gzip", "deflate", "zstd", "br"} {
		var b bytes.Buffer
		var w interface {
			io.Writer
			Flush() error
		}
		switch coding {
		case "gzip":
			w = gzip.NewWriter(&b)
		case "deflate":
			w = zlib.NewWriter(&b)
		case "br":
			w = brotli.NewWriterLevel(&b, 5)
		case "zstd":
			z, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
			require.NoError(t, err)
			w = z
		}
		_, err := w.Write([]byte("first part"))
		require.NoError(t, err)
		require.NoError(t, w.Flush())
		// The source has no more; asking it for more would end the test with this error.
		r, err := Body(coding, io.MultiReader(&b, iotest.ErrReader(errors.New("asked for more"))), Limits{})
		require.NoError(t, err)
		got := make([]byte, len("first part"))
		_, err = io.ReadFull(r, got)
		require.NoError(t, err, coding)
		require.Equal(t, "first part", string(got))
	}
}

func TestMemoryDoesNotGrowWithTheBody(t *testing.T) {
	data := encode(t, "zstd", bytes.Repeat(text(1<<20), 60))
	r, err := Body("zstd", bytes.NewReader(data), Limits{MaxRatio: -1})
	require.NoError(t, err)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	_, err = io.Copy(io.Discard, struct{ io.Reader }{r})
	require.NoError(t, err)
	runtime.GC()
	runtime.ReadMemStats(&after)
	require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(24<<20))
	require.NoError(t, r.Close())
}

func FuzzBody(f *testing.F) {
	for _, coding := range []string{"gzip", "deflate", "bare deflate", "zstd", "br"} {
		f.Add(strings.TrimPrefix(coding, "bare "), encode(f, coding, text(300)))
		f.Add(strings.TrimPrefix(coding, "bare "), encode(f, coding, make([]byte, 3000)))
	}
	f.Add("gzip, zstd", encode(f, "zstd", encode(f, "gzip", text(100))))
	f.Add("br", []byte("x"))
	f.Fuzz(func(t *testing.T, encoding string, data []byte) {
		limits := Limits{MaxBytes: 1 << 20}
		r, err := Body(encoding, bytes.NewReader(data), limits)
		if err != nil {
			var unsupported *UnsupportedError
			var limit *LimitError
			require.True(t, errors.As(err, &unsupported) || errors.As(err, &limit), "%v", err)
			return
		}
		got, err := io.ReadAll(r)
		require.LessOrEqual(t, len(got), 2<<20+len(data))
		var limit *LimitError
		var corrupt *CorruptError
		if err != nil && !errors.As(err, &limit) && !errors.As(err, &corrupt) {
			t.Fatalf("untyped error %v", err)
		}
		require.NoError(t, r.Close())
	})
}
