package forward

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"bottle/lib/authority"
	"bottle/lib/peererr"
	"bottle/lib/refusal"
	"bottle/lib/secret"
)

// NextHop is the proxy that a stage connects through.
type NextHop struct {
	network string // "tcp" or "unix"
	address string
	login   secret.Value // value of Proxy-Authorization, or zero
}

// ParseNextHop reads "http://host:port", "http://user:password@host:port" or
// "unix:PATH". The empty text gives nil: no next hop.
func ParseNextHop(s string) (*NextHop, error) {
	if s == "" {
		return nil, nil
	}
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if path == "" {
			return nil, fmt.Errorf("parse next_hop: unix: names no path")
		}
		return &NextHop{network: "unix", address: path}, nil
	}
	u, err := url.Parse(s)
	if err != nil {
		// url.Error quotes its input, which may hold a password.
		return nil, fmt.Errorf("parse next_hop: not a URL; want http://host:port or unix:PATH")
	}
	switch {
	case u.Scheme == "https":
		return nil, fmt.Errorf("parse next_hop: TLS to the next hop is not supported; want http://host:port or unix:PATH")
	case u.Scheme != "http" || u.Host == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("parse next_hop: want http://host:port or unix:PATH")
	}
	a, err := authority.Parse(u.Host)
	if err != nil {
		return nil, fmt.Errorf("parse next_hop: %w", err)
	}
	n := &NextHop{network: "tcp", address: a.String()}
	if u.User != nil {
		password, _ := u.User.Password()
		login := "Basic " + base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password))
		if n.login, err = secret.New(login); err != nil {
			return nil, fmt.Errorf("parse next_hop: login: %w", err)
		}
	}
	return n, nil
}

// String names the next hop without its login.
func (n *NextHop) String() string {
	if n == nil {
		return "none"
	}
	if n.network == "unix" {
		return "unix:" + n.address
	}
	return "http://" + n.address
}

func (n *NextHop) dial(ctx context.Context) (net.Conn, error) {
	c, err := (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext(ctx, n.network, n.address)
	if err != nil {
		return nil, refusal.New(refusal.NextHopDown, "the next proxy in the chain is down; nothing is sent until the operator starts it").Because(fmt.Errorf("dial next hop %v: %w", n, err))
	}
	return c, nil
}

// connect opens a tunnel to a through the next hop (RFC 9110, section 9.3.6).
func (n *NextHop) connect(ctx context.Context, a authority.Authority, pseudonym string) (net.Conn, error) {
	c, err := n.dial(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	id := newID()
	tunnel, err := n.handshake(c, a, pseudonym, id)
	if !stop() && err == nil {
		err = refusal.New(refusal.ConnectTimeout, "the next proxy in the chain did not answer in time").Because(context.Cause(ctx))
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return &hopConn{Conn: tunnel, id: id}, nil
}

// announce adds what only the next hop may see to a request in absolute form.
func (n *NextHop) announce(h http.Header, pseudonym string) {
	if pseudonym != "" {
		h.Add("Via", "1.1 "+pseudonym)
	}
	if !n.login.IsZero() {
		h.Set("Proxy-Authorization", n.login.Expose())
	}
}

func (n *NextHop) handshake(c net.Conn, a authority.Authority, pseudonym, id string) (net.Conn, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s: %s\r\n", a, a, hopHeader, id)
	if pseudonym != "" {
		fmt.Fprintf(&b, "Via: 1.1 %s\r\n", pseudonym)
	}
	if !n.login.IsZero() {
		fmt.Fprintf(&b, "Proxy-Authorization: %s\r\n", n.login.Expose())
	}
	b.WriteString("\r\n")
	if _, err := io.WriteString(c, b.String()); err != nil {
		return nil, n.broken(err)
	}
	const mostHead = 64 << 10
	limited := &io.LimitedReader{R: c, N: mostHead}
	br := bufio.NewReaderSize(limited, 1024)
	res, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return nil, n.broken(err)
	}
	if res.StatusCode/100 == 2 {
		if br.Buffered() == 0 {
			return c, nil
		}
		early, err := br.Peek(br.Buffered())
		if err != nil {
			return nil, n.broken(err)
		}
		return &prefixConn{Conn: c, prefix: early}, nil
	}
	return nil, n.refused(c, res, a)
}

func (n *NextHop) broken(err error) error {
	if isTimeout(err) {
		return refusal.New(refusal.ConnectTimeout, "the next proxy in the chain did not answer in time").Because(fmt.Errorf("CONNECT through next hop %v: %w", n, peererr.Cause(err)))
	}
	return refusal.New(refusal.NextHopDown, "the next proxy in the chain broke the connection; nothing is sent until it works").Because(fmt.Errorf("CONNECT through next hop %v: %w", n, peererr.Cause(err)))
}

// refused passes on another stage's refusal with its code and message; from a
// foreign proxy there is only the status.
func (n *NextHop) refused(c net.Conn, res *http.Response, a authority.Authority) error {
	const mostBody = 16 << 10
	body := make([]byte, 0, 1024)
	if res.ContentLength != 0 {
		// A body that does not come in time only costs the reason; a client that
		// waits for its refusal may give up for good.
		c.SetReadDeadline(time.Now().Add(time.Second))
		body, _ = io.ReadAll(io.LimitReader(res.Body, mostBody))
	}
	if r := refusal.Parse(body); r != nil {
		r.Status = 0
		if n, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && n > 0 {
			r.RetryAfter = time.Duration(min(n, 3600)) * time.Second
		}
		return r
	}
	if res.StatusCode == http.StatusProxyAuthRequired {
		return n.wantsLogin()
	}
	if res.StatusCode >= 500 {
		return refusal.New(refusal.ConnectFailed, "the next proxy in the chain could not reach %s (status %d)", a, res.StatusCode).Because(fmt.Errorf("next hop %v: status %d", n, res.StatusCode))
	}
	return refusal.New(refusal.NextHopRefused, "the next proxy in the chain refused %s (status %d)", a, res.StatusCode).Because(fmt.Errorf("next hop %v: status %d", n, res.StatusCode))
}

func (n *NextHop) wantsLogin() *refusal.Refusal {
	return refusal.New(refusal.NextHopAuth, "the next proxy in the chain wants a login; the operator puts it into next_hop").Because(fmt.Errorf("next hop %v: 407", n))
}
