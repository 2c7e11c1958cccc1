package decode

import (
	"bytes"
	"io"
	"mime/quotedprintable"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestQuotedPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "plain\r\n": "plain\r\n", "a=3Db": "a=b", "a=3db": "a=b", "a=\r\nb": "ab", "a=\nb": "ab", "a= \t\r\nb": "ab",
		"=": "=", "=4": "=4", "=zz": "=zz", "==41": "=A", "=\r": "=\r", "--XX=3D\r\n": "--XX=\r\n",
	} {
		require.Equal(t, want, string(QuotedPrintable([]byte(in))), in)
	}
}

func FuzzQuotedPrintable(f *testing.F) {
	f.Add([]byte("a=3D=\r\n ü x"))
	f.Add(bytes.Repeat([]byte("words and words "), 20))
	f.Fuzz(func(t *testing.T, text []byte) {
		var b strings.Builder
		w := quotedprintable.NewWriter(&b)
		w.Binary = true
		w.Write(text)
		require.NoError(t, w.Close())
		require.Equal(t, string(text), string(QuotedPrintable([]byte(b.String()))))
		require.LessOrEqual(t, len(QuotedPrintable(text)), len(text))
		if want, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(b.String()))); err == nil {
			require.Equal(t, string(text), string(want))
		}
	})
}
