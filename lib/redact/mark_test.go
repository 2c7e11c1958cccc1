package redact_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/redact"
)

// marked makes values whose mark stands amid them, and says how long what precedes it is.
func marked(seed string) map[string]struct {
	value  string
	before int
} {
	var text strings.Builder
	for i := range 8 {
		sum := sha256.Sum256(fmt.Append(nil, seed, i))
		text.WriteString(base64.RawURLEncoding.EncodeToString(sum[:]))
	}
	letters := strings.NewReplacer("-", "x", "_", "y").Replace(text.String())
	digits := strings.Map(func(r rune) rune { return '1' + r%9 }, letters)
	hex := strings.Map(func(r rune) rune { return rune("0123456789abcdef"[r%16]) }, letters)
	return map[string]struct {
		value  string
		before int
	}{
		"azure-devops-token":    {letters[:76] + "AZ" + "DO" + letters[100:104], 76},
		"azure-client-secret":   {letters[:3] + "8Q" + "~" + letters[10:44], 3},
		"telegram-token":        {digits[:10] + ":A" + "A" + letters[20:53], 10},
		"mailchimp-key":         {hex[:32] + "-u" + "s14", 32},
		"terraform-cloud-token": {letters[:14] + ".atlas" + "v1." + letters[20:85], 14},
		"azure-signed-key":      {letters[:76] + "+A" + "St" + letters[80:86] + "==", 76},
	}
}

// What stands before a mark goes with it, in any notation, or the text is refused.
func TestNothingIsLeftOfWhatStandsBeforeAMark(t *testing.T) {
	r := rules(t)
	for _, n := range notations {
		for rule, m := range marked(n.name) {
			for _, before := range []string{`{"k":"`, "a=1&k=", "text\nk: "} {
				src := []byte(n.encode(before + m.value + `" and more`))
				fs := r.Scan(src)
				require.NotEmpty(t, fs, "%s in %s", rule, n.name)
				for kind, notation := range map[string]redact.Notation{"plain": redact.Plain, "percent": redact.Percent, "fixed": redact.Fixed} {
					out, err := redact.Text(r, src, fs, notation)
					if err != nil {
						require.ErrorIs(t, err, redact.ErrUnsound)
						require.NotEqual(t, "plain", n.name)
						continue
					}
					text, err := n.decode(string(out))
					if err != nil {
						continue
					}
					require.NotContains(t, text, m.value[:m.before], "%s in %s, %s", rule, n.name, kind)
					if m.before > 8 {
						require.NotContains(t, text, m.value[m.before-8:m.before], "%s in %s, %s", rule, n.name, kind)
						require.NotContains(t, text, m.value[:8], "%s in %s, %s", rule, n.name, kind)
					}
				}
			}
		}
	}
}
