package plan

import (
	"crypto/x509"
	"path/filepath"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/require"

	"bottle/lib/mintca"
	"bottle/lib/secret"
)

// trusts reports whether a program with the roots in file accepts a leaf that
// ca makes for host.
func (h *host) trusts(file string, ca *mintca.CA, host string) bool {
	h.t.Helper()
	leaf, err := ca.Leaf(host)
	require.NoError(h.t, err)
	cert, err := x509.ParseCertificate(leaf.Certificate[0])
	require.NoError(h.t, err)
	roots := x509.NewCertPool()
	require.True(h.t, roots.AppendCertsFromPEM([]byte(h.read(file))))
	_, err = cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: host})
	return err == nil
}

func (h *host) ca(stage string) *mintca.CA {
	h.t.Helper()
	ca, err := mintca.Load(filepath.Join(h.dir, stage, "ca.pem"), filepath.Join(h.dir, stage, "ca-key.pem"))
	require.NoError(h.t, err)
	return ca
}

// TestWhoTrustsWhom writes the chain's trust down: each program accepts what
// answers it, and nothing more.
func TestWhoTrustsWhom(t *testing.T) {
	const (
		agent, egress, pipelock = "agent/ca-bundle.pem", "egress/upstream-ca.pem", "pipelock/upstream-ca.pem"
		first, swapped          = chained, chained + "[chain]\norder = ['pipelock', 'egress']\n"
	)
	passing := func(src, hosts string) string {
		return strings.Replace(src, "[pipelock]", "[pipelock]\ntls_passthrough = ["+hosts+"]", 1)
	}
	for _, tc := range []struct {
		name, src   string
		intercepted []string // by pipelock
		untouched   []string
		trust       map[string][]string // file → who is accepted for uploads.github.com
	}{
		{"egress first", first, []string{"api.github.com", "x.example.com", "files.example.org"}, []string{"chatgpt.com", "api.openai.com", "us.chatgpt.com", "other.example"}, map[string][]string{
			agent: {"egress"}, egress: {"pipelock", "corporate"}, pipelock: {"corporate"}}},
		{"pipelock first", swapped, []string{"api.github.com", "chatgpt.com", "api.openai.com", "us.chatgpt.com"}, []string{"other.example"}, map[string][]string{
			agent: {"pipelock"}, egress: {"corporate"}, pipelock: {"egress"}}},
		{"pipelock first, some pass", passing(swapped, "'pkg.example.org'"), []string{"chatgpt.com"}, []string{"pkg.example.org"}, map[string][]string{
			agent: {"pipelock", "egress"}, egress: {"corporate"}, pipelock: {"egress"}}},
		{"nothing passes", strings.Replace(strings.Replace(first, codexLogin, "[agent]\nprovider = 'none'\n", 1), "extra_hosts = [\"us.chatgpt.com\"]\n", "", 1), []string{"api.github.com"}, []string{"chatgpt.com"}, map[string][]string{
			agent: {"egress"}, egress: {"pipelock"}, pipelock: {"corporate"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := chainedHost(t)
			corporate, err := mintca.New(mintca.Options{Name: "corporate", Hosts: []string{"github.com"}})
			require.NoError(t, err)
			h.write("corporate.pem", string(corporate.CertPEM()), 0o644)
			h.prepare(tc.src)
			cas := map[string]*mintca.CA{"egress": h.ca("egress"), "pipelock": h.ca("pipelock"), "corporate": corporate}
			for file, want := range tc.trust {
				for who, ca := range cas {
					accepted := false
					for _, w := range want {
						accepted = accepted || w == who
					}
					require.Equal(t, accepted, h.trusts(file, ca, "uploads.github.com"), "%s, leaf of %s", file, who)
				}
			}
			for _, name := range tc.intercepted {
				require.True(t, cas["pipelock"].Permits(name), name)
			}
			for _, name := range tc.untouched {
				require.False(t, cas["pipelock"].Permits(name), name)
			}
			require.True(t, cas["egress"].Permits("x.example.com"))
			require.False(t, cas["egress"].Permits("files.example.org"), "not a route")
			roots := strings.Count(h.read(agent), "BEGIN CERTIFICATE")
			require.Equal(t, 1+len(tc.trust[agent]), roots, "the system's roots and no more of ours")
		})
	}
}

func TestAWildcardThatIsAllowedCoversAPassthroughHost(t *testing.T) {
	h := chainedHost(t)
	h.env["T"] = token("t")
	h.prepare("[[egress.route]]\nhost = '*.wild.example'\n[pipelock]\ntls_passthrough = ['a.wild.example', '*.b.wild.example']\n")
	require.True(t, h.ca("pipelock").Permits("c.wild.example"))
	require.Contains(t, h.read("pipelock/pipelock.toml"), `tls_passthrough = ["a.wild.example", "*.b.wild.example"]`)
}

func TestFilterIsToldByDigestWhatEgressPutsOn(t *testing.T) {
	h := chainedHost(t)
	type credentials struct {
		sha256 []string
		dummy  bool
	}
	expected := func(src string) map[string]credentials {
		h.prepare(src)
		var file struct {
			Expected []struct {
				Host   string
				SHA256 []string
				Dummy  bool
			}
		}
		_, err := toml.Decode(h.read("pipelock/pipelock.toml"), &file)
		require.NoError(t, err)
		out := map[string]credentials{}
		for _, e := range file.Expected {
			out[e.Host] = credentials{e.SHA256, e.Dummy}
		}
		return out
	}
	got := expected(chained)
	require.NotContains(t, got, "chatgpt.com", "the provider's token is not to be seen: its hosts are passed through")
	sums := map[string]bool{}
	for _, line := range strings.Split(h.read("egress/egress.env"), "\n") {
		_, v, _ := strings.Cut(line, "=")
		sums[secret.SHA256(v)] = true
	}
	require.Len(t, got["api.github.com"].sha256, 1)
	require.True(t, sums[got["api.github.com"].sha256[0]], "the digest of the route's own token")
	require.False(t, got["api.github.com"].dummy)

	got = expected(chained + "[chain]\norder = ['pipelock', 'egress']\n")
	require.True(t, got["chatgpt.com"].dummy, "egress will replace the dummy")
	require.NotContains(t, got, "api.github.com")
}
