package filter_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/audit"
	"bottle/lib/forward"
	"bottle/lib/hostauth/throwaway"
	"bottle/lib/inject"
	"bottle/lib/mintca"
	"bottle/lib/secret"
	"bottle/lib/tomlfile"
)

// egressBefore starts an egress stage in front of the filter and returns a
// client that goes through both. The route replaces dummy by real.
func (w *world) egressBefore(host, dummy, real string) *http.Client {
	w.t.Helper()
	var config inject.Config
	file, err := tomlfile.Parse("egress.toml", []byte(`
[dummies]
sha256 = ["`+secret.SHA256(dummy)+`"]
[[route]]
host = "`+host+`"
inject = "replace"
refusal_status = 400
auth = { scheme = "Bearer", token_env = "TOKEN" }
`), &config)
	require.NoError(w.t, err)
	routes, err := config.Routes(file, func(string) (string, bool) { return real, true })
	require.NoError(w.t, err)
	ca, err := mintca.New(mintca.Options{Hosts: []string{host}})
	require.NoError(w.t, err)
	hop, err := forward.ParseNextHop("http://" + w.proxy)
	require.NoError(w.t, err)
	var records audit.Log
	engine := forward.New(forward.Options{Stage: "bottle-egress", Audit: &records}, forward.Config{
		Policy: routes.Policy(), Dialer: &forward.Dialer{NextHop: hop}, UpstreamRoots: w.roots, Leaf: mintca.NewLeafCache(ca, 4).Get,
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(w.t, err)
	served := make(chan error, 1)
	go func() { served <- engine.Serve(l) }()
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(w.t, engine.Shutdown(ctx))
		require.NoError(w.t, <-served)
	})
	inFront := &world{t: w.t, proxy: l.Addr().String(), roots: pool(w.t, ca)}
	return inFront.client(false)
}

// Egress has put the real bearer on before the filter looks. A filter that
// looks refuses it; that is why the provider's hosts are in tls_passthrough.
func TestInjectedBearerNeedsPassthrough(t *testing.T) {
	real := throwaway.Codex{Seed: "real"}.AccessToken()
	dummy := throwaway.Codex{Seed: "dummy"}.AccessToken()
	turn := func(host string) *http.Request {
		return request(t, "POST", "https://"+host+"/backend-api/codex/responses", strings.NewReader(`{"input":"hi"}`), "Authorization", "Bearer "+dummy)
	}
	t.Run("intercepted", func(t *testing.T) {
		w := newWorld(t, allowed, nil)
		w.mustKeep(real[len(real)-43:])
		c := w.egressBefore("provider.test", dummy, real)
		res, body := w.do(c, turn("provider.test"))
		require.Equal(t, 400, res.StatusCode)
		require.Contains(t, body, "bottle-pipelock: request header contains secret")
		require.Contains(t, body, `"stage":"bottle-pipelock"`, "the stage that refused")
		require.Zero(t, w.requests.Load())
		require.Equal(t, "header Authorization", w.records(1, isRefused)[0].Location)
	})
	t.Run("passed through", func(t *testing.T) {
		w := newWorld(t, allowed, nil)
		c := w.egressBefore("passed.test", dummy, real)
		res, body := w.do(c, turn("passed.test"))
		require.Equal(t, 200, res.StatusCode, body)
		require.Equal(t, `{"input":"hi"}`, body)
		require.Contains(t, w.received.String(), "[Bearer "+real+"]")
		require.NotContains(t, w.received.String(), dummy)
		require.NotContains(t, w.log.String(), real)
		require.NotContains(t, w.answers.String(), real)
	})
}
