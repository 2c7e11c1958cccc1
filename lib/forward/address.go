package forward

import (
	"fmt"
	"net/netip"
)

// prohibited are the networks that no origin on the internet lives in. An
// agent that gets a name to resolve there reaches the machine, its neighbours
// or a cloud's metadata service. Sources: the IANA special-purpose address
// registries (RFC 6890 and its updates); the metadata addresses are inside
// 169.254.0.0/16, fd00:ec2::/32 (in fc00::/7) and 100.64.0.0/10.
var prohibited = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),        // this network
	netip.MustParsePrefix("10.0.0.0/8"),       // private
	netip.MustParsePrefix("100.64.0.0/10"),    // shared address space
	netip.MustParsePrefix("127.0.0.0/8"),      // loopback
	netip.MustParsePrefix("169.254.0.0/16"),   // link-local, metadata
	netip.MustParsePrefix("172.16.0.0/12"),    // private
	netip.MustParsePrefix("192.0.0.0/24"),     // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),     // documentation
	netip.MustParsePrefix("192.88.99.0/24"),   // 6to4 relay
	netip.MustParsePrefix("192.168.0.0/16"),   // private
	netip.MustParsePrefix("198.18.0.0/15"),    // benchmarking
	netip.MustParsePrefix("198.51.100.0/24"),  // documentation
	netip.MustParsePrefix("203.0.113.0/24"),   // documentation
	netip.MustParsePrefix("224.0.0.0/4"),      // multicast
	netip.MustParsePrefix("240.0.0.0/4"),      // reserved, broadcast
	netip.MustParsePrefix("168.63.129.16/32"), // Azure's host services: a public address that is not one
	netip.MustParsePrefix("::/127"),           // unspecified, loopback
	netip.MustParsePrefix("::/96"),            // IPv4-compatible
	netip.MustParsePrefix("::ffff:0:0/96"),    // IPv4-mapped
	netip.MustParsePrefix("::ffff:0:0:0/96"),  // IPv4-translated
	netip.MustParsePrefix("64:ff9b::/96"),     // NAT64: an IPv4 address in disguise
	netip.MustParsePrefix("64:ff9b:1::/48"),   // local NAT64
	netip.MustParsePrefix("100::/64"),         // discard
	netip.MustParsePrefix("2001::/23"),        // protocol assignments, Teredo
	netip.MustParsePrefix("2001:db8::/32"),    // documentation
	netip.MustParsePrefix("2002::/16"),        // 6to4: an IPv4 address in disguise
	netip.MustParsePrefix("3fff::/20"),        // documentation
	netip.MustParsePrefix("5f00::/16"),        // SRv6 SIDs
	netip.MustParsePrefix("fc00::/7"),         // unique local
	netip.MustParsePrefix("fe80::/10"),        // link-local
	netip.MustParsePrefix("fec0::/10"),        // site-local
	netip.MustParsePrefix("ff00::/8"),         // multicast
}

// checkAddress says whether an origin may be dialled at addr. allowed are the
// networks that the operator permits in spite of the list.
func checkAddress(addr netip.Addr, allowed []netip.Prefix) error {
	addr = addr.Unmap().WithZone("")
	for _, p := range allowed {
		if p.Contains(addr) {
			return nil
		}
	}
	for _, p := range prohibited {
		if p.Contains(addr) {
			return fmt.Errorf("%v is in %v", addr, p)
		}
	}
	if !addr.IsGlobalUnicast() {
		return fmt.Errorf("%v is not a global unicast address", addr)
	}
	return nil
}

// ParsePrefixes reads the operator's allow_addresses: networks ("10.1.0.0/16")
// or single addresses.
func ParsePrefixes(texts []string) ([]netip.Prefix, error) {
	out := make([]netip.Prefix, 0, len(texts))
	for _, t := range texts {
		if addr, err := netip.ParseAddr(t); err == nil && addr.Zone() == "" { // "fe80::1%x/64" is an address with a zone
			out = append(out, netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(t)
		if err != nil {
			return nil, fmt.Errorf("parse allow_addresses %q: want an address or a network such as 10.1.0.0/16", t)
		}
		if p != p.Masked() {
			return nil, fmt.Errorf("parse allow_addresses %q: bits are set beyond the prefix; did you mean %v", t, p.Masked())
		}
		out = append(out, p)
	}
	return out, nil
}
