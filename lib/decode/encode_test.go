package decode

import (
	"bytes"
	"compress/flate"
	"io"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
)

func TestEncodeIsUndoneByBody(t *testing.T) {
	for _, encoding := range []string{"", "identity", "gzip", "X-GZip", "deflate", "zstd", "br", "gzip, zstd", "br, gzip, deflate"} {
		for _, n := range []int{0, 1, 1000, 300_000} {
			want := text(n)
			coded, err := Encode(encoding, want, nil)
			require.NoError(t, err, encoding)
			got, err := decodeAll(t, encoding, coded, Limits{})
			require.NoError(t, err, "%s, %d", encoding, n)
			require.True(t, bytes.Equal(want, got), encoding)
		}
	}
	_, err := Encode("compress", nil, nil)
	var unsupported *UnsupportedError
	require.ErrorAs(t, err, &unsupported)
}

func TestEncodeTakesTheVariantOfDeflate(t *testing.T) {
	want := text(1000)
	for _, coding := range []string{"deflate", "bare deflate"} {
		like := encode(t, coding, []byte("whatever it was"))
		coded, err := Encode("deflate", want, like)
		require.NoError(t, err)
		require.Equal(t, coding == "deflate", isZlib(coded))
		if coding == "deflate" {
			continue
		}
		var b bytes.Buffer
		_, err = b.ReadFrom(flate.NewReader(bytes.NewReader(coded)))
		require.NoError(t, err)
		require.Equal(t, want, b.Bytes())
	}
}

func TestBrotliIsUndone(t *testing.T) {
	compress := func(data []byte) []byte {
		var b bytes.Buffer
		w := brotli.NewWriterLevel(&b, 5)
		_, err := w.Write(data)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return b.Bytes()
	}
	coded := compress(text(100_000))
	for n := range 50 {
		_, err := decodeAll(t, "br", coded[:n*len(coded)/50], Limits{})
		var corrupt *CorruptError
		if n > 0 {
			require.ErrorAs(t, err, &corrupt, "cut at %d", n)
		}
	}
	_, err := decodeAll(t, "br", append(bytes.Clone(coded), "more"...), Limits{})
	require.Error(t, err)
	_, err = decodeAll(t, "br", compress(make([]byte, 16<<20)), Limits{})
	var limit *LimitError
	require.ErrorAs(t, err, &limit)
}

func TestStoredCodingsAreReadByDecoders(t *testing.T) {
	type writer interface {
		io.WriteCloser
		Flush() error
	}
	for name, coding := range map[string]struct {
		encode func(io.Writer) writer
		decode func(io.Reader) io.Reader
	}{
		"br": {func(w io.Writer) writer { return NewStoredBrotli(w) }, func(r io.Reader) io.Reader { return brotli.NewReader(r) }},
		"zstd": {func(w io.Writer) writer { return NewStoredZstd(w) }, func(r io.Reader) io.Reader {
			z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<10))
			require.NoError(t, err)
			t.Cleanup(z.Close)
			return z
		}},
	} {
		for _, n := range []int{0, 1, 7, 65535, 65536, 65537, 131072, 131073, 200_000} {
			var coded bytes.Buffer
			w := coding.encode(&coded)
			data := bytes.Repeat([]byte("0123456789abcde\n"), n/16+1)[:n]
			for i, rest := 1, data; len(rest) > 0; i *= 3 {
				k := min(i, len(rest))
				_, err := w.Write(rest[:k])
				require.NoError(t, err)
				require.NoError(t, w.Flush())
				rest = rest[k:]
				have, _ := io.ReadAll(coding.decode(bytes.NewReader(coded.Bytes())))
				require.Equal(t, n-len(rest), len(have), "%s: what was flushed can be read", name)
			}
			require.NoError(t, w.Close())
			have, err := io.ReadAll(coding.decode(&coded))
			require.NoError(t, err, name)
			require.True(t, bytes.Equal(data, have), name)
		}
	}
}
