package framing

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const chunkedHead = "POST /up HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n"

func TestRefusesChunks(t *testing.T) {
	// sound is the longest part of the body that may be delivered.
	for _, tc := range []struct{ name, sound, bad string }{
		{"not hexadecimal", "", "g\r\n"},
		{"sign", "", "+5\r\nhello\r\n0\r\n\r\n"},
		{"prefix", "0", "x5\r\nhello\r\n0\r\n\r\n"},
		{"no size", "", "\r\nhello"},
		{"only an extension", "", ";a\r\n"},
		{"space before size", "", " 5\r\nhello\r\n"},
		{"space after size", "5", " \r\nhello\r\n0\r\n\r\n"},
		{"space before extension", "5", " ;a\r\nhello\r\n0\r\n\r\n"},
		{"bare LF after size", "5", "\nhello\r\n0\r\n\r\n"},
		{"CR within the size line", "5\r", "a\r\n"},
		{"bare LF in extension", "5;a", "\nhello\r\n0\r\n\r\n"},
		{"NUL in extension", "5;a", "\x00\r\nhello\r\n0\r\n\r\n"},
		{"too many digits", "000000000000000", "5\r\nhello\r\n"},
		{"overflow", "fffffffffffffff", "f\r\n"},
		{"extension too long", "5;" + strings.Repeat("a", maxChunkLine-2), "a\r\nhello\r\n0\r\n\r\n"},
		{"data too long", "5\r\nhello", "!\r\n0\r\n\r\n"},
		{"data ends with LF", "5\r\nhello", "\n0\r\n\r\n"},
		{"data ends with CR only", "5\r\nhello\r", "0\r\n\r\n"},
		{"second size bad", "5\r\nhello\r\n", "z\r\n"},
		{"last chunk with bare LF", "0", "\n\r\n"},
		{"end with bare LF", "0\r\n", "\n"},
		{"end with CR only", "0\r\n\r", "G"},
		{"trailer without colon", "0\r\nA", "\r\n\r\n"},
		{"trailer without name", "0\r\n", ": b\r\n\r\n"},
		{"trailer with space before colon", "0\r\nA", " : b\r\n\r\n"},
		{"trailer folded", "0\r\nA: b\r\n", " c\r\n\r\n"},
		{"trailer with bare LF", "0\r\nA: b", "\n\r\n"},
		{"trailer with bare CR", "0\r\nA: b\r", "c\r\n\r\n"},
		{"trailer with NUL", "0\r\nA: b", "\x00\r\n\r\n"},
		{"trailer Content-Length", "0\r\nContent-Length", ": 5\r\n\r\n"},
		{"trailer Transfer-Encoding", "0\r\ntransfer-encodinG", ": chunked\r\n\r\n"},
		{"trailer Host", "0\r\nA: b\r\nhost", ": b\r\n\r\n"},
		{"trailers too large", "0\r\nA: " + strings.Repeat("b", maxTrailerBytes-3), "b\r\n\r\n"},
		{"mostly extensions", strings.Repeat("1;"+strings.Repeat("a", 1000)+"\r\nx\r\n", 16) + "1;" + strings.Repeat("a", 1000) + "\r", "\nx\r\n0\r\n\r\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, c := range cuts {
				guard, out, err := readAll([]byte(good+chunkedHead+tc.sound+tc.bad+good), Limits{}, c)
				require.Equal(t, good+chunkedHead+tc.sound, string(out), c)
				var v *Violation
				require.True(t, errors.As(err, &v), "%v %v", err, c)
				require.Equal(t, BadChunk, v.Code)
				require.Same(t, v, guard.Violation())
				_, err = guard.Read(make([]byte, 1))
				require.Same(t, v, err, "the connection must stay broken")
			}
		})
	}
}

func TestEndWithinABodyIsEOF(t *testing.T) {
	for _, stream := range []string{chunkedHead + "5\r\nhel", chunkedHead + "5\r\nhello\r\n0\r\nA", posting[:len(posting)-2]} {
		for _, c := range cuts {
			guard, out, err := readAll([]byte(stream), Limits{}, c)
			require.Equal(t, io.EOF, err)
			require.Equal(t, stream, string(out))
			require.Nil(t, guard.Violation())
		}
	}
}
