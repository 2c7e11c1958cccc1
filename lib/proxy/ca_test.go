package proxy_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v2"

	"bottle/lib/authority"
	"bottle/lib/forward"
	"bottle/lib/mintca"
	"bottle/lib/proxy"
	"bottle/lib/stage"
	"bottle/lib/tomlfile"
)

// run runs a program whose policy intercepts, and returns its exit code and
// what it printed.
func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	p := &proxy.Program{
		Name: "bottle-test", Config: "test.toml",
		Load: func(_ *cli.Context, path string) (*proxy.Loaded, error) {
			var s struct{ proxy.Settings }
			f, err := tomlfile.Read(path, &s)
			if err != nil {
				return nil, err
			}
			policy := &forward.Policy{Tunnel: func(authority.Authority) forward.Verdict { return forward.Verdict{Route: "all"} }}
			return &proxy.Loaded{File: f, Settings: &s.Settings, Policy: policy, Intercepts: true}, nil
		},
	}
	var out, errs bytes.Buffer
	code = stage.Run(t.Context(), p.App(), append([]string{"bottle-test"}, args...), strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

func write(t *testing.T, name string, data []byte) string {
	require.NoError(t, os.WriteFile(name, data, 0o600))
	return name
}

func TestExpiredCAIsRefusedAtTheStart(t *testing.T) {
	dir := t.TempDir()
	ca, err := mintca.New(mintca.Options{Hosts: []string{"a.test"}, Lifetime: time.Hour, Now: time.Now().Add(-48 * time.Hour)})
	require.NoError(t, err)
	write(t, filepath.Join(dir, "ca.pem"), ca.CertPEM())
	write(t, filepath.Join(dir, "ca-key.pem"), ca.ExposeKeyPEM())
	config := write(t, filepath.Join(dir, "test.toml"), []byte("listen = \"127.0.0.1:0\"\n[ca]\ncert = \"ca.pem\"\nkey = \"ca-key.pem\"\n"))
	ready := filepath.Join(dir, "ready")
	code, stdout, stderr := run(t, "--config", config, "--ready-file", ready)
	require.Equal(t, stage.ExitMisuse, code, stderr)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "bottle-test: "+config+":2: ca: ")
	require.Contains(t, stderr, "expired")
	require.Contains(t, stderr, "\nhint: ")
	require.NoFileExists(t, ready)
}

func TestCAOfAnotherKeyIsRefused(t *testing.T) {
	dir := t.TempDir()
	one, err := mintca.New(mintca.Options{Hosts: []string{"a.test"}})
	require.NoError(t, err)
	other, err := mintca.New(mintca.Options{Hosts: []string{"a.test"}})
	require.NoError(t, err)
	write(t, filepath.Join(dir, "ca.pem"), one.CertPEM())
	write(t, filepath.Join(dir, "ca-key.pem"), other.ExposeKeyPEM())
	config := write(t, filepath.Join(dir, "test.toml"), []byte("listen = \"127.0.0.1:0\"\n[ca]\ncert = \"ca.pem\"\nkey = \"ca-key.pem\"\n"))
	code, _, stderr := run(t, "--config", config)
	require.Equal(t, stage.ExitMisuse, code)
	require.Contains(t, stderr, config+":2: ca: ")
}
