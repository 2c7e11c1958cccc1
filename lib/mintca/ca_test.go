package mintca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bottle/lib/secret"
)

func newCA(t testing.TB, hosts ...string) *CA {
	t.Helper()
	ca, err := New(Options{Name: "test", Hosts: hosts})
	require.NoError(t, err)
	return ca
}

func TestNewIsNarrow(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	ca, err := New(Options{Name: "egress", Hosts: []string{"api.github.com", "*.Example.com", "example.com", "192.0.2.7", "[2001:db8::1]"}, Now: now})
	require.NoError(t, err)
	c := ca.cert
	require.Equal(t, now.Add(-time.Hour), c.NotBefore)
	require.Equal(t, now.Add(30*24*time.Hour), c.NotAfter)
	require.True(t, c.IsCA && c.BasicConstraintsValid && c.MaxPathLenZero)
	require.Zero(t, c.MaxPathLen)
	require.Equal(t, x509.KeyUsageCertSign, c.KeyUsage)
	require.Equal(t, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, c.ExtKeyUsage)
	require.True(t, c.PermittedDNSDomainsCritical)
	require.Equal(t, []string{"api.github.com", "example.com"}, c.PermittedDNSDomains)
	require.Equal(t, "192.0.2.7/32", c.PermittedIPRanges[0].String())
	require.Equal(t, "2001:db8::1/128", c.PermittedIPRanges[1].String())
	require.Equal(t, elliptic.P256(), c.PublicKey.(*ecdsa.PublicKey).Curve)
	require.Equal(t, 128, c.SerialNumber.BitLen())
	require.NotEmpty(t, c.SubjectKeyId)
	require.Contains(t, c.Subject.CommonName, "bottle egress CA ")

	other, err := New(Options{Name: "egress"})
	require.NoError(t, err)
	require.NotEqual(t, c.Subject.CommonName, other.cert.Subject.CommonName)
	require.NotEqual(t, ca.ExposeKeyPEM(), other.ExposeKeyPEM())

	require.False(t, ca.NearExpiry(now))
	require.False(t, ca.NearExpiry(now.Add(23*24*time.Hour)))
	require.True(t, ca.NearExpiry(now.Add(23*24*time.Hour+time.Second)))
}

func TestNewRefusesWhatIsNoName(t *testing.T) {
	for _, host := range []string{"", "*", "*.", ".", "a..b", "a b", "host:443", "*.*.example.com", "a.*.b", "bücher.example", "fe80::1%eth0", "1.2.3.4/8", "a.b/", string(make([]byte, 300))} {
		_, err := New(Options{Hosts: []string{host}})
		require.ErrorContains(t, err, "make CA: host", "%q", host)
	}
}

func TestConstrainedTo(t *testing.T) {
	ca := newCA(t, "b.example", "*.a.example", "192.0.2.1")
	require.True(t, ca.ConstrainedTo([]string{"192.0.2.1", "A.example", "b.example.", "b.example"}))
	require.False(t, ca.ConstrainedTo([]string{"b.example", "*.a.example"}))
	require.False(t, ca.ConstrainedTo([]string{"b.example", "*.a.example", "192.0.2.1", "c.example"}))
	require.False(t, ca.ConstrainedTo([]string{"b.example", "a.example", "192.0.2.2"}))
	require.False(t, ca.ConstrainedTo([]string{"not a host"}))
	require.False(t, ca.ConstrainedTo(nil))
	require.True(t, newCA(t).ConstrainedTo(nil))
	require.False(t, newCA(t).ConstrainedTo([]string{"a.example"}))
}

func writePair(t *testing.T, certPEM, keyPEM []byte) (string, string) {
	t.Helper()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca-key.pem")
	require.NoError(t, os.WriteFile(cert, certPEM, 0o644))
	require.NoError(t, os.WriteFile(key, keyPEM, 0o600))
	return cert, key
}

func TestLoad(t *testing.T) {
	ca := newCA(t, "a.example")
	cert, key := writePair(t, ca.CertPEM(), ca.ExposeKeyPEM())
	back, err := Load(cert, key)
	require.NoError(t, err)
	require.Equal(t, ca.CertPEM(), back.CertPEM())
	require.Equal(t, ca.ExposeKeyPEM(), back.ExposeKeyPEM())
	require.True(t, back.ConstrainedTo([]string{"a.example"}))
}

func TestLoadTakesAnOperatorsOwnCA(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "own"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, rsaKey.Public(), rsaKey)
	require.NoError(t, err)
	cert, key := writePair(t,
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)}))
	ca, err := Load(cert, key)
	require.NoError(t, err)
	leaf, err := ca.Leaf("anything.example")
	require.NoError(t, err)
	verifyGo(t, ca, leaf, "anything.example")
	require.False(t, ca.ConstrainedTo(nil), "no constraint is not the empty constraint")
}

func TestLoadRefuses(t *testing.T) {
	ca, other := newCA(t, "a.example"), newCA(t, "a.example")
	expired, err := New(Options{Now: time.Now().Add(-40 * 24 * time.Hour)})
	require.NoError(t, err)
	future, err := New(Options{Now: time.Now().Add(2 * time.Hour)})
	require.NoError(t, err)
	leaf, err := ca.Leaf("a.example")
	require.NoError(t, err)
	leafKey, err := x509.MarshalPKCS8PrivateKey(leaf.PrivateKey)
	require.NoError(t, err)
	pemOf := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}

	for _, tc := range []struct {
		name      string
		cert, key []byte
		is        error
		text      string
	}{
		{"another's key", ca.CertPEM(), other.ExposeKeyPEM(), ErrMismatch, "ca-key.pem: the key is not the certificate's"},
		{"no key", ca.CertPEM(), nil, ErrMismatch, "ca-key.pem"},
		{"expired", expired.CertPEM(), expired.ExposeKeyPEM(), ErrExpired, "ca.pem: has expired (on 20"},
		{"not yet", future.CertPEM(), future.ExposeKeyPEM(), ErrNotYet, "ca.pem: is not valid yet (from 20"},
		{"a leaf", pemOf("CERTIFICATE", leaf.Certificate[0]), pemOf("PRIVATE KEY", leafKey), ErrNotCA, "ca.pem: is not the certificate of a CA"},
		{"empty", nil, ca.ExposeKeyPEM(), nil, "no PEM block CERTIFICATE"},
		{"key for certificate", ca.ExposeKeyPEM(), ca.ExposeKeyPEM(), nil, "no PEM block CERTIFICATE"},
		{"two certificates", append(ca.CertPEM(), other.CertPEM()...), ca.ExposeKeyPEM(), nil, "more than one PEM block"},
		{"broken", pemOf("CERTIFICATE", []byte("x")), ca.ExposeKeyPEM(), nil, "decode certificate"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cert, key := writePair(t, tc.cert, tc.key)
			_, err := Load(cert, key)
			var e *Error
			require.ErrorAs(t, err, &e)
			require.ErrorContains(t, err, tc.text)
			require.Equal(t, hintPrepare, e.HintText())
			if tc.is != nil {
				require.ErrorIs(t, err, tc.is)
			}
		})
	}

	cert, key := writePair(t, ca.CertPEM(), ca.ExposeKeyPEM())
	_, err = Load(cert+"x", key)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, os.Chmod(key, 0o640))
	_, err = Load(cert, key)
	var fe *secret.FileError
	require.ErrorAs(t, err, &fe)
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "chmod 600 "+key, e.HintText())
}

func FuzzParse(f *testing.F) {
	ca := newCA(f, "a.example")
	f.Add(ca.CertPEM(), ca.ExposeKeyPEM())
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), []byte{})
	f.Fuzz(func(t *testing.T, cert, key []byte) {
		ca, err := Parse(cert, key, time.Now())
		if err == nil {
			ca.Leaf("a.example")
		}
		Bundle(cert, key)
	})
}

func FuzzLeafName(f *testing.F) {
	for _, s := range []string{"a.example", "*.example", "1.2.3.4", "::ffff:1.2.3.4", "fe80::1%1", "xn--bcher-kva.example", "a_b.example", "A.Example."} {
		f.Add(s)
	}
	ca := newCA(f, "example", "0.0.0.0")
	f.Fuzz(func(t *testing.T, host string) {
		leaf, err := ca.Leaf(host)
		if err != nil {
			return
		}
		// What is made, a client accepts.
		c, err := x509.ParseCertificate(leaf.Certificate[0])
		require.NoError(t, err)
		roots := x509.NewCertPool()
		roots.AddCert(ca.cert)
		_, err = c.Verify(x509.VerifyOptions{Roots: roots})
		require.NoError(t, err, "%q", host)
	})
}

// verifyGo has a client check the leaf over a real handshake.
func verifyGo(t *testing.T, ca *CA, leaf *tls.Certificate, host string) {
	t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{*leaf}})
	require.NoError(t, err)
	defer ln.Close()
	done := make(chan error, 1)
	go func() {
		c, err := ln.Accept()
		if err == nil {
			err = c.(*tls.Conn).Handshake()
			c.Close()
		}
		done <- err
	}()
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(ca.CertPEM()))
	raw, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	c := tls.Client(raw, &tls.Config{ServerName: host, RootCAs: roots})
	defer c.Close()
	require.NoError(t, c.Handshake())
	require.NoError(t, <-done)
}
