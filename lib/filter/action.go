package filter

import (
	"cmp"
	"maps"
	"slices"

	"bottle/lib/authority"
	"bottle/lib/tomlfile"
)

// action is what becomes of a request in which a secret was found.
type action int

const (
	doBlock  action = iota // refuse it; the zero value, because no byte of it leaves
	doRedact               // send it on with a placeholder in the secret's place
	doLog                  // send it on as it is
)

var actionNames = [...]string{doBlock: "block", doRedact: "redact", doLog: "log"}

func (a action) String() string { return actionNames[a] }

// Matching is the part of the [dlp] table that says what becomes of a match,
// and how much of a request is judged at once.
type Matching struct {
	// OnMatch is "block", "redact" or "log", Hosts the same by host pattern.
	OnMatch string            `toml:"on_match"`
	Hosts   map[string]string `toml:"hosts"`

	// WholeBodyBytes is the largest plain body, or WebSocket message, that is
	// judged before its first byte leaves. Larger ones, and bodies of unknown
	// length, flow behind the scanner.
	WholeBodyBytes int64 `toml:"whole_body_bytes"`
	// MaxCodedBodyBytes is the largest compressed body or message, as sent. It is
	// always judged whole, since its bytes cannot be matched to what they decode
	// to. MaxDecodedBodyBytes is the most that it may become.
	MaxCodedBodyBytes   int64 `toml:"max_coded_body_bytes"`
	MaxDecodedBodyBytes int64 `toml:"max_decoded_body_bytes"`
	// HeldBytes bounds what all that is judged whole at one time takes together.
	HeldBytes int64 `toml:"held_bytes"`
}

// The bounds where the file names none.
const (
	defaultWhole   = 1 << 20
	defaultCoded   = 16 << 20
	defaultDecoded = 64 << 20
	defaultHeld    = 64 << 20
)

// bounds are the limits of Matching, checked.
type bounds struct{ whole, coded, decoded, held int64 }

// actions are those of Matching, checked.
type actions struct {
	byDefault action
	hosts     *authority.Set
	byHost    map[authority.Pattern]action
}

// parse checks the table that stands at key of f.
func (m *Matching) parse(f *tomlfile.File, key string) (actions, bounds, []*tomlfile.Error) {
	var problems []*tomlfile.Error
	complain := func(key, format string, args ...any) *tomlfile.Error {
		e := f.Errorf(key, format, args...)
		problems = append(problems, e)
		return e
	}
	parseAction := func(key, name string) action {
		i := slices.Index(actionNames[:], name)
		if i < 0 {
			complain(key, "%q is not an action", name).WithHint(`use "block", "redact" or "log"`)
			return doBlock
		}
		return action(i)
	}
	a := actions{byHost: map[authority.Pattern]action{}}
	if m.OnMatch != "" || f.Has(key+".on_match") {
		a.byDefault = parseAction(key+".on_match", m.OnMatch)
	}
	at := func(host string) string { return tomlfile.Key(key+".hosts", host) }
	var patterns []authority.Pattern
	for _, host := range slices.SortedFunc(maps.Keys(m.Hosts), func(a, b string) int {
		return cmp.Or(cmp.Compare(f.Line(at(a)), f.Line(at(b))), cmp.Compare(a, b))
	}) {
		p, err := authority.ParsePattern(host)
		if err != nil {
			complain(at(host), "%w", err)
			continue
		}
		if _, twice := a.byHost[p]; twice {
			complain(at(host), "the host has an entry already")
		}
		a.byHost[p] = parseAction(at(host), m.Hosts[host])
		patterns = append(patterns, p)
	}
	a.hosts = authority.NewSet(patterns...)

	limit := func(name string, n, byDefault int64) int64 {
		if n == 0 && !f.Has(key+"."+name) {
			return byDefault
		}
		if n < 1<<10 || n > 1<<32 {
			complain(key+"."+name, "%d is not a number of bytes from 1 KiB (1024) to 4 GiB", n)
		}
		return n
	}
	b := bounds{
		held:    limit("held_bytes", m.HeldBytes, defaultHeld),
		whole:   limit("whole_body_bytes", m.WholeBodyBytes, defaultWhole),
		coded:   limit("max_coded_body_bytes", m.MaxCodedBodyBytes, defaultCoded),
		decoded: limit("max_decoded_body_bytes", m.MaxDecodedBodyBytes, defaultDecoded),
	}
	for _, part := range []struct {
		name string
		n    int64
	}{{"whole_body_bytes", b.whole}, {"max_coded_body_bytes", b.coded}} {
		if part.n > b.held {
			complain(key+"."+part.name, "%d is more than held_bytes (%d), in which it has to find room", part.n, b.held)
		}
	}
	return a, b, problems
}

// action returns what becomes of a match in a request to a.
func (f *Filter) action(a authority.Authority) action {
	if p, ok := f.actions.hosts.Match(a); ok {
		return f.actions.byHost[p]
	}
	return f.actions.byDefault
}
