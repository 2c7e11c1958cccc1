package proxy_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/proxy"
)

func TestParseDestination(t *testing.T) {
	for in, want := range map[string]string{
		"https://a.test":              "https a.test:443",
		"https://a.test/":             "https a.test:443",
		"HTTPS://A.Test.:8443/x?y#z":  "https a.test:8443",
		"http://a.test?x":             "http a.test:80",
		"http://a.test:443#x":         "http a.test:443",
		"https://[::1]/":              "https [::1]:443",
		"https://a.test/https://b.c/": "https a.test:443",
	} {
		scheme, a, err := proxy.ParseDestination(in)
		require.NoError(t, err, in)
		require.Equal(t, want, scheme+" "+a.String())
	}
	for _, in := range []string{"", "a.test", "https:", "https://", "https:///x", "https://:443/", "ftp://a.test/", "https://user@a.test/", "https://a.test:0/", "https://0x7f.1/", "https://a test/", "//a.test/", "httpss://a.test", "https//a.test"} {
		_, _, err := proxy.ParseDestination(in)
		require.Error(t, err, in)
	}
}

func FuzzParseDestination(f *testing.F) {
	for _, s := range []string{"https://a.test/x", "http://[::1]:1", "HTTPS://user@a.test", "https://", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		scheme, a, err := proxy.ParseDestination(text)
		if err != nil {
			return
		}
		if !strings.HasPrefix(strings.ToLower(text), scheme+"://") || a.Host == "" || a.Port == 0 {
			t.Fatalf("%q is %s %v", text, scheme, a)
		}
		if _, again, err := proxy.ParseDestination(scheme + "://" + a.String()); err != nil || again != a {
			t.Fatalf("%v is read as %v, %v", a, again, err)
		}
	})
}
