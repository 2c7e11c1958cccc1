package pathrule

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMatch(t *testing.T) {
	rule, _, err := Parse([]string{"/repos/acme/", "/user", "/a%20b"})
	require.NoError(t, err)
	for path, want := range map[string]bool{
		"/repos/acme": true, "/repos/acme/": true, "/repos/acme/x/y": true, "/repos/acme%2Dx": false, "/repos/%61cme/x": true,
		"/repos": false, "/repos/acmes": false, "/Repos/acme": false, "/user": true, "/users": false, "/": false, "/a%20b/c": true, "/user;v=1": false,
	} {
		got, err := rule.Match(path)
		require.NoError(t, err, path)
		require.Equal(t, want, got, path)
	}
	for _, path := range []string{
		"", "*", "repos/acme", "/repos/acme/../x", "/repos/acme/..", "/repos/acme/./x", "/repos//acme", "//repos/acme", "/repos/acme//",
		"/repos/acme/%2e%2e/x", "/repos/acme/%2E./x", "/repos/acme/..;/x", "/repos/acme/.;a=b/x", "/repos/acme/;/x", "/repos/acme%2fx", "/repos/acme%2Fx", "/repos/acme/%252e%252e/x",
		"/repos/acme%5cx", "/repos/acme\\..\\x", "/repos/acme/%00", "/repos/acme/%0a", "/repos/acme/%zz", "/repos/acme/%7f",
	} {
		_, err := rule.Match(path)
		require.ErrorIs(t, err, ErrAmbiguous, path)
	}
	ok, err := Rule(nil).Match("/../whatever")
	require.NoError(t, err)
	require.True(t, ok)
	root, _, err := Parse([]string{"/"})
	require.NoError(t, err)
	ok, err = root.Match("/anything")
	require.NoError(t, err)
	require.True(t, ok)
}

func TestParseNamesTheBadPrefix(t *testing.T) {
	for _, bad := range []string{"x", "", "/a?b", "/a#b", "/a b", "/a\\b", "/a/../b", "/a//b", "/a%2fb"} {
		_, i, err := Parse([]string{"/fine", bad})
		require.Error(t, err, bad)
		require.Equal(t, 1, i)
	}
}

func FuzzMatch(f *testing.F) {
	for _, s := range []string{"/a/b", "/a/../b", "/a/%2e%2e/b", "/a/..;/b", "/a//b", "/a%2fb"} {
		f.Add(s)
	}
	rule, _, err := Parse([]string{"/a"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string) {
		ok, err := rule.Match(path)
		if err != nil || !ok {
			return
		}
		// However often a server decodes, and whatever it cleans, it stays below /a.
		for range 3 {
			joined, err := url.JoinPath("http://h", path)
			if err == nil {
				u, err := url.Parse(joined)
				if err == nil && u.Path != "/a" && !strings.HasPrefix(u.Path, "/a/") {
					t.Fatalf("%q was let through and reads as %q", path, u.Path)
				}
			}
			if path, err = url.PathUnescape(path); err != nil {
				return
			}
		}
	})
}
