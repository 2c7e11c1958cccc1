package filter

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/dlp"
	"bottle/lib/secret"
)

// Short names of fields are looked at where a value is known, not where a rule
// of a file is called as if.
func TestWhatIsKnownIsNoMatterOfNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules.toml")
	require.NoError(t, os.WriteFile(path, []byte("[[rules]]\nid = \"known:x\"\nregex = '''zz[0-9]{20}'''\nkeywords = [\"zz\"]\n"), 0o600))
	named, err := dlp.ReadRules(path)
	require.NoError(t, err)
	v, err := secret.New("kX9vPz7Q")
	require.NoError(t, err)
	known, err := dlp.KnownRules([]dlp.KnownSecret{{Name: "V", Value: v}})
	require.NoError(t, err)
	for want, more := range map[int][]dlp.Rule{shortestToken: named, shortestKnown: known} {
		c, err := compile(append(dlp.Builtin(), more...), dlp.Options{}, nil, nil, false)
		require.NoError(t, err)
		require.Equal(t, want, c().shortest)
	}
}
