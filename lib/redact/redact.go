// Package redact puts placeholders where secrets were found. It knows bytes,
// what package dlp found in them, and the notations in which a value may stand;
// nothing of HTTP.
//
//	text, err := redact.Text(rules, src, rules.Scan(src), redact.Plain) // may change the length
//	err = redact.InPlace(rules, src[f.Start:f.End], f)                  // never does
//
// # The placeholder
//
// A value becomes [redacted:RULE], with the rule's name: printable ASCII that
// needs no escape in a JSON string, a header or a form. Where the length must
// not change it is filled with asterisks before the bracket, or its name is cut
// off: [redacted:github-token*****], [redacted:github]; nothing but asterisks
// stands where [redacted] has no room.
//
// # Encodings
//
// Escapes are replaced with what they escape. In base64, base32 and hex the
// bits of the value are overwritten with those of a placeholder of its length,
// at any alignment and inside each other, so that what stands around it decodes
// as before. [Text] replaces a whole run of them where that cannot be done.
//
// # Limits
//
// What would need a text's structure to be known is an error, [ErrUnsound], and
// so is a value of which the begin is not known ([dlp.Finding].Cut).
package redact

import (
	"errors"
	"strings"

	"bottle/lib/dlp"
)

// Scanner finds secrets; *dlp.Rules is one.
type Scanner interface {
	Scan([]byte) []dlp.Finding
}

// ErrUnsound says that no text can be made that is both free of the value and
// as well-formed as before.
var ErrUnsound = errors.New("redact: the value cannot be replaced without breaking what it stands in")

// Notation is how a text is written that may change its length.
type Notation int

const (
	Plain   Notation = iota // placeholders stand as they are
	Percent                 // as a URL and a form want them
	Fixed                   // the length stays, for formats that count bytes
)

const (
	open   = "[redacted:"
	closed = "]"
	bare   = "[redacted]"
)

// Placeholder returns what stands in the place of a value that rule found.
func Placeholder(rule string) string { return open + word(rule) + closed }

// Sized returns a placeholder of n bytes.
func Sized(rule string, n int) string {
	switch name := word(rule); {
	case n < len(bare):
		return strings.Repeat("*", n)
	case n < len(open)+len(closed)+3: // less of the name says nothing
		return bare[:len(bare)-1] + strings.Repeat("*", n-len(bare)) + closed
	default:
		room := n - len(open) - len(closed)
		name = name[:min(len(name), room)]
		return open + name + strings.Repeat("*", room-len(name)) + closed
	}
}

// word makes a rule's name safe to stand anywhere; files of rules may name them
// as they like.
func word(rule string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '-'
	}, rule)
}

func (n Notation) placeholder(rule string) string {
	p := Placeholder(rule)
	if n == Percent {
		return strings.NewReplacer("[", "%5B", "]", "%5D", ":", "%3A").Replace(p)
	}
	return p
}
