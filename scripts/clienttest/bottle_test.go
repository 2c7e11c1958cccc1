package clienttest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/require"

	"bottle/lib/audit"
	"bottle/lib/hostauth/throwaway"
	"bottle/lib/mintca"
	"bottle/lib/providertest"
)

// The two orders of a chain.
var (
	egressFirst   = []string{"egress", "pipelock"}
	pipelockFirst = []string{"pipelock", "egress"}
)

// setup says how a bottle differs from the usual one.
type setup struct {
	order         []string // nil: egressFirst
	extraHosts    []string
	refresh       string                        // who renews the host's login; "": the host
	noPassthrough bool                          // the filter decrypts what the provider gets
	har           bool                          // each stage records, into run/NAME.har
	onMatch       string                        // what the filter does with a secret for the provider; "": bottle-prepare's choice
	login         *throwaway.Codex              // the operator's; nil: the provider's
	edit          func(t *testing.T, b *bottle) // before the stages start
}

// bottle is a prepared folder, the chain that serves it, and an agent in it.
type bottle struct {
	*agent
	provider *providertest.Server
	dir      string
	manifest string
	order    []string
	prepared finished
	entry    string // the address that the agent's requests go to
	har      bool
}

// mappedHosts are sent to the stand-in wherever the chain dials them, so that
// it sees whatever the chain lets through.
var mappedHosts = []string{
	"chatgpt.com", "us.chatgpt.com", "ab.chatgpt.com", "api.openai.com", "auth.openai.com",
	"github.com", "api.github.com", "raw.githubusercontent.com",
}

// newBottle prepares a bottle for the provider's login and starts its chain.
func newBottle(t *testing.T, s *providertest.Server, o setup) *bottle {
	t.Helper()
	b := prepare(t, s, o)
	require.Zero(t, b.prepared.exit, "%s", b.prepared.stderr)
	if o.noPassthrough {
		b.dropPassthrough(t)
	}
	if o.edit != nil {
		o.edit(t, b)
	}
	b.start(t)
	return b
}

// prepare runs bottle-prepare as an operator would who has the provider's login.
func prepare(t *testing.T, s *providertest.Server, o setup) *bottle {
	t.Helper()
	if o.order == nil {
		o.order = egressFirst
	}
	root := t.TempDir()
	b := &bottle{
		provider: s, order: o.order, har: o.har,
		dir: filepath.Join(root, "bottle"), manifest: filepath.Join(root, "bottle.toml"),
	}
	home := filepath.Join(root, "operator")
	login := filepath.Join(home, ".codex", "auth.json")
	ca := filepath.Join(root, "stand-in-ca.pem")
	require.NoError(t, os.MkdirAll(filepath.Dir(login), 0o700))
	held := s.Login()
	if o.login != nil {
		held = *o.login
	}
	require.NoError(t, os.WriteFile(login, held.JSON(), 0o600))
	require.NoError(t, os.WriteFile(ca, s.CAPEM(), 0o600))

	var connectTo []string
	for _, host := range mappedHosts {
		connectTo = append(connectTo, host+":443:"+s.Addr())
	}
	agentTable := map[string]any{"provider": "codex", "forward_host_credentials": true}
	if o.refresh != "" {
		agentTable["refresh"] = o.refresh
	}
	if o.extraHosts != nil {
		agentTable["extra_hosts"] = o.extraHosts
	}
	pipelockTable := map[string]any{"listen": "127.0.0.1:0"}
	if o.onMatch != "" {
		pipelockTable["on_match_by_host"] = map[string]any{"chatgpt.com": o.onMatch}
	}
	data, err := toml.Marshal(map[string]any{
		"version":  1,
		"agent":    agentTable,
		"chain":    map[string]any{"order": o.order},
		"egress":   map[string]any{"listen": "127.0.0.1:0"},
		"pipelock": pipelockTable,
		"network":  map[string]any{"connect_to": connectTo, "upstream_ca": []string{ca}},
	})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(b.manifest, data, 0o600))

	b.prepared = run(t, []string{"HOME=" + home, "PATH=/usr/bin:/bin"}, "bottle-prepare", "--manifest", b.manifest, "--dir", b.dir)
	b.agent = newAgent(t, b.path("agent/agent.env"), b.path("agent/codex"))
	return b
}

func (b *bottle) path(name string) string { return filepath.Join(b.dir, filepath.FromSlash(name)) }

// start starts the stages, the one that dials origins first, and tells the
// agent where the chain begins.
func (b *bottle) start(t *testing.T) {
	t.Helper()
	nextHop := ""
	for _, name := range slices.Backward(b.order) {
		args := []string{"--config", b.path(name + "/" + name + ".toml"), "--listen", "127.0.0.1:0"}
		if nextHop != "" {
			args = append(args, "--next-hop", nextHop)
		}
		if name == "egress" {
			args = append(args, "--env-file", b.path("egress/egress.env"))
		}
		if b.har {
			args = append(args, "--har", b.path("run/"+name+".har"))
		}
		b.entry, _ = startStage(t, b.path("run/"+name+".log"), b.path("run/"+name+".addr"), "bottle-"+name, args...)
		nextHop = "http://" + b.entry
	}
	stamped := run(t, []string{"PATH=/usr/bin:/bin"}, "bottle-prepare",
		"agent-env", "--manifest", b.manifest, "--dir", b.dir, "--proxy", nextHop)
	require.Zero(t, stamped.exit, "%s", stamped.stderr)
}

// dropPassthrough makes the filter decrypt what goes to the provider. That
// needs a CA that may answer for those hosts, and an egress that trusts it.
func (b *bottle) dropPassthrough(t *testing.T) {
	t.Helper()
	file := b.path("pipelock/pipelock.toml")
	var config map[string]any
	_, err := toml.Decode(readFile(t, file), &config)
	require.NoError(t, err)
	require.Contains(t, config["tls_passthrough"], "chatgpt.com", "the filter must not decrypt what egress has put the bearer on")
	config["tls_passthrough"] = []string{}
	delete(config, "expected") // nor does it know the bearer for what it is
	ca, err := mintca.New(mintca.Options{Name: "pipelock", Hosts: []string{"chatgpt.com", "api.openai.com"}})
	require.NoError(t, err)
	config["ca"] = map[string]any{"cert": "ca.pem", "key": "ca-key.pem"}
	data, err := toml.Marshal(config)
	require.NoError(t, err)
	for name, content := range map[string][]byte{
		"pipelock/pipelock.toml": data, "pipelock/ca.pem": ca.CertPEM(), "pipelock/ca-key.pem": ca.ExposeKeyPEM(),
		"egress/upstream-ca.pem": ca.CertPEM(),
	} {
		require.NoError(t, os.WriteFile(b.path(name), content, 0o600))
	}
}

// codex runs the client in the bottle and holds the run to what every run is
// held to.
func (b *bottle) codex(t *testing.T, version, prompt string) *outcome {
	t.Helper()
	o := b.exec(t, client(t, version), prompt)
	requireNoLeak(t, b, o)
	return o
}

// audited returns the audit records so far.
func (b *bottle) audited(t *testing.T) []audit.Record {
	t.Helper()
	var out []audit.Record
	for line := range strings.Lines(readFile(t, b.path("run/audit.jsonl"))) {
		var r audit.Record
		require.NoError(t, json.Unmarshal([]byte(line), &r), "%s", line)
		out = append(out, r)
	}
	return out
}

// story is what the chain did, for messages.
func (b *bottle) story(t *testing.T) string {
	t.Helper()
	var s strings.Builder
	for _, r := range b.provider.Records() {
		fmt.Fprintf(&s, "origin: %s %s %s%s %s %d bearer %s %s\n", r.Kind, r.Method, r.Host, r.Path, r.Transport, r.Status, r.BearerIs, r.Asked)
	}
	for _, name := range []string{"run/egress.log", "run/pipelock.log", "run/audit.jsonl"} {
		if data, err := os.ReadFile(b.path(name)); err == nil {
			fmt.Fprintf(&s, "--- %s\n%s", name, data)
		}
	}
	return s.String()
}

// far is an expiry that no client minds.
func far() time.Time { return time.Now().Add(240 * time.Hour).Truncate(time.Second) }
