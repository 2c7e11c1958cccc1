package inject_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/refusal"
)

// CGI and WSGI know no difference between - and _: to them these are the fields
// of the route, and of others who take logins.
func TestUnderscoresHideNoLogin(t *testing.T) {
	w := newWorld(t, fmt.Sprintf(`
[dummies]
sha256 = ["%064d"]
[[route]]
host = "always.test"
auth = { header = "X-Own-Key", token_env = "EGRESS_TOKEN_0" }
[[route]]
host = "replace.test"
inject = "replace"
auth = { header = "X-Api-Key", token_env = "EGRESS_TOKEN_0" }
[[route]]
host = "rules.test"
methods = ["GET"]
`, 0), nil)
	names := []string{"X_Own_Key", "x-own_key", "X_Api_Key", "X-Api_Key", "PRIVATE_TOKEN", "Proxy_Authorization"}
	for _, name := range names {
		req := w.passed(w.ask("GET", "https://always.test/", name+": "+foreign, "X_Harmless: yes"), name)
		require.NotContains(t, fmt.Sprint(req.Header), foreign, name)
		require.Equal(t, []string{realToken}, req.Header["X-Own-Key"])
		require.Contains(t, fmt.Sprint(req.Header), "yes")
		if name[2:5] != "Own" && name[2:5] != "own" {
			w.refused(w.ask("GET", "https://replace.test/", name+": "+foreign), 403, refusal.ForeignCredential, name)
		}
	}
	w.refused(w.ask("GET", "https://rules.test/", "X_HTTP_Method_Override: DELETE"), 403, refusal.MethodNotAllowed, "override")
	req := w.passed(w.ask("GET", "https://always.test/", "Sec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io."+foreign+", v4.channel.k8s.io"), "Kubernetes")
	require.Equal(t, []string{"v4.channel.k8s.io"}, req.Header["Sec-Websocket-Protocol"])
}
