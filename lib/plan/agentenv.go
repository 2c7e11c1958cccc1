package plan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"bottle/lib/authority"
	"bottle/lib/manifest"
	"bottle/lib/provider"
	"bottle/lib/secret"
	"bottle/lib/tomlfile"
)

// proxyVariables are what clients read a proxy's address from.
var proxyVariables = []string{"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy"}

// bundleVariables are what clients and libraries read a file of roots from. npm
// has one of its own: it does not publish by NODE_EXTRA_CA_CERTS (seen with 11.19).
var bundleVariables = []string{"SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "PIP_CERT", "CARGO_HTTP_CAINFO", "AWS_CA_BUNDLE", "DENO_CERT", "NPM_CONFIG_CAFILE"}

// variable is a line of agent.env.
type variable struct {
	name, value string
	key         string // where the manifest sets it; "" when it was generated
}

// agent plans agent.env.
func (b *builder) agent(context.Context) error {
	var problems []*tomlfile.Error
	var env strings.Builder
	for _, v := range b.variables() {
		if err := expressible(v.value); err != nil {
			problems = append(problems, b.inexpressible(v, err))
		}
		fmt.Fprintf(&env, "%s=%s\n", v.name, v.value)
	}
	if err := tomlfile.Join(problems...); err != nil {
		return err
	}
	b.add(agentEnvFile, 0o600, []byte(env.String()), "the agent's environment")
	return nil
}

func (b *builder) inexpressible(v variable, err error) *tomlfile.Error {
	if v.key == "" {
		return (&tomlfile.Error{File: b.path(agentEnvFile), Key: v.name, Message: err.Error()}).
			WithHint("choose a folder with a plain name with --dir")
	}
	return b.m.Errorf(v.key, "%s: %w", v.name, err).
		WithHint("a line of agent.env must mean the same to sh, docker and systemd; give the variable a plainer value, or set it where the agent starts")
}

// variables returns the lines of agent.env: generated ones in a fixed order,
// then what the manifest adds. Where both set a variable, the manifest wins.
func (b *builder) variables() []variable {
	first := b.m.Egress.Listen
	if !b.m.EgressFirst() {
		first = b.m.Pipelock.Listen
	}
	proxy := proxyURL(first)
	if first.Network == "unix" {
		proxy = nobody // clients cannot name a socket; something must stand between
	}
	var vars []variable
	for _, name := range proxyVariables {
		vars = append(vars, variable{name: name, value: proxy})
	}
	vars = append(vars,
		variable{name: "NO_PROXY", value: "127.0.0.1,localhost,::1"},
		variable{name: "no_proxy", value: "127.0.0.1,localhost,::1"},
		variable{name: "NODE_USE_ENV_PROXY", value: "1"})
	bundle := b.path(agentBundle)
	for _, name := range bundleVariables {
		vars = append(vars, variable{name: name, value: bundle})
	}
	if p, ok := b.m.Preset(); ok {
		for _, v := range p.Variables {
			switch v.Value {
			case provider.Bundle:
				v.Value = bundle
			case provider.Directory:
				v.Value = b.path(agentDir(p))
			}
			vars = append(vars, variable{name: v.Name, value: v.Value})
		}
	}
	if v := b.dummy.variable; v.Name != "" {
		vars = append(vars, variable{name: v.Name, value: v.Value})
	}
	set := func(v variable) {
		if i := slices.IndexFunc(vars, func(o variable) bool { return o.name == v.name }); i >= 0 {
			vars[i] = v
		} else {
			vars = append(vars, v)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.m.Agent.Env)) {
		set(variable{name, b.m.Agent.Env[name], tomlfile.Key("agent.env", name)})
	}
	for i, name := range b.m.Agent.PassEnv {
		if value, ok := b.o.LookupEnv(name); ok {
			set(variable{name, value, tomlfile.Index("agent.pass_env", i)})
		}
	}
	return vars
}

// expressible reports whether NAME=value means the same to a shell that reads
// the line as a command, to docker --env-file, which takes it as it stands, and
// to systemd's EnvironmentFile, which removes quotes and backslashes. All
// three agree on values that need no quoting at all.
func expressible(value string) error {
	if !utf8.ValidString(value) {
		return errors.New("value is not UTF-8")
	}
	for _, r := range value {
		switch {
		case r < utf8.RuneSelf && strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-[]", r):
		case r >= utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsNumber(r)):
		case r == ' ':
			return errors.New("value has a space")
		case r == '\n' || r == '\r':
			return errors.New("value has a line break")
		default:
			return fmt.Errorf("value has a %q, which not all readers of the file take literally", r)
		}
	}
	return nil
}

// StampProxy puts the address of the proxy into the agent.env of the bottle in
// dir, except where the manifest sets a variable itself. It is for stages
// whose port is known only once they serve.
func StampProxy(dir string, m *manifest.Manifest, proxy string) error {
	if err := checkProxy(proxy); err != nil {
		return fmt.Errorf("proxy URL %w", err)
	}
	path := filepath.Join(dir, agentEnvFile)
	for _, p := range []string{filepath.Dir(path), path} {
		st, err := os.Lstat(p)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return &obstacle{p, "no such file or folder", "run bottle-prepare first"}
		case err != nil:
			return err
		case !st.IsDir() && p != path, !st.Mode().IsRegular() && p == path:
			return &obstacle{p, "is not what bottle-prepare made", "delete it and run bottle-prepare again"}
		}
	}
	unlock, err := lock(dir)
	if err != nil {
		return err
	}
	defer unlock()
	env, err := secret.ReadPrivateFile(path, maxEnv)
	if err != nil {
		return err
	}
	if env, err = stamp(env, m, proxy); err != nil {
		return &obstacle{path, err.Error(), "run bottle-prepare again"}
	}
	return secret.WriteFile(path, env, 0o600)
}

// maxEnv is the largest agent.env that is read back, in bytes.
const maxEnv = 1 << 20

func stamp(env []byte, m *manifest.Manifest, proxy string) ([]byte, error) {
	own := slices.Concat(m.Agent.PassEnv, slices.Collect(maps.Keys(m.Agent.Env)))
	var out strings.Builder
	for line := range strings.Lines(string(env)) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !ok || expressible(value) != nil {
			return nil, errors.New("holds a line that bottle-prepare did not write")
		}
		if slices.Contains(proxyVariables, name) && !slices.Contains(own, name) {
			value = proxy
		}
		fmt.Fprintf(&out, "%s=%s\n", name, value)
	}
	return []byte(out.String()), nil
}

// checkProxy accepts http://[user:password@]host:port. Clients take no other
// form from these variables; Codex in particular wants http://.
func checkProxy(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" || u.Opaque != "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || !strings.HasPrefix(s, "http://") {
		return errors.New("is not http://host:port") // url.Error would quote a password
	}
	if _, err := authority.Parse(u.Host); err != nil {
		return err
	}
	return expressible(s)
}
