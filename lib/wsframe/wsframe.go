// Package wsframe looks into the frames of a WebSocket connection (RFC 6455, with permessage-deflate of RFC 7692) without
// taking part in it. [Guard] wraps the upstream side of an upgraded connection, shows each message of the client to an
// [Inspector], and passes on the client's bytes exactly as they were sent, once they are judged, but for those that a
// [Rewriter] changes; what the server sends passes untouched. [Edit] is for the other direction: it changes what the
// server's messages say.
//
//	res.Body = wsframe.Guard(res.Body.(io.ReadWriteCloser), wsframe.Options{Inspector: …, Deflate: …})
//	res.Body = wsframe.Edit(res.Body.(io.ReadWriteCloser), wsframe.EditOptions{Messages: …, Control: …, Deflate: …})
//
// A client that breaks the protocol is refused as well: what cannot be read cannot be judged.
//
// # Limits
//
// Text is not checked to be UTF-8. The content of pings, pongs and close frames is judged one frame at a time. [Guard]
// does not inspect messages of the server.
package wsframe

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// Opcode is the kind of a frame (RFC 6455 §5.2).
type Opcode byte

const (
	Continuation Opcode = 0
	Text         Opcode = 1
	Binary       Opcode = 2
	Close        Opcode = 8
	Ping         Opcode = 9
	Pong         Opcode = 10
)

// String returns the kind's name in lower case.
func (o Opcode) String() string {
	switch o {
	case Continuation:
		return "continuation"
	case Text:
		return "text"
	case Binary:
		return "binary"
	case Close:
		return "close"
	case Ping:
		return "ping"
	case Pong:
		return "pong"
	}
	return fmt.Sprintf("opcode %d", byte(o))
}

func (o Opcode) isControl() bool { return o >= Close }

// Close codes (RFC 6455 §7.4.1).
const (
	codeGoingAway = 1001
	codeProtocol  = 1002
	codeInvalid   = 1007
	codePolicy    = 1008
	codeTooBig    = 1009
	codeTryLater  = 1013 // registered after the RFC, with IANA
)

// maxControl is the longest payload of a control frame (RFC 6455 §5.5).
const maxControl = 125

// Accept returns the Sec-WebSocket-Accept value that answers a Sec-WebSocket-Key (RFC 6455 §4.2.2).
func Accept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// AppendText appends an unmasked text frame, as a server sends it, to dst. payload must be UTF-8.
func AppendText(dst, payload []byte) []byte {
	return append(appendHeader(dst, Text, len(payload), 0), payload...)
}

// AppendClose appends an unmasked close frame, as a server sends it, to dst. A reason that is too long for a control
// frame is cut at the end of a character.
func AppendClose(dst []byte, code uint16, reason string) []byte {
	payload := closePayload(code, reason)
	return append(appendHeader(dst, Close, len(payload), 0), payload...)
}

// appendMaskedClose is AppendClose for the direction from client to server.
func appendMaskedClose(dst []byte, code uint16, reason string, key [4]byte) []byte {
	payload := closePayload(code, reason)
	dst = append(appendHeader(dst, Close, len(payload), maskBit), key[:]...)
	mask(payload, payload, key, 0)
	return append(dst, payload...)
}

func closePayload(code uint16, reason string) []byte {
	if len(reason) > maxControl-2 {
		reason = reason[:maxControl-2]
		for r, size := utf8.DecodeLastRuneInString(reason); r == utf8.RuneError && size == 1; {
			reason = reason[:len(reason)-1]
			r, size = utf8.DecodeLastRuneInString(reason)
		}
	}
	return append(binary.BigEndian.AppendUint16(nil, code), reason...)
}

// appendHeader appends the header of a single, final frame; bits is maskBit or 0, and the key comes after.
func appendHeader(dst []byte, op Opcode, length int, bits byte) []byte {
	dst = append(dst, finBit|byte(op))
	switch {
	case length <= maxControl:
		return append(dst, bits|byte(length))
	case length <= 0xffff:
		return binary.BigEndian.AppendUint16(append(dst, bits|126), uint16(length))
	}
	return binary.BigEndian.AppendUint64(append(dst, bits|127), uint64(length))
}
