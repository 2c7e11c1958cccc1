package dlp

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/dummyauth"
)

func TestTheMarkerIsTheOneOfDummies(t *testing.T) {
	require.Equal(t, dummyauth.Marker, dummyMarker)
}

func TestDummiesAreFoundAsSuchOverTheirWholeLength(t *testing.T) {
	m := newMaker(300)
	r, err := Compile(append(Builtin(), Dummy()...), Options{})
	require.NoError(t, err)
	access := m.jwt(`{"alg":"RS256","typ":"JWT","kid":"abc"}`, 90)
	dummy := access[:len(access)-86] + dummyMarker + m.text(urlChars, 200)
	refresh := dummyMarker + m.text(alnumChars, 32)
	claude := "sk-ant-" + "oat01-" + dummyMarker + m.text(alnumChars, 80) + "AA"
	for name, token := range map[string]string{"access": dummy, "refresh": refresh, "claude": claude} {
		for _, p := range places {
			found := r.Scan([]byte(p.before + token + p.after))
			require.Len(t, found, 1, "%s, %s", name, p.name)
			require.Equal(t, "bottle-dummy", found[0].Rule, "%s, %s", name, p.name)
			require.EqualValues(t, len(p.before), found[0].Start, "%s, %s", name, p.name)
			require.EqualValues(t, len(p.before)+len(token), found[0].End, "%s, %s", name, p.name)
		}
		found := r.Scan([]byte(base64.StdEncoding.EncodeToString([]byte(" " + token + " "))))
		require.Len(t, found, 1, name)
		require.Equal(t, "bottle-dummy", found[0].Rule, name)
	}
	found := r.Scan([]byte(access))
	require.Len(t, found, 1)
	require.Equal(t, "jwt", found[0].Rule)
	for _, text := range []string{"the marker is bottle-dummy- and no more", "a-bottle-dummy-" + m.text(alnumChars, 32), "bottle-dummy-credentials"} {
		require.Empty(t, r.Scan([]byte(text)), text)
	}
}

func TestADummyThatIsExemptIsAskedAboutAsAJWT(t *testing.T) {
	m := newMaker(301)
	access := m.jwt(`{"alg":"RS256"}`, 90)
	dummy := access[:len(access)-86] + dummyMarker + m.text(urlChars, 200)
	var asked []string
	r, err := Compile(append(Builtin(), Dummy()...), Options{Exempt: func(rule string, value []byte) bool {
		asked = append(asked, rule)
		require.Equal(t, dummy, string(value))
		return true
	}})
	require.NoError(t, err)
	require.Empty(t, r.Scan([]byte("Bearer "+dummy)))
	require.Contains(t, asked, "bottle-dummy")
	require.Contains(t, asked, "jwt")
}
