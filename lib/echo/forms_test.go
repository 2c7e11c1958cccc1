package echo_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"math/rand/v2"
	"net/url"
	"strings"
)

// encoding writes a text as software does that repeats what it was sent, and
// undoes it.
type encoding struct {
	name   string
	encode func(string) string
	decode func(string) string
}

func each(s, format string, only func(byte) bool) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if only(s[i]) {
			fmt.Fprintf(&b, format, s[i])
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func all(byte) bool { return true }

func some(seed uint64) func(byte) bool {
	r := rand.New(rand.NewPCG(seed, 0))
	return func(byte) bool { return r.IntN(2) == 0 }
}

func special(c byte) bool {
	return !('0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z')
}

func unpercent(s string) string {
	out, err := url.PathUnescape(s)
	if err != nil {
		return "not percent-encoded: " + err.Error()
	}
	return out
}

func unquote(s string) string {
	var out string
	if err := json.Unmarshal([]byte(`"`+s+`"`), &out); err != nil {
		return "not JSON: " + err.Error()
	}
	return out
}

func unhex(s string) string {
	b, err := hex.DecodeString(s)
	if err != nil {
		return "not hexadecimal: " + err.Error()
	}
	return string(b)
}

func same(s string) string { return s }

func based(e *base64.Encoding, before, after string) encoding {
	return encoding{
		encode: func(s string) string { return e.EncodeToString([]byte(before + s + after)) },
		decode: func(s string) string {
			b, err := e.DecodeString(strings.NewReplacer("\r", "", "\n", "").Replace(s))
			if err != nil {
				return "not base64: " + err.Error()
			}
			return strings.TrimSuffix(strings.TrimPrefix(string(b), before), after)
		},
	}
}

// then encodes the result of e again.
func (e encoding) then(o encoding) encoding {
	return encoding{encode: func(s string) string { return o.encode(e.encode(s)) }, decode: func(s string) string { return e.decode(o.decode(s)) }}
}

func encodings() []encoding {
	lines := func(s string) string {
		var b strings.Builder
		for i := 0; i < len(s); i += 19 {
			b.WriteString(s[i:min(i+19, len(s))] + "\r\n")
		}
		return strings.TrimSuffix(b.String(), "\r\n")
	}
	jsonString := encoding{"", func(s string) string { b, _ := json.Marshal(s); return string(b[1 : len(b)-1]) }, unquote}
	slashes := encoding{"", func(s string) string { return strings.ReplaceAll(s, "/", `\/`) }, unquote}
	query := encoding{"", url.QueryEscape, func(s string) string { out, _ := url.QueryUnescape(s); return out }}
	std := based(base64.StdEncoding, "", "")
	out := []encoding{
		{"as it is", same, same},
		{"query", query.encode, query.decode},
		{"path", url.PathEscape, unpercent},
		{"percent, all", func(s string) string { return each(s, "%%%02X", all) }, unpercent},
		{"percent, all, lower case", func(s string) string { return each(s, "%%%02x", all) }, unpercent},
		{"percent, some", func(s string) string { return each(s, "%%%02x", some(1)) }, unpercent},
		{"percent twice", func(s string) string { return each(s, "%%25%02X", all) }, func(s string) string { return unpercent(unpercent(s)) }},
		{"percent twice, some", func(s string) string { return each(s, "%%25%02X", some(2)) }, func(s string) string { return unpercent(unpercent(s)) }},
		{"query twice", func(s string) string { return url.QueryEscape(url.QueryEscape(s)) }, func(s string) string { return query.decode(query.decode(s)) }},
		{"JSON", jsonString.encode, unquote},
		{"JSON, slashes", slashes.encode, unquote},
		{"JSON, all", func(s string) string { return each(s, `\u%04x`, all) }, unquote},
		{"JSON, some, upper case", func(s string) string { return each(s, `\u%04X`, some(3)) }, unquote},
		{"JSON, special", func(s string) string { return each(s, `\u%04x`, special) }, unquote},
		{"HTML", html.EscapeString, html.UnescapeString},
		{"HTML, all", func(s string) string { return each(s, "&#x%x;", all) }, html.UnescapeString},
		{"HTML, decimal", func(s string) string { return each(s, "&#%d;", all) }, html.UnescapeString},
		{"HTML, some", func(s string) string { return each(s, "&#x%X;", some(4)) }, html.UnescapeString},
		{"hexadecimal", func(s string) string { return hex.EncodeToString([]byte(s)) }, unhex},
		{"hexadecimal, upper case", func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) }, unhex},
	}
	for _, e := range []struct {
		name string
		*base64.Encoding
	}{{"base64", base64.StdEncoding}, {"base64url", base64.RawURLEncoding}} {
		for before := range 4 {
			for _, after := range []string{"", ":", "\x00\xff", "ab/?~"} {
				b := based(e.Encoding, ";:,."[:before], after)
				b.name = fmt.Sprintf("%s after %d before %q", e.name, before, after)
				out = append(out, b)
			}
		}
	}
	for name, e := range map[string]encoding{
		"Basic":              based(base64.StdEncoding, "x-access-token:", ""),
		"base64 in lines":    std.then(encoding{"", lines, same}),
		"base64 in a query":  std.then(query),
		"base64 in JSON":     std.then(slashes),
		"lines in JSON":      std.then(encoding{"", lines, same}).then(jsonString),
		"base64 with spaces": std.then(encoding{"", lines, same}),
	} {
		e.name = name
		out = append(out, e)
	}
	return out
}
