package refusal

import "net/http"

// Code is a stable reason code: the same text in answers, logs, audit records,
// documentation and tests.
type Code string

// The reason codes. Table says what each means on the wire.
const (
	// Policy: the agent asked for what it may not have.
	HostNotAllowed     Code = "host_not_allowed"
	NoRoute            Code = "no_route"
	MethodNotAllowed   Code = "method_not_allowed"
	PathNotAllowed     Code = "path_not_allowed"
	AmbiguousPath      Code = "ambiguous_path"
	GitNotAllowed      Code = "git_not_allowed"
	ForeignCredential  Code = "foreign_credential"
	SignInRefused      Code = "sign_in_refused"
	BadTokenRequest    Code = "bad_token_request"
	LoginEnded         Code = "login_ended"
	CleartextRefused   Code = "cleartext_refused"
	AddressProhibited  Code = "address_prohibited"
	SecretInRequest    Code = "secret_in_request"
	SecretInSigned     Code = "secret_in_signed_request"
	DummyMisdirected   Code = "dummy_misdirected"
	UndecodableBody    Code = "undecodable_body"
	DecompressionBomb  Code = "decompression_bomb"
	BodyTooLarge       Code = "body_too_large"
	RateLimited        Code = "rate_limited"
	FilterBusy         Code = "filter_busy"
	BodyTimeout        Code = "body_timeout"
	UpgradeUnsupported Code = "upgrade_unsupported"

	// The request itself is not one that can be judged.
	BadAuthority         Code = "bad_authority"
	AuthorityMismatch    Code = "authority_mismatch"
	SNIMismatch          Code = "sni_mismatch"
	NotTLS               Code = "not_tls"
	NotAProxyRequest     Code = "not_a_proxy_request"
	BadConnectionHeader  Code = "bad_connection_header"
	AmbiguousCredential  Code = "ambiguous_credential"
	UserinfoInURL        Code = "userinfo_in_url"
	MalformedRequest     Code = "malformed_head"
	FramingConflict      Code = "framing_conflict"
	DuplicateHost        Code = "duplicate_host"
	HeaderTooLarge       Code = "header_too_large"
	HeaderTimeout        Code = "header_timeout"
	BadChunk             Code = "bad_chunk"
	LoopDetected         Code = "loop_detected"
	TooManyConnections   Code = "too_many_connections"
	ProxyMethodForbidden Code = "connect_inside_tunnel"

	// Something failed, and nothing is forwarded instead.
	DNSFailed             Code = "dns_failed"
	ConnectFailed         Code = "connect_failed"
	ConnectTimeout        Code = "connect_timeout"
	OriginTLSFailed       Code = "origin_tls_failed"
	OriginClosed          Code = "origin_closed"
	UndecodableAnswer     Code = "undecodable_answer"
	NextHopDown           Code = "next_hop_down"
	NextHopRefused        Code = "next_hop_refused"
	NextHopAuth           Code = "next_hop_auth"
	CredentialUnavailable Code = "credential_unavailable"
	InternalError         Code = "internal_error"
)

// Alarm reports whether the operator should look at what the agent was doing:
// no program sends such a request by mistake.
func (c Code) Alarm() bool { return c == DummyMisdirected }

// Entry is what a code means on the wire.
type Entry struct {
	Code Code
	// Status of the answer, unless the route has its own (see Refusal.Policy).
	Status int
	// ProxyStatus is the error type of RFC 9209, section 2.3.
	ProxyStatus string
	// Policy marks a verdict, as opposed to a malformed request or a failure: a
	// provider's route answers it with the status on which its client gives up.
	Policy bool
	// Retry says whether the same request may succeed later.
	Retry bool
	// Meaning is for the documentation: what happened and what to do.
	Meaning string
}

const (
	denied   = "http_request_denied"
	badReq   = "http_request_error"
	protocol = "http_protocol_error"
)

// Table returns every code, in the order of the documentation.
func Table() []Entry { return table[:] }

var table = [...]Entry{
	{HostNotAllowed, http.StatusForbidden, denied, true, false, "The filter does not allow this host and port. The operator adds it to allow in pipelock.toml, or a route to bottle.toml."},
	{NoRoute, http.StatusForbidden, denied, true, false, "No egress route names this host and port. The operator adds a route to bottle.toml."},
	{MethodNotAllowed, http.StatusForbidden, denied, true, false, "The route names its methods, and this is not one of them; or the method is TRACE, which asks the origin to repeat what it was sent. The operator adds others to methods in bottle.toml."},
	{PathNotAllowed, http.StatusForbidden, denied, true, false, "The route names its path prefixes, and the path is under none of them. The operator adds it to paths in bottle.toml."},
	{AmbiguousPath, http.StatusBadRequest, badReq, true, false, "The path can be read in two ways (dot segments, encoded slashes, backslashes, empty segments) on a route with a rule about paths or git. Send the plain path."},
	{GitNotAllowed, http.StatusForbidden, denied, true, false, "The route's git rule does not allow this: a push (or git-lfs upload) where git is \"read\", anything of git where it is \"off\". Keep the commits; the operator changes git in bottle.toml."},
	{ForeignCredential, http.StatusForbidden, denied, true, false, "The request carries a credential that is not this bottle's dummy, on a route that takes no other. Use the login that the bottle gave."},
	{SignInRefused, http.StatusForbidden, denied, true, false, "Signing in or out, a device login or another grant, on the provider's sign-in host. The bottle's login is the host's: sign in there."},
	{BadTokenRequest, http.StatusBadRequest, badReq, true, false, "The body of a token request cannot be read: it is neither JSON nor a form, or too long, or compressed."},
	{LoginEnded, http.StatusForbidden, denied, true, false, "The client asked for new tokens, or the origin answered 401, and the host's login has ended or cannot be read. The operator runs the provider's client on the host, or signs in there; the bottle follows."},
	{CleartextRefused, http.StatusForbidden, denied, true, false, "http:// to a route that carries a credential. Use https://."},
	{AddressProhibited, http.StatusForbidden, "destination_ip_prohibited", true, false, "The name resolves to a private, loopback, link-local, metadata or otherwise special address. The operator permits a network with allow_addresses, or one destination with connect_to."},
	{SecretInRequest, http.StatusForbidden, denied, true, false, "The filter found a secret in the request. Remove it; the message says where it stands."},
	{SecretInSigned, http.StatusForbidden, denied, true, false, "The filter found a secret that it would have replaced, but a signature or checksum covers what it stands in, and would no longer be right. Remove the secret before signing."},
	{DummyMisdirected, http.StatusForbidden, denied, true, false, "The request carries a bottle's dummy credential to a host that it is not for. It is worth nothing there; sending it is a sign that the agent was told to. The operator should look at what it was doing."},
	{UndecodableBody, http.StatusForbidden, denied, true, false, "The filter cannot decode the body and will not let through what it cannot read."},
	{DecompressionBomb, http.StatusForbidden, denied, true, false, "A compressed body becomes many times as large as it was sent, as nothing honest does. Send it uncompressed or in parts."},
	{BodyTooLarge, http.StatusForbidden, denied, true, false, "A compressed body or WebSocket message is larger than the filter judges in one piece. Send it uncompressed or in parts."},
	{RateLimited, http.StatusTooManyRequests, denied, false, true, "More requests per minute to this host than the filter allows. Wait as Retry-After says."},
	{FilterBusy, http.StatusServiceUnavailable, "proxy_internal_response", false, true, "The filter is judging as many bodies as its memory allows. Try again, or send fewer at a time."},
	{BodyTimeout, http.StatusRequestTimeout, badReq, false, false, "A body that the filter judges before its first byte leaves did not arrive in time."},
	{UpgradeUnsupported, http.StatusUpgradeRequired, "http_upgrade_failed", false, false, "This upgrade cannot be relayed here. Send the request without it."},

	{BadAuthority, http.StatusBadRequest, badReq, false, false, "The destination is not a host and port in plain form. CONNECT needs host:port."},
	{AuthorityMismatch, http.StatusMisdirectedRequest, badReq, false, false, "The Host (or :authority) of the request is not the host and port that the tunnel was opened for."},
	{SNIMismatch, http.StatusMisdirectedRequest, badReq, false, false, "The TLS server name is not the host that the tunnel was opened for."},
	{NotTLS, http.StatusBadRequest, "tls_protocol_error", false, false, "The bytes in the tunnel are not TLS. Tunnels carry TLS only."},
	{NotAProxyRequest, http.StatusBadRequest, badReq, false, false, "The request is not a proxy request. This is a proxy: set HTTPS_PROXY, do not address it as a server."},
	{BadConnectionHeader, http.StatusBadRequest, badReq, false, false, "Connection names a header that is not hop-by-hop. Remove it from Connection."},
	{AmbiguousCredential, http.StatusBadRequest, badReq, true, false, "The request carries more than one Authorization. Send one."},
	{UserinfoInURL, http.StatusBadRequest, badReq, false, false, "The URL holds a user name or password. Remove it."},
	{MalformedRequest, http.StatusBadRequest, badReq, false, false, "The request head is not HTTP/1.1 as RFC 9112 defines it."},
	{FramingConflict, http.StatusBadRequest, badReq, false, false, "The request has conflicting lengths (Content-Length and Transfer-Encoding, or several of one)."},
	{DuplicateHost, http.StatusBadRequest, badReq, false, false, "The request has more than one Host header."},
	{HeaderTooLarge, http.StatusRequestHeaderFieldsTooLarge, badReq, false, false, "The request head is larger than the limit."},
	{HeaderTimeout, http.StatusRequestTimeout, badReq, false, false, "The request head did not arrive in time."},
	{BadChunk, http.StatusBadRequest, protocol, false, false, "The chunked body is malformed."},
	{LoopDetected, http.StatusLoopDetected, "proxy_loop_detected", false, false, "The request came back to this stage: a next hop leads in a circle."},
	{TooManyConnections, http.StatusServiceUnavailable, "connection_limit_reached", false, true, "The stage is at its limit of open connections, or of requests under way."},
	{ProxyMethodForbidden, http.StatusBadRequest, badReq, false, false, "CONNECT inside a tunnel. Open a new connection to the proxy."},

	{DNSFailed, http.StatusBadGateway, "dns_error", false, true, "The origin's name does not resolve."},
	{ConnectFailed, http.StatusBadGateway, "connection_refused", false, true, "The origin does not accept a connection."},
	{ConnectTimeout, http.StatusGatewayTimeout, "connection_timeout", false, true, "The origin did not answer the connection in time."},
	{OriginTLSFailed, http.StatusBadGateway, "tls_certificate_error", false, false, "The origin's certificate could not be verified. The operator adds its root with upstream_ca."},
	{OriginClosed, http.StatusBadGateway, "connection_terminated", false, true, "The origin ended the connection before it answered."},
	{UndecodableAnswer, http.StatusBadGateway, protocol, false, false, "The origin's answer is coded in a way that cannot be searched for the credential, so it is not passed on. The operator may set redact_responses = false on the route."},
	{NextHopDown, http.StatusBadGateway, "destination_unavailable", false, true, "The next hop does not accept a connection. The operator starts it; nothing goes direct meanwhile."},
	{NextHopRefused, http.StatusForbidden, denied, true, false, "The next hop refused the tunnel without saying why."},
	{NextHopAuth, http.StatusBadGateway, "proxy_configuration_error", false, false, "The next hop wants a login. The operator puts user:password into next_hop."},
	{CredentialUnavailable, http.StatusForbidden, "proxy_configuration_error", true, false, "The route's credential is missing, and nothing is sent without it. The operator's log says what its source lacks."},
	{InternalError, http.StatusInternalServerError, "proxy_internal_error", true, false, "The stage failed on this request and forwarded nothing. The operator's log has the cause."},
}

var byCode = func() map[Code]Entry {
	m := make(map[Code]Entry, len(table))
	for _, e := range table {
		m[e.Code] = e
	}
	return m
}()

// Lookup returns the entry of a code; an unknown one is an internal error.
func Lookup(c Code) Entry {
	if e, ok := byCode[c]; ok {
		return e
	}
	e := byCode[InternalError]
	e.Code = c
	return e
}
