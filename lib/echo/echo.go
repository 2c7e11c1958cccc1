// Package echo keeps an origin from giving a credential back to whom it was
// hidden from: it replaces credentials in a stream of bytes by stand-ins, in
// every form in which software repeats what it was sent.
//
//	w, err := echo.New([]echo.Credential{{Real: token, StandIn: dummy, Source: "env GITHUB_TOKEN"}})
//	res.Body = echo.NewReader(res.Body, w, func(source string) { … })
//
// The forms: as it is; with any of its characters percent-encoded, once or
// twice, as \u00XX, \/ and the like in JSON, or as HTML character references
// (one of these kinds at a time); in hexadecimal; in base64 and base64url
// wherever it stands in what was encoded, which covers Basic credentials, also
// with line breaks and with its own + and / escaped. The replacement is written
// in the form that was found.
//
// Where several credentials could be replaced, the one that begins first is,
// and of those the longest. What is replaced depends on the bytes alone, not on
// how they are cut into pieces.
//
// # Limits
//
// Other encodings, two encodings inside each other but for the above, case
// changes, compression and pieces are not recognised. Of base64 text, up to four
// bits at the beginning of a credential share a character with what precedes it
// and stay.
package echo

import (
	"errors"
	"fmt"
	"strings"

	"bottle/lib/secret"
)

// MinLength is how long a credential has to be, in bytes: shorter ones stand in
// harmless text by accident, and replacing them would eat it.
const MinLength = 8

// ErrShort reports a credential of fewer than [MinLength] bytes.
var ErrShort = fmt.Errorf("credential is shorter than %d characters", MinLength)

// Credential is one value to be replaced.
type Credential struct {
	Real secret.Value
	// StandIn takes its place; "" makes a text of the same length. A stand-in that
	// holds other characters than letters, digits, "-", "." and "_" would have to
	// be escaped in some places and is not used.
	StandIn string
	// Source names the credential in reports.
	Source string
	// Forms, unless nil, are those of Real, made before.
	Forms *Forms
}

// Forms are the forms of one credential, in which a text can be searched for
// it. They are immutable and safe for concurrent use. Making them takes some
// milliseconds; a [Rewriter] of forms that are there is made in far less.
type Forms struct {
	real    string
	lower   string // in lower case
	needles []*needle
	longest int
	index   index
}

// NewForms returns the forms of real. The error is [ErrShort].
func NewForms(real secret.Value) (*Forms, error) {
	text := real.Expose()
	if len(text) < MinLength {
		return nil, ErrShort
	}
	f := &Forms{real: text, lower: strings.ToLower(text)}
	known := map[string]bool{} // base64 and base64url are mostly the same
	for _, n := range needlesOf(text) {
		if key := n.key(); !known[key] {
			known[key] = true
			f.needles = append(f.needles, n)
			f.longest = max(f.longest, n.longest)
		}
	}
	f.index = newIndex(f.needles)
	return f, nil
}

// Rewriter replaces a fixed set of credentials. It is immutable and safe for
// concurrent use.
type Rewriter struct {
	creds   []credential
	table   table // of all of them
	stride  int
	window  int
	longest int
	same    bool
}

type credential struct {
	*Forms
	standIn string
	source  string
}

// New returns a rewriter for creds; those that are there twice count once. The
// error is [ErrShort], with the credential's source.
func New(creds []Credential) (*Rewriter, error) {
	if len(creds) == 0 {
		return nil, errors.New("no credential to replace")
	}
	w := &Rewriter{same: true}
	seen := map[string]bool{}
	for _, c := range creds {
		real := c.Real.Expose()
		if seen[real] {
			continue
		}
		seen[real] = true
		forms := c.Forms
		if forms == nil || forms.real != real {
			var err error
			if forms, err = NewForms(c.Real); err != nil {
				return nil, fmt.Errorf("%s: %w", c.Source, err)
			}
		}
		standIn := c.StandIn
		if !isPlain(standIn) || standIn == real {
			standIn = placeholder(real)
		}
		w.creds = append(w.creds, credential{forms, standIn, c.Source})
		w.same = w.same && len(standIn) == len(real)
		w.longest = max(w.longest, forms.longest)
		w.window = max(w.window, forms.index.window)
		if stride := forms.index.stride(); w.stride == 0 || stride < w.stride {
			w.stride = stride
		}
		for i, bits := range forms.index.table {
			w.table[i] |= bits
		}
	}
	return w, nil
}

// Longest is how many bytes the longest form of a credential has, and so how
// many are held back at most.
func (w *Rewriter) Longest() int { return w.longest }

// KeepsLength reports that each stand-in is as long as its credential. Then no
// replacement changes the length of a text.
func (w *Rewriter) KeepsLength() bool { return w.same }

// isPlain reports whether s can stand in a URL, JSON, HTML and a header as it is.
func isPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isAlnum(s[i]) && s[i] != '-' && s[i] != '.' && s[i] != '_' {
			return false
		}
	}
	return s != ""
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// placeholder returns a text as long as real that says what happened, filled up
// with a character that real does not hold, if there is one: real must not come
// about again where a replacement meets its surroundings.
func placeholder(real string) string {
	const says = "redacted"
	fill := byte('x')
	has := [256]bool{}
	for i := 0; i < len(real); i++ {
		has[real[i]] = true
	}
	for c := byte('z'); c >= '0'; c-- {
		if isAlnum(c) && !has[c] {
			fill = c
			break
		}
	}
	text := make([]byte, len(real))
	for i := range text {
		text[i] = fill
	}
	if len(text) >= len(says)+2 {
		copy(text[1:], says)
	}
	return string(text)
}
