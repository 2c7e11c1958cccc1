package forward

import (
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/google/martian/v3"
	"github.com/google/martian/v3/fifo"
	"github.com/google/martian/v3/header"

	"bottle/lib/authority"
	"bottle/lib/framing"
	"bottle/lib/refusal"
)

// steps is the order of work on one request, in the one place where it is
// decided: no TRACE, judge, remove what is hop-by-hop, strip the agent's
// credentials, inject the real one; then the policy answers the request itself,
// or it is relayed. Judging comes first so that a refused request is
// answered as it came; hop-by-hop removal comes before injection so that
// "Connection: Authorization" cannot take the real credential off again.
func (p *Policy) steps() *fifo.Group {
	g := fifo.NewGroup()
	var before martian.RequestModifier
	if p.Retry != nil {
		before = remember{}
	}
	for _, m := range []martian.RequestModifier{noTrace{}, p.Judge, hopByHop{}, p.Strip, before, p.Inject} {
		if m != nil {
			g.AddRequestModifier(m)
		}
	}
	return g
}

// serve handles one request, from a tunnel t or, with t nil, from a client of
// the proxy itself: canonical destination, verdict, strip, inject, then an
// answer of the policy's own or the relay.
func (e *Engine) serve(w http.ResponseWriter, req *http.Request, t *tunnel) {
	gen := e.current.Load()
	x := e.newExchange(req, t)
	out := &responseWriter{ResponseWriter: w, x: x, expects: req.Header["Expect"] != nil}
	x.body = http.NewResponseController(w)
	req = WithExchange(req, x)
	if e.recorder != nil {
		x.rec = e.recorder.Begin(x, req)
	}
	defer e.finish(x, out)
	if req.ProtoMajor == 1 {
		// Otherwise net/http takes the rest of the body before it lets an answer
		// out: a stream both ways would lose bytes, and a refusal would wait. An
		// error means a ResponseWriter that is none of net/http's.
		_ = http.NewResponseController(w).EnableFullDuplex()
	}

	defer e.underWay.Add(-1)
	if most := e.limits.Requests; e.underWay.Add(1) > int64(most) {
		e.refuse(out, req, x, refusal.New(refusal.TooManyConnections, "the proxy has %d requests under way, its limit; let some end or try later", most))
		return
	}
	if err := e.locate(x, req, t); err != nil {
		e.refuse(out, req, x, err)
		return
	}
	if t == nil {
		// No CONNECT came before this request: its verdict is Judge's alone.
		if gen.policy.Judge == nil {
			e.refuse(out, req, x, errNoPolicy)
			return
		}
	} else if v := gen.policy.tunnel(x.Destination); v.Refusal != nil {
		// The configuration may have changed since the tunnel was opened.
		x.RefusalStatus = v.RefusalStatus
		e.refuse(out, req, x, v.Refusal)
		return
	}
	if err := modifyRequest(gen.steps, req); err != nil {
		if body, ok := errors.AsType[*BodyError](err); ok {
			err = e.bodyFailed(x, violationOf(req, t), body)
		}
		e.refuse(out, req, x, err)
		return
	}
	if gen.policy.Answer != nil {
		a, err := gen.policy.answer(counted(req, x))
		if body, ok := errors.AsType[*BodyError](err); ok {
			err = e.bodyFailed(x, violationOf(req, t), body)
		}
		if err != nil {
			e.refuse(out, req, x, err)
			return
		}
		if a != nil {
			out.answer(a, e.stage)
			return
		}
	}
	gen.relay.ServeHTTP(out, req)
	if x.Refused() != nil && !x.logged && x.Upgrade == "" {
		// Cut off after the answer had begun: an origin that ended it early must
		// not make it look whole.
		panic(http.ErrAbortHandler)
	}
}

// BodyError is what a policy returns when it could not read the request's body
// to its end.
type BodyError struct{ Err error }

func (b *BodyError) Error() string { return "read body: " + b.Err.Error() }
func (b *BodyError) Unwrap() error { return b.Err }

// bodyFailed tells a body that is malformed, for which there is an answer, from
// a client that is gone, for which there is none.
func (e *Engine) bodyFailed(x *Exchange, v *framing.Violation, err *BodyError) error {
	if v != nil {
		return refusal.New(refusal.Code(v.Code), "%s", v.Message)
	}
	if r, ok := errors.AsType[*refusal.Refusal](err.Err); ok {
		return r
	}
	e.log.Debug("client went away", "request_id", x.ID, "host", x.Destination.String(), "err", err)
	panic(http.ErrAbortHandler)
}

func (e *Engine) newExchange(req *http.Request, t *tunnel) *Exchange {
	x := &Exchange{ID: newID(), start: time.Now(), method: shortMethod(req.Method), proto: req.Proto}
	if violationOf(req, t) != nil {
		x.method = "" // req is the guard's; the client's method was not read
	}
	if t != nil {
		x.Destination, x.Scheme = t.destination, "https"
		x.Route, x.RefusalStatus = t.verdict.Route, t.verdict.RefusalStatus
		x.hopIn = numbered(t.hop, t.requests.Add(1))
	} else {
		x.hopIn = hopIn(req.Header)
	}
	if isWebSocket(req) {
		x.Upgrade, x.proto = "websocket", "websocket"
	}
	x.matched = func(m Match) { e.matched(x, m) }
	x.undecoded = func(code string) { e.undecoded(x, code) }
	return x
}

// shortMethod keeps an agent from writing into log and audit by way of the
// method: what does not look like one is "other".
func shortMethod(m string) string {
	const longest = 20 // the registry's longest is UPDATEREDIRECTREF
	if len(m) > longest {
		return "other"
	}
	for i := 0; i < len(m); i++ {
		if c := m[i]; c != '-' && (c < 'A' || c > 'Z') {
			return "other"
		}
	}
	return m
}

const idLength = 12

// newID returns 60 random bits: enough to find one request in one log.
func newID() string { return strings.ToLower(rand.Text()[:idLength]) }

// locate sets the exchange's destination, or says why the request has none:
// CONNECT authority = SNI = Host = port (RFC 9110, section 7.4).
func (e *Engine) locate(x *Exchange, req *http.Request, t *tunnel) error {
	if v := violationOf(req, t); v != nil {
		return refusal.New(refusal.Code(v.Code), "%s", v.Message)
	}
	if req.ProtoMajor == 2 && req.Method != http.MethodConnect && req.RequestURI != "*" && !strings.HasPrefix(req.RequestURI, "/") {
		// net/http would take a URL apart, and send what follows a scheme that it
		// does not know as the target (RFC 9113, section 8.3.1).
		return refusal.New(refusal.MalformedRequest, "the :path of the request is not a path")
	}
	if req.Method == http.MethodConnect {
		return refusal.New(refusal.ProxyMethodForbidden, "CONNECT inside a tunnel; open a new connection to the proxy instead")
	}
	if err := checkConnection(req.Header); err != nil {
		return err
	}
	if !plainTarget(req.RequestURI) {
		// HTTP/2 carries what an HTTP/1 request line cannot.
		return refusal.New(refusal.MalformedRequest, "the URL holds a space or a control character; percent-encode it")
	}
	if req.URL.User != nil {
		return refusal.New(refusal.UserinfoInURL, "the URL holds a user name or password; remove it")
	}
	if t == nil {
		return e.locateAbsolute(x, req)
	}
	if t.serverName != t.destination.Host && !t.noServerNameNeeded {
		return refusal.New(refusal.SNIMismatch, "the TLS server name is not %s, the host that the tunnel was opened for", t.destination.Host)
	}
	// Absolute-form inside a tunnel must name the tunnel's own destination too.
	if req.URL.Host != "" && req.URL.Scheme != "https" {
		return refusal.New(refusal.AuthorityMismatch, "an http:// URL inside a tunnel to %s; send the path alone", t.destination)
	}
	if h := req.Header["Host"]; len(h) > 0 { // HTTP/2 with both :authority and host
		for _, v := range h {
			if a, err := authority.ParseDefault(v, authority.DefaultPort); err != nil || a != t.destination {
				return mismatch(t.destination)
			}
		}
	}
	a, err := authority.ParseDefault(req.Host, authority.DefaultPort)
	if err != nil || a != t.destination {
		return mismatch(t.destination)
	}
	return nil
}

func mismatch(want authority.Authority) error {
	return refusal.New(refusal.AuthorityMismatch, "the Host of the request is not %s, which the tunnel was opened for", want.HostHeader("https"))
}

func (e *Engine) locateAbsolute(x *Exchange, req *http.Request) error {
	switch {
	case req.URL.Host == "":
		return refusal.New(refusal.NotAProxyRequest, "this is a proxy, not a server; set HTTPS_PROXY to its address and ask for an https:// URL")
	case req.URL.Scheme == "https":
		return refusal.New(refusal.NotAProxyRequest, "https:// URLs come through CONNECT; use a client that tunnels")
	case req.URL.Scheme != "http":
		return refusal.New(refusal.NotAProxyRequest, "the proxy takes http:// and https:// URLs only")
	}
	a, err := authority.ParseDefault(req.URL.Host, 80)
	if err != nil {
		return refusal.New(refusal.BadAuthority, "the URL names no plain host and port").Because(err)
	}
	x.Destination, x.Scheme = a, "http"
	if viaContains(req.Header, e.pseudonym) {
		return refusal.New(refusal.LoopDetected, "the request came back to this stage; the operator's next_hop leads in a circle")
	}
	return nil
}

func plainTarget(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// violationOf returns what the framing guard of the connection found.
func violationOf(req *http.Request, t *tunnel) *framing.Violation {
	if guard := guardOf(req, t); guard != nil {
		return guard.Violation()
	}
	return nil
}

// guardOf returns the framing guard of the connection that req came on; nil
// for HTTP/2.
func guardOf(req *http.Request, t *tunnel) *framing.Conn {
	if t != nil {
		return t.guard
	}
	guard, _ := req.Context().Value(guardKey{}).(*framing.Conn)
	return guard
}

type guardKey struct{}

// endToEnd are headers that Connection must not name: taking one of them off
// would change what the policy has judged or what the origin understands.
var endToEnd = map[string]bool{
	"Authorization": true, "Cookie": true, "Host": true, "Content-Length": true, "Content-Type": true,
	"Content-Encoding": true, "Date": true, "Expect": true, "Range": true, "Cache-Control": true,
	"Sec-Websocket-Key": true, "Sec-Websocket-Version": true, "Sec-Websocket-Extensions": true, "Sec-Websocket-Protocol": true,
	"X-Api-Key": true, "Api-Key": true, "X-Goog-Api-Key": true, "Private-Token": true, "X-Auth-Token": true,
	"Chatgpt-Account-Id": true, "Anthropic-Beta": true, "Anthropic-Version": true, "Origin": true,
}

func checkConnection(h http.Header) error {
	for _, v := range h["Connection"] {
		for _, name := range strings.Split(v, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			if endToEnd[name] {
				return refusal.New(refusal.BadConnectionHeader, "Connection names %s, which is not hop-by-hop; remove it from Connection", name)
			}
		}
	}
	return nil
}

// viaContains reports whether a Via header holds the pseudonym of this process.
func viaContains(h http.Header, pseudonym string) bool {
	for _, v := range h["Via"] {
		if strings.Contains(v, pseudonym) {
			return true
		}
	}
	return false
}

// noTrace refuses the method whose answer is the request as the origin got it,
// the real credential with it (RFC 9110, section 9.3.8).
type noTrace struct{}

func (noTrace) ModifyRequest(req *http.Request) error {
	if req.Method == http.MethodTrace || req.Method == "TRACK" {
		return refusal.New(refusal.MethodNotAllowed, "%s asks the origin to repeat the request; use another method", req.Method)
	}
	return nil
}

// hopByHop removes what belongs to one connection (RFC 9110, section 7.6.1),
// and keeps what the relay needs to make the same wish of the origin: a
// WebSocket upgrade and "TE: trailers". Other upgrades are dropped, as section
// 7.8 lets a server do.
type hopByHop struct{}

var removeHopByHop = header.NewHopByHopModifier()

func (hopByHop) ModifyRequest(req *http.Request) error {
	upgrade := isWebSocket(req)
	trailers := hasToken(req.Header["Te"], "trailers")
	if err := removeHopByHop.ModifyRequest(req); err != nil {
		return err
	}
	req.Header.Del("Http2-Settings")
	req.Header.Del("Host")
	req.Header.Del(hopHeader)
	if upgrade {
		req.Header["Connection"] = []string{"Upgrade"}
		req.Header["Upgrade"] = []string{"websocket"}
	}
	if trailers {
		req.Header["Te"] = []string{"trailers"}
	}
	return nil
}

// isWebSocket reports whether req asks for a WebSocket (RFC 6455, section 4.1).
func isWebSocket(req *http.Request) bool {
	return req.ProtoMajor == 1 && req.Method == http.MethodGet &&
		hasToken(req.Header["Connection"], "upgrade") && hasToken(req.Header["Upgrade"], "websocket")
}

func hasToken(values []string, token string) bool {
	for _, v := range values {
		for _, t := range strings.Split(v, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}
