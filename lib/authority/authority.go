// Package authority is the one parser and type for "which host, which port".
//
// Every comparison of destinations in the project compares [Authority] values,
// never raw text: a filter and a proxy that read one host name in two ways can
// be played against each other.
//
// What is accepted is narrower than RFC 3986, section 3.2.2: ASCII names,
// dotted-quad IPv4 and bracketed IPv6 without a zone. Spellings that resolvers
// read in different ways (0x7f.1, 127.1, 2130706433, a percent sign, an
// international name not in its A-label form) are refused, not guessed at.
package authority

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Authority is a destination: a canonical host and a port. Two Authority
// values name the same destination if and only if they are equal (==).
type Authority struct {
	// Host is a lower-case DNS name without a trailing dot, or an IP address
	// in its canonical text form, without brackets. IPv4-mapped IPv6
	// addresses are unmapped.
	Host string
	Port uint16
}

// Parse reads "host:port". The port is required: RFC 9110, section 9.3.6,
// gives CONNECT no default.
func Parse(s string) (Authority, error) {
	host, port, err := split(s)
	if err != nil {
		return Authority{}, err
	}
	if port == "" {
		return Authority{}, fmt.Errorf("parse authority %s: no port", quote(s))
	}
	return build(s, host, port)
}

// ParseDefault is [Parse] with a port for an authority that names none, as in
// a Host header (RFC 9110, section 4.2).
func ParseDefault(s string, port uint16) (Authority, error) {
	host, p, err := split(s)
	if err != nil {
		return Authority{}, err
	}
	if p == "" {
		// "host:" with an empty port is legal in a URI but not worth the
		// ambiguity; split has refused it.
		p = strconv.Itoa(int(port))
	}
	return build(s, host, p)
}

func build(s, host, port string) (Authority, error) {
	h, err := ParseHost(host)
	if err != nil {
		return Authority{}, fmt.Errorf("parse authority %s: %w", quote(s), err)
	}
	p, err := parsePort(port)
	if err != nil {
		return Authority{}, fmt.Errorf("parse authority %s: %w", quote(s), err)
	}
	return Authority{h, p}, nil
}

// split separates host and port; port is "" if there is none.
func split(s string) (host, port string, err error) {
	i := strings.LastIndexByte(s, ':')
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		switch {
		case end < 0:
			return "", "", fmt.Errorf("parse authority %s: no closing bracket", quote(s))
		case end == len(s)-1:
			return s, "", nil
		case i != end+1:
			return "", "", fmt.Errorf("parse authority %s: text after the bracket", quote(s))
		}
	}
	if i < 0 {
		return s, "", nil
	}
	if i == len(s)-1 {
		return "", "", fmt.Errorf("parse authority %s: empty port", quote(s))
	}
	return s[:i], s[i+1:], nil
}

func parsePort(s string) (uint16, error) {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, errors.New("port is not a number")
		}
	}
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, errors.New("port is not between 1 and 65535")
	}
	return uint16(n), nil
}

// ParseHost returns the canonical form of a host alone: a DNS name or an IP
// address, IPv6 with or without brackets.
func ParseHost(s string) (string, error) {
	if len(s) >= 2 && s[0] == '[' && s[len(s)-1] == ']' {
		addr, err := netip.ParseAddr(s[1 : len(s)-1])
		if err != nil || !addr.Is6() {
			return "", errors.New("bad IPv6 address")
		}
		return canonicalIP(addr)
	}
	if strings.IndexByte(s, ':') >= 0 {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return "", errors.New("bad IPv6 address")
		}
		return canonicalIP(addr)
	}
	return parseName(s)
}

func canonicalIP(addr netip.Addr) (string, error) {
	if addr.Zone() != "" {
		return "", errors.New("IPv6 zone is not allowed")
	}
	return addr.Unmap().String(), nil
}

func parseName(s string) (string, error) {
	s = strings.TrimSuffix(s, ".") // the root label: one name, two spellings
	if s == "" {
		return "", errors.New("empty host")
	}
	if len(s) > 253 {
		return "", errors.New("host is longer than 253 bytes")
	}
	upper := false
	label := 0 // start of the current label
	for i := 0; i <= len(s); i++ {
		if i == len(s) || s[i] == '.' {
			switch {
			case i == label:
				return "", errors.New("empty label in host")
			case i-label > 63:
				return "", errors.New("label longer than 63 bytes in host")
			case s[label] == '-' || s[i-1] == '-':
				return "", errors.New("label begins or ends with a hyphen")
			}
			label = i + 1
			continue
		}
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		case 'A' <= c && c <= 'Z':
			upper = true
		case c >= 0x80:
			return "", errors.New("host is not ASCII: write an international name in its xn-- form")
		default:
			return "", fmt.Errorf("byte %#02x is not allowed in a host", c)
		}
	}
	if upper {
		s = strings.ToLower(s)
	}
	// The WHATWG URL standard's "ends in a number" rule: such a host is an IPv4
	// address to some resolver, so it must be one in the plain form.
	last := s[strings.LastIndexByte(s, '.')+1:]
	if endsInNumber(last) {
		addr, err := netip.ParseAddr(s)
		if err != nil || !addr.Is4() {
			return "", errors.New("host looks like a number but is not a dotted-quad IPv4 address")
		}
		return addr.String(), nil
	}
	return s, nil
}

func endsInNumber(label string) bool {
	if strings.HasPrefix(label, "0x") {
		label = label[2:]
		for i := 0; i < len(label); i++ {
			if c := label[i]; !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
				return false
			}
		}
		return true
	}
	for i := 0; i < len(label); i++ {
		if label[i] < '0' || label[i] > '9' {
			return false
		}
	}
	return true
}

// IsZero reports whether a is the zero Authority.
func (a Authority) IsZero() bool { return a == Authority{} }

// Addr returns the host as an IP address, if it is one.
func (a Authority) Addr() (netip.Addr, bool) {
	addr, err := netip.ParseAddr(a.Host)
	return addr, err == nil
}

// String returns "host:port", with IPv6 in brackets. Parse reads it back.
func (a Authority) String() string {
	port := strconv.Itoa(int(a.Port))
	if strings.IndexByte(a.Host, ':') >= 0 {
		return "[" + a.Host + "]:" + port
	}
	return a.Host + ":" + port
}

// HostHeader returns the form for a Host header or a URL of the given scheme:
// without the port where it is the scheme's default (RFC 9110, section 4.2.3).
func (a Authority) HostHeader(scheme string) string {
	if scheme == "https" && a.Port == 443 || scheme == "http" && a.Port == 80 {
		if strings.IndexByte(a.Host, ':') >= 0 {
			return "[" + a.Host + "]"
		}
		return a.Host
	}
	return a.String()
}

// quote bounds and escapes what an agent sent, for an error text.
func quote(s string) string {
	const most = 64
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "…"
	}
	return strconv.QuoteToASCII(s)
}
