package forward

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"bottle/lib/authority"
	"bottle/lib/refusal"
)

// Dialer opens connections to origins, itself or through the next hop. With a
// next hop set it never dials an origin: when the next hop is down the
// connection fails. Immutable once used; safe for concurrent use.
type Dialer struct {
	// NextHop is the proxy to connect through; nil dials origins directly.
	NextHop *NextHop
	// ConnectTo redirects direct dials; the first match wins.
	ConnectTo []ConnectTo
	// AllowAddresses are networks that may be dialled although they are on the
	// list of prohibited ones.
	AllowAddresses []netip.Prefix
	// Timeout bounds one dial, and the next hop's answer to CONNECT. Zero
	// means 15 seconds.
	Timeout time.Duration
	// Pseudonym names this stage's process in the Via header of a CONNECT to
	// the next hop (RFC 9110, section 7.6.3), by which a loop is seen.
	Pseudonym string
}

func (d *Dialer) timeout() time.Duration {
	if d.Timeout > 0 {
		return d.Timeout
	}
	return 15 * time.Second
}

// Dial returns a connection on which the bytes go to a. The error is a
// [*refusal.Refusal]. No name is resolved for a unless this stage dials a
// itself.
func (d *Dialer) Dial(ctx context.Context, a authority.Authority) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout())
	defer cancel()
	if d.NextHop != nil {
		return d.NextHop.connect(ctx, a, d.Pseudonym)
	}
	return d.direct(ctx, a)
}

// direct dials the origin itself, after the operator's redirection. The address
// of a host that the operator redirects to is not checked; where only the port
// is changed, the host is still the agent's choice.
func (d *Dialer) direct(ctx context.Context, a authority.Authority) (net.Conn, error) {
	dialer := &net.Dialer{KeepAlive: 30 * time.Second}
	to, named := a, false
	for _, c := range d.ConnectTo {
		if redirected, ok := c.apply(a); ok {
			to, named = redirected, c.toHost != ""
			break
		}
	}
	if !named {
		// Control runs after resolution and before connect, on the address that
		// is really dialled: a name cannot be resolved twice to two answers.
		dialer.Control = func(_, address string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(address)
			if err == nil {
				err = checkAddress(ap.Addr(), d.AllowAddresses)
			}
			if err != nil {
				return refusal.New(refusal.AddressProhibited, "%s is at an address that agents may not reach; ask the operator to permit it with allow_addresses", a).Because(err)
			}
			return nil
		}
	}
	c, err := dialer.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return nil, dialRefusal(a, err)
	}
	return c, nil
}

// dialRefusal tells a failed dial of an origin in the table's terms.
func dialRefusal(a authority.Authority, err error) *refusal.Refusal {
	if r, ok := errors.AsType[*refusal.Refusal](err); ok {
		return r
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return refusal.New(refusal.DNSFailed, "the name %s does not resolve", a.Host).Because(err)
	}
	if isTimeout(err) {
		return refusal.New(refusal.ConnectTimeout, "%s did not answer in time", a).Because(err)
	}
	return refusal.New(refusal.ConnectFailed, "%s does not accept a connection", a).Because(err)
}

func isTimeout(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout() || errors.Is(err, context.DeadlineExceeded)
}
