package inject

import (
	"net/http"
	"strings"
)

// credentialHeaders carry a login in the APIs that agents talk to. None of
// them passes from the agent to an origin: on a route with a credential they
// could put another identity beside the injected one, and on any route they
// could log in to an account that is not the operator's.
//
// Authorization is RFC 9110, section 11.6.2; the others are vendors' own.
var credentialHeaders = []string{
	"Authorization",
	"X-Api-Key",      // Anthropic and many others
	"Api-Key",        // Azure OpenAI
	"X-Goog-Api-Key", // Google
	"X-Goog-Iam-Authorization-Token",
	"X-Auth-Token",
	"X-Access-Token",
	"X-Auth-Key", // Cloudflare
	"X-Authorization",
	"X-Amz-Security-Token", // AWS
	"Private-Token",        // GitLab
	"Job-Token",            // GitLab
	"Deploy-Token",         // GitLab
	"X-Github-Token",
	"X-Figma-Token",
	"X-Vault-Token",
	"X-Consul-Token",
	"X-Shopify-Access-Token",
	"X-Openai-Api-Key",
	"Openai-Api-Key",
	"Anthropic-Api-Key",
	"Apikey",
	"Proxy-Authorization", // hop-by-hop; listed so that no order of steps lets it through
}

// keySubprotocol prefixes an API key in Sec-WebSocket-Protocol, which OpenAI's
// realtime endpoint takes from browsers.
const keySubprotocol = "openai-insecure-api-key."

// otherCredential returns the name of a credential header that req carries
// and that is no place of the route's own credential, or "".
func otherCredential(h http.Header, r *Route) string {
	for _, name := range credentialHeaders {
		if _, ok := h[name]; ok && !r.injects(name) {
			return name
		}
	}
	for _, v := range h["Sec-Websocket-Protocol"] {
		if strings.Contains(v, keySubprotocol) {
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
	if r.Methods != nil {
		names = append(names, "X-Http-Method-Override", "X-Http-Method", "X-Method-Override")
	}
	if len(r.paths) > 0 {
		names = append(names, "X-Original-Url", "X-Rewrite-Url", "X-Original-Uri", "X-Forwarded-Uri", "X-Forwarded-Prefix")
	}
	for _, name := range names {
		if _, ok := h[name]; ok {
			return name
		}
	}
	return ""
}

// stripCredentials removes the credentials listed above from h. This is the
// line that takes the agent's dummy, and any other login that it put into a
// header, off a request; cookies and URLs it leaves alone.
func stripCredentials(h http.Header) {
	for _, name := range credentialHeaders {
		delete(h, name)
	}
	protocols, ok := h["Sec-Websocket-Protocol"]
	if !ok {
		return
	}
	var kept []string
	for _, v := range protocols {
		for _, p := range strings.Split(v, ",") {
			if p = strings.TrimSpace(p); p != "" && !strings.HasPrefix(p, keySubprotocol) {
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
