package filter

import (
	"net/http"
	"strings"

	"bottle/lib/loginheader"
)

// signature returns the name of a header, or of a parameter of the URL, that
// makes changes at p visible to the origin and that the filter cannot make
// again; "" if there is none.
func signature(req *http.Request, p place) string {
	if p.part == message {
		return ""
	}
	unsigned := strings.EqualFold(req.Header.Get("X-Amz-Content-Sha256"), "UNSIGNED-PAYLOAD")
	for _, v := range req.Header["Authorization"] {
		scheme, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(v)), " ")
		switch {
		case strings.HasPrefix(scheme, "aws4-"):
			// The signature is over the hash that X-Amz-Content-Sha256 holds (AWS,
			// "Create a signed request"), or the body's own where there is none.
			if p.part == body && unsigned {
				continue
			}
			return "Authorization"
		case strings.Contains(scheme, "hmac"), scheme == "signature", strings.HasPrefix(scheme, "sharedkey"):
			return "Authorization"
		}
	}
	for _, fields := range []http.Header{req.Header, req.Trailer} {
		for name := range fields {
			switch lower := strings.ToLower(name); {
			case strings.Contains(lower, "signature"), strings.Contains(lower, "hmac"):
				// RFC 9421's Signature, X-Hub-Signature-256, Stripe-Signature and others.
				return name
			case p.part != body:
			case lower == "x-amz-content-sha256":
				if !unsigned {
					return name
				}
			case isDigest(name):
				if p.flowing && fields[name] != nil { // a trailer comes after it
					return name
				}
			case strings.Contains(lower, "checksum"), strings.Contains(lower, "content-md5"), strings.Contains(lower, "content-sha"), lower == "x-goog-hash":
				return name
			}
		}
	}
	if p.part == head {
		for name := range req.URL.Query() {
			switch strings.ToLower(name) {
			case "x-amz-signature", "x-goog-signature", "x-oss-signature", "q-signature", "signature", "sig":
				return "the URL's " + name
			}
		}
	}
	return ""
}

// credential headers hold a login; one with a placeholder in it would fail in a
// way that nobody understands. The others say how the request is to be read.
var unchangeable = func() map[string]bool {
	m := map[string]bool{}
	for name := range loginheader.All {
		m[name] = true
	}
	for _, name := range []string{
		"Cookie", "Sec-Websocket-Protocol", "Chatgpt-Account-Id",
		"Host", "Connection", "Content-Type", "Content-Encoding", "Content-Length", "Content-Range", "Transfer-Encoding",
		"Te", "Trailer", "Upgrade", "Expect", "Range", "Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Extensions",
		"If-Match", "If-None-Match", "If-Range", "X-Http-Method-Override", "Content-Digest", "Repr-Digest", "Digest", "Content-Md5",
	} {
		m[http.CanonicalHeaderKey(name)] = true
	}
	return m
}()
