package filter

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"bottle/lib/dlp"
	"bottle/lib/knownsecret"
	"bottle/lib/tomlfile"
)

// ScannerConfig are the keys of [dlp] that say what the scanner looks for.
type ScannerConfig struct {
	// Rules are files of further rules in gitleaks' format.
	Rules []string `toml:"rules"`
	// SeedPhrases looks for seed phrases of wallets, by their checksum.
	SeedPhrases bool `toml:"seed_phrases"`
	// Disable are names of rules that are not used.
	Disable []string `toml:"disable"`
	// Allowlist is a file of known false alarms, see package allowlist.
	Allowlist string `toml:"allowlist"`
	// OnUndecodable says what becomes of a body that is not what its
	// Content-Encoding says: "block", or "scan-raw" to search it as it is and
	// send it on; "" is the latter for texts.
	OnUndecodable string `toml:"on_undecodable"`
}

// builtinAlone reports whether the rules are the built-in ones and no others.
func (c *Config) builtinAlone() bool { return len(c.DLP.Rules)+len(c.KnownSecrets) == 0 }

// scannerRules returns the rules that the file names, or what is wrong with
// them.
func (c *Config) scannerRules(f *tomlfile.File) ([]dlp.Rule, []*tomlfile.Error) {
	var problems []*tomlfile.Error
	rules := append(dlp.Builtin(), dlp.Dummy()...)
	if c.DLP.SeedPhrases {
		rules = append(rules, dlp.SeedPhrases()...)
	}
	from := map[string]string{} // rule to the file that it is in
	for i, name := range c.DLP.Rules {
		key, path := tomlfile.Index("dlp.rules", i), f.Resolve(name)
		more, err := dlp.ReadRules(path)
		if err != nil {
			problems = append(problems, fileProblems(f, key, err)...)
			continue
		}
		for _, r := range more {
			if other, twice := from[r.Name]; twice {
				problems = append(problems, f.Errorf(key, "%s has a rule %q, and so has %s", path, r.Name, other))
			}
			from[r.Name] = path
		}
		rules = append(rules, more...)
	}
	known, more := c.knownRules(f)
	rules, problems = append(rules, known...), append(problems, more...)
	for i, name := range c.DLP.Disable {
		n := len(rules)
		rules = slices.DeleteFunc(rules, func(r dlp.Rule) bool { return r.Name == name })
		if len(rules) == n && len(problems) == 0 {
			problems = append(problems, f.Errorf(tomlfile.Index("dlp.disable", i), "there is no rule %q", name).WithHint("the name of a rule is what a refusal and the audit log call it"))
		}
	}
	if len(rules) == 0 {
		problems = append(problems, f.Errorf("dlp.disable", "leaves no rule"))
	}
	return rules, problems
}

// knownRules reads the known secrets and returns the rules that find them.
func (c *Config) knownRules(f *tomlfile.File) ([]dlp.Rule, []*tomlfile.Error) {
	const key = "known_secrets"
	problems := knownsecret.Check(f, key, c.KnownSecrets)
	if len(problems) > 0 || len(c.KnownSecrets) == 0 {
		return nil, problems
	}
	reader := knownsecret.Reader{LookupEnv: os.LookupEnv, Resolve: f.Resolve, Dir: filepath.Dir(f.Path())}
	values := make([]dlp.KnownSecret, len(c.KnownSecrets))
	var wait sync.WaitGroup // a password manager takes its time
	failed := make([]*tomlfile.Error, len(values))
	for i, s := range c.KnownSecrets {
		wait.Go(func() {
			v, err := reader.Read(context.Background(), s)
			if err != nil {
				failed[i] = f.Errorf(tomlfile.Index(key, i), "%w", err)
			}
			values[i] = dlp.KnownSecret{Name: s.Name, Value: v}
		})
	}
	wait.Wait()
	if problems = slices.DeleteFunc(failed, func(e *tomlfile.Error) bool { return e == nil }); len(problems) > 0 {
		return nil, problems
	}
	rules, err := dlp.KnownRules(values)
	if e, ok := errors.AsType[*dlp.KnownError](err); ok {
		i := slices.IndexFunc(c.KnownSecrets, func(s knownsecret.Source) bool { return s.Name == e.Name })
		return nil, []*tomlfile.Error{f.Errorf(tomlfile.Index(key, max(i, 0)), "%s", e.Problem).WithHint(e.Hint)}
	}
	if err != nil {
		return nil, []*tomlfile.Error{f.Errorf(key, "%w", err)}
	}
	return rules, nil
}

// fileProblems are what is wrong with another file that f names at key: its
// own lines, or, where it cannot be read at all, the line that names it.
func fileProblems(f *tomlfile.File, key string, err error) []*tomlfile.Error {
	if ps := tomlfile.Problems(err); ps != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return ps
	}
	return []*tomlfile.Error{f.Errorf(key, "%w", err)}
}
