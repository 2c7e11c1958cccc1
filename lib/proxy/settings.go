// Package proxy is what the two proxies do alike around the engine: the keys
// that both configuration files have, the flags, and a life from start over
// reload to drain.
package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"bottle/lib/authority"
	"bottle/lib/forward"
	"bottle/lib/mintca"
	"bottle/lib/tomlfile"
)

// Settings are the keys that egress.toml and pipelock.toml share. Paths are
// relative to the file.
type Settings struct {
	Listen         string   `toml:"listen"`
	NextHop        string   `toml:"next_hop"`
	UpstreamCA     []string `toml:"upstream_ca"`
	ConnectTo      []string `toml:"connect_to"`
	AllowAddresses []string `toml:"allow_addresses"`
	AuditLog       string   `toml:"audit_log"`
	CA             struct {
		Cert string `toml:"cert"`
		Key  string `toml:"key"`
	} `toml:"ca"`
	Limits Limits `toml:"limits"`
}

// Limits is the [limits] table. Zero fields get the engine's defaults.
type Limits struct {
	HeaderBytes       int           `toml:"header_bytes"`
	HeaderTimeout     time.Duration `toml:"header_timeout"`
	HandshakeTimeout  time.Duration `toml:"handshake_timeout"`
	Connections       int           `toml:"connections"`
	Requests          int           `toml:"requests"`
	IdleTimeout       time.Duration `toml:"idle_timeout"`
	TunnelIdleTimeout time.Duration `toml:"tunnel_idle_timeout"`
	// RequestsPerMinute is the filter's, per host; 0 is off.
	RequestsPerMinute *int `toml:"requests_per_minute"`
}

// Engine returns the limits in the engine's terms.
func (l Limits) Engine() forward.Limits {
	return forward.Limits{
		HeadBytes: l.HeaderBytes, HeadTime: l.HeaderTimeout, Handshake: l.HandshakeTimeout,
		Connections: l.Connections, Requests: l.Requests, Idle: l.IdleTimeout, TunnelIdle: l.TunnelIdleTimeout,
	}
}

// override puts what the command line says over what the file says; lists are
// added to.
func (s *Settings) override(o overrides) {
	if o.listen != "" {
		s.Listen = o.listen
	}
	if o.nextHopSet {
		s.NextHop = o.nextHop
	}
	if o.auditLog != "" {
		s.AuditLog = o.auditLog
	}
}

// engineConfig builds what the engine needs from the settings. policy is left
// to the caller; a stage whose policy intercepts nothing needs no CA.
func (s *Settings) engineConfig(f *tomlfile.File, o overrides, intercepts bool) (forward.Config, error) {
	var c forward.Config
	var problems []*tomlfile.Error
	complain := func(key, format string, args ...any) *tomlfile.Error {
		e := f.Errorf(key, format, args...)
		problems = append(problems, e)
		return e
	}
	complainFlag := func(flag string, err error) {
		problems = append(problems, &tomlfile.Error{File: flag, Message: err.Error(), Err: err})
	}
	d := &forward.Dialer{}
	var err error
	if d.NextHop, err = forward.ParseNextHop(s.NextHop); err != nil {
		if o.nextHopSet {
			complainFlag("--next-hop", err)
		} else {
			complain("next_hop", "%w", err)
		}
	}
	for _, text := range o.connectTo {
		ct, err := forward.ParseConnectTo(text)
		if err != nil {
			complainFlag("--connect-to", err)
		}
		d.ConnectTo = append(d.ConnectTo, ct)
	}
	for i, text := range s.ConnectTo {
		ct, err := forward.ParseConnectTo(text)
		if err != nil {
			complain(tomlfile.Index("connect_to", i), "%w", err)
		}
		d.ConnectTo = append(d.ConnectTo, ct)
	}
	if len(d.ConnectTo) > 0 && d.NextHop != nil {
		e := f.Errorf("connect_to", "has no effect with a next hop")
		if len(s.ConnectTo) == 0 {
			e = &tomlfile.Error{File: "--connect-to", Message: e.Message}
		}
		problems = append(problems, e.WithHint("set it on the stage that dials origins, the last of the chain"))
	}
	if d.AllowAddresses, err = forward.ParsePrefixes(s.AllowAddresses); err != nil {
		complain("allow_addresses", "%w", err)
	}
	c.Dialer = d
	if c.UpstreamRoots, err = systemRoots(len(s.UpstreamCA) + len(o.upstreamCA)); err != nil {
		complain("upstream_ca", "%w", err)
	}
	for i, name := range s.UpstreamCA {
		if err := addRoots(c.UpstreamRoots, f.Resolve(name)); err != nil {
			complain(tomlfile.Index("upstream_ca", i), "%w", err)
		}
	}
	for _, name := range o.upstreamCA {
		if err := addRoots(c.UpstreamRoots, name); err != nil {
			complainFlag("--upstream-ca", err)
		}
	}
	for name, v := range map[string]int64{
		"header_bytes": int64(s.Limits.HeaderBytes), "connections": int64(s.Limits.Connections), "requests": int64(s.Limits.Requests), "header_timeout": int64(s.Limits.HeaderTimeout),
		"handshake_timeout": int64(s.Limits.HandshakeTimeout), "idle_timeout": int64(s.Limits.IdleTimeout), "tunnel_idle_timeout": int64(s.Limits.TunnelIdleTimeout),
	} {
		if v < 0 {
			complain("limits."+name, "must not be negative")
		}
	}
	if s.CA.Cert == "" && s.CA.Key == "" && !intercepts {
		c.Leaf = func(host string) (*tls.Certificate, error) { return nil, errors.New("stage has no CA") }
	} else if s.CA.Cert == "" || s.CA.Key == "" {
		complain("ca", "names no certificate and key").WithHint("bottle-prepare makes them; a stage cannot look into TLS without")
	} else if ca, err := mintca.Load(f.Resolve(s.CA.Cert), f.Resolve(s.CA.Key)); err != nil {
		complain("ca", "%w", err)
	} else {
		c.Leaf = mintca.NewLeafCache(ca, 1024).Get
	}
	return c, tomlfile.Join(problems...)
}

// systemRoots returns the system's roots; a system without any needs others.
func systemRoots(others int) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err == nil {
		return pool, nil
	}
	if others == 0 {
		err = fmt.Errorf("system roots: %w", err)
	} else {
		err = nil
	}
	return x509.NewCertPool(), err
}

func addRoots(pool *x509.CertPool, name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if !pool.AppendCertsFromPEM(data) {
		return fmt.Errorf("%s holds no PEM certificate", name)
	}
	return nil
}

// ParseDestination reads the URL of a check command: scheme, authority and the
// text after it.
func ParseDestination(text string) (scheme string, a authority.Authority, err error) {
	for s, port := range map[string]uint16{"https": 443, "http": 80} {
		rest, ok := cutScheme(text, s)
		if !ok {
			continue
		}
		host := rest
		for i := 0; i < len(rest); i++ {
			if rest[i] == '/' || rest[i] == '?' || rest[i] == '#' {
				host = rest[:i]
				break
			}
		}
		a, err = authority.ParseDefault(host, port)
		return s, a, err
	}
	return "", a, errors.New("want a URL that starts with https:// or http://")
}

func cutScheme(text, scheme string) (string, bool) {
	n := len(scheme)
	if len(text) > n+3 && equalFold(text[:n], scheme) && text[n:n+3] == "://" {
		return text[n+3:], true
	}
	return "", false
}

func equalFold(a, b string) bool {
	for i := 0; i < len(b); i++ {
		if a[i]|0x20 != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}
