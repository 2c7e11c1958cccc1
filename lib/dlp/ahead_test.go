package dlp

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is looked at behind a keyword lets every spelling of the whole name through, and no word that only begins so.
func TestAheadKnowsWhatANameGoesOnWith(t *testing.T) {
	p := pattern{keywords: []string{"client_secret"}, fold: true, spelled: true, steps: run(alnum, 1, 1)}
	k := p.keyword("client_secret", 0, keywordCut, map[class]*class{})
	require.Equal(t, "clien", k.text)
	for _, name := range []string{"client_secret", "CLIENT_SECRET", "clientSecret", "client-secret", "client.secret", "client secret"} {
		for n := range len(name) - len(k.text) + 1 {
			require.NotEqual(t, yes, k.otherwise([]byte(name[len(k.text):len(k.text)+n])), "%s, %d bytes of it", name, n)
		}
		require.NotEqual(t, yes, k.otherwise([]byte(name[len(k.text):]+"x")))
	}
	for _, word := range []string{"clients ", "client, ", "client_id", "clientX"} {
		require.Equal(t, yes, k.otherwise([]byte(word[len(k.text):])), word)
	}
	for _, hidden := range []string{`t\u005fsecret`, "%74", "t&#95;s", "t\u00ads"} {
		require.NotEqual(t, yes, k.otherwise([]byte(hidden)), hidden)
	}
}

// A short name says what is next, behind it, only as far as nothing can be between.
func TestAheadEndsWhereAJointMayBe(t *testing.T) {
	p := pattern{keywords: []string{"sk_", "longer_"}, steps: run(lowerHex, 32, 32), joins: joinChecked}
	for _, name := range p.keywords {
		k := p.keyword(name, 0, keywordCut, map[class]*class{})
		require.LessOrEqual(t, len(k.next), max(0, len(name)-keywordCut), name)
		require.NotEqual(t, yes, k.otherwise([]byte(strings.TrimPrefix(name, k.text)+"\" + \"")), name)
	}
}
