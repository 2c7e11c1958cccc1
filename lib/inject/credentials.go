package inject

import (
	"net/http"
	"slices"
	"strings"

	"bottle/lib/loginheader"
)

// These prefix a credential in Sec-WebSocket-Protocol, where a browser can put
// one: for OpenAI's realtime endpoint, and for Kubernetes' API.
const (
	keySubprotocol    = "openai-insecure-api-key."
	bearerSubprotocol = "base64url.bearer.authorization.k8s.io."
)

// otherCredential returns the name of a header with a login that req carries
// and that is no place of the route's own credential, or "".
func otherCredential(h http.Header, r *Route) string {
	for name := range h {
		if d := dashed(name); d != name && isLogin(d) {
			return name
		}
	}
	for name := range loginheader.All {
		if _, ok := h[name]; ok && !r.injects(name) {
			return name
		}
	}
	for _, v := range h["Sec-Websocket-Protocol"] {
		if strings.Contains(v, keySubprotocol) || strings.Contains(v, bearerSubprotocol) {
			return "Sec-WebSocket-Protocol"
		}
	}
	return ""
}

// overrides returns the name of a header in h by which some servers take
// another method or path than the request line's, if r has a rule about that,
// or "".
func overrides(h http.Header, r *Route) string {
	var names []string
	if r.Methods != nil || r.Git.Restricts() {
		names = append(names, "X-Http-Method-Override", "X-Http-Method", "X-Method-Override")
	}
	if len(r.paths) > 0 || r.Git.Restricts() {
		names = append(names, "X-Original-Url", "X-Rewrite-Url", "X-Original-Uri", "X-Forwarded-Uri", "X-Forwarded-Prefix")
	}
	for name := range h {
		if slices.Contains(names, dashed(name)) {
			return name
		}
	}
	return ""
}

// dashed returns the name for which some servers take name: to CGI and what came
// after it (RFC 3875, section 4.1.18; WSGI), X_Api_Key is X-Api-Key.
func dashed(name string) string {
	if !strings.Contains(name, "_") {
		return name
	}
	return http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))
}

func isLogin(name string) bool {
	for login := range loginheader.All {
		if name == login {
			return true
		}
	}
	return false
}

// deleteDashed removes the fields of h that some servers take for name.
func deleteDashed(h http.Header, name string) {
	for other := range h {
		if other != name && dashed(other) == name {
			delete(h, other)
		}
	}
}

// stripCredentials removes the headers that carry a login from h: on a route
// with a credential they could put another identity beside the injected one,
// and on any route they could log in to an account that is not the operator's. This is the
// line that takes the agent's dummy, and any other login that it put into a
// header, off a request; cookies and URLs it leaves alone.
func stripCredentials(h http.Header) {
	for name := range loginheader.All {
		delete(h, name)
	}
	for name := range h {
		if d := dashed(name); d != name && isLogin(d) {
			delete(h, name)
		}
	}
	protocols, ok := h["Sec-Websocket-Protocol"]
	if !ok {
		return
	}
	var kept []string
	for _, v := range protocols {
		for _, p := range strings.Split(v, ",") {
			if p = strings.TrimSpace(p); p != "" && !strings.HasPrefix(p, keySubprotocol) && !strings.HasPrefix(p, bearerSubprotocol) {
				kept = append(kept, p)
			}
		}
	}
	if len(kept) == 0 {
		delete(h, "Sec-Websocket-Protocol")
		return
	}
	h["Sec-Websocket-Protocol"] = []string{strings.Join(kept, ", ")}
}
