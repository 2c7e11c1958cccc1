// Package secret holds values that must not be seen: a type that no formatter,
// logger or marshaller prints, and the file rules for reading and writing them.
//
// A [Value] comes in through [New] and leaves through [Value.Expose] only. A
// reader who wants to know where a credential can escape greps for Expose.
//
// Limits: Go strings are immutable and garbage collected, so a value is not
// wiped from memory; the guarantee is about output, not about core dumps.
package secret

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

const redacted = "[secret]"

// Value is a credential. The zero Value holds nothing. Values are immutable and
// safe for concurrent use.
type Value struct {
	// A pointer, because fmt prints unexported fields of other structs by
	// reflection, without calling their methods: it then prints an address.
	p *string
}

var (
	// ErrEmpty reports a secret with no bytes.
	ErrEmpty = errors.New("secret is empty")
	// ErrControl reports a secret with a byte that cannot stand in a header
	// field value (RFC 9110, section 5.5): CR, LF, NUL or another control.
	ErrControl = errors.New("secret contains a line break or control character")
	// ErrBOM reports a secret that begins with a byte order mark, which an
	// editor has put there.
	ErrBOM = errors.New("secret begins with a byte order mark")
)

// New makes a Value of s. The error is [ErrEmpty], [ErrControl] or [ErrBOM]
// and never quotes s.
func New(s string) (Value, error) {
	if s == "" {
		return Value{}, ErrEmpty
	}
	for _, bom := range []string{"\xef\xbb\xbf", "\xff\xfe", "\xfe\xff"} {
		if strings.HasPrefix(s, bom) {
			return Value{}, ErrBOM
		}
	}
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] == 0x7f {
			return Value{}, ErrControl
		}
	}
	return Value{&s}, nil
}

// NewAny makes a Value of any bytes, such as a private key of several lines, for
// searching and comparing. What goes into a header field comes from [New]. The
// error is [ErrEmpty].
func NewAny(s string) (Value, error) {
	if s == "" {
		return Value{}, ErrEmpty
	}
	return Value{&s}, nil
}

// NewTrimmed is [New] after removing one trailing line end (LF or CRLF), as
// files and commands print their secret with one.
func NewTrimmed(s string) (Value, error) {
	s = strings.TrimSuffix(s, "\n")
	return New(strings.TrimSuffix(s, "\r"))
}

// Expose returns the value itself. Call it where the credential is used, and
// nowhere else.
func (v Value) Expose() string {
	if v.p == nil {
		return ""
	}
	return *v.p
}

// IsZero reports whether v holds nothing.
func (v Value) IsZero() bool { return v.p == nil }

// SHA256 returns the lower-case hex SHA-256 of the value, by which one value
// can be recognised without being kept. Only meaningful for values with
// enough entropy that the digest cannot be searched, such as tokens.
func (v Value) SHA256() string { return SHA256(v.Expose()) }

// SHA256 returns the lower-case hex SHA-256 of s.
func SHA256(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// String returns a fixed text.
func (Value) String() string { return redacted }

// GoString returns a fixed text.
func (Value) GoString() string { return redacted }

// Format writes a fixed text for every verb and flag.
func (Value) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue returns a fixed text.
func (Value) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a fixed text; JSON, TOML and XML encoders use it.
func (Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalBinary refuses, so that gob and the like cannot carry a value.
func (Value) MarshalBinary() ([]byte, error) {
	return nil, errors.New("marshal secret: refused")
}
