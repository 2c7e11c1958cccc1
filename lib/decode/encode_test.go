package decode

import (
	"bytes"
	"testing"

	"github.com/klauspost/compress/flate"
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
	coded, err := Encode("br", text(100_000), nil)
	require.NoError(t, err)
	for n := range 50 {
		_, err := decodeAll(t, "br", coded[:n*len(coded)/50], Limits{})
		var corrupt *CorruptError
		if n > 0 {
			require.ErrorAs(t, err, &corrupt, "cut at %d", n)
		}
	}
	_, err = decodeAll(t, "br", append(bytes.Clone(coded), "more"...), Limits{})
	require.Error(t, err)
	bomb, err := Encode("br", make([]byte, 16<<20), nil)
	require.NoError(t, err)
	_, err = decodeAll(t, "br", bomb, Limits{})
	var limit *LimitError
	require.ErrorAs(t, err, &limit)
}
