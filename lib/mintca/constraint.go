package mintca

import (
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// name is a host as a certificate knows it: a DNS name or an IP address.
type name struct {
	dns      string // lower case, no trailing dot; "" for an address
	wildcard bool   // dns is what follows *.
	ip       netip.Addr
}

// parseName accepts what may stand in a certificate: an IP address, or a DNS
// name of letters, digits, hyphens and underscores (RFC 1123 and practice),
// in its A-label form, with *. before it or not.
func parseName(host string) (name, error) {
	if ip, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		if ip.Zone() != "" {
			return name{}, fmt.Errorf("host %q: an address with a zone has no certificate", host)
		}
		return name{ip: ip.Unmap()}, nil
	}
	dns, wildcard := strings.CutPrefix(strings.ToLower(strings.TrimSuffix(host, ".")), "*.")
	if dns == "" || len(dns) > 253 {
		return name{}, fmt.Errorf("host %q is not a DNS name or IP address", host)
	}
	for label := range strings.SplitSeq(dns, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return name{}, fmt.Errorf("host %q is not a DNS name or IP address", host)
		}
	}
	return name{dns: dns, wildcard: wildcard}, nil
}

// limits are the name constraints of an authority.
type limits struct {
	dns []string
	ips []*net.IPNet
}

func constrain(hosts []string) (limits, error) {
	var l limits
	var addrs []netip.Addr
	for _, h := range hosts {
		n, err := parseName(h)
		if err != nil {
			return limits{}, err
		}
		if n.dns != "" {
			l.dns = append(l.dns, n.dns)
		} else {
			addrs = append(addrs, n.ip)
		}
	}
	slices.Sort(l.dns)
	l.dns = slices.Compact(l.dns)
	slices.SortFunc(addrs, netip.Addr.Compare)
	for _, a := range slices.Compact(addrs) {
		l.ips = append(l.ips, &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())})
	}
	return l, nil
}

// apply writes the constraints into a certificate template. A kind of name
// without a permitted subtree would be unconstrained (RFC 5280, section
// 4.2.1.10), so it is excluded as a whole instead: the empty DNS name and the
// two address ranges of length 0 stand for everything, as in the CA/Browser
// Forum's baseline requirements, section 7.1.2.5.2.
func (l limits) apply(c *x509.Certificate) {
	c.PermittedDNSDomainsCritical = true
	c.PermittedDNSDomains = l.dns
	c.PermittedIPRanges = l.ips
	if len(l.dns) == 0 {
		c.ExcludedDNSDomains = []string{""}
	}
	if len(l.ips) == 0 {
		c.ExcludedIPRanges = []*net.IPNet{
			{IP: make(net.IP, 4), Mask: make(net.IPMask, 4)},
			{IP: make(net.IP, 16), Mask: make(net.IPMask, 16)},
		}
	}
}

// equal reports whether c carries exactly the constraints that apply writes.
func (l limits) equal(c *x509.Certificate) bool {
	var want x509.Certificate
	l.apply(&want)
	same := func(a, b *net.IPNet) bool { return a.String() == b.String() }
	return c.PermittedDNSDomainsCritical &&
		slices.Equal(want.PermittedDNSDomains, c.PermittedDNSDomains) &&
		slices.Equal(want.ExcludedDNSDomains, c.ExcludedDNSDomains) &&
		slices.EqualFunc(want.PermittedIPRanges, c.PermittedIPRanges, same) &&
		slices.EqualFunc(want.ExcludedIPRanges, c.ExcludedIPRanges, same)
}

// permits applies the constraints of c to n, so that a stage says plainly
// which host its CA does not cover, rather than leaving it to an alert of the
// client's.
func permits(c *x509.Certificate, n name) bool {
	if n.dns != "" {
		under := func(domain string) bool {
			return domain == "" || n.dns == domain ||
				strings.HasSuffix(n.dns, "."+strings.TrimPrefix(domain, "."))
		}
		return !slices.ContainsFunc(c.ExcludedDNSDomains, under) &&
			(len(c.PermittedDNSDomains) == 0 || slices.ContainsFunc(c.PermittedDNSDomains, under))
	}
	ip := net.IP(n.ip.AsSlice())
	in := func(r *net.IPNet) bool { return r.Contains(ip) }
	return !slices.ContainsFunc(c.ExcludedIPRanges, in) &&
		(len(c.PermittedIPRanges) == 0 || slices.ContainsFunc(c.PermittedIPRanges, in))
}
