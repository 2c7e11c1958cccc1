package plan

import (
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"bottle/lib/dummyauth"
	"bottle/lib/hostauth"
	"bottle/lib/inject"
	"bottle/lib/provider"
	"bottle/lib/secret"
)

// dummy is what the rest of the plan needs of what the agent holds.
type dummy struct {
	sha256 []string // of the credentials that requests may carry
	// login is the host's login that the provider's routes follow; "" if they
	// take the first slot's key.
	login string
	// auth goes on the provider's requests.
	auth []provider.Part
	// variable is the agent's dummy of a key, if it has one.
	variable provider.Variable
}

// hostLogin is what prepare needs of a login, whoever's it is.
type hostLogin struct {
	access  secret.Value
	secrets []secret.Value
	expiry  time.Time
	check   func(now time.Time, minTTL time.Duration) error
	mint    func(seed []byte) (json []byte, sha256 []string, err error)
}

// loginReaders read the logins that the presets name.
var loginReaders = map[string]struct {
	find func(getenv func(string) string) (string, error)
	load func(path string) (hostLogin, error)
}{
	"codex": {hostauth.CodexPath, func(path string) (hostLogin, error) {
		c, err := hostauth.LoadCodex(path)
		if err != nil {
			return hostLogin{}, err
		}
		return hostLogin{c.AccessToken, []secret.Value{c.AccessToken, c.IDToken, c.RefreshToken}, c.Expiry, c.CheckExpiry, func(seed []byte) ([]byte, []string, error) {
			d, err := dummyauth.Mint(c, seed)
			if err != nil {
				return nil, nil, err
			}
			return d.JSON(), d.SHA256(), nil
		}}, nil
	}},
	"claude": {hostauth.ClaudePath, func(path string) (hostLogin, error) {
		c, err := hostauth.LoadClaude(path)
		if err != nil {
			return hostLogin{}, err
		}
		return hostLogin{c.AccessToken, []secret.Value{c.AccessToken, c.RefreshToken}, c.Expiry, c.CheckExpiry, func(seed []byte) ([]byte, []string, error) {
			d, err := dummyauth.MintClaude(c, seed)
			if err != nil {
				return nil, nil, err
			}
			return d.JSON(), d.SHA256(), nil
		}}, nil
	}},
}

// login reads the host's login and mints its dummy. Without
// forward_host_credentials the login is not looked at.
func (b *builder) login(ctx context.Context) error {
	a := b.m.Agent
	preset, ok := b.m.Preset()
	if a.APIKey != nil {
		return b.key(ctx, preset)
	}
	if !a.ForwardHostCredentials {
		if ok {
			b.note("the host's %s login was not read and the agent has no dummy of it: agent.forward_host_credentials is off", preset.Client)
		}
		return nil
	}
	reader := loginReaders[preset.Name]
	key, path := "agent.auth_file", b.m.ResolveHome(a.AuthFile, b.getenv("HOME"))
	if a.AuthFile == "" {
		key = "agent.forward_host_credentials"
		var err error
		if path, err = reader.find(b.getenv); err != nil {
			return b.m.Errorf(key, "%w", err)
		}
	}
	host, err := reader.load(path)
	if err == nil {
		err = host.check(b.o.Now, hostauth.DefaultMinTTL)
	}
	switch {
	case errors.Is(err, hostauth.ErrNearExpiry):
		return b.m.Errorf(key, "%w", err).WithHint("run any " + preset.Command + " command on the host, so that it refreshes its login")
	case err != nil:
		return b.m.Errorf(key, "%w", err)
	}
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	seed := b.seed()
	login, sums, err := host.mint(seed)
	if err != nil {
		return b.m.Errorf(key, "%w", err)
	}
	b.dummy = dummy{sha256: sums, login: path, auth: preset.LoginAuth}
	b.slots = append(b.slots, slot{value: host.access})
	for _, v := range host.secrets {
		b.secrets = append(b.secrets, named{"the host's login", v})
	}
	b.addSecret(dummySeed, []byte(hex.EncodeToString(seed)+"\n"), "what the dummy login is made from")
	b.add(agentLogin(preset), 0o600, login, "the dummy login")
	renewal := "egress follows " + path + ", so a renewal there needs nothing here"
	if a.Refresh == inject.RefreshProxy {
		renewal = "egress renews it before, and writes " + path
	}
	b.note("the host's %s login ends %s; %s", preset.Client, host.expiry.UTC().Format(time.RFC3339), renewal)
	return nil
}

// key reads the provider's key and makes the agent's dummy of it.
func (b *builder) key(ctx context.Context, preset provider.Provider) error {
	if p := b.token(ctx, "agent.api_key", *b.m.Agent.APIKey); p != nil {
		return p
	}
	value, seed := b.slots[0].value.Expose(), b.seed()
	for _, k := range preset.Keys {
		if !strings.HasPrefix(value, k.Prefix) {
			continue
		}
		dummyKey := dummyauth.ClaudeKey(seed)
		if k.Prefix != "" {
			dummyKey = dummyauth.ClaudeToken(seed)
		}
		b.dummy = dummy{sha256: []string{secret.SHA256(dummyKey)}, auth: k.Auth, variable: provider.Variable{Name: k.Variable, Value: dummyKey}}
		b.addSecret(dummySeed, []byte(hex.EncodeToString(seed)+"\n"), "what the agent's dummy key is made from")
		return nil
	}
	return b.m.Errorf("agent.api_key", "%s is no key of %s", b.m.Agent.APIKey, preset.Client)
}

// seed returns the bottle's own, or a fresh one.
func (b *builder) seed() []byte {
	data, err := secret.ReadPrivateFile(b.path(dummySeed), 1<<10)
	if err == nil {
		seed, err := hex.DecodeString(strings.TrimSuffix(string(data), "\n"))
		if err == nil && len(seed) == dummyauth.SeedSize {
			return seed
		}
		b.note("the dummy login is a new one: %s did not hold a seed", dummySeed)
	} else if !errors.Is(err, fs.ErrNotExist) {
		b.note("the dummy login is a new one: %v", err)
	}
	return dummyauth.NewSeed()
}
