package filter

import (
	"sync"

	"bottle/lib/authority"
	"bottle/lib/dlp"
)

// exemptFunc is what dlp asks before it reports a match.
type exemptFunc = func(rule string, value []byte) bool

// compiled is the scanner's rules, made ready for use.
type compiled struct {
	all *dlp.Rules
	// expected are the rules for the Authorization header on hosts where a
	// certain credential belongs into it.
	expected map[authority.Pattern]*dlp.Rules
}

// compile begins to compile the rules beside whatever else the start has to
// do: it takes longer than all of that, and the first request that is
// intercepted comes later. The function that it returns waits for them. It
// panics if the built-in rules are broken, which refuses the request.
func compile(expected map[authority.Pattern]exemptFunc) func() compiled {
	get := sync.OnceValue(func() compiled {
		all, err := dlp.Compile(dlp.Builtin(), dlp.Options{})
		if err != nil {
			panic(err)
		}
		c := compiled{all, make(map[authority.Pattern]*dlp.Rules, len(expected))}
		for p, exempt := range expected {
			c.expected[p] = all.Exempting(exempt)
		}
		return c
	})
	go func() {
		defer func() { _ = recover() }() // whoever needs the rules meets it again
		get()
	}()
	return get
}
