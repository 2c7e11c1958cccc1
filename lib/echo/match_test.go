package echo

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whoever goes back through a text may do so character by character as long as
// no special byte is near: nothing that is written in another way is without.
func TestEveryFormHasASpecialByteNearItsEnd(t *testing.T) {
	for f := range families {
		for c := range 256 {
			forms := formsOf(byte(c), f)
			for _, form := range append(forms, withBreaks(byte(c), f, forms)...) {
				tail := []byte(form.text[max(0, len(form.text)-reach):])
				require.True(t, bytes.ContainsFunc(tail, func(r rune) bool { return r < 0x80 && special(byte(r)) }), "%q", form.text)
			}
		}
	}
}
