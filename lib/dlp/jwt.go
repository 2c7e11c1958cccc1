package dlp

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
)

// The lengths of a JWT's parts. Together they stay under 16 KiB, the size that servers allow a header line at most. An
// RSA signature of 8192 bits takes 1366 characters; one of HMAC-SHA256 43.
const (
	jwtHeaderMax    = 2048
	jwtPayloadMax   = 12 << 10
	jwtSignatureMin = 32
	jwtSignatureMax = 1400
)

// jwtKeywords is how a JSON object looks in base64: {" and, indented by hand-made encoders, { followed by a space or a
// line break.
var jwtKeywords = []string{"eyJ", "eyA", "ewo", "ew0K"}

// jwtSteps are the steps of a JWT after its keyword. headerAt returns a match from the header's first byte on. The header
// is judged at its dot, not before: most candidates are base64 of other JSON and never come to one.
func jwtSteps(headerAt func(match []byte) []byte) []step {
	judgeHeader := func(m []byte) bool { return joseHeader(headerAt(m[:len(m)-1])) }
	return seq(
		run(base64URL, 8, jwtHeaderMax),
		[]step{{class: set("."), min: 1, max: 1, check: judgeHeader}},
		[]step{{class: base64URL, min: 4, max: jwtPayloadMax, check: jwtPayload}},
		lit("."),
		run(base64URL, jwtSignatureMin, jwtSignatureMax),
	)
}

// joseHeader reports whether part is base64url of a JSON object with an alg (RFC 7515 §4.1.1).
func joseHeader(part []byte) bool {
	// Look at both ends before decoding all of it, so that a body made of candidates costs little.
	var probe [48]byte
	n, _ := base64.RawURLEncoding.Decode(probe[:], part[:min(len(part), 64)&^3])
	if !beginsObject(probe[:n]) {
		return false
	}
	n, err := base64.RawURLEncoding.Decode(probe[:], part[(len(part)-1)&^3:])
	if err != nil || !bytes.ContainsAny(probe[:n], "} \t\r\n") {
		return false
	}
	var buf [jwtHeaderMax + maxKeyword]byte
	if n, err = base64.RawURLEncoding.Decode(buf[:], part); err != nil {
		return false
	}
	return json.Valid(buf[:n]) && namesAlg(buf[:n])
}

// namesAlg reports whether header, which is JSON, has an alg that is not empty.
func namesAlg(header []byte) bool {
	for {
		_, rest, ok := bytes.Cut(header, []byte(`"alg"`))
		if !ok {
			return false
		}
		value, ok := bytes.CutPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte(":"))
		if value = bytes.TrimLeft(value, " \t\r\n"); ok && len(value) > 1 && value[0] == '"' && value[1] != '"' {
			return true
		}
		header = rest
	}
}

// beginsObject reports whether b can begin a JSON object whose first name is as short and plain as a header's.
func beginsObject(b []byte) bool {
	b, ok := bytes.CutPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("{"))
	if !ok {
		return false
	}
	b = bytes.TrimLeft(b, " \t\r\n")
	if len(b) < 2 {
		return true // nothing but space so far
	}
	if b[0] != '"' {
		return false
	}
	for _, c := range b[1:] {
		if c == '"' {
			return true
		}
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return len(b) < 40
}

// jwtPayload reports whether the second part of match decodes to something that begins a JSON object (RFC 7519 §7.2).
func jwtPayload(match []byte) bool {
	part := match[bytes.LastIndexByte(match, '.')+1:]
	var probe [12]byte
	n, err := base64.RawURLEncoding.Decode(probe[:], part[:min(len(part), 16)&^3])
	return err == nil && bytes.HasPrefix(bytes.TrimLeft(probe[:n], " \t\r\n"), []byte("{"))
}
