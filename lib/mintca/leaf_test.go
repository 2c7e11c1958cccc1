package mintca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLeaf(t *testing.T) {
	ca := newCA(t, "a.example", "*.wild.example", "192.0.2.7", "2001:db8::1")
	for _, host := range []string{"a.example", "A.EXAMPLE", "x.wild.example", "y.x.wild.example", "192.0.2.7", "2001:db8::1"} {
		leaf, err := ca.Leaf(host)
		require.NoError(t, err, host)
		verifyGo(t, ca, leaf, host)
		c, err := x509.ParseCertificate(leaf.Certificate[0])
		require.NoError(t, err)
		require.Len(t, leaf.Certificate, 1)
		require.Equal(t, 128, c.SerialNumber.BitLen())
		require.Equal(t, elliptic.P256(), c.PublicKey.(*ecdsa.PublicKey).Curve)
		require.False(t, c.IsCA)
		require.NotEmpty(t, c.AuthorityKeyId)
		require.Empty(t, c.Subject.CommonName, "GnuTLS holds it against the constraints of an address")
		require.Equal(t, 1, len(c.DNSNames)+len(c.IPAddresses))
		require.WithinDuration(t, time.Now().Add(-time.Hour), c.NotBefore, time.Minute)
		require.WithinDuration(t, time.Now().Add(LeafLifetime), c.NotAfter, time.Minute)
	}
	for _, host := range []string{"b.example", "example", "aa.example", "192.0.2.8", "::1", "::ffff:192.0.2.8"} {
		_, err := ca.Leaf(host)
		require.ErrorIs(t, err, ErrNotPermitted, host)
		require.False(t, ca.Permits(host))
	}
	_, err := ca.Leaf("*.wild.example")
	require.ErrorIs(t, err, ErrNotPermitted, "a leaf is for one host")
	_, err = ca.Leaf("no host")
	require.ErrorContains(t, err, "make leaf: host")
	require.True(t, ca.Permits("deep.a.example"), "X.509 cannot exclude the names under a host")
}

func TestLeafStaysWithinItsCA(t *testing.T) {
	made := time.Now().Add(-29 * 24 * time.Hour)
	ca, err := New(Options{Hosts: []string{"a.example"}, Now: made})
	require.NoError(t, err)
	for _, at := range []time.Time{made.Add(-30 * time.Minute), made, made.Add(29 * 24 * time.Hour)} {
		leaf, err := ca.leaf("a.example", at)
		require.NoError(t, err)
		c, err := x509.ParseCertificate(leaf.Certificate[0])
		require.NoError(t, err)
		require.False(t, c.NotAfter.After(ca.NotAfter()))
		require.False(t, c.NotBefore.Before(ca.cert.NotBefore))
	}
	_, err = ca.leaf("a.example", ca.NotAfter())
	require.ErrorIs(t, err, ErrExpired)
}

// stolen makes what a thief of the CA's key would: a leaf for any host.
func stolen(t *testing.T, ca *CA, host string) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "thief"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, ca.leafKey.Public(), ca.key)
	require.NoError(t, err)
	return der
}

// TestVerifiersAgree has two implementations judge leaves inside and outside
// the constraints, the latter made with the CA's key directly.
func TestVerifiersAgree(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Log("no openssl here: only Go's verifier is asked")
	}
	for _, tc := range []struct {
		name     string
		hosts    []string
		good     []string
		rejected []string
	}{
		{"names only", []string{"a.example", "*.wild.example"}, []string{"a.example", "x.wild.example", "x.y.wild.example"}, []string{"b.example", "example", "xa.example", "192.0.2.7", "2001:db8::1", "127.0.0.1"}},
		{"addresses only", []string{"192.0.2.7", "2001:db8::1"}, []string{"192.0.2.7", "2001:db8::1"}, []string{"a.example", "localhost", "192.0.2.8", "2001:db8::2"}},
		{"one family of addresses", []string{"192.0.2.7"}, []string{"192.0.2.7"}, []string{"a.example", "2001:db8::1", "::1"}},
		{"both", []string{"a.example", "192.0.2.7"}, []string{"a.example", "192.0.2.7"}, []string{"b.example", "192.0.2.8", "2001:db8::1"}},
		{"nothing", nil, nil, []string{"a.example", "localhost", "192.0.2.7", "2001:db8::1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ca := newCA(t, tc.hosts...)
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.pem"), ca.CertPEM(), 0o600))
			judge := func(host string, der []byte) map[string]bool {
				verdicts := map[string]bool{}
				c, err := x509.ParseCertificate(der)
				require.NoError(t, err)
				roots := x509.NewCertPool()
				roots.AddCert(ca.cert)
				_, err = c.Verify(x509.VerifyOptions{Roots: roots, DNSName: host})
				verdicts["go"] = err == nil
				if openssl != "" {
					file := filepath.Join(dir, "leaf.pem")
					require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
					flag := "-verify_hostname"
					if net.ParseIP(host) != nil {
						flag = "-verify_ip"
					}
					out, err := exec.Command(openssl, "verify", "-x509_strict", "-purpose", "sslserver", "-no-CApath", "-no-CAstore", "-CAfile", filepath.Join(dir, "ca.pem"), flag, host, file).CombinedOutput()
					verdicts["openssl"] = err == nil
					if err != nil {
						require.Regexp(t, "permitted subtree violation|excluded subtree violation", string(out))
					}
				}
				return verdicts
			}
			for _, host := range tc.good {
				leaf, err := ca.Leaf(host)
				require.NoError(t, err)
				for who, ok := range judge(host, leaf.Certificate[0]) {
					require.True(t, ok, "%s rejects %s", who, host)
				}
			}
			for _, host := range tc.rejected {
				_, err := ca.Leaf(host)
				require.ErrorIs(t, err, ErrNotPermitted)
				for who, ok := range judge(host, stolen(t, ca, host)) {
					require.False(t, ok, "%s accepts %s", who, host)
				}
			}
		})
	}
}

func TestLeafCacheSharesAndBounds(t *testing.T) {
	cache := NewLeafCache(newCA(t, "example"), 3)
	a, err := cache.Get("a.example")
	require.NoError(t, err)
	again, err := cache.Get("A.example")
	require.NoError(t, err)
	require.Same(t, a, again)

	// An agent that invents names turns over the cache, not the memory.
	for i := range 50 {
		_, err := cache.Get(fmt.Sprintf("h%d.example", i))
		require.NoError(t, err)
		require.LessOrEqual(t, cache.Len(), 3)
		if kept, err := cache.Get("a.example"); err != nil || kept != a {
			t.Fatalf("a leaf in use was dropped: %v", err)
		}
	}
	_, err = cache.Get("elsewhere.test")
	require.ErrorIs(t, err, ErrNotPermitted)
	require.Equal(t, 2, cache.Len(), "an error is not kept")
	require.Equal(t, 1, NewLeafCache(newCA(t), 0).max)
}

func TestLeafCacheMakesOneLeafForAllWhoAskAtOnce(t *testing.T) {
	cache := NewLeafCache(newCA(t, "example"), 8)
	var wg sync.WaitGroup
	leaves := make([]*tls.Certificate, 32)
	for i := range leaves {
		wg.Go(func() { leaves[i], _ = cache.Get(fmt.Sprintf("h%d.example", i%4)) })
	}
	wg.Wait()
	for i, leaf := range leaves {
		require.NotNil(t, leaf)
		require.Same(t, leaves[i%4], leaf)
	}
}

func TestLeafCacheRenewsBeforeExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cache := NewLeafCache(newCA(t, "example"), 8)
		end := time.Now().Add(Lifetime)
		var last *tls.Certificate
		made := 0
		for time.Now().Before(end.Add(-time.Minute)) {
			leaf, err := cache.Get("a.example")
			require.NoError(t, err)
			c, err := x509.ParseCertificate(leaf.Certificate[0])
			require.NoError(t, err)
			require.True(t, time.Now().Before(c.NotAfter))
			require.False(t, c.NotAfter.After(end))
			if leaf != last {
				made++
			}
			last = leaf
			time.Sleep(time.Hour) // the bubble's clock
		}
		require.Less(t, made, 30)
		require.Greater(t, made, 10)
		time.Sleep(time.Hour)
		_, err := cache.Get("a.example")
		require.ErrorIs(t, err, ErrExpired)
		require.Zero(t, cache.Len())
	})
}

func TestSystemRoots(t *testing.T) {
	env := func(kv ...string) func(string) string {
		return func(k string) string {
			for i := 0; i < len(kv); i += 2 {
				if kv[i] == k {
					return kv[i+1]
				}
			}
			return ""
		}
	}
	a, b := newCA(t, "a.example"), newCA(t, "b.example")
	dir := t.TempDir()
	file := filepath.Join(dir, "roots.pem")
	require.NoError(t, os.WriteFile(file, a.CertPEM(), 0o644))
	sub := filepath.Join(dir, "certs")
	require.NoError(t, os.Mkdir(sub, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(sub, "b.crt"), b.CertPEM(), 0o644))
	require.NoError(t, os.Symlink("gone", filepath.Join(sub, "deadbeef.0")))

	text, from, err := SystemRoots(env("SSL_CERT_FILE", file, "SSL_CERT_DIR", sub))
	require.NoError(t, err)
	require.Equal(t, file, from)
	_, n := Bundle(text)
	require.Equal(t, 2, n)
	_, _, err = SystemRoots(env("SSL_CERT_FILE", file+"x"))
	require.ErrorContains(t, err, "read SSL_CERT_FILE")
	_, _, err = SystemRoots(env("SSL_CERT_DIR", sub+"x"))
	require.ErrorContains(t, err, "read SSL_CERT_DIR")
}

func TestBundleHoldsCertificatesOnlyAndOnce(t *testing.T) {
	a, b := newCA(t, "a.example"), newCA(t, "b.example")
	broken := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("not DER")})
	headers := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Headers: map[string]string{"x": "y"}, Bytes: b.cert.Raw})
	half := "-----BEGIN CERTIFICATE-----\nMIIB\n"
	messy := strings.Join([]string{"# A comment: Öffentlich", string(a.CertPEM()), string(broken), string(a.ExposeKeyPEM()), string(headers), string(a.CertPEM()), half}, "\n")
	bundle, n := Bundle([]byte(messy), b.CertPEM(), nil)
	require.Equal(t, 2, n)
	require.Equal(t, string(a.CertPEM())+string(b.CertPEM()), string(bundle))
	bundle, n = Bundle()
	require.Zero(t, n)
	require.Empty(t, bundle)
}

func BenchmarkLeaf(b *testing.B) {
	ca := newCA(b, "example")
	for b.Loop() {
		if _, err := ca.Leaf("a.example"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLeafOwnKey is what a key for each leaf would cost.
func BenchmarkLeafOwnKey(b *testing.B) {
	ca := newCA(b, "example")
	for b.Loop() {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			b.Fatal(err)
		}
		own := *ca
		own.leafKey = key
		if _, err := own.Leaf("a.example"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLeafCacheHit(b *testing.B) {
	cache := NewLeafCache(newCA(b, "example"), 100)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := cache.Get("a.example"); err != nil {
				b.Error(err)
			}
		}
	})
}
