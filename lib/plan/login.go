package plan

import (
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"strings"
	"time"

	"bottle/lib/dummyauth"
	"bottle/lib/hostauth"
	"bottle/lib/manifest"
	"bottle/lib/secret"
)

// dummy is what the rest of the plan needs of a minted login.
type dummy struct {
	sha256 []string // of the tokens that requests may carry
}

// login reads the host's login and mints its dummy. Without
// forward_host_credentials the login is not looked at.
func (b *builder) login(context.Context) error {
	a := b.m.Agent
	if !a.ForwardHostCredentials {
		if a.Provider == manifest.Codex {
			b.note("the host's Codex login was not read and the agent has no dummy of it: agent.forward_host_credentials is off")
		}
		return nil
	}
	key, path := "agent.auth_file", b.m.ResolveHome(a.AuthFile, b.getenv("HOME"))
	if a.AuthFile == "" {
		key = "agent.forward_host_credentials"
		var err error
		if path, err = hostauth.CodexPath(b.getenv); err != nil {
			return b.m.Errorf(key, "%w", err)
		}
	}
	host, err := hostauth.LoadCodex(path)
	if err == nil {
		err = host.CheckExpiry(b.o.Now, hostauth.DefaultMinTTL)
	}
	switch {
	case errors.Is(err, hostauth.ErrNearExpiry):
		return b.m.Errorf(key, "%w", err).WithHint("run any codex command on the host, so that it refreshes its login")
	case err != nil:
		return b.m.Errorf(key, "%w", err)
	}
	seed := b.seed()
	minted, err := dummyauth.Mint(host, seed)
	if err != nil {
		return b.m.Errorf(key, "%w", err)
	}
	b.dummy = dummy{sha256: minted.SHA256()}
	b.slots = append(b.slots, slot{value: host.AccessToken})
	b.secrets = append(b.secrets,
		named{"the host's login", host.AccessToken},
		named{"the host's login", host.IDToken},
		named{"the host's login", host.RefreshToken})
	b.addSecret(dummySeed, []byte(hex.EncodeToString(seed)+"\n"), "what the dummy login is made from")
	b.add(agentLogin, 0o600, minted.JSON(), "the dummy login")
	b.note("the host's Codex login ends %s; run bottle-prepare again when the host has a newer one", host.Expiry.UTC().Format(time.RFC3339))
	return nil
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
