package dummyset

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/secret"
)

func TestWhatWasAddedIsThereAfterARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dummies.json")
	s, err := Open(path, []string{secret.SHA256("fixed")})
	require.NoError(t, err)
	require.True(t, s.Has("fixed"))
	require.False(t, s.Has("minted"))
	require.NoFileExists(t, path)
	require.NoError(t, s.Add([]string{secret.SHA256("fixed")}))
	require.NoFileExists(t, path, "nothing new")
	require.NoError(t, s.Add([]string{secret.SHA256("minted")}))
	require.True(t, s.Has("minted"))
	st, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), st.Mode())

	again, err := Open(path, nil)
	require.NoError(t, err)
	require.True(t, again.Has("minted"))
	require.False(t, again.Has("fixed"))
}

func TestTheFileIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dummies.json")
	s, err := Open(path, []string{secret.SHA256("fixed")})
	require.NoError(t, err)
	for i := range Most + 10 {
		require.NoError(t, s.Add([]string{secret.SHA256(fmt.Sprint(i))}))
	}
	s, err = Open(path, []string{secret.SHA256("fixed")})
	require.NoError(t, err)
	require.False(t, s.Has("9"))
	require.True(t, s.Has("10"))
	require.True(t, s.Has(fmt.Sprint(Most+9)))
	require.True(t, s.Has("fixed"))
}

func TestTwoSetsOnOneFileKeepBoth(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dummies.json")
	a, err := Open(path, nil)
	require.NoError(t, err)
	b, err := Open(path, nil)
	require.NoError(t, err)
	require.NoError(t, a.Add([]string{secret.SHA256("a")}))
	require.NoError(t, b.Add([]string{secret.SHA256("b")}))
	c, err := Open(path, nil)
	require.NoError(t, err)
	require.True(t, c.Has("a") && c.Has("b") && b.Has("a"))
}

func TestABadFileIsAnError(t *testing.T) {
	for name, text := range map[string]string{"not JSON": "{", "no digest": `{"sha256":["x"]}`, "upper case": `{"sha256":["` + fmt.Sprintf("%064X", 10) + `"]}`} {
		path := filepath.Join(t.TempDir(), "dummies.json")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := Open(path, nil)
		require.ErrorContains(t, err, "not a list of digests", name)
	}
	path := filepath.Join(t.TempDir(), "dummies.json")
	require.NoError(t, os.WriteFile(path, []byte(`{}`), 0o644))
	_, err := Open(path, nil)
	require.ErrorContains(t, err, "mode 0644")
}

func TestManyAtOnce(t *testing.T) {
	s, err := Open("", nil)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			if s.Add([]string{secret.SHA256(fmt.Sprint(i))}) != nil || !s.Has(fmt.Sprint(i)) {
				t.Error(i)
			}
		})
	}
	wg.Wait()
}
