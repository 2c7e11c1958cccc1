package dlp

import (
	"encoding/json"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// A known value that is cut by the names of parameters or members is found, in up to three pieces of which the first has eight letters
// and digits.
func TestKnownValueCutByNames(t *testing.T) {
	m := newMaker(51)
	for name, value := range map[string]string{
		"hex":         m.text(hexChars, 22) + "a1",
		"random":      m.text(alnumChars, 30) + "7",
		"words":       "correct horse battery staple",
		"not ASCII":   "äöü-Schlüssel-" + m.text(digitChars, 4),
		"punctuation": "Tr0ub4dor&3-horse-" + m.text(alnumChars, 6),
	} {
		r := knowing(t, value)
		for _, cuts := range [][]int{{13}, {14, 19}} {
			var pieces []string
			from := 0
			for _, at := range append(cuts, len(value)) {
				pieces = append(pieces, value[from:at])
				from = at
			}
			query, object, list := url.Values{}, map[string]string{}, []map[string]string{}
			for i, p := range pieces {
				field := string(rune('a' + i))
				query.Set(field, p)
				object[field] = p
				list = append(list, map[string]string{"text": p})
			}
			for _, v := range []any{object, list} {
				text, err := json.Marshal(v)
				require.NoError(t, err)
				require.Len(t, r.Scan(text), 1, "%s: %s", name, text)
				again, err := json.Marshal(string(text))
				require.NoError(t, err)
				require.Len(t, r.Scan(again), 1, "%s: %s", name, again)
			}
			require.Len(t, r.Form().Scan([]byte(query.Encode())), 1, "%s: %s", name, query.Encode())
		}
		swapped := url.Values{"a": {value[13:]}, "b": {value[:13]}}
		require.Empty(t, r.Scan([]byte(swapped.Encode())), "out of order")
		other := url.Values{"a": {value[:13]}, "b": {"x" + value[13:]}}
		require.Empty(t, r.Scan([]byte(other.Encode())), "not all of it")
	}
}

// Many names behind the begin of a value cost a bounded number of trails.
func TestTrailsOverNamesAreFew(t *testing.T) {
	r := knowing(t, "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz")
	s := r.NewStream()
	defer s.Release()
	text := []byte("abcdefghijklmno")
	for range 2000 {
		text = append(text, "&p=&q="...)
	}
	s.Scan(text)
	require.LessOrEqual(t, len(s.engine.loose.trails), maxTrails)
}
