package inject

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"bottle/lib/tomlfile"
)

// AuthPlace is where one part of a credential goes, and what of it.
type AuthPlace struct {
	// Scheme and token, in Authorization unless Header names another.
	Scheme string `toml:"scheme"`
	// User makes it Basic, with the token as the password.
	User *string `toml:"user"`
	// Header, Query or Cookie name the place.
	Header string `toml:"header"`
	Query  string `toml:"query"`
	Cookie string `toml:"cookie"`
	// Value is a template; "{token}" unless set.
	Value *string `toml:"value"`
	// Append adds Value to the list that the header has.
	Append bool `toml:"append"`
}

// Check reports what is wrong with the place at a key path of some file, by
// way of complain, and whether it is fine.
func (c *AuthPlace) Check(at string, complain func(key, format string, args ...any) *tomlfile.Error) bool {
	_, ok := (&auths{complain: complain}).place(at, c)
	return ok
}

// Constant reports that the value has no fields, and needs no source. It is
// for a place that Check finds nothing wrong with.
func (c *AuthPlace) Constant() bool {
	p, _ := (&auths{}).place("", c)
	return p.value.constant()
}

// Unplaced reports that nothing but a source was named.
func (c *AuthPlace) Unplaced() bool {
	return c.Scheme == "" && c.User == nil && c.Header == "" && c.Query == "" && c.Cookie == "" && c.Value == nil
}

// AuthConfig is one part of a route's credential: where it goes, and where it
// comes from.
type AuthConfig struct {
	AuthPlace

	// The source: one of TokenEnv to Login.
	TokenEnv        string   `toml:"token_env"`
	TokenFile       string   `toml:"token_file"`
	TokenCommand    []string `toml:"token_command"`
	TokenCredential string   `toml:"token_credential"`
	Login           string   `toml:"login"`
	// Field is the string of a JSON TokenFile that is meant.
	Field string `toml:"field"`
	// TTL and Timeout are a command's; 0 is the default.
	TTL     time.Duration `toml:"ttl"`
	Timeout time.Duration `toml:"timeout"`
}

// LoginConfig is one [[login]] of egress.toml: a login that a client keeps on
// the host.
type LoginConfig struct {
	Name string `toml:"name"`
	Kind string `toml:"kind"`
	File string `toml:"file"`
	// Refresh is who renews it: RefreshFollow or RefreshProxy.
	Refresh string `toml:"refresh"`
}

// The values of [LoginConfig.Refresh].
const (
	RefreshFollow = "follow" // the host's own client; egress follows the file
	RefreshProxy  = "proxy"  // egress, when nobody else has
)

// parts returns the credential of a route.
func (a *auths) parts(at string, list tomlfile.OneOrMany[AuthConfig], redact bool) []part {
	var parts []part
	bad := false
	for i := range list.Items {
		p, ok := a.part(list.At(at, i), &list.Items[i], redact)
		if !ok {
			bad = true
			continue
		}
		if j := slices.IndexFunc(parts, func(o part) bool { return o.place == p.place && o.name == p.name }); j >= 0 {
			a.complain(list.At(at, i), "%s has a value already, from %s", &p, list.At("auth", j))
		}
		parts = append(parts, p)
	}
	if !bad && !slices.ContainsFunc(parts, func(p part) bool { return p.secret() }) {
		a.complain(at, "puts no token anywhere").WithHint("one part has to name a source and, if it has a value, {token} in it")
	}
	return parts
}

func (a *auths) part(at string, c *AuthConfig, redact bool) (p part, ok bool) {
	p, ok = a.place(at, &c.AuthPlace)
	if !ok {
		return p, false
	}
	slot, key, ok := a.source(at, c)
	if !ok {
		return p, false
	}
	if slot < 0 {
		if !p.value.constant() {
			a.complain(at, "names no source of its token").WithHint("it is one of token_env, token_file, token_command, token_credential and login")
			return p, false
		}
		return p, true
	}
	if p.value.constant() {
		a.complain(at+".value", "has no {token}, so that the source has no use")
		return p, false
	}
	p.source, p.redacted = a.sources[slot], fmt.Sprintf("%s%d", redactedName, slot)
	st, err := p.source.Current()
	if err != nil {
		a.complain(key, "%w", err)
		return p, false
	}
	if redact && p.secret() && len(st.Token.Expose()) < MinRedacted {
		a.complain(key, "%s: %w", p.source, errTooShort).
			WithHint("use a longer one, or set redact_responses = false on the route")
		return p, false
	}
	if _, err := p.render(st); err == errSpace {
		a.complain(key, "%s: %w", p.source, err).WithHint("the scheme belongs into scheme, the token alone where it comes from")
		return p, false
	} else if err != nil {
		a.complain(at, "%s: %w", p.source, err)
		return p, false
	}
	return p, true
}

// place reads where the part goes, and its template.
func (a *auths) place(at string, c *AuthPlace) (p part, ok bool) {
	p = part{place: inHeader, name: "Authorization", value: template{{field: tokenField}}}
	named := 0
	for _, n := range []struct {
		place
		name string
	}{{inHeader, c.Header}, {inQuery, c.Query}, {inCookie, c.Cookie}} {
		if n.name == "" {
			continue
		}
		named++
		p.place, p.name = n.place, n.name
		if n.place == inQuery && strings.ContainsFunc(n.name, isControl) || n.place != inQuery && !tokenPattern.MatchString(n.name) {
			a.complain(at+"."+string(n.place), "%q is not the name of a %s", n.name, n.place)
			return p, false
		}
	}
	if p.place == inHeader {
		p.name = http.CanonicalHeaderKey(p.name)
		if why := reserved(p.name); why != "" {
			a.complain(at+".header", "%s %s", p.name, why)
			return p, false
		}
	}
	switch {
	case named > 1:
		a.complain(at, "names more than one place").WithHint("give each place a table of its own: auth = [{ … }, { … }]")
	case p.place != inHeader && (c.Scheme != "" || c.User != nil || c.Append):
		a.complain(at, "scheme, user and append are for headers")
	case c.Value != nil && (c.Scheme != "" || c.User != nil):
		a.complain(at+".value", "stands for scheme and user; set one or the other")
	case c.Append && c.Value == nil:
		a.complain(at+".append", "needs the value to append")
	case c.User != nil:
		return a.basic(at, c, p)
	case c.Value != nil:
		t, err := parseTemplate(*c.Value)
		if err != nil {
			a.complain(at+".value", "%w", err)
			return p, false
		}
		if c.Append && t.has(tokenField) {
			a.complain(at+".append", "a credential is set, not appended")
			return p, false
		}
		p.value, p.add = t, c.Append
		return p, true
	case c.Scheme != "" || named == 0:
		if !schemePattern.MatchString(c.Scheme) {
			a.complain(at+".scheme", "%q is not an authentication scheme such as Bearer", c.Scheme).
				WithHint("or say another place: user, header, query or cookie")
			return p, false
		}
		p.value = schemeTemplate(c.Scheme)
		return p, true
	default:
		return p, true
	}
	return p, false
}

func (a *auths) basic(at string, c *AuthPlace, p part) (part, bool) {
	if c.Scheme != "" && !strings.EqualFold(c.Scheme, "Basic") {
		a.complain(at+".scheme", "a user makes it Basic, not %q", c.Scheme)
		return p, false
	}
	// The name ends at the first colon, and controls have no place (RFC 7617,
	// section 2).
	if strings.Contains(*c.User, ":") || strings.ContainsFunc(*c.User, isControl) {
		a.complain(at+".user", "holds a colon or control character")
		return p, false
	}
	p.basic, p.user = true, *c.User
	return p, true
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

// reserved says why a header cannot carry a credential, or "".
func reserved(name string) string {
	switch name {
	case "Cookie":
		return `takes many cookies; name the one with cookie = "…"`
	case "Host", "Connection", "Content-Length", "Transfer-Encoding", "Te", "Trailer", "Upgrade", "Keep-Alive", "Via", "Expect",
		"Content-Encoding", "Content-Type", "Proxy-Connection", "Proxy-Authorization":
		return "is the connection's or the body's, not a credential's"
	}
	if strings.HasPrefix(name, "Sec-Websocket-") {
		return "is the WebSocket handshake's"
	}
	return ""
}
