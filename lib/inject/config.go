package inject

import (
	"net/http"
	"regexp"

	"bottle/lib/authority"
	"bottle/lib/credential"
	"bottle/lib/gitrule"
	"bottle/lib/pathrule"
	"bottle/lib/proxy"
	"bottle/lib/secret"
	"bottle/lib/tomlfile"
)

// Config is egress.toml.
type Config struct {
	proxy.Settings
	Dummies struct {
		SHA256 []string `toml:"sha256"`
		Seed   string   `toml:"seed"`   // file that new ones are made from
		Minted string   `toml:"minted"` // file of the digests of those
	} `toml:"dummies"`
	Login []LoginConfig `toml:"login"`
	Route []RouteConfig `toml:"route"`

	// EnvFile, unless empty, is where token_env is looked up before the
	// environment. It is followed like any other file.
	EnvFile string
}

// RouteConfig is one [[route]] of egress.toml.
type RouteConfig struct {
	Host          string   `toml:"host"`
	Methods       []string `toml:"methods"`
	Paths         []string `toml:"paths"`
	Inject        string   `toml:"inject"`
	RefusalStatus int      `toml:"refusal_status"`
	Git           string   `toml:"git"`
	// RedactResponses is true unless the file says otherwise.
	RedactResponses *bool `toml:"redact_responses"`
	// TokenEndpoint names a login whose provider's sign-in host egress is here.
	TokenEndpoint string                          `toml:"token_endpoint"`
	Auth          *tomlfile.OneOrMany[AuthConfig] `toml:"auth"`
}

var (
	schemePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9!#$%&'*+.^_|~-]*$`) // token, RFC 9110 section 5.6.2
	tokenPattern  = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
	envPattern    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	methodPattern = regexp.MustCompile(`^[A-Z][A-Z-]*$`)
	sumPattern    = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// Routes validates the file's routes and reads their credentials for the first
// time. lookup is the environment. What is missing is an error, not an open
// route. The credentials stay as they are until [Routes.Follow].
func (c *Config) Routes(f *tomlfile.File, lookup func(string) (string, bool)) (*Routes, error) {
	var problems []*tomlfile.Error
	complain := func(key, format string, args ...any) *tomlfile.Error {
		e := f.Errorf(key, format, args...)
		problems = append(problems, e)
		return e
	}
	for i, sum := range c.Dummies.SHA256 {
		if !sumPattern.MatchString(sum) {
			complain(tomlfile.Index("dummies.sha256", i), "want 64 lower-case hex digits")
		}
	}
	a := newAuths(c, f, lookup, complain)
	dummies := a.openDummies(c)
	var routes []*Route
	seen := map[authority.Pattern]int{}
	for i, rc := range c.Route {
		at := tomlfile.Index("route", i)
		r := &Route{Methods: rc.Methods, RefusalStatus: rc.RefusalStatus}
		var err error
		if r.Pattern, err = authority.ParsePattern(rc.Host); err != nil {
			complain(at+".host", "%w", err)
		} else if first, ok := seen[r.Pattern]; ok {
			complain(at+".host", "duplicate route: route[%d] has the same host", first).WithHint("merge the two routes: one host has one route")
		} else {
			seen[r.Pattern] = i
		}
		for j, m := range rc.Methods {
			if !methodPattern.MatchString(m) || m == http.MethodConnect {
				complain(tomlfile.Index(at+".methods", j), "%q is not a method in upper case, such as GET", m)
			}
		}
		if rc.Methods != nil && len(rc.Methods) == 0 {
			complain(at+".methods", "an empty list allows nothing; leave methods out to allow all")
		}
		var bad int
		if r.paths, bad, err = pathrule.Parse(rc.Paths); err != nil {
			complain(tomlfile.Index(at+".paths", bad), "%w", err)
		}
		if rc.Paths != nil && len(rc.Paths) == 0 {
			complain(at+".paths", "an empty list allows nothing; leave paths out to allow all")
		}
		switch r.Mode = Mode(rc.Inject); r.Mode {
		case "":
			r.Mode = Always
		case Always, Replace:
		default:
			complain(at+".inject", "%q is not a mode", rc.Inject).WithHint(`use "always" or "replace"`)
		}
		if s := rc.RefusalStatus; s != 0 && (s < 400 || s > 499 || s == http.StatusTooManyRequests) {
			complain(at+".refusal_status", "%d is not a status from 400 to 499 other than 429", s)
		}
		if r.Git, err = gitrule.Parse(rc.Git); err != nil {
			complain(at+".git", "%w", err).WithHint(`use "read", "write" or "off"`)
		}
		r.RedactResponses = rc.RedactResponses == nil || *rc.RedactResponses
		if rc.Auth != nil {
			r.auth = a.parts(at+".auth", *rc.Auth, r.RedactResponses)
		} else if r.Mode == Replace {
			complain(at+".inject", "replace needs auth: there is nothing to put in the dummy's place")
		}
		if rc.TokenEndpoint != "" {
			if rc.Auth != nil {
				complain(at+".auth", "nothing is sent from a token endpoint that stands here")
			}
			r.endpoint = a.endpoint(at+".token_endpoint", rc.TokenEndpoint, c, dummies)
		}
		routes = append(routes, r)
	}
	if err := tomlfile.Join(problems...); err != nil {
		return nil, err
	}
	t := newRoutes(routes, dummies)
	t.sources, t.logins = a.set, a.allLogins()
	return t, nil
}

// LoadEnvFile reads KEY=value lines. The file must be private, see
// [secret.ReadPrivateFile]. Errors name lines, never values.
func LoadEnvFile(path string) (map[string]string, error) {
	data, err := secret.ReadPrivateFile(path, 1<<20)
	if err != nil {
		return nil, err
	}
	return credential.ParseEnv(path, data)
}
