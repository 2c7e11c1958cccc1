package dlp

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Tools and people put something before each line of a key that they show.
func TestPrivateKeyWithSomethingBeforeEachLine(t *testing.T) {
	r := builtin(t)
	key := strings.TrimSuffix(newMaker(31).pem("OPENSSH PRIVATE KEY"), "\n")
	for name, before := range map[string]func(i int) string{
		"cat -n":        func(i int) string { return fmt.Sprintf("%6d\t", i) },
		"an arrow":      func(i int) string { return fmt.Sprintf("%6d→", i) },
		"a bar":         func(i int) string { return fmt.Sprintf("%3d | ", i) },
		"grep -n":       func(i int) string { return fmt.Sprintf("deploy/id_work:%d:", i) },
		"mail":          func(int) string { return "> " },
		"mail in mail":  func(int) string { return ">> " },
		"a comment":     func(int) string { return "# " },
		"a doc comment": func(int) string { return " * " },
		"diff":          func(int) string { return "+" },
	} {
		var text strings.Builder
		for i, line := range strings.Split(key, "\n") {
			text.WriteString(before(i+1) + line + "\n")
		}
		for _, s := range []string{text.String(), strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(text.String())} {
			found := r.Scan([]byte(s))
			require.Len(t, found, 1, "%s: %s", name, s)
			require.Equal(t, "private-key", found[0].Rule, name)
		}
	}
}
