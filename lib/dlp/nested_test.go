package dlp

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// Tools' calls and answers are strings of JSON in strings of JSON, in which a quotation mark has one backslash, three, seven or fifteen.
func TestStringsInStringsOfJSON(t *testing.T) {
	r := builtin(t)
	m := newMaker(401)
	tried, missed := 0, map[string]int{}
	for range few(3) {
		for _, s := range append(m.secrets(), m.others()...) {
			text := m.pick(s.text, "x\n\t"+s.text+"\n}", "C:\\dir\\new\n"+s.text, `"`+s.text+"\"\n&& a &b\\")
			for depth := range 5 {
				tried++
				if len(r.Scan([]byte(text))) == 0 {
					missed[s.rule]++
					t.Logf("%s in %d strings: %q", s.rule, depth, text)
				}
				outer, err := json.Marshal(map[string]string{"text": "some words\n" + text + "\nmore\t\"words\""})
				require.NoError(t, err)
				text = string(outer)
			}
		}
	}
	all := 0
	for rule, n := range missed {
		require.LessOrEqual(t, n, few(3), rule)
		all += n
	}
	require.LessOrEqual(t, all, tried/250)
}
