package forward

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"bottle/lib/authority"
	"bottle/lib/framing"
	"bottle/lib/peererr"
	"bottle/lib/refusal"
)

// newRelay returns the handler that sends a judged request on and streams the
// answer back.
func (e *Engine) newRelay(g *generation) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite:    rewrite,
		Transport:  g,
		BufferPool: e.buffers,
		// For the head of an answer of known length whose body is slow; bodies are
		// flushed by responseWriter, and unknown lengths at once.
		FlushInterval: time.Millisecond,
		ErrorLog:      e.serverLog,
		ModifyResponse: func(res *http.Response) error {
			if res.StatusCode == http.StatusProxyAuthRequired && res.Request.URL.Scheme == "http" && g.dialer.NextHop != nil {
				return g.dialer.NextHop.wantsLogin() // of this stage, not of the agent
			}
			if res.StatusCode < 100 { // nothing that can be written
				return refusal.New(refusal.OriginClosed, "%s answered with what is no HTTP status", ExchangeOf(res.Request).Destination)
			}
			// The agent cannot reach an alternative service except around the proxy.
			res.Header.Del("Alt-Svc")
			if g.policy.Response == nil {
				return nil
			}
			return modifyResponse(g.policy.Response, res)
		},
		ErrorHandler: func(w http.ResponseWriter, req *http.Request, err error) {
			e.relayFailed(w.(*responseWriter), req, err)
		},
	}
}

// rewrite points the outgoing request at its destination and undoes what
// ReverseProxy does for gateways: a forward proxy leaves the query and the
// Forwarded headers as the client sent them.
func rewrite(pr *httputil.ProxyRequest) {
	x := ExchangeOf(pr.In)
	out := pr.Out
	out.URL.Scheme = x.Scheme
	out.URL.Host = x.Destination.HostHeader(x.Scheme)
	out.URL.RawQuery, out.URL.ForceQuery = pr.In.URL.RawQuery, pr.In.URL.ForceQuery
	out.Host = out.URL.Host
	for _, h := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if v, ok := pr.In.Header[h]; ok {
			out.Header[h] = v
		}
	}
	if out.Body != nil {
		// net/http fills the trailers of the incoming request when its body ends;
		// the clone must get them before the transport writes its own.
		if len(pr.In.Trailer) > 0 {
			out.Trailer = make(http.Header, len(pr.In.Trailer))
			for k := range pr.In.Trailer {
				out.Trailer[k] = nil
			}
		}
		if x.rec != nil {
			out.Body = &recordBody{out.Body, x.rec}
		}
		out.Body = &requestBody{ReadCloser: out.Body, x: x, in: pr.In, out: out}
		gather(pr.In, out)
	}
}

// gather takes a small body that has arrived already into memory, where the
// transport knows that it need not wait for it: head and body then leave in
// one write, and the request can be sent again if the origin closed the kept
// connection meanwhile.
func gather(in, out *http.Request) {
	const most = 4 << 10 // net/http's own buffer holds no more
	guard := guardOf(in, tunnelIn(in.Context()))
	if out.ContentLength <= 0 || out.ContentLength > most || guard == nil || !guard.Whole() || in.Header["Expect"] != nil {
		return
	}
	data := make([]byte, out.ContentLength)
	if _, err := io.ReadFull(out.Body, data); err != nil {
		return // the transport meets the same error
	}
	out.Body = io.NopCloser(bytes.NewReader(data))
	out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
}

// requestBody counts and hands trailers over at the end.
type requestBody struct {
	io.ReadCloser
	x       *Exchange
	in, out *http.Request
}

func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.x.up.Add(int64(n))
	if err == io.EOF && b.out.Trailer != nil {
		for k := range b.out.Trailer { // what the policy has left of those announced
			b.out.Trailer[k] = b.in.Trailer[k]
		}
	}
	return n, err
}

// relayFailed answers for an origin that could not be asked or did not answer.
func (e *Engine) relayFailed(w *responseWriter, req *http.Request, err error) {
	x := ExchangeOf(req)
	if r := x.Refused(); r != nil { // a policy cut the body off
		err = r
	} else if v := violationOf(req, tunnelIn(req.Context())); v != nil {
		err = v // a bad chunk, which net/http takes for the client's going away
	} else if req.Context().Err() != nil && w.written == 0 {
		e.log.Debug("client went away", "request_id", x.ID, "host", x.Destination.String())
		w.status = 0
		panic(http.ErrAbortHandler)
	}
	e.refuse(w, req, x, originRefusal(x.Destination, err))
}

// originRefusal tells a failed round trip in the table's terms.
func originRefusal(a authority.Authority, err error) error {
	if r, ok := errors.AsType[*refusal.Refusal](err); ok {
		return r
	}
	if v, ok := errors.AsType[*framing.Violation](err); ok { // a bad chunk in the agent's body
		return refusal.New(refusal.Code(v.Code), "%s", v.Message)
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return refusal.New(refusal.OriginTLSFailed, "the certificate of %s could not be verified; nothing was sent", a).Because(peererr.Cause(err))
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return refusal.New(refusal.OriginTLSFailed, "%s does not speak TLS; nothing was sent", a).Because(peererr.Cause(err))
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok || strings.Contains(err.Error(), "tls: ") {
		return refusal.New(refusal.OriginTLSFailed, "the TLS handshake with %s did not succeed; nothing was sent", a).Because(peererr.Cause(err))
	}
	if isTimeout(err) {
		return refusal.New(refusal.ConnectTimeout, "%s did not answer in time", a).Because(peererr.Cause(err))
	}
	return refusal.New(refusal.OriginClosed, "%s ended the connection before it answered", a).Because(peererr.Cause(err))
}

// generation is everything that a reload replaces at once.
type generation struct {
	policy *Policy
	steps  interface{ ModifyRequest(*http.Request) error }
	relay  http.Handler
	leaf   LeafFunc
	memory *atomic.Int64 // left for bodies that may be sent twice

	dialer    *Dialer
	http1     *http.Transport // for agents that speak HTTP/1.1
	http2     *http.Transport // for agents that speak HTTP/2
	cleartext *http.Transport // for http:// URLs
}

// RoundTrip sends out, a second time if the policy wants it.
func (g *generation) RoundTrip(out *http.Request) (*http.Response, error) {
	if x := ExchangeOf(out); x.before != nil && x.Scheme == "https" && x.Credential == CredentialReal {
		return g.twice(out, x)
	}
	return g.send(out)
}

// send sends out by the protocol that the agent spoke: the origin sees the
// connection it would have seen, and an HTTP/1.1 exchange does not share one
// HTTP/2 connection's flow control with all others.
func (g *generation) send(out *http.Request) (*http.Response, error) {
	x := ExchangeOf(out)
	out = out.WithContext(noteHop(out.Context(), x, out.ProtoMajor == 2))
	switch {
	case out.URL.Scheme == "http":
		if g.dialer.NextHop != nil {
			g.dialer.NextHop.announce(out.Header, g.dialer.Pseudonym)
			announceHop(out.Header, x)
		}
		return g.cleartext.RoundTrip(out)
	case out.ProtoMajor == 2:
		return g.http2.RoundTrip(out)
	}
	return g.http1.RoundTrip(out)
}

func (g *generation) closeIdle() {
	for _, t := range []*http.Transport{g.http1, g.http2, g.cleartext} {
		t.CloseIdleConnections()
	}
}

// newTransports builds the three ways upstream. None of them reads the
// process's environment, follows a redirect, asks for compression of its own,
// or verifies less than the system's roots and the operator's.
func newTransports(c Config, lim Limits) (http1, http2, cleartext *http.Transport) {
	dial := func(ctx context.Context, _, addr string) (net.Conn, error) {
		a, err := authority.Parse(addr)
		if err != nil {
			return nil, fmt.Errorf("dial: %w", err)
		}
		return c.Dialer.Dial(ctx, a)
	}
	base := func() *http.Transport {
		return &http.Transport{
			DialContext:        dial,
			DisableCompression: true,
			// An agent opens many connections to few hosts; the default of 2 idle
			// ones would close all but two after every burst.
			MaxIdleConns:           1024,
			MaxIdleConnsPerHost:    512,
			IdleConnTimeout:        90 * time.Second,
			TLSHandshakeTimeout:    lim.Handshake,
			ExpectContinueTimeout:  time.Second,
			MaxResponseHeaderBytes: 256 << 10,
		}
	}
	config := func() *tls.Config {
		return &tls.Config{
			RootCAs:            c.UpstreamRoots,
			MinVersion:         tls.VersionTLS12,
			ClientSessionCache: tls.NewLRUClientSessionCache(256),
		}
	}
	http1 = base()
	http1.TLSClientConfig = config()
	http1.Protocols = new(http.Protocols)
	http1.Protocols.SetHTTP1(true)

	http2 = base()
	http2.TLSClientConfig = config()
	http2.Protocols = new(http.Protocols)
	http2.Protocols.SetHTTP1(true)
	http2.Protocols.SetHTTP2(true)
	// An agent that does not read its answers must not fill the memory: the
	// defaults are 4 MiB for each of 250 streams.
	http2.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 512 << 10, MaxReceiveBufferPerConnection: 4 << 20}

	cleartext = base()
	cleartext.Protocols = http1.Protocols
	if hop := c.Dialer.NextHop; hop != nil {
		// A next hop takes http:// requests in absolute form (RFC 9112, section
		// 3.2.2); many refuse CONNECT to port 80.
		proxy := &url.URL{Scheme: "http", Host: "next-hop.invalid:80"}
		cleartext.Proxy = http.ProxyURL(proxy)
		cleartext.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, c.Dialer.timeout())
			defer cancel()
			return hop.dial(ctx)
		}
	}
	return http1, http2, cleartext
}

// bufferPool lends the relay its copy buffers.
type bufferPool struct{ sync.Pool }

func newBufferPool() *bufferPool {
	return &bufferPool{sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}}
}

func (p *bufferPool) Get() []byte  { return *(p.Pool.Get().(*[]byte)) }
func (p *bufferPool) Put(b []byte) { p.Pool.Put(&b) }
