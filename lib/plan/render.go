package plan

import (
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"bottle/lib/inject"
	"bottle/lib/manifest"
	"bottle/lib/provider"
	"bottle/lib/tomlfile"
)

// nobody is a proxy that refuses connections: the discard port, which nothing
// listens on. It stands where an address is not known before the stage
// serves, so that a program that was not told the real one reaches nothing,
// rather than going direct.
const nobody = "http://127.0.0.1:9"

// proxyURL is how a client names the proxy that listens at l.
func proxyURL(l manifest.Listen) string {
	switch {
	case l.Chosen():
		return nobody
	case l.Network == "unix":
		return l.String()
	}
	return "http://" + l.Address
}

const heading = "# Written by bottle-prepare, which overwrites it. Relative paths start here.\n\n"

// writer renders TOML in the order and spelling that a person would choose.
type writer struct{ strings.Builder }

func (w *writer) set(key, value string) { fmt.Fprintf(w, "%s = %s\n", key, value) }

func (w *writer) table(head string) { fmt.Fprintf(w, "\n%s\n", head) }

// text quotes a string as TOML does.
func text(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func list[T any](items []T, str func(T) string) string {
	quoted := make([]string, len(items))
	for i, v := range items {
		quoted[i] = text(str(v))
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func itself(s string) string { return s }

// common writes what both stages have. The last one dials origins; what says
// how goes to it alone.
func (b *builder) common(w *writer, stage string, listen, next manifest.Listen, roots bool) {
	w.WriteString(heading)
	last := b.m.Chain.Order[1] == stage
	w.set("listen", text(listen.String()))
	if last {
		w.set("next_hop", text(""))
	} else {
		if next.Chosen() {
			w.WriteString("# The next stage's port is chosen when it starts; --next-hop gives it.\n")
		}
		w.set("next_hop", text(proxyURL(next)))
	}
	var ca []string
	if roots {
		ca = []string{"upstream-ca.pem"}
	}
	w.set("upstream_ca", list(ca, itself))
	var connect, allow []string
	if last {
		connect = b.m.Network.ConnectTo
		for _, p := range b.m.Network.Prefixes() {
			allow = append(allow, p.String())
		}
	}
	w.set("connect_to", list(connect, itself))
	w.set("allow_addresses", list(allow, itself))
	w.set("audit_log", text("../run/audit.jsonl"))
}

func (w *writer) ca() {
	w.table("[ca]")
	w.set("cert", text("ca.pem"))
	w.set("key", text("ca-key.pem"))
}

func (b *builder) egressTOML(roots bool) []byte {
	var w writer
	b.common(&w, manifest.Egress, b.m.Egress.Listen, b.m.Pipelock.Listen, roots)
	w.ca()
	w.table("[dummies]")
	w.set("sha256", list(b.dummy.sha256, itself))
	preset, _ := b.m.Preset()
	if b.dummy.login != "" {
		w.set("seed", text(path.Base(dummySeed)))
		w.set("minted", text("dummies.json"))
		w.table("[[login]]")
		w.set("name", text(preset.Name))
		w.set("kind", text(preset.Name))
		w.set("file", text(b.dummy.login))
		w.set("refresh", text(b.m.Agent.Refresh))
	}
	for _, h := range b.m.SignInHosts() {
		w.table("[[route]]")
		w.set("host", text(h.String()))
		w.set("refusal_status", fmt.Sprint(preset.RefusalStatus))
		w.set("token_endpoint", text(preset.Name))
	}
	for _, h := range b.m.ProviderHosts() {
		w.table("[[route]]")
		w.set("host", text(h.String()))
		w.set("inject", text("replace"))
		w.set("refusal_status", fmt.Sprint(preset.RefusalStatus))
		w.auth(b.providerAuth(preset))
	}
	for _, r := range b.m.Egress.Routes {
		w.table("[[route]]")
		w.set("host", text(r.Host.String()))
		if r.Methods != nil {
			w.set("methods", list(r.Methods, itself))
		}
		if r.Paths != nil {
			w.set("paths", list(r.Paths, itself))
		}
		if r.Git != "" {
			w.set("git", text(r.Git))
		}
		if !r.Redacts() {
			w.set("redact_responses", "false")
		}
		if r.Auth != nil {
			w.set("inject", text(r.Inject))
			w.auth(b.routeAuth(r))
		}
	}
	return []byte(w.String())
}

// pair is a key and its value as TOML has it.
type pair struct{ key, value string }

// providerAuth are the parts of the provider's routes.
func (b *builder) providerAuth(p provider.Provider) [][]pair {
	source := pair{"login", text(p.Name)}
	if b.dummy.login == "" {
		source = pair{"token_env", text(slotName(0))}
	}
	var parts [][]pair
	for _, a := range b.dummy.auth {
		part := place(inject.AuthPlace{Scheme: a.Scheme, Header: a.Header, Append: a.Append, Value: optional(a.Value)})
		if !a.Constant() {
			part = append(part, source)
		}
		parts = append(parts, part)
	}
	return parts
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// routeAuth are the parts of a route of the manifest.
func (b *builder) routeAuth(r manifest.Route) [][]pair {
	var parts [][]pair
	for _, a := range r.Parts() {
		part := place(a.AuthPlace)
		if !a.TokenRef.Equal(manifest.TokenRef{}) {
			part = append(part, pair{"token_env", text(b.slotOf(a.TokenRef))})
		}
		parts = append(parts, part)
	}
	return parts
}

// place spells out where a part goes.
func place(a inject.AuthPlace) []pair {
	var out []pair
	for _, p := range []pair{{"scheme", a.Scheme}, {"header", a.Header}, {"query", a.Query}, {"cookie", a.Cookie}} {
		if p.value != "" {
			out = append(out, pair{p.key, text(p.value)})
		}
	}
	if a.User != nil {
		out = append(out, pair{"user", text(*a.User)})
	}
	if a.Value != nil {
		out = append(out, pair{"value", text(*a.Value)})
	}
	if a.Append {
		out = append(out, pair{"append", "true"})
	}
	return out
}

// auth writes one part as a table, several as an array of tables.
func (w *writer) auth(parts [][]pair) {
	tables := make([]string, len(parts))
	for i, part := range parts {
		keys := make([]string, len(part))
		for j, p := range part {
			keys[j] = p.key + " = " + p.value
		}
		tables[i] = "{ " + strings.Join(keys, ", ") + " }"
	}
	if len(tables) == 1 {
		w.set("auth", tables[0])
		return
	}
	w.set("auth", "[\n  "+strings.Join(tables, ",\n  ")+",\n]")
}

func (b *builder) pipelockTOML(allow, passthrough []manifest.Host, roots bool) []byte {
	var w writer
	b.common(&w, manifest.Pipelock, b.m.Pipelock.Listen, b.m.Egress.Listen, roots)
	w.set("allow", list(allow, manifest.Host.String))
	w.set("tls_passthrough", list(passthrough, manifest.Host.String))
	w.ca()
	w.table("[limits]")
	w.set("requests_per_minute", fmt.Sprint(b.m.Pipelock.RequestsPerMinute))
	w.table("[dlp]")
	w.set("on_match", text(b.m.Pipelock.OnMatch))
	b.scanner(&w)
	b.onMatchByHost(&w)
	b.knownSecrets(&w)
	if len(b.dummy.sha256) > 0 {
		w.table("[dummies]")
		w.set("sha256", list(b.dummy.sha256, itself))
	}
	preset, _ := b.m.Preset()
	if hosts := b.dummyHosts(); len(hosts) > 0 {
		w.table("[refusal_status]")
		for _, h := range hosts {
			w.set(tomlfile.Key("", h.String()), fmt.Sprint(preset.RefusalStatus))
		}
		if !b.m.EgressFirst() {
			// The filter sees the agent's requests as they are, dummy and all, and
			// dummies that egress makes while it runs, which are not listed.
			for _, h := range hosts {
				w.table("[[expected]]")
				w.set("host", text(h.String()))
				w.set("dummy", "true")
			}
		}
	}
	if b.m.EgressFirst() {
		// The filter sees what egress has put on. The provider's token is not
		// among it: its hosts are passed through.
		for _, r := range b.m.Egress.Routes {
			var sums []string
			for _, a := range r.Parts() {
				if a.TokenRef.Equal(manifest.TokenRef{}) || elsewhere(a) {
					continue
				}
				if v := b.valueOf(a.TokenRef); len(v.Expose()) >= minDigest {
					sums = append(sums, v.SHA256())
				}
			}
			if sums != nil {
				w.expected(r.Host, sums)
			}
		}
	}
	return []byte(w.String())
}

// dummyHosts are the hosts for which the agent's dummies are: the provider's
// and, where the filter sees what goes there, the one at which its client
// refreshes them.
func (b *builder) dummyHosts() []manifest.Host {
	hosts := b.m.ProviderHosts()
	if !b.m.EgressFirst() {
		hosts = slices.Concat(hosts, b.m.SignInHosts())
	}
	return hosts
}

// onMatchByHost writes what becomes of matches on single hosts. Conversations
// with the provider are full of what looks like a credential, and where the
// filter reads them, refusing one ends the session: they go on redacted.
func (b *builder) onMatchByHost(w *writer) {
	actions := map[string]string{}
	for name, action := range b.m.Pipelock.OnMatchByHost {
		var h manifest.Host
		if h.UnmarshalText([]byte(name)) == nil { // the manifest was checked
			actions[h.String()] = action
		}
	}
	var hosts []string
	if !b.m.EgressFirst() {
		for _, h := range b.m.ProviderHosts() {
			hosts = append(hosts, h.String())
			if actions[h.String()] == "" {
				actions[h.String()] = manifest.Redact
			}
		}
	}
	for _, h := range slices.Sorted(maps.Keys(actions)) {
		if !slices.Contains(hosts, h) {
			hosts = append(hosts, h)
		}
	}
	if len(hosts) == 0 {
		return
	}
	w.table("[dlp.hosts]")
	for _, h := range hosts {
		w.set(tomlfile.Key("", h), text(actions[h]))
	}
}

// scanner writes what the operator has changed of the scanner. Files become
// absolute; the filter reads them.
func (b *builder) scanner(w *writer) {
	p := b.m.Pipelock
	if len(p.Rules) > 0 {
		w.set("rules", list(p.Rules, b.absolute))
	}
	if len(p.Disable) > 0 {
		w.set("disable", list(p.Disable, itself))
	}
	if p.SeedPhrases {
		w.set("seed_phrases", "true")
	}
	if p.Allowlist != "" {
		w.set("allowlist", text(b.absolute(p.Allowlist)))
	}
	if p.OnUndecodable != "" {
		w.set("on_undecodable", text(p.OnUndecodable))
	}
}

// knownSecrets names the secrets that the filter is to look for; the filter
// itself reads them. What is relative to the manifest becomes absolute.
func (b *builder) knownSecrets(w *writer) {
	for _, s := range b.m.Pipelock.KnownSecrets {
		w.table("[[known_secrets]]")
		w.set("name", text(s.Name))
		switch {
		case s.Env != "":
			w.set("env", text(s.Env))
		case s.File != "":
			w.set("file", text(b.absolute(s.File)))
		default:
			words := slices.Clone(s.Command)
			if strings.Contains(words[0], "/") {
				words[0] = b.absolute(words[0])
			}
			w.set("command", list(words, itself))
			if s.Timeout != 0 {
				w.set("timeout", text(s.Timeout.String()))
			}
		}
	}
}

// absolute returns a name in the manifest as every process understands it.
func (b *builder) absolute(name string) string {
	path := b.m.ResolveHome(name, b.getenv("HOME"))
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// minDigest is the shortest token whose digest is written down, in bytes: that
// of a shorter one could be searched, and the filter has no rule for any.
const minDigest = 20

// expected names the credentials that belong into the Authorization header of
// requests to host, by their digests.
func (w *writer) expected(host manifest.Host, sums []string) {
	w.table("[[expected]]")
	w.set("host", text(host.String()))
	w.set("sha256", list(sums, itself))
}
