// Package loginheader knows which request headers carry a login in the APIs
// that agents talk to. One stage takes them off, the other never changes what
// is in them.
package loginheader

// names are in the form of [net/http.CanonicalHeaderKey]. Authorization and
// Proxy-Authorization are RFC 9110, sections 11.6.2 and 11.7.2; the others are
// vendors' own.
var names = [...]string{
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

// All yields the canonical name of each. Cookie is none of them: a cookie may
// be anything.
func All(yield func(name string) bool) {
	for _, name := range names {
		if !yield(name) {
			return
		}
	}
}
