package manifest

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"bottle/lib/authority"
	"bottle/lib/tomlfile"
)

// Host is a host pattern as it stands in the manifest: exact or *.suffix, with
// port 443 unless it names another.
type Host struct{ authority.Pattern }

// UnmarshalText reads a pattern.
func (h *Host) UnmarshalText(text []byte) (err error) {
	h.Pattern, err = authority.ParsePattern(string(text))
	return err
}

// mustHost is for constants of this package.
func mustHost(s string) Host {
	p, err := authority.ParsePattern(s)
	if err != nil {
		panic(err)
	}
	return Host{p}
}

// Covers reports whether every destination that o names, h names too.
func (h Host) Covers(o Host) bool {
	if h.Port() != o.Port() {
		return false
	}
	if h.Host() == o.Host() {
		return h.IsWildcard() == o.IsWildcard()
	}
	return h.IsWildcard() && strings.HasSuffix(o.Host(), "."+h.Host())
}

// Name is the host without its port, as certificates have it.
func (h Host) Name() string {
	if h.IsWildcard() {
		return "*." + h.Host()
	}
	return h.Host()
}

// Listen is where a stage accepts connections.
type Listen struct {
	Network string // "tcp" or "unix"
	Address string // "127.0.0.1:9099"; port 0 is any; or a path
}

// UnmarshalText reads "ADDRESS:PORT" or "unix:PATH".
func (l *Listen) UnmarshalText(text []byte) error {
	s := string(text)
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if path == "" || strings.ContainsAny(path, "\x00\n") {
			return fmt.Errorf("%q names no path", s)
		}
		*l = Listen{"unix", path}
		return nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return fmt.Errorf("%q is not ADDRESS:PORT or unix:PATH", s)
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Zone() != "" {
		return fmt.Errorf("%q does not begin with an IP address, as 127.0.0.1:9099 does", s)
	}
	if !addr.Unmap().IsLoopback() {
		return fmt.Errorf("%q would let other machines use the proxy and its credentials; listen on 127.0.0.1, [::1] or a socket", s)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return fmt.Errorf("%q has no port from 0 to 65535", s)
	}
	*l = Listen{"tcp", netip.AddrPortFrom(addr.Unmap(), uint16(n)).String()}
	return nil
}

// String returns the text that UnmarshalText reads.
func (l Listen) String() string {
	if l.Network == "unix" {
		return "unix:" + l.Address
	}
	return l.Address
}

// Chosen reports that the address is known only once the stage serves: its
// port is 0.
func (l Listen) Chosen() bool { return l.Network == "tcp" && strings.HasSuffix(l.Address, ":0") }

// TokenRef says where a secret comes from. Exactly one field is set.
type TokenRef struct {
	Env     string   // a variable of the host
	File    string   // a private file, see [Manifest.ResolveHome]
	Command []string // program and arguments; its output is the secret
}

// UnmarshalTOML reads "NAME", { file = "…" } or { command = ["…"] }.
func (r *TokenRef) UnmarshalTOML(data any) error {
	*r = TokenRef{}
	switch v := data.(type) {
	case string:
		// Not quoted: what is no name may be the secret itself, pasted.
		if !isVariable(v) || v != strings.ToUpper(v) {
			return errors.New(`must name an environment variable in capital letters, or be { file = "…" } or { command = ["…"] }; the secret itself does not belong here`)
		}
		r.Env = v
		return nil
	case map[string]any:
		if len(v) != 1 {
			return errors.New(`must have one key, file or command`)
		}
		if file, ok := v["file"].(string); ok && file != "" {
			r.File = file
			return nil
		}
		if words, ok := v["command"].([]any); ok {
			for _, w := range words {
				s, ok := w.(string)
				if !ok {
					return fmt.Errorf("command must be an array of strings; it holds %s", tomlfile.TypeName(w))
				}
				r.Command = append(r.Command, s)
			}
			if len(r.Command) > 0 && r.Command[0] != "" && !slices.ContainsFunc(r.Command, func(s string) bool { return strings.Contains(s, "\x00") }) {
				return nil
			}
			return errors.New(`command must name a program, as in { command = ["op", "read", "…"] }`)
		}
		return errors.New(`must be a variable's name, { file = "…" } or { command = ["…"] }`)
	}
	return fmt.Errorf(`must be a variable's name, { file = "…" } or { command = ["…"] }, not %s`, tomlfile.TypeName(data))
}

// String describes the reference without arguments of a command, which may
// hold a secret.
func (r TokenRef) String() string {
	switch {
	case r.Env != "":
		return "environment variable " + r.Env
	case r.File != "":
		return "file " + r.File
	case len(r.Command) > 0:
		return "command " + r.Command[0]
	}
	return "nothing"
}

// Equal reports whether r and o name the same source.
func (r TokenRef) Equal(o TokenRef) bool {
	return r.Env == o.Env && r.File == o.File && slices.Equal(r.Command, o.Command)
}

// isVariable reports whether s can name an environment variable in a shell.
func isVariable(s string) bool {
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		return false
	}
	return strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == ""
}
