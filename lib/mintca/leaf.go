package mintca

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"time"
)

// LeafLifetime is how long a leaf is valid at most; it never outlives its CA.
const LeafLifetime = 3 * 24 * time.Hour

// ErrNotPermitted reports a host outside the CA's name constraints, which no
// client would accept from it.
var ErrNotPermitted = errors.New("host is outside the CA's name constraints")

// Leaf makes a certificate for host, a DNS name or an IP address, with the key
// that a TLS server needs. It is valid from an hour ago, for [LeafLifetime] or
// until the CA ends.
//
// All leaves of a CA value share one ECDSA P-256 key, made when the CA was
// loaded and kept in memory only. A key for each would take a tenth longer to
// make (see BenchmarkLeafOwnKey) and protect nothing: whoever reads one from
// this process reads all, and the CA's key with them.
//
// The error wraps [ErrNotPermitted] or [ErrExpired], or says that host is no
// name for a certificate.
func (ca *CA) Leaf(host string) (*tls.Certificate, error) {
	return ca.leaf(host, time.Now())
}

func (ca *CA) leaf(host string, now time.Time) (*tls.Certificate, error) {
	n, err := parseName(host)
	if err != nil {
		return nil, fmt.Errorf("make leaf: %w", err)
	}
	if n.wildcard || !permits(ca.cert, n) {
		return nil, fmt.Errorf("make leaf for %s: %w", host, ErrNotPermitted)
	}
	if !now.Before(ca.cert.NotAfter) {
		return nil, fmt.Errorf("make leaf for %s: CA %w", host, ErrExpired)
	}
	template := &x509.Certificate{
		SerialNumber: newSerial(),
		// No common name: verifiers take one for a DNS name when there is no
		// other (GnuTLS any, OpenSSL one with dots), and hold it against the
		// constraints when the leaf is for an address.
		Subject:               pkix.Name{Organization: []string{"bottle"}},
		NotBefore:             later(now.Add(-backdate), ca.cert.NotBefore),
		NotAfter:              earlier(now.Add(LeafLifetime), ca.cert.NotAfter),
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if n.dns != "" {
		template.DNSNames = []string{n.dns}
	} else {
		template.IPAddresses = []net.IP{n.ip.AsSlice()}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, ca.leafKey.Public(), ca.key)
	if err != nil {
		return nil, fmt.Errorf("make leaf for %s: %w", host, err)
	}
	// The client has the CA; sending it would cost 600 bytes a handshake. Leaf
	// stays nil: a server does not look at it, and parsing is a tenth of the
	// work.
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: ca.leafKey}, nil
}

// leafEnd is when a leaf made at now ends.
func (ca *CA) leafEnd(now time.Time) time.Time {
	return earlier(now.Add(LeafLifetime), ca.cert.NotAfter)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
