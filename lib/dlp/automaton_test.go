package dlp

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Rules whose keywords are more than the table holds are compiled with less of each, and find the same.
func TestManyKeywordsFindTheSame(t *testing.T) {
	m := newMaker(71)
	var rows []row
	var file, texts strings.Builder
	for i := range 1200 {
		prefix := m.text("abcdefghijklmnopqrstuvwxyz", 7) + "_"
		rows = append(rows, row{name: fmt.Sprintf("row-%d", i), prefixes: prefix, body: "<a>{36}"})
		fmt.Fprintf(&file, "[[rules]]\nid = \"file-%d\"\nregex = '''%s[a-z0-9]{20}'''\nkeywords = [\"%s\"]\n", i, prefix+"f", prefix+"f")
		if i%100 == 0 {
			fmt.Fprintf(&texts, "%s%s %s%s\n", prefix, m.text(alnumChars, 36), prefix+"f", m.text("abcdefgh0123", 20))
		}
	}
	more, err := readRules(t, file.String())
	require.NoError(t, err)
	r, err := Compile(append(append(Builtin(), fromRows(rows)...), more...), Options{})
	require.NoError(t, err)
	require.Len(t, r.Scan([]byte(texts.String())), 24)
	require.NotEmpty(t, r.Scan([]byte("x "+m.github())))
}

// The built-in keywords have room in the table, at the length that is fastest.
func TestBuiltinKeywordsHaveRoom(t *testing.T) {
	r := builtin(t)
	longest := 0
	for _, hits := range r.auto.hits {
		for _, k := range hits {
			longest = max(longest, len(k.text))
		}
	}
	require.Equal(t, keywordCut, longest)
}
