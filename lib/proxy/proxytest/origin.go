package proxytest

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"bottle/lib/mintca"
	"bottle/lib/secret"
)

// origin answers every request with one line that says what it got. A
// credential is shown by its digest.
type origin struct {
	server *httptest.Server
	goOn   chan struct{}
}

func newOrigin(ca *mintca.CA) *origin {
	o := &origin{server: nil, goOn: make(chan struct{})}
	o.server = httptest.NewUnstartedServer(o)
	o.server.EnableHTTP2 = true
	o.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	o.server.TLS = &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) { return ca.Leaf(h.ServerName) }}
	o.server.StartTLS()
	return o
}

func (o *origin) addr() string { return o.server.Listener.Addr().String() }

func (o *origin) close() { o.server.CloseClientConnections(); o.server.Close() }

func (o *origin) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	if req.Header.Get("X-Hold") != "" {
		io.WriteString(rw, "held\n")
		http.NewResponseController(rw).Flush()
		select {
		case <-o.goOn:
			io.WriteString(rw, "released")
		case <-req.Context().Done():
		}
		return
	}
	auth := "none"
	if a := req.Header.Get("Authorization"); a != "" {
		auth = secret.SHA256(a)[:16]
	}
	fmt.Fprintf(rw, "%s %s%s auth=%s", req.Method, req.Host, req.RequestURI, auth)
}
