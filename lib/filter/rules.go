package filter

import (
	"bytes"
	"encoding/base64"
	"slices"
	"sync"

	"bottle/lib/authority"
	"bottle/lib/dlp"
	"bottle/lib/dummyauth"
)

// exemptFunc is what dlp asks before it reports a match.
type exemptFunc = func(rule string, value []byte) bool

// hostRules are the scanner's rules for requests to one host.
type hostRules struct {
	all *dlp.Rules
	// head are those for the URL and header fields, in which a request may say
	// what it is authorized with.
	head *dlp.Rules
	// names are those for names of fields, of which net/http loses the case.
	names *dlp.Rules
	// shortest is how long a name is that may hold a secret.
	shortest int
	// authorization are those for the Authorization header, where a certain
	// credential belongs on some hosts.
	authorization *dlp.Rules
}

// compiled is the scanner's rules, made ready for use.
type compiled struct {
	hostRules
	expected map[authority.Pattern]hostRules
}

// compile makes the rules ready for use. The built-in ones alone are compiled
// beside whatever else the start has to do (later): it takes longer than all of
// that, the first request that is intercepted comes afterwards, and the function
// that is returned waits for them. It panics if they are broken, which refuses
// the request. Rules of the operator's are compiled at once, so that a mistake
// in them stops the start.
func compile(rules []dlp.Rule, o dlp.Options, dummies exemptFunc, expected map[authority.Pattern]expectation, later bool) (func() compiled, error) {
	build := func() (compiled, error) {
		all, err := dlp.Compile(rules, o)
		if err != nil {
			return compiled{}, err
		}
		names, err := dlp.Compile(dlp.CaseLost(rules), dlp.Options{Exempt: o.Exempt, Label: o.Label, Depth: -1})
		if err != nil {
			return compiled{}, err
		}
		shortest := shortestToken
		if slices.ContainsFunc(rules, dlp.Rule.Known) {
			shortest = shortestKnown
		}
		head := all.Without(dlp.AuthorizationRule)
		c := compiled{hostRules{all, head, names, shortest, head}, make(map[authority.Pattern]hostRules, len(expected))}
		for p, e := range expected {
			h := hostRules{all, head, names, shortest, head.Exempting(e.listed)}
			if e.dummy {
				inert := inertDummy(all, dummies)
				h.all, h.head = all.Exempting(inert), head.Exempting(inert)
				h.authorization = head.Exempting(func(rule string, value []byte) bool { return e.listed(rule, value) || inert(rule, value) })
			}
			c.expected[p] = h
		}
		return c, nil
	}
	if !later {
		c, err := build()
		return func() compiled { return c }, err
	}
	get := sync.OnceValue(func() compiled {
		c, err := build()
		if err != nil {
			panic(err)
		}
		return c
	})
	go func() {
		defer func() { _ = recover() }() // whoever needs the rules meets it again
		get()
	}()
	return get, nil
}

// hostRules returns the rules for requests to a.
func (f *Filter) hostRules(a authority.Authority) hostRules {
	c := f.rules()
	if p, ok := f.expectedHosts.Match(a); ok {
		return c.expected[p]
	}
	return c.hostRules
}

// inertDummy returns an exemption of dummy credentials: those that are listed,
// and those known by their mark alone, as egress makes new ones while it runs.
// What is exempted is not looked into any more, so that this looks whether
// anything but a dummy is in one that is not listed.
func inertDummy(all *dlp.Rules, listed exemptFunc) exemptFunc {
	return func(rule string, value []byte) bool {
		if listed(rule, value) {
			return true
		}
		if !dummyauth.IsDummy(string(value)) {
			return false
		}
		for part := range bytes.SplitSeq(value, []byte(".")) {
			if rest, marked := dummyauth.Unmarked(string(part)); marked {
				part = []byte(rest)
			}
			if all.Scan(part) != nil {
				return false
			}
			text := make([]byte, base64.RawURLEncoding.DecodedLen(len(part)))
			if n, err := base64.RawURLEncoding.Decode(text, part); err == nil && all.Scan(text[:n]) != nil {
				return false
			}
		}
		return true
	}
}
