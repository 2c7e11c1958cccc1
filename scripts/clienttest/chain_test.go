package clienttest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/audit"
	"bottle/lib/mintca"
)

// chain is stages that run from files made by hand, for clients that need no
// login from bottle-prepare.
type chain struct {
	dir     string
	entry   string // the address that the agent's requests go to
	agentCA string // the file with what the agent has to trust
	stages  map[string]*os.Process
	secrets *tokens
	logged  int // stages, whose logs the oracle reads
}

// chainSpec describes a chain. What every file needs is made for it.
type chainSpec struct {
	order    []string // from the agent to the origin
	hosts    []string // what the chain may reach
	through  bool     // the filter passes their tunnels through, and decrypts none
	origin   string   // the address that all hosts lead to
	originCA []byte
	egress   string            // egress.toml: its routes
	env      map[string]string // egress.env
	pipelock string            // pipelock.toml: tables beyond allow and ca
}

func startChain(t *testing.T, spec chainSpec) *chain {
	t.Helper()
	c := &chain{dir: t.TempDir(), stages: map[string]*os.Process{}, secrets: newTokens(spec.env), logged: len(spec.order)}
	write := func(name, content string) string {
		file := filepath.Join(c.dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		return file
	}
	write("run/audit.jsonl", "")
	originCA := write("origin-ca.pem", string(spec.originCA))
	trusted := originCA
	nextHop := ""
	for _, name := range slices.Backward(spec.order) {
		ca, err := mintca.New(mintca.Options{Name: name, Hosts: spec.hosts})
		require.NoError(t, err)
		issued := write(name+"/ca.pem", string(ca.CertPEM()))
		write(name+"/ca-key.pem", string(ca.ExposeKeyPEM()))
		config := fmt.Sprintf("upstream_ca = %s\naudit_log = \"../run/audit.jsonl\"\n", tomlList([]string{trusted, originCA}))
		if nextHop == "" {
			config += fmt.Sprintf("connect_to = [%q]\n", ":443:"+spec.origin)
		}
		if name == "egress" {
			config += "[ca]\ncert = \"ca.pem\"\nkey = \"ca-key.pem\"\n" + spec.egress
		} else {
			if spec.through {
				config += fmt.Sprintf("tls_passthrough = %s\n", tomlList(spec.hosts))
			}
			config += fmt.Sprintf("allow = %s\n[ca]\ncert = \"ca.pem\"\nkey = \"ca-key.pem\"\n%s", tomlList(spec.hosts), spec.pipelock)
		}
		args := []string{"--config", write(name+"/"+name+".toml", config), "--listen", "127.0.0.1:0"}
		if nextHop != "" {
			args = append(args, "--next-hop", nextHop)
		}
		if name == "egress" {
			var lines strings.Builder
			for key, value := range spec.env {
				fmt.Fprintf(&lines, "%s=%s\n", key, value)
			}
			args = append(args, "--env-file", write("egress/egress.env", lines.String()))
		}
		c.entry, c.stages[name] = startStage(t, filepath.Join(c.dir, "run", name+".log"), filepath.Join(c.dir, "run", name+".addr"), "bottle-"+name, args...)
		nextHop, trusted = "http://"+c.entry, issued
	}
	c.agentCA = trusted
	return c
}

func tomlList(items []string) string {
	quoted := make([]string, len(items))
	for i, s := range items {
		quoted[i] = strconv.Quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// client is an agent's HTTP client that knows the proxy and what to trust.
func (c *chain) client(t *testing.T) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(readFile(t, c.agentCA))))
	tr := &http.Transport{
		Proxy:           http.ProxyURL(&url.URL{Scheme: "http", Host: c.entry}),
		TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true,
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: clientTimeout}
}

// requireNoSecret: no piece of a secret of the chain is in the logs, in these
// texts or in the files below these folders.
func (c *chain) requireNoSecret(t *testing.T, texts []string, folders ...string) {
	t.Helper()
	for _, text := range texts {
		require.Empty(t, c.secrets.find([]byte(text)))
	}
	require.NotEmpty(t, c.secrets.find([]byte(readFile(t, filepath.Join(c.dir, "egress", "egress.env")))), "the search finds nothing")
	read := 0
	for _, dir := range append(folders, filepath.Join(c.dir, "run")) {
		require.NoError(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(name)
			read++
			require.Empty(t, c.secrets.find(data), "%s", name)
			return err
		}))
	}
	require.Greater(t, read, c.logged)
}

// refusedPosts counts the POSTs that a stage refused.
func (c *chain) refusedPosts(t *testing.T) int {
	t.Helper()
	n := 0
	for line := range strings.Lines(readFile(t, filepath.Join(c.dir, "run", "audit.jsonl"))) {
		var r audit.Record
		require.NoError(t, json.Unmarshal([]byte(line), &r), "%s", line)
		if r.Decision == audit.Refuse && r.Method == "POST" {
			n++
		}
	}
	return n
}

// peakMemory is the most that a stage has held in memory so far, in bytes.
func (c *chain) peakMemory(t *testing.T, stage string) int64 {
	t.Helper()
	status := readFile(t, fmt.Sprintf("/proc/%d/status", c.stages[stage].Pid))
	_, rest, ok := strings.Cut(status, "VmHWM:")
	require.True(t, ok)
	n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	require.NoError(t, err)
	return n << 10
}
