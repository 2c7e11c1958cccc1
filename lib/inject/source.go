package inject

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"bottle/lib/credential"
	"bottle/lib/secret"
	"bottle/lib/tomlfile"
)

// auths makes the parts of routes, and opens each source once however often it
// is named.
type auths struct {
	complain func(key, format string, args ...any) *tomlfile.Error
	file     *tomlfile.File
	lookup   func(string) (string, bool)
	envFile  string
	env      map[string]string // of envFile
	logins   map[string]LoginConfig

	set     *credential.Set
	sources []credential.Source
	opened  map[string]int // by what names the source in the file; -1 failed

	hostLogins hostLogins
}

func newAuths(c *Config, f *tomlfile.File, lookup func(string) (string, bool), complain func(string, string, ...any) *tomlfile.Error) *auths {
	a := &auths{complain: complain, file: f, lookup: lookup, envFile: c.EnvFile, set: &credential.Set{}, opened: map[string]int{}, logins: map[string]LoginConfig{}}
	if c.EnvFile != "" {
		var err error
		if a.env, err = LoadEnvFile(c.EnvFile); err != nil {
			complain("", "--env-file: %w", err)
		}
	}
	for i, l := range c.Login {
		at := tomlfile.Index("login", i)
		_, twice := a.logins[l.Name]
		switch {
		case l.Name == "":
			complain(at+".name", "is missing").WithHint("a route's auth names the login by it")
		case twice:
			complain(at+".name", "%q is another login's name, too", l.Name)
		case l.File == "":
			complain(at+".file", "is missing")
		case !slices.Contains(credential.LoginKinds(), l.Kind):
			complain(at+".kind", "%q is not known", l.Kind).WithHint("kinds of login: " + strings.Join(credential.LoginKinds(), ", "))
		case l.Refresh != "" && l.Refresh != RefreshFollow && l.Refresh != RefreshProxy:
			complain(at+".refresh", "%q is not known", l.Refresh).WithHint(`refresh is "follow" or "proxy"`)
		}
		a.logins[l.Name] = l
	}
	return a
}

// source opens what c names. slot is -1 if it names nothing; key is where in
// the file it does.
func (a *auths) source(at string, c *AuthConfig) (slot int, key string, ok bool) {
	named := -1
	kinds := []struct {
		key  string
		set  bool
		open func(key string, c *AuthConfig) (string, func() (credential.Source, error))
	}{
		{"token_env", c.TokenEnv != "", a.variable},
		{"token_file", c.TokenFile != "", a.tokenFile},
		{"token_command", len(c.TokenCommand) > 0, a.command},
		{"token_credential", c.TokenCredential != "", a.systemd},
		{"login", c.Login != "", a.login},
	}
	for i, k := range kinds {
		if !k.set {
			continue
		}
		if named >= 0 {
			a.complain(at+"."+k.key, "there is %s already; a token has one source", kinds[named].key)
			return -1, at, false
		}
		named = i
	}
	switch {
	case c.Field != "" && c.TokenFile == "":
		a.complain(at+".field", "is the field of a token_file, which is missing")
		return -1, at, false
	case (c.TTL != 0 || c.Timeout != 0) && len(c.TokenCommand) == 0:
		a.complain(at, "ttl and timeout are a token_command's")
		return -1, at, false
	case c.TTL < 0 || c.Timeout < 0:
		a.complain(at, "ttl and timeout must not be negative")
		return -1, at, false
	case named < 0:
		return -1, at, true
	}
	key = at + "." + kinds[named].key
	name, open := kinds[named].open(key, c)
	if open == nil {
		return -1, key, false
	}
	if i, ok := a.opened[name]; ok {
		return i, key, i >= 0
	}
	a.opened[name] = -1
	s, err := open()
	if err != nil {
		p := a.complain(key, "%w", err)
		if h, ok := err.(interface{ HintText() string }); ok {
			p.Hint = h.HintText()
		}
		return -1, key, false
	}
	if f, ok := s.(*credential.Followed); ok {
		a.set.Add(f)
	}
	a.sources = append(a.sources, s)
	a.opened[name] = len(a.sources) - 1
	return a.opened[name], key, true
}

func (a *auths) variable(key string, c *AuthConfig) (string, func() (credential.Source, error)) {
	if !envPattern.MatchString(c.TokenEnv) {
		a.complain(key, "%q is not the name of an environment variable", c.TokenEnv)
		return "", nil
	}
	if _, ok := a.env[c.TokenEnv]; ok {
		// The file was named for this; a variable may be left over from anywhere.
		return "variable " + c.TokenEnv, func() (credential.Source, error) { return credential.OpenVariable(a.envFile, c.TokenEnv) }
	}
	text, ok := a.lookup(c.TokenEnv)
	if !ok {
		a.complain(key, "%s is not set", c.TokenEnv).WithHint("name the file that holds it with --env-file, or export it to bottle-egress alone")
		return "", nil
	}
	return "variable " + c.TokenEnv, func() (credential.Source, error) {
		v, err := secret.New(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.TokenEnv, err)
		}
		return credential.Fixed("environment variable "+c.TokenEnv, v), nil
	}
}

func (a *auths) tokenFile(_ string, c *AuthConfig) (string, func() (credential.Source, error)) {
	path := a.file.Resolve(c.TokenFile)
	if c.Field != "" {
		return "field " + path + "\x00" + c.Field, func() (credential.Source, error) { return credential.OpenField(path, c.Field) }
	}
	return "file " + path, func() (credential.Source, error) { return credential.OpenFile(path) }
}

func (a *auths) command(_ string, c *AuthConfig) (string, func() (credential.Source, error)) {
	o := credential.CommandOptions{Dir: a.file.Resolve("."), Timeout: c.Timeout, TTL: c.TTL}
	return fmt.Sprintf("command %q %v %v", c.TokenCommand, c.TTL, c.Timeout), func() (credential.Source, error) {
		return credential.OpenCommand(context.Background(), c.TokenCommand, o)
	}
}

func (a *auths) systemd(_ string, c *AuthConfig) (string, func() (credential.Source, error)) {
	return "credential " + c.TokenCredential, func() (credential.Source, error) {
		return credential.OpenSystemd(c.TokenCredential, func(name string) string { v, _ := a.lookup(name); return v })
	}
}

func (a *auths) login(key string, c *AuthConfig) (string, func() (credential.Source, error)) {
	l, ok := a.logins[c.Login]
	if !ok {
		a.complain(key, "no login is called %q", c.Login).WithHint("add a [[login]] with that name")
		return "", nil
	}
	if !slices.Contains(credential.LoginKinds(), l.Kind) || l.File == "" {
		return "", nil // told where the login is
	}
	path := a.file.Resolve(l.File)
	return "login " + l.Kind + " " + path, func() (credential.Source, error) { return credential.OpenLogin(l.Kind, path) }
}
