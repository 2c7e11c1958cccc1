package dlp

import (
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFormsAreReadWithPlusAsASpace(t *testing.T) {
	r := builtin(t)
	m := newMaker(500)
	missed := 0
	for _, s := range m.secrets() {
		if len(s.text) > 4000 {
			continue
		}
		text := "a=b+c&note=" + url.QueryEscape("it is "+s.text) + "&z=1"
		found := r.Form().Scan([]byte(text))
		if len(found) == 0 {
			missed++
			t.Errorf("%s: %.200q", s.rule, text)
			continue
		}
		// As browsers do, and as those write who escape nothing but what they must.
		require.NotEmpty(t, r.Form().Scan([]byte("x="+strings.NewReplacer("+", "%20", "%2B", "+").Replace(url.QueryEscape(s.text)))), s.rule)
	}
	require.Zero(t, missed)
}

func TestAPrivateKeyInAFormIsOneFinding(t *testing.T) {
	r := builtin(t)
	key := newMaker(501).pem("RSA PRIVATE KEY")
	text := "key=" + url.QueryEscape(key)
	require.Len(t, r.Scan([]byte(text)), 1)
	found := r.Form().Scan([]byte(text))
	require.Len(t, found, 1)
	require.Equal(t, "private-key", found[0].Rule)
	require.True(t, found[0].Begins)
	require.EqualValues(t, 4, found[0].Start)
}

func TestAnySplitOfAFormGivesTheSameFindings(t *testing.T) {
	f := builtin(t).Form()
	s := f.NewStream()
	for seed := range few(uint64(3)) {
		text := []byte(strings.ReplaceAll(string(disguisedMixture(seed, few(60_000))), " ", "+"))
		want := f.Scan(text)
		require.Greater(t, len(want), 3)
		rng := rand.New(rand.NewPCG(seed, 2))
		for name, next := range map[string]func() int{
			"bytes":     func() int { return 1 },
			"1 to 3000": func() int { return 1 + rng.IntN(3000) },
		} {
			s.Reset()
			var got []Finding
			for at := 0; at < len(text); {
				n := min(next(), len(text)-at)
				clean, found := s.Scan(text[at : at+n])
				got = append(got, found...)
				if len(got) > 0 {
					require.LessOrEqual(t, clean, got[0].Start)
				}
				at += n
			}
			got = append(got, s.Finish()...)
			require.Equal(t, want, got, "%s, seed %d", name, seed)
		}
	}
}
