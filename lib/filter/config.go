package filter

import (
	"cmp"
	"maps"
	"net/http"
	"slices"

	"golang.org/x/time/rate"

	"bottle/lib/allowlist"
	"bottle/lib/authority"
	"bottle/lib/dlp"
	"bottle/lib/knownsecret"
	"bottle/lib/proxy"
	"bottle/lib/tomlfile"
)

// DefaultRequestsPerMinute is the limit per allowed host where the file names
// none: far above what an agent at work needs, far below a retry storm's harm.
const DefaultRequestsPerMinute = 3000

// Config is pipelock.toml.
type Config struct {
	proxy.Settings
	Allow          []string `toml:"allow"`
	TLSPassthrough []string `toml:"tls_passthrough"`
	DLP            struct {
		Matching
		ScannerConfig
	} `toml:"dlp"`
	// RefusalStatus replaces 403 on policy refusals, by host pattern: the status
	// on which that host's client gives up at once.
	RefusalStatus map[string]int `toml:"refusal_status"`
	Expected      []Expected     `toml:"expected"`
	// Dummies are this bottle's dummy credentials, by their SHA-256. Others are
	// known by their mark.
	Dummies struct {
		SHA256 []string `toml:"sha256"`
	} `toml:"dummies"`
	// KnownSecrets are secrets whose values are looked for.
	KnownSecrets []knownsecret.Source `toml:"known_secrets"`
}

// Expected names credentials that belong into the Authorization header of
// requests to a host, by the lower-case hex SHA-256 of the token: what egress
// puts on before this filter looks, or, behind this filter, the dummy that
// egress will replace. They are secrets like any other everywhere else.
type Expected struct {
	Host   string   `toml:"host"`
	SHA256 []string `toml:"sha256"`
	// Dummy says that dummy credentials belong to the host: it is where egress,
	// behind this filter, replaces them. They are inert anywhere in requests to
	// it.
	Dummy bool `toml:"dummy"`
}

// expectation is an Expected, checked.
type expectation struct {
	listed exemptFunc
	dummy  bool
}

// Filter validates the file and returns the filter that it describes.
func (c *Config) Filter(f *tomlfile.File) (*Filter, error) {
	var problems []*tomlfile.Error
	complain := func(key, format string, args ...any) *tomlfile.Error {
		e := f.Errorf(key, format, args...)
		problems = append(problems, e)
		return e
	}
	patterns := func(key string, texts []string) []authority.Pattern {
		var ps []authority.Pattern
		for i, t := range texts {
			p, err := authority.ParsePattern(t)
			if err != nil {
				complain(tomlfile.Index(key, i), "%w", err)
				continue
			}
			ps = append(ps, p)
		}
		return ps
	}
	out := &Filter{
		passthrough: authority.NewSet(patterns("tls_passthrough", c.TLSPassthrough)...),
		limiters:    map[authority.Pattern]*rate.Limiter{},
	}
	allow := patterns("allow", c.Allow)
	out.allow = authority.NewSet(allow...)
	perMinute := DefaultRequestsPerMinute
	if n := c.Limits.RequestsPerMinute; n != nil {
		if perMinute = *n; perMinute < 0 {
			complain("limits.requests_per_minute", "must not be negative; 0 switches the limit off")
		}
	}
	if perMinute > 0 {
		for _, p := range allow {
			// A full minute's worth may come at once.
			out.limiters[p] = rate.NewLimiter(rate.Limit(float64(perMinute)/60), perMinute)
		}
	}
	var wrong []*tomlfile.Error
	out.actions, out.bounds, wrong = c.DLP.Matching.parse(f, "dlp")
	problems = append(problems, wrong...)
	out.held = newHeld(out.bounds.held)
	var statusPatterns []authority.Pattern
	out.status = map[authority.Pattern]int{}
	for _, text := range slices.SortedFunc(maps.Keys(c.RefusalStatus), func(a, b string) int {
		at := func(t string) int { return f.Line(tomlfile.Key("refusal_status", t)) }
		return cmp.Compare(at(a), at(b))
	}) {
		status := c.RefusalStatus[text]
		key := tomlfile.Key("refusal_status", text)
		p, err := authority.ParsePattern(text)
		if err != nil {
			complain(key, "%w", err)
			continue
		}
		if status < 400 || status > 499 || status == http.StatusTooManyRequests {
			complain(key, "%d is not a status from 400 to 499 other than 429", status)
		}
		if _, twice := out.status[p]; twice {
			complain(key, "the host has an entry already")
		}
		statusPatterns = append(statusPatterns, p)
		out.status[p] = status
	}
	out.statusHosts = authority.NewSet(statusPatterns...)

	expected := map[authority.Pattern]expectation{}
	var expectedHosts []authority.Pattern
	for i, e := range c.Expected {
		at := tomlfile.Index("expected", i)
		p, err := authority.ParsePattern(e.Host)
		if err != nil {
			complain(at+".host", "%w", err)
			continue
		}
		if _, twice := expected[p]; twice {
			complain(at+".host", "the host has an entry already")
		}
		exempt, err := dlp.ExemptSHA256(e.SHA256...)
		if err != nil {
			complain(at+".sha256", "%w", err)
			continue
		}
		expected[p] = expectation{exempt, e.Dummy}
		expectedHosts = append(expectedHosts, p)
	}
	out.expectedHosts = authority.NewSet(expectedHosts...)
	isDummy, err := dlp.ExemptSHA256(c.Dummies.SHA256...)
	if err != nil {
		complain("dummies.sha256", "%w", err)
	}
	rules, more := c.scannerRules(f)
	switch out.onUndecodable = c.DLP.OnUndecodable; out.onUndecodable {
	case "", undecodableBlock, undecodableScanRaw:
	default:
		complain("dlp.on_undecodable", "%q is not known", out.onUndecodable).WithHint(`use "block" or "scan-raw", or leave it out`)
	}
	if name := c.DLP.Allowlist; name != "" {
		if out.allowed, err = allowlist.Read(f.Resolve(name)); err != nil {
			more = append(more, fileProblems(f, "dlp.allowlist", err)...)
		}
	}
	if err := tomlfile.Join(append(problems, more...)...); err != nil {
		return nil, err
	}
	out.about = rules
	o := dlp.Options{Label: func(rule string, value []byte) string {
		if isDummy(rule, value) {
			return dummyLabel
		}
		return out.allowed.Digest(value)
	}}
	if out.rules, err = compile(rules, o, isDummy, expected, c.builtinAlone()); err != nil {
		return nil, f.Errorf("dlp", "%w", err)
	}
	return out, nil
}

// Intercepts reports whether any allowed host is not passed through, so that
// the stage needs a CA.
func (c *Config) Intercepts() bool {
	through, err := authority.ParseSet(c.TLSPassthrough)
	if err != nil {
		return true
	}
	for _, t := range c.Allow {
		p, err := authority.ParsePattern(t)
		if err != nil || !through.Covers(p) {
			return true
		}
	}
	return false
}
