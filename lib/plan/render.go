package plan

import (
	"fmt"
	"strings"

	"bottle/lib/manifest"
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

// codexRefusal is the status that makes Codex give up at once and show the
// answer's text; at a 403 it tries six times.
const codexRefusal = 400

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
	for _, h := range b.m.ProviderHosts() {
		w.table("[[route]]")
		w.set("host", text(h.String()))
		w.set("inject", text("replace"))
		w.set("refusal_status", fmt.Sprint(codexRefusal))
		w.auth("Bearer", slotName(0))
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
		if r.Auth != nil {
			w.set("inject", text(r.Inject))
			w.auth(r.Auth.Scheme, b.slotOf(r.Auth.TokenRef))
		}
	}
	return []byte(w.String())
}

func (w *writer) auth(scheme, variable string) {
	w.set("auth", fmt.Sprintf("{ scheme = %s, token_env = %s }", text(scheme), text(variable)))
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
	w.set("on_match", text("block"))
	if hosts := b.m.ProviderHosts(); len(hosts) > 0 {
		w.table("[refusal_status]")
		for _, h := range hosts {
			w.set(tomlfile.Key("", h.String()), fmt.Sprint(codexRefusal))
		}
		if !b.m.EgressFirst() {
			// The filter sees the agent's requests as they are, dummy and all.
			for _, h := range hosts {
				w.expected(h, b.dummy.sha256)
			}
		}
	}
	if b.m.EgressFirst() {
		// The filter sees what egress has put on. The provider's token is not
		// among it: its hosts are passed through.
		for _, r := range b.m.Egress.Routes {
			if r.Auth == nil {
				continue
			}
			if v := b.valueOf(r.Auth.TokenRef); len(v.Expose()) >= minDigest {
				w.expected(r.Host, []string{v.SHA256()})
			}
		}
	}
	return []byte(w.String())
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
