package manifest

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"bottle/lib/forward"
	"bottle/lib/inject"
	"bottle/lib/knownsecret"
	"bottle/lib/pathrule"
	"bottle/lib/provider"
	"bottle/lib/tomlfile"
)

// checker finds what is wrong with a manifest that decodes.
type checker struct {
	m     *Manifest
	found []*tomlfile.Error
}

func (c *checker) errorf(key, format string, a ...any) *tomlfile.Error {
	e := c.m.file.Errorf(key, format, a...)
	c.found = append(c.found, e)
	return e
}

func (c *checker) run() {
	switch {
	case !c.m.file.Has("version"):
		c.errorf("version", "is missing").WithHint("write version = 1 at the top of the file")
	case c.m.Version != Version:
		c.errorf("version", "%d is not known; this program reads version %d", c.m.Version, Version)
	}
	c.agent()
	c.chain()
	c.routes()
	c.pipelock()
	c.network()
}

// Methods in use are letters and hyphens.
var methodPattern = regexp.MustCompile("^[A-Z][A-Z-]*$")

func (c *checker) agent() {
	a := c.m.Agent
	preset, known := c.m.Preset()
	names := `"` + strings.Join(provider.Names(), `", "`) + `"`
	if !known && a.Provider != None {
		c.errorf("agent.provider", "%q is not supported", a.Provider).WithHint(`agent.provider is ` + names + ` or "none"`)
	}
	if a.Provider == None && a.ForwardHostCredentials {
		c.errorf("agent.forward_host_credentials", "needs a provider whose login it is").WithHint(`set agent.provider to one of ` + names)
	}
	if a.APIKey != nil {
		switch {
		case len(preset.Keys) == 0:
			c.errorf("agent.api_key", "there is no preset for a key of this provider").WithHint("give it a route of its own, or use the host's login with forward_host_credentials")
		case a.ForwardHostCredentials:
			c.errorf("agent.api_key", "stands for the host's login; set one or the other").WithHint("drop it, or forward_host_credentials")
		}
	}
	if a.Refresh != inject.RefreshFollow && a.Refresh != inject.RefreshProxy {
		c.errorf("agent.refresh", "%q is not known", a.Refresh).WithHint(`agent.refresh is "follow" or "proxy"`)
	}
	if !a.ForwardHostCredentials {
		const why = "has no effect without forward_host_credentials = true"
		if a.AuthFile != "" {
			c.errorf("agent.auth_file", why)
		}
		if c.m.file.Has("agent.refresh") {
			c.errorf("agent.refresh", why)
		}
		if len(a.ExtraHosts) > 0 && a.APIKey == nil {
			c.errorf("agent.extra_hosts", why)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.Env)) {
		c.variable(tomlfile.Key("agent.env", name), name)
	}
	for i, name := range a.PassEnv {
		key := tomlfile.Index("agent.pass_env", i)
		c.variable(key, name)
		if slices.Index(a.PassEnv, name) < i {
			c.errorf(key, "%s is named twice", name)
		}
		if _, ok := a.Env[name]; ok {
			c.errorf(key, "%s has a value in agent.env already", name)
		}
		for _, r := range c.m.Egress.Routes {
			if slices.ContainsFunc(r.Parts(), func(p Auth) bool { return p.TokenRef.Env == name }) {
				c.errorf(key, "%s holds the secret of a route; the agent must not have it", name).
					WithHint("egress puts the secret on; if the agent's program wants to see the variable, give it a made-up value with agent.env in bottle.toml")
			}
		}
		if a.APIKey != nil && a.APIKey.Env == name {
			c.errorf(key, "%s holds the provider's key; the agent must not have it", name).WithHint("the agent gets a dummy of it without being told to")
		}
	}
	for i, h := range a.ExtraHosts {
		key := tomlfile.Index("agent.extra_hosts", i)
		if h.IsWildcard() {
			c.errorf(key, "%s: the login goes to hosts named one by one", h)
		}
		same := func(o Host) bool { return o == h }
		if slices.IndexFunc(a.ExtraHosts, same) < i || slices.ContainsFunc(preset.Hosts, func(s string) bool { return mustHost(s) == h }) {
			c.errorf(key, "%s is a host of the provider already", h)
		}
	}
}

// variable checks a variable that the agent is to get.
func (c *checker) variable(key, name string) {
	preset, _ := c.m.Preset()
	switch {
	case !isVariable(name):
		c.errorf(key, "%q is not the name of an environment variable", name).WithHint("use letters, digits and _, no digit first")
	case strings.HasPrefix(name, "EGRESS_TOKEN_"):
		c.errorf(key, "the agent must not have egress's variables")
	case slices.Contains(preset.Overriding, name):
		c.errorf(key, "makes %s leave its login aside", preset.Client)
	}
}

// maxSocketPath is what fits into sockaddr_un on Linux, less the final NUL.
const maxSocketPath = 107

func (c *checker) chain() {
	o := slices.Clone(c.m.Chain.Order)
	slices.Sort(o)
	if !slices.Equal(o, []string{Egress, Pipelock}) {
		c.errorf("chain.order", "must name both stages once").WithHint(`chain.order is ["egress", "pipelock"] or ["pipelock", "egress"]`)
	}
	for key, l := range map[string]Listen{"egress.listen": c.m.Egress.Listen, "pipelock.listen": c.m.Pipelock.Listen} {
		if l.Network == "unix" && len(l.Address) > maxSocketPath {
			c.errorf(key, "%s is longer than the %d bytes that a socket's path may have", l.Address, maxSocketPath)
		}
	}
	if e, p := c.m.Egress.Listen, c.m.Pipelock.Listen; e == p && !e.Chosen() {
		key := "pipelock.listen"
		if !c.m.file.Has(key) {
			key = "egress.listen"
		}
		c.errorf(key, "%s is where the other stage listens", e)
	}
}

func (c *checker) routes() {
	for i, r := range c.m.Egress.Routes {
		at := tomlfile.Index("egress.route", i)
		host := at + ".host"
		if r.Host == (Host{}) {
			c.errorf(host, "is missing").WithHint(`every route names one host, as in host = "api.github.com"`)
			continue
		}
		for j, o := range c.m.Egress.Routes[:i] {
			if o.Host == r.Host {
				first := tomlfile.Index("egress.route", j) + ".host"
				c.errorf(host, "%s has a route already, at line %d", r.Host, c.m.file.Line(first))
				break
			}
		}
		if slices.Contains(c.m.ProviderHosts(), r.Host) || slices.Contains(c.m.SignInHosts(), r.Host) {
			c.errorf(host, "%s belongs to the provider's login, which has its route already", r.Host).
				WithHint("drop this route, or forward_host_credentials")
		}
		c.methods(at+".methods", r.Methods)
		c.paths(at+".paths", r.Paths)
		switch {
		case r.Inject != "" && r.Inject != "always" && r.Inject != "replace":
			c.errorf(at+".inject", "%q is not known", r.Inject).WithHint(`inject is "always" or "replace"`)
		case r.Inject != "" && r.Auth == nil:
			c.errorf(at+".inject", "has no effect without auth")
		case r.Inject == "replace" && len(c.m.ProviderHosts()) == 0:
			c.errorf(at+".inject", "this bottle has no dummy that could be replaced").WithHint(`"replace" needs forward_host_credentials = true`)
		}
		if r.Git != "" && r.Git != "read" && r.Git != "write" && r.Git != "off" {
			c.errorf(at+".git", "%q is not known", r.Git).WithHint(`git is "read", "write" or "off"`)
		}
		c.auth(at+".auth", r)
	}
}

// auth checks the parts of a route's credential.
func (c *checker) auth(key string, r Route) {
	sources := 0
	for i := range r.Parts() {
		a, at := &r.Auth.Items[i], r.Auth.At(key, i)
		none := a.TokenRef.Equal(TokenRef{})
		if !none {
			sources++
		}
		if a.Unplaced() && !c.m.file.Has(at+".scheme") {
			if none {
				c.errorf(at+".token_ref", "is missing").WithHint("name the variable that holds the secret; a route without auth is open")
			}
			continue
		}
		if !a.Check(at, c.errorf) {
			continue
		}
		if a.Constant() != none {
			c.errorf(at+".token_ref", "is missing, or there is no {token} in the value").WithHint("a value without fields has no source, and every other one has")
		}
	}
	if r.Auth != nil && sources == 0 && len(r.Parts()) > 1 {
		c.errorf(key, "puts no token anywhere")
	}
}

func (c *checker) methods(key string, methods []string) {
	if methods != nil && len(methods) == 0 {
		c.errorf(key, "names no method").WithHint("leave the key out to allow every method")
	}
	for i, m := range methods {
		at := tomlfile.Index(key, i)
		switch {
		case !methodPattern.MatchString(strings.ToUpper(m)):
			c.errorf(at, "%q is not a method", m)
		case m != strings.ToUpper(m):
			c.errorf(at, "%q: methods are case-sensitive; did you mean %q?", m, strings.ToUpper(m))
		case m == "CONNECT":
			c.errorf(at, "CONNECT opens tunnels; it is no method of a route")
		case slices.Index(methods, m) < i:
			c.errorf(at, "%s is named twice", m)
		}
	}
}

func (c *checker) paths(key string, paths []string) {
	if paths != nil && len(paths) == 0 {
		c.errorf(key, "names no path").WithHint("leave the key out to allow every path")
	}
	for i, p := range paths {
		if err := pathrule.Check(p); err != nil {
			c.errorf(tomlfile.Index(key, i), "%q %w", p, err)
		}
	}
}

func (c *checker) pipelock() {
	p := c.m.Pipelock
	if p.RequestsPerMinute < 0 {
		c.errorf("pipelock.requests_per_minute", "%d is negative; 0 is off", p.RequestsPerMinute)
	}
	switch p.OnUndecodable {
	case "", "block", "scan-raw":
	default:
		c.errorf("pipelock.on_undecodable", "%q is not known", p.OnUndecodable).WithHint(`use "block" or "scan-raw", or leave it out`)
	}
	c.found = append(c.found, knownsecret.Check(c.m.file, "pipelock.known_secrets", p.KnownSecrets)...)
	allowed := slices.Concat(c.m.ProviderHosts(), p.Allow)
	for _, r := range c.m.Egress.Routes {
		allowed = append(allowed, r.Host)
	}
	for i, h := range p.TLSPassthrough {
		related := func(a Host) bool { return a.Covers(h) || h.Covers(a) }
		if !slices.ContainsFunc(allowed, related) {
			c.errorf(tomlfile.Index("pipelock.tls_passthrough", i), "%s is no host of a route or of pipelock.allow", h).
				WithHint("passthrough leaves an allowed host's traffic encrypted; it does not allow a host")
		}
	}
	c.action("pipelock.on_match", p.OnMatch)
	for _, name := range slices.Sorted(maps.Keys(p.OnMatchByHost)) {
		key := tomlfile.Key("pipelock.on_match_by_host", name)
		var h Host
		if err := h.UnmarshalText([]byte(name)); err != nil {
			c.errorf(key, "%w", err)
			continue
		}
		related := func(a Host) bool { return a.Covers(h) || h.Covers(a) }
		if !slices.ContainsFunc(allowed, related) {
			c.errorf(key, "%s is no host of a route or of pipelock.allow", h)
		}
		c.action(key, p.OnMatchByHost[name])
	}
}

func (c *checker) action(key, name string) {
	if name != Block && name != Redact && name != Log {
		c.errorf(key, "%q is not an action", name).WithHint(`use "block", "redact" or "log"`)
	}
}

func (c *checker) network() {
	n := c.m.Network
	for i, s := range n.ConnectTo {
		if _, err := forward.ParseConnectTo(s); err != nil {
			c.errorf(tomlfile.Index("network.connect_to", i), "%w", err)
		}
	}
	for i, s := range n.AllowAddresses {
		if _, err := forward.ParsePrefixes([]string{s}); err != nil {
			c.errorf(tomlfile.Index("network.allow_addresses", i), "%w", err)
		}
	}
	for i, s := range n.UpstreamCA {
		if s == "" {
			c.errorf(tomlfile.Index("network.upstream_ca", i), "is empty")
		}
	}
}
