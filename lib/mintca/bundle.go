package mintca

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
)

// Where systems keep their roots, in the order that crypto/x509 looks:
// Debian and Alpine, Fedora and RHEL, openSUSE, OpenELEC, RHEL 7, and then
// FreeBSD, macOS and other BSDs.
var rootFiles = []string{
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/pki/tls/cacert.pem",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/ssl/cert.pem",
	"/usr/local/etc/ssl/cert.pem",
	"/usr/local/share/certs/ca-root-nss.crt",
}

// SystemRoots returns the PEM text of the roots that programs of this machine
// trust, and the file or directory that it came from. As crypto/x509 has it,
// the variable SSL_CERT_FILE (looked up with getenv) names the file;
// otherwise the first of the usual files that exists is taken. SSL_CERT_DIR
// adds the files of its directories, separated by colons.
//
// A machine without roots gives nothing and no error. A variable that names
// what cannot be read is an error, for a bundle that silently lacks the roots
// the operator chose would break clients later.
func SystemRoots(getenv func(string) string) (text []byte, from string, err error) {
	if file := getenv("SSL_CERT_FILE"); file != "" {
		if text, err = os.ReadFile(file); err != nil {
			return nil, "", fmt.Errorf("read SSL_CERT_FILE: %w", err)
		}
		from = file
	} else {
		for _, file := range rootFiles {
			if data, err := os.ReadFile(file); err == nil {
				text, from = data, file
				break
			}
		}
	}
	dirs := getenv("SSL_CERT_DIR")
	for _, dir := range filepath.SplitList(dirs) {
		files, err := os.ReadDir(dir)
		if err != nil {
			return nil, "", fmt.Errorf("read SSL_CERT_DIR: %w", err)
		}
		for _, f := range files {
			// Hash links and stray files are common there: what is not a
			// readable file is no root.
			if data, err := os.ReadFile(filepath.Join(dir, f.Name())); err == nil {
				text = append(append(text, '\n'), data...)
			}
		}
	}
	if from == "" {
		from = dirs
	}
	return text, from, nil
}

// Bundle returns one PEM text with every certificate in texts, in order and
// each once, and how many there are. Anything else (comments, keys, trust
// attributes, certificates that do not parse) is left out: one bad block in
// its bundle makes Codex refuse all TLS without saying why.
func Bundle(texts ...[]byte) (bundle []byte, count int) {
	var out bytes.Buffer
	seen := map[[sha256.Size]byte]bool{}
	for _, text := range texts {
		for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
			sum := sha256.Sum256(block.Bytes)
			if block.Type != "CERTIFICATE" || seen[sum] {
				continue
			}
			if _, err := x509.ParseCertificate(block.Bytes); err != nil {
				continue
			}
			seen[sum] = true
			count++
			pem.Encode(&out, &pem.Block{Type: block.Type, Bytes: block.Bytes}) // a Buffer takes all
		}
	}
	return out.Bytes(), count
}
