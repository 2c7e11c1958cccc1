// Package locate says in words where a byte of a request stands: in which
// member of a JSON text, which field of a form, which part of a multipart body.
//
//	locate.Body("application/json", body, locate.Range{120, 160}, hides)  // "body json path messages[3].content"
//
// It is asked only after something was found there, so it costs nothing
// otherwise, and it never says what was found: a name that overlaps the range,
// or in which hides sees a secret, is left out. Other names are cut to a
// readable length, and what is not printable in them is escaped.
//
// # Limits
//
// A text that is not what its type says is located as far as it can be read:
// in the worst case the answer is "body".
package locate

import (
	"bytes"
	"mime"
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
	return join("body", content(contentType, body, at, hides, 0))
}

// Message is [Body] for a message of a WebSocket, of which nothing says the
// type.
func Message(message []byte, at Range, hides Hides) string {
	return join("WebSocket message", content("", message, at, hides, 0))
}

// Text is [Body] for a text of which nothing but its beginning says what it is.
func Text(text []byte, at Range, hides Hides) string { return Body("", text, at, hides) }

func join(what, where string) string {
	if where == "" {
		return what
	}
	return what + " " + where
}

// content looks into a text. depth counts the multipart bodies around it.
func content(contentType string, text []byte, at Range, hides Hides, depth int) string {
	if at.Start < 0 || at.Start > int64(len(text)) {
		return ""
	}
	media, params, err := mime.ParseMediaType(contentType)
	switch {
	case err == nil && strings.HasPrefix(media, "multipart/") && depth < 2:
		return multipart(params["boundary"], text, at, hides, depth)
	case media == "application/x-www-form-urlencoded":
		return Field(text, at, hides, "form field")
	case media == "application/json" || strings.HasSuffix(media, "+json") || strings.HasSuffix(media, "json") || looksLikeJSON(text):
		return jsonPath(text, at, hides)
	}
	return ""
}

func looksLikeJSON(text []byte) bool {
	t := bytes.TrimLeft(text, "\ufeff \t\r\n")
	return len(t) > 0 && (t[0] == '{' || t[0] == '[')
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
	start := 0
	for start <= len(text) {
		end := len(text)
		if i := bytes.IndexByte(text[start:], '&'); i >= 0 {
			end = start + i
		}
		if at.Start >= int64(start) && at.Start <= int64(end) && (at.Start < int64(end) || end == len(text)) {
			return kind + " " + pairName(text[start:end], start, '=', at, hides)
		}
		start = end + 1
	}
	return ""
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
			return "cookie " + pairName(value[start:end], start, '=', at, hides)
		}
		start = end + 1
	}
	return ""
}

// pairName returns the name of name=value, which begins at start of its text.
func pairName(pair []byte, start int, equals byte, at Range, hides Hides) string {
	i := bytes.IndexByte(pair, equals)
	if i < 0 { // it is all name, or all value
		i = len(pair)
	}
	if at.overlaps(start, start+i) {
		return hidden
	}
	raw := pair[:i]
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
