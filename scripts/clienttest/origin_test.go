package clienttest

import (
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/mintca"
)

// origin is an HTTPS server for one host that notes what it is asked.
type origin struct {
	*httptest.Server
	ca []byte

	mu   sync.Mutex
	seen []arrival
}

// arrival is a request as it came to the origin.
type arrival struct {
	method, target, proto, coding, authorization, gitProtocol string
	chunked                                                   bool
	status                                                    int
	read                                                      int64 // bytes of the body
}

func newOrigin(t *testing.T, host string, http2 bool, handler func(w http.ResponseWriter, r *http.Request)) *origin {
	t.Helper()
	ca, err := mintca.New(mintca.Options{Name: "origin", Hosts: []string{host}})
	require.NoError(t, err)
	o := &origin{ca: ca.CertPEM()}
	o.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := arrival{
			method: r.Method, target: r.URL.RequestURI(), proto: r.Proto, coding: r.Header.Get("Content-Encoding"),
			authorization: r.Header.Get("Authorization"), gitProtocol: r.Header.Get("Git-Protocol"), chunked: r.ContentLength < 0,
		}
		body := &countedBody{ReadCloser: r.Body}
		r.Body = body
		status := &statusWriter{ResponseWriter: w, status: 200}
		handler(status, r)
		a.read, a.status = body.n, status.status
		o.mu.Lock()
		defer o.mu.Unlock()
		o.seen = append(o.seen, a)
	}))
	o.EnableHTTP2 = http2
	o.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	o.TLS = &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) { return ca.Leaf(h.ServerName) }}
	o.StartTLS()
	t.Cleanup(o.Close)
	return o
}

func (o *origin) addr() string { return o.Listener.Addr().String() }

// arrivals returns what came so far.
func (o *origin) arrivals() []arrival {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.seen)
}

type countedBody struct {
	io.ReadCloser
	n int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	return n, err
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(code int) {
	w.status = code
	w.ResponseWriter.WriteHeader(code)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
