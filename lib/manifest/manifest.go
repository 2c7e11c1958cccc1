// Package manifest reads bottle.toml, the one file that an operator writes for
// a bottle. What [Read] returns is complete and consistent: defaults are
// filled in, and every problem that the file alone can show has been reported
// with its line. Nothing outside the file is looked at: no secret, no login,
// no environment variable.
package manifest

import (
	"errors"
	"io/fs"
	"net/netip"
	"path/filepath"
	"strings"

	"bottle/lib/forward"
	"bottle/lib/inject"
	"bottle/lib/knownsecret"
	"bottle/lib/provider"
	"bottle/lib/tomlfile"
)

// Version is the version of the format that this package reads.
const Version = 1

// The two stages, as chain.order names them.
const (
	Egress   = "egress"
	Pipelock = "pipelock"
)

// None is agent.provider where no preset is wanted; the others are those of
// package provider.
const None = "none"

// Manifest is a bottle.toml.
type Manifest struct {
	Version  int           `toml:"version"`
	Agent    Agent         `toml:"agent"`
	Chain    Chain         `toml:"chain"`
	Egress   EgressTable   `toml:"egress"`
	Pipelock PipelockTable `toml:"pipelock"`
	Network  Network       `toml:"network"`

	file *tomlfile.File
}

// Agent is what the agent is and what it gets.
type Agent struct {
	// Provider is the name of a preset, or None.
	Provider string `toml:"provider"`
	// ForwardHostCredentials lets the agent use the host's login, through a
	// dummy of it.
	ForwardHostCredentials bool `toml:"forward_host_credentials"`
	// AuthFile is the host's login; "" means where the provider's client keeps it.
	AuthFile string `toml:"auth_file"`
	// Refresh is who renews the host's login: "follow" or "proxy".
	Refresh string `toml:"refresh"`
	// APIKey, unless nil, is the provider's credential in the login's stead.
	APIKey *TokenRef `toml:"api_key"`
	// Env are variables that the agent gets; they win over generated ones.
	Env map[string]string `toml:"env"`
	// PassEnv names the host's variables that the agent gets.
	PassEnv []string `toml:"pass_env"`
	// ExtraHosts are further hosts to which the login's requests may move.
	ExtraHosts []Host `toml:"extra_hosts"`
}

// Chain is the way of a request.
type Chain struct {
	// Order holds Egress and Pipelock, first the stage that the agent talks to.
	Order []string `toml:"order"`
}

// EgressTable is about the stage that puts real credentials on.
type EgressTable struct {
	Listen Listen  `toml:"listen"`
	Routes []Route `toml:"route"`
}

// Route is a host that the agent may use, and how.
type Route struct {
	Host    Host     `toml:"host"`
	Methods []string `toml:"methods"` // nil is all
	Paths   []string `toml:"paths"`   // nil is all
	Inject  string   `toml:"inject"`  // "always" or "replace"
	Git     string   `toml:"git"`     // "read", "write", "off" or ""
	// RedactResponses is nil for true.
	RedactResponses *bool                     `toml:"redact_responses"`
	Auth            *tomlfile.OneOrMany[Auth] `toml:"auth"` // nil: no credential is put on
}

// Parts returns the parts of the route's credential.
func (r Route) Parts() []Auth {
	if r.Auth == nil {
		return nil
	}
	return r.Auth.Items
}

// Redacts reports whether answers of the route are searched for its credential.
func (r Route) Redacts() bool { return r.RedactResponses == nil || *r.RedactResponses }

// Auth is one part of the credential of a route.
type Auth struct {
	inject.AuthPlace
	TokenRef TokenRef `toml:"token_ref"` // zero where the part is constant
}

// PipelockTable is about the stage that filters.
type PipelockTable struct {
	Listen         Listen `toml:"listen"`
	Allow          []Host `toml:"allow"` // hosts beyond those of routes
	TLSPassthrough []Host `toml:"tls_passthrough"`
	// RequestsPerMinute is the limit for each host; 0 is off.
	RequestsPerMinute int `toml:"requests_per_minute"`
	// OnMatch is what becomes of a request with a secret in it: Block, Redact or
	// Log. The provider's hosts have Redact.
	OnMatch string `toml:"on_match"`
	// OnMatchByHost is the same for single hosts, the provider's too.
	OnMatchByHost map[string]string `toml:"on_match_by_host"`
	// Rules, Allowlist, Disable, SeedPhrases and OnUndecodable are the filter's
	// keys of [dlp]; the first two name files, see [Manifest.ResolveHome].
	Rules         []string `toml:"rules"`
	Allowlist     string   `toml:"allowlist"`
	Disable       []string `toml:"disable"`
	SeedPhrases   bool     `toml:"seed_phrases"`
	OnUndecodable string   `toml:"on_undecodable"`
	// KnownSecrets are secrets whose values the filter looks for.
	KnownSecrets []knownsecret.Source `toml:"known_secrets"`
}

// What the filter does on a match.
const (
	Block  = "block"
	Redact = "redact"
	Log    = "log"
)

// Network is how the last stage reaches origins.
type Network struct {
	ConnectTo      []string `toml:"connect_to"`      // HOST1:PORT1:HOST2:PORT2
	UpstreamCA     []string `toml:"upstream_ca"`     // files, see [Manifest.Resolve]
	AllowAddresses []string `toml:"allow_addresses"` // networks dialled although private
}

// Prefixes returns AllowAddresses as networks.
func (n Network) Prefixes() []netip.Prefix {
	ps, _ := forward.ParsePrefixes(n.AllowAddresses) // Read has checked them
	return ps
}

const missingHint = `start with: printf 'version = 1\n[agent]\nprovider = "codex"\nforward_host_credentials = true\n' > `

// Read reads and checks the manifest at path. Errors are those of package
// tomlfile; a missing file satisfies errors.Is with fs.ErrNotExist and its
// hint shows a minimal manifest.
func Read(path string) (*Manifest, error) {
	m := defaults()
	f, err := tomlfile.Read(path, m)
	var e *tomlfile.Error
	if errors.Is(err, fs.ErrNotExist) && errors.As(err, &e) {
		return nil, e.WithHint(missingHint + path)
	}
	if err != nil {
		return nil, err
	}
	return m.checked(f)
}

// Parse is [Read] for content at hand.
func Parse(path string, data []byte) (*Manifest, error) {
	m := defaults()
	f, err := tomlfile.Parse(path, data, m)
	if err != nil {
		return nil, err
	}
	return m.checked(f)
}

func defaults() *Manifest {
	return &Manifest{
		Agent:    Agent{Provider: None, Refresh: inject.RefreshFollow},
		Chain:    Chain{Order: []string{Egress, Pipelock}},
		Egress:   EgressTable{Listen: Listen{Network: "tcp", Address: "127.0.0.1:9099"}},
		Pipelock: PipelockTable{Listen: Listen{Network: "tcp", Address: "127.0.0.1:8888"}, RequestsPerMinute: 3000, OnMatch: Block},
	}
}

func (m *Manifest) checked(f *tomlfile.File) (*Manifest, error) {
	m.file = f
	for _, l := range []*Listen{&m.Egress.Listen, &m.Pipelock.Listen} {
		if l.Network == "unix" { // the stages run elsewhere
			path, err := filepath.Abs(f.Resolve(l.Address))
			if err != nil {
				return nil, err
			}
			l.Address = path
		}
	}
	c := checker{m: m}
	c.run()
	if err := tomlfile.Join(c.found...); err != nil {
		return nil, err
	}
	for i := range m.Egress.Routes {
		r := &m.Egress.Routes[i]
		if r.Inject == "" {
			r.Inject = "always"
		}
		for j := range r.Parts() {
			if a := &r.Auth.Items[j]; a.Unplaced() {
				a.Scheme = "Bearer"
			}
		}
	}
	return m, nil
}

// Path is the manifest's file name.
func (m *Manifest) Path() string { return m.file.Path() }

// Resolve returns name as seen from the manifest's directory: paths in the
// manifest are relative to it.
func (m *Manifest) Resolve(name string) string { return m.file.Resolve(name) }

// Dir returns the manifest's directory.
func (m *Manifest) Dir() string { return filepath.Dir(m.file.Path()) }

// Errorf reports a problem with what stands at keyPath, as tomlfile.File does.
func (m *Manifest) Errorf(keyPath, format string, a ...any) *tomlfile.Error {
	return m.file.Errorf(keyPath, format, a...)
}

// EgressFirst reports whether the agent talks to egress, and egress to
// pipelock; otherwise it is the other way round.
func (m *Manifest) EgressFirst() bool { return m.Chain.Order[0] == Egress }

// Preset returns the preset of the provider; ok is false with [None].
func (m *Manifest) Preset() (p provider.Provider, ok bool) { return provider.Find(m.Agent.Provider) }

// Forwards reports that the agent may use the provider, by the host's login or
// by a key.
func (m *Manifest) Forwards() bool { return m.Agent.ForwardHostCredentials || m.Agent.APIKey != nil }

// ProviderHosts returns the hosts that the provider's routes are for, nil
// unless [Manifest.Forwards]. They do not appear as routes in the manifest, and
// no route of the manifest may name one of them.
func (m *Manifest) ProviderHosts() []Host {
	p, ok := m.Preset()
	if !ok || !m.Forwards() {
		return nil
	}
	var hosts []Host
	for _, h := range p.Hosts {
		hosts = append(hosts, mustHost(h))
	}
	return append(hosts, m.Agent.ExtraHosts...)
}

// SignInHosts returns the hosts at which egress answers the agent's own
// refresh, nil without [Agent.ForwardHostCredentials]. No route of the manifest
// may name one of them either.
func (m *Manifest) SignInHosts() []Host {
	p, ok := m.Preset()
	if !ok || !m.Agent.ForwardHostCredentials {
		return nil
	}
	return []Host{mustHost(p.TokenHost)}
}

// expandHome replaces a leading ~/ by the home directory.
func expandHome(name, home string) string {
	if rest, ok := strings.CutPrefix(name, "~/"); ok && home != "" {
		return filepath.Join(home, rest)
	}
	return name
}

// ResolveHome is [Manifest.Resolve] with a leading ~/ standing for home.
func (m *Manifest) ResolveHome(name, home string) string {
	return m.Resolve(expandHome(name, home))
}
