package inject_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// Over HTTP/2 an answer without content can have trailers all the same.
func TestTrailersOfAnAnswerWithoutContent(t *testing.T) {
	w := newWorld(t, `
[[route]]
host = "always.test"
auth = { scheme = "Bearer", token_env = "EGRESS_TOKEN_0" }
`, func(rw http.ResponseWriter, req *http.Request) {
		rw.Header().Set("Trailer", "X-Got")
		switch req.URL.Path {
		case "/204":
			rw.WriteHeader(204)
		case "/304":
			rw.WriteHeader(304)
		}
		rw.Header().Set("X-Got", req.Header.Get("Authorization"))
	})
	c := &http.Client{Transport: &http.Transport{Proxy: w.proxyURL, ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: w.roots}}}
	defer c.CloseIdleConnections()
	for _, path := range []string{"/200", "/204", "/304"} {
		for _, method := range []string{"GET", "HEAD"} {
			req, err := http.NewRequest(method, "https://always.test"+path, nil)
			require.NoError(t, err)
			res, err := c.Do(req)
			require.NoError(t, err)
			require.Equal(t, 2, res.ProtoMajor)
			_, err = io.ReadAll(res.Body)
			require.NoError(t, err)
			res.Body.Close()
			<-w.seen
			if method == "GET" {
				require.Contains(t, res.Trailer, "X-Got", path)
			}
			for _, v := range res.Trailer["X-Got"] {
				requireAbsent(t, v, realToken)
			}
		}
	}
}
