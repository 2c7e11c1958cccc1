package filter

import (
	"slices"

	"bottle/lib/dlp"
	"bottle/lib/tomlfile"
)

// Explain says why rule takes something for a secret, as names and texts for
// people; nil for a name that is no rule of the filter's.
func (f *Filter) Explain(rule string) [][2]string { return Explain(f.about, rule) }

// Explain is [Filter.Explain] for rules at hand.
func Explain(rules []dlp.Rule, name string) [][2]string {
	i := slices.IndexFunc(rules, func(r dlp.Rule) bool { return r.Name == name })
	if i < 0 {
		return nil
	}
	r := rules[i]
	return [][2]string{{"rule", r.Name}, {"matches", r.Matches}, {"source", r.Source}, {"check", r.Check}}
}

// ScanRules returns what the configuration has the filter look for, for bytes that are in no request.
func (c *Config) ScanRules(f *tomlfile.File) ([]dlp.Rule, error) {
	rules, problems := c.scannerRules(f)
	if err := tomlfile.Join(problems...); err != nil {
		return nil, err
	}
	return rules, nil
}
