package forward

import (
	"fmt"
	"strconv"
	"strings"

	"bottle/lib/authority"
)

// ConnectTo sends connections for one destination to another, as curl's
// --connect-to does. TLS names are not changed by it. The operator's word is
// final: the host it names as HOST2 is not checked against the prohibited
// networks.
type ConnectTo struct {
	fromHost string // "" is any
	fromPort uint16 // 0 is any
	toHost   string // "" keeps the host
	toPort   uint16 // 0 keeps the port
}

// ParseConnectTo reads HOST1:PORT1:HOST2:PORT2; any part may be empty, IPv6
// addresses stand in brackets.
func ParseConnectTo(s string) (ConnectTo, error) {
	var c ConnectTo
	parts, err := splitColons(s)
	if err != nil || len(parts) != 4 {
		return c, fmt.Errorf("parse connect_to %q: want HOST1:PORT1:HOST2:PORT2", s)
	}
	for i, dst := range []*string{&c.fromHost, &c.toHost} {
		if t := parts[2*i]; t != "" {
			if *dst, err = authority.ParseHost(t); err != nil {
				return c, fmt.Errorf("parse connect_to %q: %w", s, err)
			}
		}
	}
	for i, dst := range []*uint16{&c.fromPort, &c.toPort} {
		if t := parts[2*i+1]; t != "" {
			n, err := strconv.ParseUint(t, 10, 16)
			if err != nil || n == 0 {
				return c, fmt.Errorf("parse connect_to %q: port %q is not between 1 and 65535", s, t)
			}
			*dst = uint16(n)
		}
	}
	return c, nil
}

// splitColons splits at the colons that are not inside brackets.
func splitColons(s string) ([]string, error) {
	var parts []string
	depth, start := 0, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '[':
			depth++
		case ']':
			depth--
		case ':':
			if depth == 0 {
				parts = append(parts, s[start:i])
				start = i + 1
			}
		}
	}
	if depth != 0 {
		return nil, fmt.Errorf("brackets do not match")
	}
	return append(parts, s[start:]), nil
}

// apply returns where to dial for a, and whether c is about a at all.
func (c ConnectTo) apply(a authority.Authority) (authority.Authority, bool) {
	if c.fromHost != "" && c.fromHost != a.Host || c.fromPort != 0 && c.fromPort != a.Port {
		return a, false
	}
	if c.toHost != "" {
		a.Host = c.toHost
	}
	if c.toPort != 0 {
		a.Port = c.toPort
	}
	return a, true
}

// String returns the text that ParseConnectTo reads.
func (c ConnectTo) String() string {
	part := func(host string, port uint16) string {
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		if port == 0 {
			return host + ":"
		}
		return host + ":" + strconv.Itoa(int(port))
	}
	return part(c.fromHost, c.fromPort) + ":" + part(c.toHost, c.toPort)
}
