package echo

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
)

// hasTail reports whether c can be the character after a base64 needle: its
// high bits are the credential's last ones.
func (n *needle) hasTail(c byte) bool {
	v, ok := n.value(c)
	return ok && v>>(6-n.tail) == n.lastBits(n.last())
}

func (n *needle) last() byte { return n.real[len(n.real)-1] }

func (n *needle) lastBits(c byte) byte { return c & (1<<n.tail - 1) }

// value returns what c stands for in base64.
func (n *needle) value(c byte) (byte, bool) {
	b, err := n.encoding.DecodeString(string([]byte{c, 'A', 'A', 'A'}))
	if err != nil {
		return 0, false
	}
	return b[0] >> 2, true
}

// char is the inverse of value.
func (n *needle) char(v byte) byte {
	return n.encoding.EncodeToString([]byte{v << 2, 0, 0})[0]
}

// appendStandIn appends the stand-in to dst, written as found was.
func appendStandIn(dst, found []byte, o occurrence) []byte {
	n, standIn := o.needle, o.cred.standIn
	switch n.kind {
	case hexadecimal:
		out := hex.EncodeToString([]byte(standIn))
		if bytes.ContainsAny(found, "ABCDEF") {
			out = strings.ToUpper(out)
		}
		return append(dst, out...)
	case base64Text:
		return n.appendBase64(dst, found, o.family, standIn)
	}
	return appendLike(dst, n.spans(o.family, found), standIn)
}

// appendBase64 appends the characters that base64 of the surroundings with the
// stand-in has, where found has those with the credential. A length that differs
// modulo three would move all that follows, so the stand-in is filled up.
func (n *needle) appendBase64(dst, found []byte, f family, standIn string) []byte {
	for len(standIn)%3 != len(n.real)%3 {
		standIn += "_"
	}
	text, _ := covered(n.encoding, n.align, standIn)
	spans := n.spans(f, found)
	var after []byte
	if spans == nil { // the last character is the tail
		end := len(found) - 1
		v, _ := n.value(found[end])
		keep := v & (1<<(6-n.tail) - 1)
		after = []byte{n.char(n.lastBits(standIn[len(standIn)-1])<<(6-n.tail) | keep)}
		spans = n.spans(f, found[:end])
	}
	return append(appendLike(dst, spans, text), after...)
}

// appendLike appends text, each character written in the way of the span with
// the same index. Where lengths differ, it is escaped throughout or not at all.
func appendLike(dst []byte, spans [][]byte, text string) []byte {
	if len(spans) == len(text) {
		for i, span := range spans {
			dst = appendEscaped(dst, span, text[i])
		}
		return dst
	}
	var like []byte
	for _, span := range spans {
		if len(span) > 1 && span[0] != '\n' && span[0] != '\r' && !isSpecial(span) {
			like = span
		} else if len(span) == 1 && isAlnum(span[0]) {
			like = nil
			break
		}
	}
	for i := 0; i < len(text); i++ {
		if like == nil {
			dst = append(dst, text[i])
		} else {
			dst = appendEscaped(dst, like, text[i])
		}
	}
	return dst
}

// isSpecial reports whether span is an escape that only some characters have.
func isSpecial(span []byte) bool {
	return span[0] == '\\' && span[1] != 'u' && span[1] != 'U' || span[0] == '&' && span[1] != '#'
}

// appendEscaped appends c, written in as many bytes as span is. A span of which
// there is none of that length for c, such as \/, is appended as it is: it tells
// one character that is no letter and no digit.
func appendEscaped(dst, span []byte, c byte) []byte {
	for len(span) > 1 { // line breaks of base64
		if n := len(breakOf(span)); n > 0 {
			dst, span = append(dst, span[:n]...), span[n:]
			continue
		}
		break
	}
	digits := "%02x"
	if bytes.ContainsAny(span, "ABCDEF") || span[0] == '%' && !bytes.ContainsAny(span, "abcdef") {
		digits = "%02X"
	}
	switch n := len(span); {
	case n == 1:
		return append(dst, c)
	case span[0] == '%' || span[0] == '\\' && span[1]|0x20 == 'u':
		return fmt.Appendf(append(dst, span[:n-2]...), digits, c)
	case span[0] == '&' && span[1] == '#' && span[2]|0x20 == 'x':
		return fmt.Appendf(append(dst, span[:3]...), digits+";", c)
	case span[0] == '&' && n >= len("&#88;"):
		if c > 99 && n == len("&#88;") {
			c = 'X'
		}
		return fmt.Appendf(append(dst, "&#"...), "%0*d;", n-3, c)
	}
	return append(dst, span...)
}

// breakOf returns the line break that span begins with, if it is one.
func breakOf(span []byte) []byte {
	for _, b := range breaks(json) {
		if len(span) > len(b) && string(span[:len(b)]) == b {
			return span[:len(b)]
		}
	}
	return nil
}
