package authority

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	for in, want := range map[string]string{
		"example.com:443":           "example.com:443",
		"EXAMPLE.com.:443":          "example.com:443",
		"a_b.example.com:1":         "a_b.example.com:1",
		"xn--bcher-kva.example:443": "xn--bcher-kva.example:443",
		"127.0.0.1:80":              "127.0.0.1:80",
		"[::1]:8080":                "[::1]:8080",
		"[0:0::0:1]:8080":           "[::1]:8080",
		"[::ffff:127.0.0.1]:80":     "127.0.0.1:80",
		"[::FFFF:7f00:1]:80":        "127.0.0.1:80",
		"example.com:00443":         "example.com:443",
		"1a:443":                    "1a:443",
	} {
		a, err := Parse(in)
		require.NoError(t, err, in)
		require.Equal(t, want, a.String(), in)
	}
	for _, in := range []string{
		"", ":", ":443", "example.com", "example.com:", "example.com:0", "example.com:65536", "example.com:+1", "example.com:44 3",
		"example.com:https", "exa mple.com:443", "example.com\x00:443", "exam%70le.com:443", "user@example.com:443",
		"example.com/:443", "a..b:443", ".a:443", "..:443", ".:443", "-a.b:443", "a-.b:443", "bücher.example:443",
		"127.1:80", "0x7f.1:80", "0x7f000001:80", "2130706433:80", "0177.0.0.1:80", "127.0.0.01:80", "1.2.3:80", "1.2.3.4.5:80", "1.2.3.256:80", "foo.0x:80",
		"[::1%eth0]:80", "[127.0.0.1]:80", "[::1:80", "::1]:80", "[::1]80", "[::1]]:80", "[]:80", "::1:80:", "a:b:443", "*.example.com:443",
		strings.Repeat("a", 64) + ".com:443", strings.Repeat("a.", 127) + "com:443",
	} {
		a, err := Parse(in)
		require.Error(t, err, "%q gave %v", in, a)
	}
}

func TestParseDefault(t *testing.T) {
	for in, want := range map[string]string{"example.com": "example.com:443", "example.com:8443": "example.com:8443", "[::1]": "[::1]:443", "127.0.0.1": "127.0.0.1:443"} {
		a, err := ParseDefault(in, 443)
		require.NoError(t, err, in)
		require.Equal(t, want, a.String())
	}
	_, err := ParseDefault("example.com:", 443)
	require.Error(t, err)
}

func TestHostHeader(t *testing.T) {
	for _, tc := range [][3]string{
		{"example.com:443", "https", "example.com"}, {"example.com:443", "http", "example.com:443"}, {"example.com:80", "http", "example.com"},
		{"[::1]:443", "https", "[::1]"}, {"[::1]:8443", "https", "[::1]:8443"},
	} {
		a, err := Parse(tc[0])
		require.NoError(t, err)
		require.Equal(t, tc[2], a.HostHeader(tc[1]))
	}
}

func TestPattern(t *testing.T) {
	for _, tc := range []struct {
		pattern, authority string
		match              bool
	}{
		{"example.com", "example.com:443", true},
		{"Example.COM.", "example.com:443", true},
		{"example.com", "example.com:80", false},
		{"example.com:80", "example.com:80", true},
		{"example.com", "a.example.com:443", false},
		{"*.example.com", "a.example.com:443", true},
		{"*.example.com", "a.b.example.com:443", true},
		{"*.example.com", "example.com:443", false},
		{"*.example.com", "badexample.com:443", false},
		{"*.example.com:8443", "a.example.com:8443", true},
		{"*.example.com:8443", "a.example.com:443", false},
		{"127.0.0.1:80", "[::ffff:127.0.0.1]:80", true},
		{"[::1]", "[::1]:443", true},
	} {
		p, err := ParsePattern(tc.pattern)
		require.NoError(t, err)
		a, err := Parse(tc.authority)
		require.NoError(t, err)
		require.Equal(t, tc.match, p.Match(a), "%v", tc)
		_, ok := NewSet(p).Match(a)
		require.Equal(t, tc.match, ok, "set %v", tc)
		again, err := ParsePattern(p.String())
		require.NoError(t, err)
		require.Equal(t, p, again)
	}
	for _, bad := range []string{"", "*", "*.", "*.*.com", "a.*.com", "a*.com", "*.1.2.3.4", "https://example.com", "example.com/x", "*.[::1]", "example.com:*", "exa mple.com"} {
		_, err := ParsePattern(bad)
		require.Error(t, err, bad)
	}
}

func TestSetPrefersTheMostSpecific(t *testing.T) {
	s, err := ParseSet([]string{"*.example.com", "*.b.example.com", "a.b.example.com"})
	require.NoError(t, err)
	for in, want := range map[string]string{"a.b.example.com:443": "a.b.example.com", "c.b.example.com:443": "*.b.example.com", "b.example.com:443": "*.example.com"} {
		a, err := Parse(in)
		require.NoError(t, err)
		p, ok := s.Match(a)
		require.True(t, ok)
		require.Equal(t, want, p.String())
	}
	_, ok := (*Set)(nil).Match(Authority{"example.com", 443})
	require.False(t, ok)
	_, ok = NewSet(Pattern{}).Match(Authority{})
	require.False(t, ok)
}

func TestSetCovers(t *testing.T) {
	s, err := ParseSet([]string{"a.test", "*.b.test", "*.c.test:8443"})
	require.NoError(t, err)
	for text, want := range map[string]bool{
		"a.test": true, "x.a.test": false, "*.a.test": false, "x.b.test": true, "*.b.test": true, "*.x.b.test": true, "b.test": false,
		"*.test": false, "*.c.test": false, "*.c.test:8443": true, "x.c.test:8443": true,
	} {
		p, err := ParsePattern(text)
		require.NoError(t, err)
		require.Equal(t, want, s.Covers(p), text)
	}
	require.False(t, (*Set)(nil).Covers(Pattern{host: "a", port: 443}))
	require.False(t, (*Set)(nil).Covers(Pattern{host: "a", port: 443, wildcard: true}))
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"example.com:443", "[::1]:80", "127.1:80", "a.:1", "[::ffff:1.2.3.4]:5", "0x.0x:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s)
		if err != nil {
			return
		}
		b, err := Parse(a.String())
		if err != nil || a != b {
			t.Fatalf("%q: %v is not canonical: %v, %v", s, a, b, err)
		}
		p, err := ParsePattern(a.String())
		if err != nil || !p.Match(a) {
			t.Fatalf("%q does not match itself: %v", s, err)
		}
	})
}
