// Package locate says in words where a byte of a request stands: in which
// member of a JSON text, which field of a form, which part of a multipart body.
//
//	locate.Body("application/json", body, locate.Range{120, 160}, hides)  // "body json path messages[3].content"
//
// Of a text that is not at hand as a whole, a [Stream] says the same: it is fed
// the text in pieces, and asked about what was found in them.
//
// Neither says what was found: a name that overlaps the range, or in which hides
// sees a secret, is left out. Other names are cut to a readable length, and what
// is not printable in them is escaped.
//
// # Limits
//
// A text that is not what its type says is located as far as it can be read:
// in the worst case the answer is "body". What is kept of a text is bounded, and
// so is what is said:
//
//   - A path has 32 levels, behind which "…" stands; of a text with more than
//     1000 levels it says "json" alone.
//   - A name that is written with more than 256 bytes is "…", in a path or a form.
//   - A name in the head of a multipart body's part is not said of what stands in
//     that head. Of a part with a head over 8 KiB, and of those behind the
//     thousandth, only the number is said. Multipart bodies in parts are read, but
//     not those in the parts of these.
package locate

import (
	"bytes"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Range are the bytes [Start, End) of the text that is looked at.
type Range struct{ Start, End int64 }

func (r Range) overlaps(start, end int) bool { return r.Start < int64(end) && int64(start) < r.End }

// Hides reports whether a name holds a secret, so that it must not be shown.
type Hides func(name []byte) bool

// hidden stands in the place of a name that is not shown.
const hidden = "…"

// longest is how much of a name is shown, in characters.
const longest = 40

// name returns a name as it may be shown: letters, digits, '-' and '_' as they
// are, anything else in quotes.
func name(text []byte, hides Hides) string {
	if hides != nil && hides(text) {
		return hidden
	}
	plain := len(text) > 0
	for _, c := range text {
		plain = plain && (c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z')
	}
	s := string(text)
	if utf8.RuneCountInString(s) > longest {
		s = string([]rune(s)[:longest]) + "…"
	}
	if plain {
		return s
	}
	return strconv.QuoteToGraphic(strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zs, r) && r != ' ' { // invisible, or turns the text around
			return unicode.ReplacementChar
		}
		return r
	}, s))
}

// Body says where in a body of the given Content-Type the range begins: "body
// json path a[0].b", "body form field x", `body multipart part "file"` or
// "body".
func Body(contentType string, body []byte, at Range, hides Hides) string {
	return NewWhole(contentType, body).At(at, hides)
}

func join(what, where string) string {
	if where == "" {
		return what
	}
	return what + " " + where
}

// URL says where in a path and query the range begins: "URL path" or "query
// parameter x".
func URL(uri []byte, at Range, hides Hides) string {
	mark := bytes.IndexByte(uri, '?')
	if mark < 0 || at.Start <= int64(mark) {
		return "URL path"
	}
	n := int64(mark + 1)
	return Query(uri[mark+1:], Range{at.Start - n, at.End - n}, hides)
}

// Query says in which parameter of a query, without its '?', the range begins:
// "query parameter x".
func Query(query []byte, at Range, hides Hides) string {
	return Field(query, at, hides, "query parameter")
}

// Field is [Query] for other lists of name=value joined by &, with what to call
// one.
func Field(text []byte, at Range, hides Hides, kind string) string {
	if at.Start < 0 || at.Start > int64(len(text)) {
		return ""
	}
	var f pairs
	f.walk(text[:at.Start])
	return kind + " " + f.where(text[at.Start:], hides)
}

// Cookie says in which cookie of a Cookie header's value the range begins:
// "cookie x".
func Cookie(value []byte, at Range, hides Hides) string {
	start := 0
	for start <= len(value) {
		end := len(value)
		if i := bytes.IndexByte(value[start:], ';'); i >= 0 {
			end = start + i
		}
		if at.Start >= int64(start) && at.Start <= int64(end) {
			for start < end && value[start] == ' ' {
				start++
			}
			return "cookie " + cookieName(value[start:end], start, at, hides)
		}
		start = end + 1
	}
	return ""
}

// cookieName returns the name of name=value, which begins at start of its text.
func cookieName(pair []byte, start int, at Range, hides Hides) string {
	i := bytes.IndexByte(pair, '=')
	if i < 0 { // it is all name, or all value
		i = len(pair)
	}
	if at.overlaps(start, start+i) {
		return hidden
	}
	return fieldName(pair[:i], hides)
}

// fieldName returns the name in raw, as a form writes it.
func fieldName(raw []byte, hides Hides) string {
	if decoded, err := url.QueryUnescape(string(raw)); err == nil && decoded != string(raw) {
		if hides != nil && hides(raw) {
			return hidden
		}
		raw = []byte(decoded)
	}
	return name(raw, hides)
}

// Name returns the name of a header or the like, as it may be shown.
func Name(text string, hides Hides) string { return name([]byte(text), hides) }
