package forward_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/audit"
)

var protocols = []struct {
	name  string
	http2 bool
	proto string
}{{"HTTP/1.1", false, "HTTP/1.1"}, {"HTTP/2", true, "HTTP/2.0"}}

func TestRequestsAreRelayedInTheProtocolOfTheAgent(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(echo))
	for _, p := range protocols {
		res, err := w.client(p.http2).Post("https://origin.test/a/b?c=%zz;d", "text/plain", strings.NewReader("body"))
		require.NoError(t, err)
		require.Equal(t, "POST origin.test /a/b?c=%zz;d "+p.proto+"|body", readAll(t, res))
		require.Equal(t, p.proto, res.Proto)
	}
	for i, r := range w.records(2) {
		require.Equal(t, audit.Allow, r.Decision)
		require.Equal(t, "origin.test:443", r.Host)
		require.Equal(t, "all", r.Route)
		require.Equal(t, protocols[i].proto, r.Protocol)
		require.EqualValues(t, 4, r.Up)
		require.Equal(t, 200, r.Status)
	}
}
