package dlp

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExemptValuesAreInertAndOthersAreNot(t *testing.T) {
	m := newMaker(11)
	dummy, other := m.jwt(`{"alg":"none"}`, 40), m.jwt(`{"alg":"none"}`, 40)
	sum := sha256.Sum256([]byte(dummy))
	exempt, err := ExemptSHA256(strings.ToUpper(hex.EncodeToString(sum[:])))
	require.NoError(t, err)
	r, err := Compile(Builtin(), Options{Exempt: exempt})
	require.NoError(t, err)

	require.Empty(t, r.Scan([]byte("Bearer "+dummy)))
	require.Empty(t, r.Scan([]byte(`{"token":"`+dummy+`"}`)))
	require.Len(t, r.Scan([]byte("Bearer "+other)), 1)
	require.Len(t, r.Scan([]byte("Bearer "+dummy+"A")), 1, "one character more is another value")
	found := r.Scan([]byte(dummy + " " + other))
	require.Len(t, found, 1)
	require.EqualValues(t, len(dummy)+1, found[0].Start)
}

func TestExemptSHA256NamesTheBadSum(t *testing.T) {
	good := strings.Repeat("0", 64)
	for _, bad := range []string{"", "xyz", good[:62], good + "00", strings.Repeat("g", 64)} {
		_, err := ExemptSHA256(good, bad)
		require.ErrorContains(t, err, "exempt value 1")
	}
	none, err := ExemptSHA256()
	require.NoError(t, err)
	require.False(t, none("jwt", []byte("x")))
}
