package plan

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"bottle/lib/inject"
	"bottle/lib/manifest"
	"bottle/lib/mintca"
	"bottle/lib/tomlfile"
)

// maxRoots is the largest file of roots that is read, in bytes.
const maxRoots = 4 << 20

// stages plans the authorities, trust and settings of egress and pipelock.
//
// Who must trust whom follows from who ends TLS. The first stage answers the
// agent with leaves of its own CA. The second stage answers the first one, or,
// for a host that the first lets pass, the agent itself. The last stage meets
// the origin, and so does egress in front of a filter that lets a host pass.
func (b *builder) stages(context.Context) error {
	routes := b.routeHosts()
	allowed := slices.Concat(routes, b.m.Pipelock.Allow)
	passthrough := slices.Clone(b.m.Pipelock.TLSPassthrough)
	if b.m.EgressFirst() {
		// egress has put the bearer on by the time the filter sees the request;
		// a filter that looked inside would report it as a leaking secret.
		passthrough = slices.Concat(b.m.ProviderHosts(), b.shown(), passthrough)
		if b.m.Agent.Refresh == inject.RefreshProxy {
			// And so with egress's own call, which holds the refresh token.
			allowed = append(allowed, b.m.SignInHosts()...)
			passthrough = append(passthrough, b.m.SignInHosts()...)
		}
	} else {
		allowed = append(allowed, b.m.SignInHosts()...)
	}
	allow := unique(allowed)
	passthrough = unique(passthrough)
	intercepted := slices.DeleteFunc(slices.Clone(allow), func(h manifest.Host) bool {
		return slices.ContainsFunc(passthrough, func(p manifest.Host) bool { return p.Covers(h) })
	})

	egressCA, err := b.authority(manifest.Egress, unique(slices.Concat(routes, b.m.SignInHosts())))
	if err != nil {
		return err
	}
	pipelockCA, err := b.authority(manifest.Pipelock, intercepted)
	if err != nil {
		return err
	}
	operators, err := b.operatorRoots()
	if err != nil {
		return err
	}

	first, last := egressCA, pipelockCA
	egressTrust, pipelockTrust := pipelockCA.CertPEM(), operators
	if !b.m.EgressFirst() {
		first, last = pipelockCA, egressCA
		egressTrust, pipelockTrust = operators, egressCA.CertPEM()
	} else if len(passthrough) > 0 {
		egressTrust, _ = mintca.Bundle(egressTrust, operators)
	}
	agentTrust := first.CertPEM()
	if !b.m.EgressFirst() && len(passthrough) > 0 {
		agentTrust = slices.Concat(agentTrust, last.CertPEM())
	}

	const upstream = "roots trusted upstream, besides the system's"
	b.addRoots(upstreamCA(manifest.Pipelock), pipelockTrust, upstream)
	b.add(config(manifest.Pipelock), 0o644, b.pipelockTOML(allow, passthrough, len(pipelockTrust) > 0), "settings of bottle-pipelock")
	b.addRoots(upstreamCA(manifest.Egress), egressTrust, upstream)
	b.add(config(manifest.Egress), 0o644, b.egressTOML(len(egressTrust) > 0), "settings and routes of bottle-egress")
	return b.bundle(agentTrust)
}

// shown returns the hosts of routes whose credential stands where the filter
// would report it: it knows what belongs into Authorization, and no other
// header, parameter or cookie.
func (b *builder) shown() []manifest.Host {
	var hosts []manifest.Host
	for _, r := range b.m.Egress.Routes {
		if slices.ContainsFunc(r.Parts(), elsewhere) {
			hosts = append(hosts, r.Host)
			b.note("the filter does not look into %s: its credential stands outside Authorization, where the filter would report it; with the filter first it looks", r.Host)
		}
	}
	return hosts
}

// elsewhere reports that the credential stands outside Authorization.
func elsewhere(a manifest.Auth) bool {
	return !a.TokenRef.Equal(manifest.TokenRef{}) && (a.Query != "" || a.Cookie != "" || a.Header != "" && !strings.EqualFold(a.Header, "Authorization"))
}

// routeHosts returns the hosts of all routes, the provider's first.
func (b *builder) routeHosts() []manifest.Host {
	hosts := b.m.ProviderHosts()
	for _, r := range b.m.Egress.Routes {
		hosts = append(hosts, r.Host)
	}
	return hosts
}

func unique(hosts []manifest.Host) []manifest.Host {
	var out []manifest.Host
	for _, h := range hosts {
		if !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	return out
}

func (b *builder) addRoots(path string, text []byte, purpose string) {
	if len(text) > 0 {
		b.add(path, 0o644, text, purpose)
	}
}

// authority keeps the stage's CA while it fits, and makes one otherwise.
func (b *builder) authority(stage string, hosts []manifest.Host) (*mintca.CA, error) {
	var names []string
	for _, h := range hosts {
		names = append(names, h.Name())
	}
	ca, err := mintca.Load(b.path(caCert(stage)), b.path(caKey(stage)))
	why := ""
	switch {
	case errors.Is(err, fs.ErrNotExist):
		why = "-"
	case err != nil:
		why = err.Error()
	case !ca.ConstrainedTo(names):
		why = "the hosts that it intercepts have changed"
	case ca.NearExpiry(b.o.Now):
		why = "the old one was near its end"
	}
	if why != "" {
		if ca, err = mintca.New(mintca.Options{Name: stage, Hosts: names, Now: b.o.Now}); err != nil {
			return nil, err
		}
		if why != "-" {
			b.note("the CA of %s is a new one: %s; restart what runs with the old one", stage, why)
		}
	}
	b.add(caCert(stage), 0o644, ca.CertPEM(), "the CA of "+stage+", for the hosts it intercepts alone")
	b.addSecret(caKey(stage), ca.ExposeKeyPEM(), "its key")
	return ca, nil
}

// operatorRoots reads network.upstream_ca. The stages get a copy, so that the
// folder can be moved and a bad file is found now.
func (b *builder) operatorRoots() ([]byte, error) {
	var texts [][]byte
	var problems []*tomlfile.Error
	for i, name := range b.m.Network.UpstreamCA {
		key := tomlfile.Index("network.upstream_ca", i)
		path := b.m.ResolveHome(name, b.getenv("HOME"))
		text, err := readRoots(path)
		if err != nil {
			problems = append(problems, b.m.Errorf(key, "%w", err).WithHint("name a readable PEM file"))
			continue
		}
		_, n := mintca.Bundle(text)
		if n == 0 {
			problems = append(problems, b.m.Errorf(key, "%s holds no certificate in PEM form", path))
		} else if all := strings.Count(string(text), "-----BEGIN CERTIFICATE-----"); n < all {
			b.note("%s: of %d certificates, %d are usable and no doubles; the others were left out", path, all, n)
		}
		texts = append(texts, text)
	}
	roots, _ := mintca.Bundle(texts...)
	return roots, tomlfile.Join(problems...)
}

func readRoots(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Size() > maxRoots {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file of roots")}
	}
	return os.ReadFile(path)
}

// bundle plans the agent's roots: the system's, and those of the stages that
// answer the agent.
func (b *builder) bundle(own []byte) error {
	system, _, err := mintca.SystemRoots(b.getenv)
	if err != nil {
		return err
	}
	if _, n := mintca.Bundle(system); n == 0 {
		b.note("this machine has no system roots; the agent trusts the bottle's CA alone")
	}
	all, _ := mintca.Bundle(system, own)
	b.add(agentBundle, 0o644, all, "the roots that the agent trusts")
	return nil
}
