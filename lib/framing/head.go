package framing

import "bytes"

// head follows one request head line by line. It keeps positions, not bytes:
// the caller hands it the head from its first byte each time, longer than
// before or equal.
type head struct {
	line     int // where the unjudged line begins
	searched int // bytes already searched for a line end

	http10  bool
	connect bool // the method is CONNECT
	upgrade bool // an Upgrade field is present
	hosts   int
	lengths int // Content-Length fields
	codings int // Transfer-Encoding fields
	length  int64
}

// chunked reports whether a chunked body follows the judged head.
func (h *head) chunked() bool { return h.codings > 0 }

// judge continues with b, the head from its first byte and whatever follows
// it. It returns the head's size once it is complete, zero while it is not.
// The verdict does not depend on how the bytes were cut into reads.
func (h *head) judge(b []byte, max int) (size int, v *Violation) {
	if h.searched == 0 && len(b) > 0 && !tokenOctets[b[0]] {
		return 0, malformed("the request does not begin with a method")
	}
	for {
		i := bytes.IndexByte(b[h.searched:], '\n')
		if i < 0 {
			h.searched = len(b)
			if len(b) >= max {
				return 0, tooLarge()
			}
			return 0, nil
		}
		begin, end := h.line, h.searched+i+1
		if end > max {
			return 0, tooLarge()
		}
		if end-begin < 2 || b[end-2] != '\r' {
			return 0, malformed("a line of the request head does not end with CRLF")
		}
		line := b[begin : end-2]
		h.line, h.searched = end, end
		switch {
		case begin == 0:
			v = h.requestLine(line)
		case len(line) == 0:
			return end, h.whole()
		default:
			v = h.field(line)
		}
		if v != nil {
			return 0, v
		}
	}
}

func tooLarge() *Violation {
	return &Violation{HeaderTooLarge, "the request head is larger than this proxy accepts"}
}

// requestLine judges METHOD SP target SP HTTP-version (RFC 9112, section 3).
func (h *head) requestLine(line []byte) *Violation {
	const version = " HTTP/1."
	sp := bytes.IndexByte(line, ' ')
	end := len(line) - len(version) - 1
	if sp <= 0 || end <= sp+1 || string(line[end:len(line)-1]) != version {
		return malformed("the request line is not METHOD SP target SP HTTP/1.0 or HTTP/1.1")
	}
	switch line[len(line)-1] {
	case '0':
		h.http10 = true
	case '1':
	default:
		return malformed("the request's HTTP version is neither 1.0 nor 1.1")
	}
	method := line[:sp]
	if !all(method, &tokenOctets) {
		return malformed("the request's method is not a token")
	}
	h.connect = string(method) == "CONNECT"
	if !validTarget(string(method) == "OPTIONS", h.connect, line[sp+1:end]) {
		return malformed("the request's target is not valid for its method")
	}
	return nil
}

// field judges one field line (RFC 9112, section 5) and notes what frames the
// message.
func (h *head) field(line []byte) *Violation {
	if isSpace(line[0]) {
		return malformed("the request head has a folded line")
	}
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return malformed("the request head has a line that is not name: value")
	}
	name, value := line[:colon], line[colon+1:]
	if !all(name, &tokenOctets) {
		if isSpace(name[colon-1]) {
			return malformed("the request head has white space before a colon")
		}
		return malformed("the request head has a field name that is not a token")
	}
	if hasControl(value) {
		return malformed("the request head has a control character in a field value")
	}
	switch len(name) {
	case len("host"):
		if equalFold(name, "host") {
			return h.hostField(trimSpace(value))
		}
	case len("upgrade"):
		if equalFold(name, "upgrade") {
			h.upgrade = true
		} else if equalFold(name, "trailer") {
			return trailerField(value)
		}
	case len("content-length"):
		if equalFold(name, "content-length") {
			return h.lengthField(trimSpace(value))
		}
	case len("transfer-encoding"):
		if equalFold(name, "transfer-encoding") {
			return h.codingField(trimSpace(value))
		}
	}
	return nil
}

func (h *head) hostField(value []byte) *Violation {
	h.hosts++
	if h.hosts > 1 {
		return &Violation{DuplicateHost, "the request has more than one Host field"}
	}
	if !all(value, &hostOctets) {
		return malformed("the request's Host field is not a host name")
	}
	return nil
}

// lengthField refuses a second Content-Length even if equal: RFC 9112, section
// 6.3, allows a recipient to, and nothing honest sends one.
func (h *head) lengthField(value []byte) *Violation {
	h.lengths++
	if h.lengths > 1 {
		return conflict("the request has more than one Content-Length field")
	}
	n, ok := decimal(value)
	if !ok {
		return conflict("the request's Content-Length is not one decimal number")
	}
	h.length = n
	return nil
}

func (h *head) codingField(value []byte) *Violation {
	h.codings++
	if h.codings > 1 {
		return conflict("the request has more than one Transfer-Encoding field")
	}
	if !equalFold(value, "chunked") {
		return conflict("the request's Transfer-Encoding is not exactly chunked")
	}
	return nil
}

// trailerField refuses an announcement of trailers that would frame the
// message (RFC 9110, section 6.5.1); net/http answers them by itself.
func trailerField(value []byte) *Violation {
	for len(value) > 0 {
		name, rest, _ := bytes.Cut(value, []byte{','})
		if framingName(trimSpace(name)) {
			return conflict("the request announces a trailer that would frame it")
		}
		value = rest
	}
	return nil
}

// framingName reports whether a field of this name must not be a trailer
// because it frames or routes the message.
func framingName(name []byte) bool {
	return equalFold(name, "content-length") || equalFold(name, "transfer-encoding") ||
		equalFold(name, "trailer") || equalFold(name, "host")
}

// whole judges what only the complete head can tell.
func (h *head) whole() *Violation {
	switch {
	case h.codings > 0 && h.lengths > 0:
		return conflict("the request has both Content-Length and Transfer-Encoding")
	case h.codings > 0 && h.http10:
		return conflict("the request is HTTP/1.0 and has a Transfer-Encoding")
	case h.connect && (h.codings > 0 || h.length > 0):
		return conflict("the CONNECT request has a body")
	case h.hosts == 0 && !h.http10 && !h.connect:
		return malformed("the HTTP/1.1 request has no Host field")
	}
	return nil
}
