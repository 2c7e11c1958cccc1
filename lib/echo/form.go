package echo

import "fmt"

// family is one kind of escape. Within one occurrence only one kind is expected.
type family int

const (
	percent family = iota
	json
	html
	families
)

// form is one way to write a character.
type form struct {
	text string
	// exact forms are compared byte by byte, others without regard to letter case:
	// the digits of an escape may be in either.
	exact bool
}

// formsOf returns the ways to write c in a family, but for c itself.
func formsOf(c byte, f family) []form {
	var out []form
	add := func(format string, args ...any) { out = append(out, form{text: fmt.Sprintf(format, args...)}) }
	switch f {
	case percent: // RFC 3986, section 2.1
		add("%%%02x", c)
		add("%%25%02x", c)
		if c == ' ' { // in forms and queries (WHATWG URL, section 5.1)
			add("+")
			add("%%2b")
		}
	case json: // RFC 8259, section 7
		add(`\u00%02x`, c)
		if c == '/' || c == '"' || c == '\\' {
			add(`\%c`, c)
		}
	case html: // HTML, section 13.5: numeric and the five that every encoder knows
		add("&#x%02x;", c)
		add("&#%d;", c)
		if c < 100 {
			add("&#%03d;", c)
		}
		if name := map[byte]string{'&': "amp", '<': "lt", '>': "gt", '"': "quot", '\'': "apos"}[c]; name != "" {
			add("&%s;", name)
		}
	}
	return out
}

// breaks are what MIME encoders put between the characters of base64 (RFC 2045,
// section 6.8), and in JSON also how it is written there.
func breaks(f family) []string {
	if f == json {
		return []string{"\n", "\r\n", `\n`, `\r\n`}
	}
	return []string{"\n", "\r\n"}
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// prefix compares f with the beginning of text: found means that it stands
// there, open that text ends before that is known.
func (f form) prefix(text []byte) (found, open bool) {
	n := min(len(f.text), len(text))
	for i := 0; i < n; i++ {
		if text[i] != f.text[i] && (f.exact || lower(text[i]) != lower(f.text[i])) {
			return false, false
		}
	}
	return n == len(f.text), n < len(f.text)
}

// suffix reports whether text ends in f.
func (f form) suffix(text []byte) bool {
	at := len(text) - len(f.text)
	if at < 0 {
		return false
	}
	found, _ := f.prefix(text[at:])
	return found
}
