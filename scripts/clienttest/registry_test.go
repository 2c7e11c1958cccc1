package clienttest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const registryHost = "registry.example.org"

// registry is a package registry with npm's interface, as far as install and
// publish use it, and the index that pip reads. Packages are private: npm's
// need the token as a bearer, pip's index the token as a password.
type registry struct {
	token string

	mu       sync.Mutex
	packages map[string]json.RawMessage // by name, what was published
}

func (g *registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	if strings.HasPrefix(name, "simple/") {
		if user, password, ok := r.BasicAuth(); !ok || user != "__token__" || password != g.token {
			w.Header().Set("WWW-Authenticate", `Basic realm="index"`)
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, `<!doctype html><a href="/files/x-1.tar.gz">x-1.tar.gz</a>`)
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+g.token {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, `{"error":"unauthorized"}`)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	pack, file, isFile := strings.Cut(name, "/-/")
	published, known := g.packages[pack]
	var content struct {
		Attachments map[string]struct {
			Data []byte `json:"data"`
		} `json:"_attachments"`
	}
	if known {
		json.Unmarshal(published, &content)
	}
	switch {
	case r.Method == http.MethodPut && !known:
		body, err := io.ReadAll(r.Body)
		if err != nil || !json.Valid(body) {
			http.Error(w, `{"error":"bad document"}`, http.StatusBadRequest)
			return
		}
		// npm publishes http:// addresses; a registry puts its own there.
		g.packages[pack] = bytes.ReplaceAll(body, []byte("http://"+registryHost), []byte("https://"+registryHost))
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, `{"ok":true}`)
	case !known || r.Method != http.MethodGet:
		http.Error(w, `{"error":"not found"}`, http.StatusNotFound)
	case isFile:
		w.Write(content.Attachments[file].Data)
	default:
		w.Header().Set("Content-Type", "application/json")
		w.Write(published)
	}
}

// npmIn runs npm as the agent, which has a placeholder where npm wants a token.
func npmIn(t *testing.T, c *chain, dir string, args ...string) finished {
	t.Helper()
	path, err := exec.LookPath("npm")
	require.NoError(t, err, "scripts/e2e needs npm")
	home := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(home, ".npmrc"), []byte(
		"registry=https://"+registryHost+"/\n//"+registryHost+"/:_authToken=placeholder\n"), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, append(args, "--no-audit", "--no-fund", "--no-update-notifier", "--fetch-retries=0")...)
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + home, "HTTPS_PROXY=http://" + c.entry, "NODE_EXTRA_CA_CERTS=" + c.agentCA, "NPM_CONFIG_CAFILE=" + c.agentCA,
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		require.ErrorAs(t, err, new(*exec.ExitError))
	}
	c.requireNoSecret(t, []string{stdout.String(), stderr.String()}, home, dir)
	return finished{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

func newRegistryChain(t *testing.T, order []string, route string) (*registry, *origin, *chain) {
	t.Helper()
	g := &registry{token: "registry-" + rand.Text() + rand.Text(), packages: map[string]json.RawMessage{}}
	o := newOrigin(t, registryHost, true, g.ServeHTTP)
	sum := sha256.Sum256([]byte(g.token))
	c := startChain(t, chainSpec{
		order: order, hosts: []string{registryHost}, origin: o.addr(), originCA: o.ca,
		egress:   fmt.Sprintf("[[route]]\nhost = %q\n%s\n", registryHost, route),
		env:      map[string]string{"EGRESS_TOKEN_0": g.token},
		pipelock: fmt.Sprintf("[[expected]]\nhost = %q\nsha256 = [%q]\n", registryHost, hex.EncodeToString(sum[:])),
	})
	return g, o, c
}

// packageIn writes a package with a file of random bytes.
func packageIn(t *testing.T, name string) (dir, digest string) {
	t.Helper()
	dir = t.TempDir()
	data := make([]byte, 2<<20)
	rand.Read(data)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "data.bin"), data, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"name":"`+name+`","version":"1.0.0"}`), 0o600))
	sum := sha512.Sum512(data)
	return dir, base64.StdEncoding.EncodeToString(sum[:])
}

// TestNpm publishes a package and installs it, with a placeholder in .npmrc.
func TestNpm(t *testing.T) {
	t.Parallel()
	program(t, "bottle-egress") // or skip
	for _, order := range [][]string{egressFirst, pipelockFirst} {
		t.Run(order[0]+" first", func(t *testing.T) {
			g, o, c := newRegistryChain(t, order, `auth = { scheme = "Bearer", token_env = "EGRESS_TOKEN_0" }`)
			dir, digest := packageIn(t, "bottle-test-package")
			f := npmIn(t, c, dir, "publish")
			require.Zero(t, f.exit, "%s", f.stderr)
			user := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(user, "package.json"), []byte(`{"private":true}`), 0o600))
			f = npmIn(t, c, user, "install", "bottle-test-package")
			require.Zero(t, f.exit, "%s\n%+v", f.stderr, o.arrivals())
			sum := sha512.Sum512([]byte(readFile(t, filepath.Join(user, "node_modules", "bottle-test-package", "data.bin"))))
			require.Equal(t, digest, base64.StdEncoding.EncodeToString(sum[:]))
			for _, a := range o.arrivals() {
				require.Equal(t, "Bearer "+g.token, a.authorization, "%+v", a)
			}
		})
	}
}

// A route for reading: publishing is refused, and npm says why.
func TestNpmMayNotPublish(t *testing.T) {
	t.Parallel()
	program(t, "bottle-egress") // or skip
	_, o, c := newRegistryChain(t, []string{"egress"}, `methods = ["GET", "HEAD"]`+"\n"+`auth = { scheme = "Bearer", token_env = "EGRESS_TOKEN_0" }`)
	dir, _ := packageIn(t, "bottle-test-package")
	f := npmIn(t, c, dir, "publish")
	t.Log(f.stdout, f.stderr)
	require.NotZero(t, f.exit)
	require.Contains(t, f.stderr, "allows GET, HEAD only")
	for _, a := range o.arrivals() {
		require.Equal(t, "GET", a.method)
	}
}

// pip reads an index with a user name and a password.
func TestIndexWithBasic(t *testing.T) {
	t.Parallel()
	program(t, "bottle-egress") // or skip
	for _, order := range [][]string{egressFirst, pipelockFirst} {
		_, _, c := newRegistryChain(t, order, `auth = { user = "__token__", token_env = "EGRESS_TOKEN_0" }`)
		r, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+registryHost+"/simple/x/", nil)
		require.NoError(t, err)
		r.SetBasicAuth("__token__", "placeholder")
		resp, err := c.client(t).Do(r)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, errors.Join(err, resp.Body.Close()))
		require.Equal(t, 200, resp.StatusCode, "%s", body)
		require.Contains(t, string(body), "x-1.tar.gz")
	}
}
