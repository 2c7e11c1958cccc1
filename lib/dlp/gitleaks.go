package dlp

import (
	"bytes"
	"regexp"
	"strings"

	"bottle/lib/tomlfile"
)

// ReadRules reads more rules from a file in gitleaks' TOML format: [[rules]] with id, regex, keywords, entropy,
// secretGroup and allowlists, and allowlists of the whole file. The rules are for [Compile], beside those of [Builtin] or
// alone; one with the name of a built-in rule is used as well as that.
//
// A stream has no path: a rule for some paths is used for all texts, and one for paths alone, without regex, is left out.
// What else a stream cannot serve is an error: [extend] other than useDefault (which the built-in rules stand for), an
// expression that RE2 cannot take, an unknown key. So is an id that is used twice. Errors are tomlfile's, with file and line.
// Paths and commits of an allowlist match nothing, as there are none.
func ReadRules(path string) ([]Rule, error) {
	var file rulesFile
	toml, err := tomlfile.Read(path, &file)
	if err != nil {
		return nil, err
	}
	r := ruleReader{file: toml, taken: map[string]bool{}}
	if e := file.Extend; e.Path != "" || e.URL != "" || len(e.DisabledRules) > 0 {
		r.complain("extend", "only useDefault is known; name each file by itself, and turn rules off with dlp.disable")
	}
	global := append(r.allowlists("allowlists", file.Allowlists), r.allowlist("allowlist", file.Allowlist)...)
	if len(file.Rules) == 0 {
		r.complain("rules", "the file has no rules")
	}
	var rules []Rule
	for i, f := range file.Rules {
		rule := r.rule(tomlfile.Index("rules", i), f, global)
		if f.Regex != "" {
			rules = append(rules, rule)
		}
	}
	if err := tomlfile.Join(r.problems...); err != nil {
		return nil, err
	}
	return rules, nil
}

type rulesFile struct {
	Title       string `toml:"title"`
	Description string `toml:"description"`
	MinVersion  string `toml:"minVersion"`
	Extend      struct {
		UseDefault    bool     `toml:"useDefault"`
		Path          string   `toml:"path"`
		URL           string   `toml:"url"`
		DisabledRules []string `toml:"disabledRules"`
	} `toml:"extend"`
	Rules      []fileRule      `toml:"rules"`
	Allowlist  *fileAllowlist  `toml:"allowlist"`
	Allowlists []fileAllowlist `toml:"allowlists"`
}

type fileRule struct {
	ID          string          `toml:"id"`
	Description string          `toml:"description"`
	Regex       string          `toml:"regex"`
	Path        string          `toml:"path"`
	SecretGroup int             `toml:"secretGroup"`
	Entropy     float64         `toml:"entropy"`
	Keywords    []string        `toml:"keywords"`
	Tags        []string        `toml:"tags"`
	Allowlist   *fileAllowlist  `toml:"allowlist"`
	Allowlists  []fileAllowlist `toml:"allowlists"`
}

type fileAllowlist struct {
	Description string   `toml:"description"`
	TargetRules []string `toml:"targetRules"`
	Condition   string   `toml:"condition"`
	Commits     []string `toml:"commits"`
	Paths       []string `toml:"paths"`
	RegexTarget string   `toml:"regexTarget"`
	Regexes     []string `toml:"regexes"`
	StopWords   []string `toml:"stopwords"`
}

type ruleReader struct {
	file     *tomlfile.File
	taken    map[string]bool
	problems []*tomlfile.Error
}

func (r *ruleReader) complain(key, format string, a ...any) {
	r.problems = append(r.problems, r.file.Errorf(key, format, a...))
}

func (r *ruleReader) rule(key string, f fileRule, global []allowance) Rule {
	at := func(name string) string { return tomlfile.Key(key, name) }
	switch {
	case f.ID == "":
		r.complain(key, "the rule has no id")
	case r.taken[f.ID]:
		r.complain(at("id"), "there is a rule %q already", f.ID)
	}
	r.taken[f.ID] = true
	x := &expression{group: f.SecretGroup, entropy: f.Entropy}
	x.re, x.narrow = r.regex(at("regex"), f.Regex), narrow(f.Regex)
	if f.Regex == "" && f.Path == "" {
		r.complain(key, "the rule has no regex")
	}
	if x.re != nil && (f.SecretGroup < 0 || f.SecretGroup > x.re.NumSubexp()) {
		r.complain(at("secretGroup"), "the regex has %d groups", x.re.NumSubexp())
	}
	for i, k := range f.Keywords {
		if k == "" {
			r.complain(tomlfile.Index(at("keywords"), i), "is empty")
		}
		x.keywords = append(x.keywords, strings.ToLower(k))
	}
	own := append(r.allowlists(at("allowlists"), f.Allowlists), r.allowlist(at("allowlist"), f.Allowlist)...)
	for _, g := range global {
		if len(g.rules) == 0 || g.rules[f.ID] {
			own = append(own, g)
		}
	}
	x.allow = func(line, match, secret []byte) bool {
		for i := range own {
			if own[i].allows(line, match, secret) {
				return true
			}
		}
		return false
	}
	return Rule{Name: f.ID, Matches: f.Description, Source: r.file.Path(), Check: "the regular expression and allowlists of the file", expression: x}
}

func (r *ruleReader) regex(key, text string) *regexp.Regexp {
	if text == "" {
		return nil
	}
	re, err := regexp.Compile(text)
	if err != nil {
		r.complain(key, "RE2 does not take it: %w", err)
		return nil
	}
	return re
}

// allowance is one entry of an allowlist.
type allowance struct {
	rules   map[string]bool // that it is for; empty: all
	all     bool            // every kind of condition it has must hold, instead of one
	never   bool            // it has a condition that a stream never meets
	target  string
	regexes []*regexp.Regexp
	words   [][]byte
}

func (r *ruleReader) allowlist(key string, f *fileAllowlist) []allowance {
	if f == nil {
		return nil
	}
	return []allowance{r.allowance(key, *f)}
}

func (r *ruleReader) allowlists(key string, list []fileAllowlist) []allowance {
	var out []allowance
	for i, f := range list {
		out = append(out, r.allowance(tomlfile.Index(key, i), f))
	}
	return out
}

func (r *ruleReader) allowance(key string, f fileAllowlist) allowance {
	a := allowance{rules: map[string]bool{}, target: f.RegexTarget, never: len(f.Commits)+len(f.Paths) > 0}
	for _, id := range f.TargetRules {
		a.rules[id] = true
	}
	switch strings.ToUpper(f.Condition) {
	case "", "OR", "||":
	case "AND", "&&":
		a.all = true
	default:
		r.complain(tomlfile.Key(key, "condition"), "%q is neither OR nor AND", f.Condition)
	}
	switch f.RegexTarget {
	case "", "secret", "match", "line":
	default:
		r.complain(tomlfile.Key(key, "regexTarget"), "%q is none of secret, match and line", f.RegexTarget)
	}
	for i, text := range f.Regexes {
		if re := r.regex(tomlfile.Index(tomlfile.Key(key, "regexes"), i), text); re != nil {
			a.regexes = append(a.regexes, re)
		}
	}
	for _, w := range f.StopWords {
		a.words = append(a.words, []byte(strings.ToLower(w)))
	}
	return a
}

func (a *allowance) allows(line, match, secret []byte) bool {
	text := secret
	switch a.target {
	case "match":
		text = match
	case "line":
		text = line
	}
	matched, worded := false, false
	for _, re := range a.regexes {
		matched = matched || re.Match(text)
	}
	lower := bytes.ToLower(secret)
	for _, w := range a.words {
		worded = worded || bytes.Contains(lower, w)
	}
	if !a.all {
		return matched || worded
	}
	return !a.never && len(a.regexes)+len(a.words) > 0 && (matched || len(a.regexes) == 0) && (worded || len(a.words) == 0)
}
