package framing

import (
	"bytes"
	"net/url"
)

// validTarget reports whether target has the form that its method calls for
// (RFC 9112, section 3.2) and net/url can parse it: net/http would answer a
// target that it cannot parse in its own words.
func validTarget(options, connect bool, target []byte) bool {
	for _, c := range target {
		if c <= ' ' || c == 0x7f {
			return false
		}
	}
	switch {
	case connect:
		return all(target, &hostOctets) && parses("http://"+string(target))
	case target[0] == '/':
		return validEscapes(target)
	case target[0] == '*':
		return options && len(target) == 1
	}
	return bytes.Contains(target, []byte("://")) && parses(string(target))
}

// validEscapes reports whether each percent sign of an origin-form's path
// starts an escape. It agrees with url.ParseRequestURI, without allocating.
func validEscapes(target []byte) bool {
	if q := bytes.IndexByte(target, '?'); q >= 0 {
		target = target[:q]
	}
	for {
		i := bytes.IndexByte(target, '%')
		if i < 0 {
			return true
		}
		if i+2 >= len(target) || hexDigit(target[i+1]) < 0 || hexDigit(target[i+2]) < 0 {
			return false
		}
		target = target[i+3:]
	}
}

func parses(uri string) bool {
	u, err := url.ParseRequestURI(uri)
	return err == nil && u.Host != ""
}
