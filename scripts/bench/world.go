package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	authHost = "api.bench.test"  // its route injects the real token
	openHost = "open.bench.test" // its route has no auth

	tokenVariable = "EGRESS_TOKEN_0"
	dummy         = "bottle-bench-dummy"
)

// world is what all variants share: a folder, the CAs, the origin.
type world struct {
	dir    string
	bin    string // folder of bottle-egress and bottle-pipelock
	self   string // this program, for the helpers
	token  string // the real one
	origin *process
	roots  *x509.CertPool // the origin's CA, egress's, pipelock's
	audit  bool
	all    []*process
}

// newWorld fills dir and starts the origin.
func newWorld(dir string, o options) (*world, error) {
	bin, err := filepath.Abs(o.bin)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	random := make([]byte, 24)
	rand.Read(random)
	w := &world{
		dir: dir, bin: bin, self: self, audit: o.audit,
		token: hex.EncodeToString(random),
		roots: x509.NewCertPool(),
	}
	if err := w.writeCertificates(); err != nil {
		return nil, err
	}
	sub, err := w.folder()
	if err != nil {
		return nil, err
	}
	ready := filepath.Join(sub, "ready")
	w.origin, err = w.start("origin", sub, ready, []string{
		self, "origin", "-cert", w.file("leaf.pem"), "-key", w.file("leaf-key.pem"),
		"-ready-file", ready, fmt.Sprintf("-h2=%t", o.h2),
	}, []string{tokenVariable + "=" + w.token})
	return w, err
}

func (w *world) file(name string) string { return filepath.Join(w.dir, name) }

// folder makes a folder for one more process.
func (w *world) folder() (string, error) {
	return os.MkdirTemp(w.dir, "p")
}

// start is start, and remembers the process for stop.
func (w *world) start(name, dir, readyFile string, argv, env []string) (*process, error) {
	p, err := start(name, dir, readyFile, argv, env)
	if err == nil {
		w.all = append(w.all, p)
	}
	return p, err
}

// stop ends whatever still runs.
func (w *world) stop() {
	for _, p := range w.all {
		p.stop()
	}
}

func (w *world) startEgress(nextHop string) (*process, error) {
	sub, err := w.folder()
	if err != nil {
		return nil, err
	}
	var connectTo []string
	if nextHop == "" {
		connectTo = w.connectTo()
	}
	config := w.common(sub, nextHop, connectTo, "egress") + `
[dummies]
sha256 = []
[[route]]
host = "` + authHost + `"
inject = "always"
auth = { scheme = "Bearer", token_env = "` + tokenVariable + `" }
[[route]]
host = "` + openHost + `"
`
	env := filepath.Join(sub, "egress.env")
	if err := os.WriteFile(env, []byte(tokenVariable+"="+w.token+"\n"), 0o600); err != nil {
		return nil, err
	}
	return w.startStage(sub, "bottle-egress", config, "--env-file", env)
}

func (w *world) startPipelock() (*process, error) {
	sub, err := w.folder()
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf("allow = [%q, %q]\ntls_passthrough = [%q]\n", authHost, openHost, authHost) +
		w.common(sub, "", w.connectTo(), "pipelock") + `
[limits]
requests_per_minute = 0
[dlp]
on_match = "block"
`
	return w.startStage(sub, "bottle-pipelock", config)
}

// common is the part of a configuration that both stages have.
func (w *world) common(sub, nextHop string, connectTo []string, ca string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "listen = \"127.0.0.1:0\"\nnext_hop = %q\n", nextHop)
	upstream := []string{w.file("origin.pem")}
	if nextHop != "" {
		upstream = append(upstream, w.file("pipelock.pem"))
	}
	fmt.Fprintf(&b, "upstream_ca = %s\nconnect_to = %s\n", tomlList(upstream), tomlList(connectTo))
	if w.audit {
		fmt.Fprintf(&b, "audit_log = %q\n", filepath.Join(sub, "audit.jsonl"))
	}
	fmt.Fprintf(&b, "[ca]\ncert = %q\nkey = %q\n", w.file(ca+".pem"), w.file(ca+"-key.pem"))
	return b.String()
}

func (w *world) connectTo() []string {
	return []string{
		authHost + ":443:" + w.origin.addr,
		openHost + ":443:" + w.origin.addr,
	}
}

func (w *world) startStage(sub, program, config string, more ...string) (*process, error) {
	path, ready := filepath.Join(sub, "config.toml"), filepath.Join(sub, "ready")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return nil, err
	}
	argv := []string{filepath.Join(w.bin, program), "--config", path, "--ready-file", ready}
	return w.start(program, sub, ready, append(argv, more...), nil)
}

func (w *world) startPeer(kind string) (*process, error) {
	sub, err := w.folder()
	if err != nil {
		return nil, err
	}
	ready := filepath.Join(sub, "ready")
	return w.start(kind, sub, ready, []string{
		w.self, kind, "-cert", w.file("egress.pem"), "-key", w.file("egress-key.pem"),
		"-upstream-ca", w.file("origin.pem"), "-origin", w.origin.addr, "-ready-file", ready,
	}, []string{tokenVariable + "=" + w.token})
}

// writeCertificates makes the three CAs, name-constrained and ECDSA P-256 as
// prepare makes them, and the origin's leaf. The peers get egress's CA.
func (w *world) writeCertificates() error {
	for _, name := range []string{"origin", "egress", "pipelock"} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		ca := &x509.Certificate{
			SerialNumber:                big.NewInt(time.Now().UnixNano()),
			Subject:                     pkix.Name{CommonName: "bench " + name + " CA"},
			NotBefore:                   time.Now().Add(-time.Hour),
			NotAfter:                    time.Now().Add(24 * time.Hour),
			IsCA:                        true,
			BasicConstraintsValid:       true,
			MaxPathLenZero:              true,
			KeyUsage:                    x509.KeyUsageCertSign,
			PermittedDNSDomainsCritical: true,
			PermittedDNSDomains:         []string{authHost, openHost},
		}
		parsed, err := w.writePair(name, ca, ca, key, key)
		if err != nil {
			return err
		}
		w.roots.AddCert(parsed)
		if name != "origin" {
			continue
		}
		leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		leaf := &x509.Certificate{
			SerialNumber: big.NewInt(time.Now().UnixNano()),
			Subject:      pkix.Name{CommonName: authHost},
			NotBefore:    ca.NotBefore,
			NotAfter:     ca.NotAfter,
			KeyUsage:     x509.KeyUsageDigitalSignature,
			ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
			DNSNames:     []string{authHost, openHost},
		}
		if _, err := w.writePair("leaf", leaf, parsed, leafKey, key); err != nil {
			return err
		}
	}
	return nil
}

// writePair signs cert and writes NAME.pem and NAME-key.pem.
func (w *world) writePair(name string, cert, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", name, err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	for file, block := range map[string]*pem.Block{
		name + ".pem":     {Type: "CERTIFICATE", Bytes: der},
		name + "-key.pem": {Type: "PRIVATE KEY", Bytes: pkcs8},
	} {
		if err := os.WriteFile(w.file(file), pem.EncodeToMemory(block), 0o600); err != nil {
			return nil, err
		}
	}
	return x509.ParseCertificate(der)
}

func tomlList(items []string) string {
	quoted := make([]string, len(items))
	for i, s := range items {
		quoted[i] = fmt.Sprintf("%q", s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
