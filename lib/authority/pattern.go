package authority

import (
	"fmt"
	"strconv"
	"strings"
)

// DefaultPort is the port of a [Pattern] that names none.
const DefaultPort = 443

// Pattern names destinations: one host exactly ("api.github.com"), or all
// names below one ("*.example.com": one or more labels, not example.com
// itself), at one port. The zero Pattern matches nothing.
type Pattern struct {
	host     string // without "*."
	port     uint16
	wildcard bool
}

// ParsePattern reads "host", "host:port", "*.host" or "*.host:port".
func ParsePattern(s string) (Pattern, error) {
	rest, wildcard := strings.CutPrefix(s, "*.")
	if strings.IndexByte(rest, '*') >= 0 {
		return Pattern{}, fmt.Errorf("parse host pattern %s: a * stands only for the first labels, as in *.example.com", quote(s))
	}
	if wildcard && rest == "" {
		return Pattern{}, fmt.Errorf("parse host pattern %s: name a domain after the *, as in *.example.com", quote(s))
	}
	if strings.Contains(rest, "/") {
		return Pattern{}, fmt.Errorf("parse host pattern %s: want a host, not a URL", quote(s))
	}
	a, err := ParseDefault(rest, DefaultPort)
	if err != nil {
		return Pattern{}, fmt.Errorf("parse host pattern %s: %w", quote(s), err)
	}
	if _, isIP := a.Addr(); isIP && wildcard {
		return Pattern{}, fmt.Errorf("parse host pattern %s: an IP address has no subdomains", quote(s))
	}
	return Pattern{a.Host, a.Port, wildcard}, nil
}

// Match reports whether p names a.
func (p Pattern) Match(a Authority) bool {
	if p.port != a.Port || p.host == "" {
		return false
	}
	if !p.wildcard {
		return p.host == a.Host
	}
	// The dot makes it a label boundary; a longer host makes it not the apex.
	n := len(a.Host) - len(p.host)
	return n > 1 && a.Host[n-1] == '.' && a.Host[n:] == p.host
}

// Host returns the host of p, without the "*." of a wildcard.
func (p Pattern) Host() string { return p.host }

// Port returns the port of p.
func (p Pattern) Port() uint16 { return p.port }

// IsWildcard reports whether p begins with "*.".
func (p Pattern) IsWildcard() bool { return p.wildcard }

// String returns the shortest text that ParsePattern reads as p.
func (p Pattern) String() string {
	s := p.host
	if strings.IndexByte(s, ':') >= 0 {
		s = "[" + s + "]"
	}
	if p.wildcard {
		s = "*." + s
	}
	if p.port != DefaultPort {
		s += ":" + strconv.Itoa(int(p.port))
	}
	return s
}

// Set is an immutable set of patterns. A nil or empty Set matches nothing:
// what is not listed is denied.
type Set struct {
	exact    map[Authority]Pattern
	wildcard map[Authority]Pattern // keyed by the domain below which it matches
}

// NewSet returns the set of ps.
func NewSet(ps ...Pattern) *Set {
	s := &Set{map[Authority]Pattern{}, map[Authority]Pattern{}}
	for _, p := range ps {
		if p.host == "" {
			continue
		}
		if p.wildcard {
			s.wildcard[Authority{p.host, p.port}] = p
		} else {
			s.exact[Authority{p.host, p.port}] = p
		}
	}
	return s
}

// ParseSet parses every text and returns their set.
func ParseSet(texts []string) (*Set, error) {
	ps := make([]Pattern, len(texts))
	for i, t := range texts {
		p, err := ParsePattern(t)
		if err != nil {
			return nil, err
		}
		ps[i] = p
	}
	return NewSet(ps...), nil
}

// Len returns the number of patterns.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return len(s.exact) + len(s.wildcard)
}

// Covers reports whether every destination that p names is in the set by one of
// its patterns.
func (s *Set) Covers(p Pattern) bool {
	if !p.wildcard {
		_, ok := s.Match(Authority{p.host, p.port})
		return ok
	}
	if s == nil {
		return false
	}
	if _, ok := s.wildcard[Authority{p.host, p.port}]; ok {
		return true
	}
	_, ok := s.matchWildcard(Authority{p.host, p.port})
	return ok
}

// Match returns the most specific pattern that names a: an exact one before a
// wildcard, a longer wildcard before a shorter.
func (s *Set) Match(a Authority) (Pattern, bool) {
	if s == nil {
		return Pattern{}, false
	}
	if p, ok := s.exact[a]; ok {
		return p, true
	}
	return s.matchWildcard(a)
}

func (s *Set) matchWildcard(a Authority) (Pattern, bool) {
	if len(s.wildcard) == 0 {
		return Pattern{}, false
	}
	for rest := a.Host; ; {
		_, parent, ok := strings.Cut(rest, ".")
		if !ok {
			return Pattern{}, false
		}
		if p, ok := s.wildcard[Authority{parent, a.Port}]; ok && p.Match(a) {
			return p, true
		}
		rest = parent
	}
}
