// Package mintca makes the certificates of a bottle: a certificate authority
// of its own for each stage that intercepts, leaf certificates for the hosts
// that the stage answers for, and the bundle of roots that a client must trust.
//
// The authority is narrow, so that a stolen key is worth little: it lives for
// days, it cannot sign another authority, and its X.509 name constraints
// (RFC 5280, section 4.2.1.10; critical) permit the intercepted hosts alone.
//
//	ca, err := mintca.New(mintca.Options{Name: "egress", Hosts: []string{"api.github.com"}})
//	leaf, err := ca.Leaf("api.github.com")
//
// A constraint on a DNS name permits the names under it too; X.509 has no form
// for "this host only". So *.example.com and example.com both become the
// constraint example.com. A leading dot, which would leave the apex out, is
// not in RFC 5280 for DNS names: Go, OpenSSL, NSS and GnuTLS take it, but no
// verifier has to, and the one name it saves is worth little.
//
// Limits: there is no revocation, as an authority is replaced by the next run
// of bottle-prepare and trusted by one bottle.
package mintca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"time"

	"bottle/lib/secret"
)

const (
	// Lifetime is how long an authority is valid unless Options say otherwise.
	Lifetime = 30 * 24 * time.Hour
	// RenewBefore is how long before its end an authority should be replaced.
	RenewBefore = 7 * 24 * time.Hour
	// backdate allows for clients whose clock is behind.
	backdate = time.Hour
)

// CA is a certificate authority with its key. It is immutable and safe for
// concurrent use.
type CA struct {
	cert    *x509.Certificate
	certPEM []byte
	keyPEM  []byte
	key     any // crypto.Signer
	leafKey *ecdsa.PrivateKey
}

// Options say what authority to make.
type Options struct {
	// Name is the stage that the authority belongs to; it becomes part of the
	// subject, with random digits so that no two authorities share one.
	Name string
	// Hosts are the intercepted hosts: DNS names, *.suffix, or IP addresses. A
	// kind of name that is not among them is excluded altogether, so without
	// any host the authority can vouch for nothing.
	Hosts []string
	// Lifetime is how long the authority is valid; 0 means [Lifetime].
	Lifetime time.Duration
	// Now is the time of making; zero means the clock's.
	Now time.Time
}

// New makes an authority with a new ECDSA P-256 key: valid from an hour ago,
// for signing server certificates and nothing else.
func New(o Options) (*CA, error) {
	limits, err := constrain(o.Hosts)
	if err != nil {
		return nil, fmt.Errorf("make CA: %w", err)
	}
	if o.Lifetime == 0 {
		o.Lifetime = Lifetime
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make CA key: %w", err)
	}
	serial := newSerial()
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject: pkix.Name{
			Organization: []string{"bottle"},
			CommonName:   fmt.Sprintf("bottle %s CA %s", o.Name, hex.EncodeToString(serial.Bytes()[:4])),
		},
		NotBefore:             o.Now.Add(-backdate),
		NotAfter:              o.Now.Add(o.Lifetime),
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true, // signs leaves, no further authority
		KeyUsage:              x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	limits.apply(template)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make CA: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make CA key: %w", err)
	}
	return Parse(
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
		o.Now,
	)
}

// newSerial returns 128 random bits (RFC 5280, section 4.1.2.2: positive, at
// most 20 octets), with the top one set so that the length is always the same.
func newSerial() *big.Int {
	b := make([]byte, 16)
	rand.Read(b) // never fails
	b[0] |= 0x80
	return new(big.Int).SetBytes(b)
}

// The ways in which an authority can be unusable; [Error] and [CA.Leaf] wrap
// them.
var (
	ErrNotCA    = errors.New("is not the certificate of a CA that may sign")
	ErrMismatch = errors.New("the key is not the certificate's")
	ErrExpired  = errors.New("has expired")
	ErrNotYet   = errors.New("is not valid yet")
)

// Error is a file of an authority that cannot be used.
type Error struct {
	File string
	Hint string // what the operator can do
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("read CA %s: %v", e.File, e.Err) }

// Unwrap returns the cause: one of the errors above, a *secret.FileError, or
// what reading or decoding gave.
func (e *Error) Unwrap() error { return e.Err }

// HintText returns what the operator can do about the error.
func (e *Error) HintText() string { return e.Hint }

const hintPrepare = "run bottle-prepare again to make a new CA"

// Load reads an authority: a PEM file with one certificate, and one with its
// key, which must be private as [secret.ReadPrivateFile] has it. It takes any
// authority that may sign at this time, with or without name constraints, with
// an ECDSA, RSA or Ed25519 key. Errors are of type [*Error].
func Load(certFile, keyFile string) (*CA, error) {
	certPEM, err := readSmall(certFile)
	if err != nil {
		return nil, &Error{certFile, "check the path, or run bottle-prepare", err}
	}
	keyPEM, err := secret.ReadPrivateFile(keyFile, 64<<10)
	if err != nil {
		hint := hintPrepare
		if fe, ok := errors.AsType[*secret.FileError](err); ok {
			hint = fe.Hint
		}
		return nil, &Error{keyFile, hint, err}
	}
	ca, err := Parse(certPEM, keyPEM, time.Now())
	if err != nil {
		file := certFile
		if errors.Is(err, ErrMismatch) {
			file = keyFile
		}
		return nil, &Error{file, hintPrepare, err}
	}
	return ca, nil
}

func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, 1<<20))
}

// Parse is [Load] for content at hand, judged at the time now.
func Parse(certPEM, keyPEM []byte, now time.Time) (*CA, error) {
	block, rest := pem.Decode(certPEM)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("no PEM block CERTIFICATE")
	}
	if more, _ := pem.Decode(rest); more != nil {
		return nil, errors.New("more than one PEM block")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("decode certificate: %w", err)
	}
	// The library matches key and certificate; its error texts can quote what it
	// found, so the cause is not passed on.
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, ErrMismatch
	}
	switch {
	case !cert.BasicConstraintsValid || !cert.IsCA,
		cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageCertSign == 0:
		return nil, ErrNotCA
	case now.Before(cert.NotBefore):
		return nil, fmt.Errorf("%w (from %s)", ErrNotYet, cert.NotBefore.UTC().Format(time.RFC3339))
	case !now.Before(cert.NotAfter):
		return nil, fmt.Errorf("%w (on %s)", ErrExpired, cert.NotAfter.UTC().Format(time.RFC3339))
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make leaf key: %w", err)
	}
	return &CA{cert, bytes.Clone(certPEM), bytes.Clone(keyPEM), pair.PrivateKey, leafKey}, nil
}

// CertPEM returns the certificate as it was read or made.
func (ca *CA) CertPEM() []byte { return bytes.Clone(ca.certPEM) }

// ExposeKeyPEM returns the private key as it was read or made. It belongs in a
// file of mode 0600 and nowhere else.
func (ca *CA) ExposeKeyPEM() []byte { return bytes.Clone(ca.keyPEM) }

// NotAfter is when the authority and all its leaves end.
func (ca *CA) NotAfter() time.Time { return ca.cert.NotAfter }

// NearExpiry reports whether the authority should be replaced: it ends within
// [RenewBefore] of now.
func (ca *CA) NearExpiry(now time.Time) bool { return ca.cert.NotAfter.Sub(now) < RenewBefore }

// ConstrainedTo reports whether the authority's name constraints are exactly
// those that New gives to hosts. False when a host is not acceptable to New.
func (ca *CA) ConstrainedTo(hosts []string) bool {
	want, err := constrain(hosts)
	return err == nil && want.equal(ca.cert)
}

// Permits reports whether the authority may vouch for host, a DNS name or an
// IP address.
func (ca *CA) Permits(host string) bool {
	n, err := parseName(host)
	return err == nil && !n.wildcard && permits(ca.cert, n)
}
