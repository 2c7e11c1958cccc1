package loginheader_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/loginheader"
)

func TestNamesAreCanonicalAndStandOnce(t *testing.T) {
	seen := map[string]bool{}
	for name := range loginheader.All {
		require.Equal(t, http.CanonicalHeaderKey(name), name)
		require.False(t, seen[name], name)
		seen[name] = true
	}
	require.True(t, seen["Authorization"])
	for range loginheader.All {
		break // the rest is not asked for
	}
}
