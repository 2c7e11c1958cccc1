package dlp

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// Each character that is folded begins with a byte that is looked at.
func TestEachLookalikeBeginsAnEscape(t *testing.T) {
	for r := rune(utf8.RuneSelf); r <= utf8.MaxRune; r++ {
		if _, ok := foldRune(r); ok {
			require.True(t, mayEscape[utf8.AppendRune(nil, r)[0]], "%U", r)
		}
	}
}
