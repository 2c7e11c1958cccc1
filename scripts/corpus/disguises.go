package corpus

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// syntax is the notation in which a place holds text.
type syntax int

const (
	plain syntax = iota // bytes as they are
	inURL
	inJSON
)

// disguise is a way to write a secret. do returns it ready for a place of
// syntax written, which then must not escape it again; plain is for any place.
type disguise struct {
	name    string
	written syntax
	do      func(m maker, s string) string
	wide    bool // not ASCII: for bodies, or escaped
	lines   bool // has line breaks
	beyond  bool // nothing that the filter says it undoes: shown, not counted
}

func eachByte(s string, f func(c byte) string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteString(f(s[i]))
	}
	return b.String()
}

func eachRune(s string, f func(r rune) string) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteString(f(r))
	}
	return b.String()
}

// wrap breaks s into lines.
func wrap(s string, at int, eol string) string {
	var b strings.Builder
	for len(s) > at {
		b.WriteString(s[:at] + eol)
		s = s[at:]
	}
	return b.String() + s
}

func percentAll(s string) string {
	return eachByte(s, func(c byte) string { return fmt.Sprintf("%%%02X", c) })
}

func jsonAll(s string) string {
	return eachByte(s, func(c byte) string { return fmt.Sprintf(`\u%04x`, c) })
}

// around puts ordinary text before and behind s, so that its first byte stands
// at the alignment n of what is then encoded.
func around(n int, s string) string { return "key: "[2-n:] + s + " # end" }

var std64, url64 = base64.StdEncoding.EncodeToString, base64.RawURLEncoding.EncodeToString

func b64(s string) string { return std64([]byte(s)) }

var homoglyphs = strings.NewReplacer("a", "а", "e", "е", "o", "о", "p", "р", "c", "с", "x", "х", "y", "у", "i", "і", "s", "ѕ", "j", "ј",
	"A", "А", "B", "В", "E", "Е", "K", "К", "M", "М", "H", "Н", "O", "О", "P", "Р", "C", "С", "T", "Т", "X", "Х", "S", "Ѕ", "I", "І", "J", "Ј")

var greek = strings.NewReplacer("A", "Α", "B", "Β", "E", "Ε", "Z", "Ζ", "H", "Η", "I", "Ι", "K", "Κ", "M", "Μ", "N", "Ν", "O", "Ο", "P", "Ρ", "T", "Τ", "X", "Χ", "o", "ο", "v", "ν")

var disguises = []disguise{
	{name: "percent-encoded, all of it", written: inURL, do: func(_ maker, s string) string { return percentAll(s) }},
	{name: "percent-encoded, lower-case digits", written: inURL, do: func(_ maker, s string) string { return strings.ToLower(percentAll(s)) }},
	{name: "percent-encoded, here and there", written: inURL, do: func(m maker, s string) string {
		return eachByte(s, func(c byte) string {
			if m.IntN(4) == 0 || !strings.ContainsRune(alnums+"-_.", rune(c)) {
				return fmt.Sprintf("%%%02X", c)
			}
			return string(c)
		})
	}},
	{name: "percent-encoded twice", written: inURL, do: func(_ maker, s string) string { return strings.ReplaceAll(percentAll(s), "%", "%25") }},
	{name: "JSON \\u, all of it", written: inJSON, do: func(_ maker, s string) string { return jsonAll(s) }},
	{name: "JSON \\u, here and there", written: inJSON, do: func(m maker, s string) string {
		return eachByte(s, func(c byte) string {
			if m.IntN(4) == 0 || c < ' ' || c == '"' || c == '\\' {
				return fmt.Sprintf(`\u%04X`, c)
			}
			return string(c)
		})
	}},
	{name: "JSON \\u in JSON in a string", written: inJSON, do: func(_ maker, s string) string { return strings.ReplaceAll(jsonAll(s), `\`, `\\`) }},
	{name: "HTML, decimal", do: func(_ maker, s string) string {
		return eachByte(s, func(c byte) string { return fmt.Sprintf("&#%d;", c) })
	}},
	{name: "HTML, hexadecimal", do: func(_ maker, s string) string {
		return eachByte(s, func(c byte) string { return fmt.Sprintf("&#x%X;", c) })
	}},
	{name: "HTML, here and there", do: func(m maker, s string) string {
		return eachByte(s, func(c byte) string {
			if m.IntN(3) == 0 {
				return fmt.Sprintf("&#%d;", c)
			}
			return string(c)
		})
	}},
	{name: "base64", do: func(_ maker, s string) string { return b64(s) }},
	{name: "base64, first alignment", do: func(_ maker, s string) string { return b64(around(0, s)) }},
	{name: "base64, second alignment", do: func(_ maker, s string) string { return b64(around(1, s)) }},
	{name: "base64, third alignment", do: func(_ maker, s string) string { return b64(around(2, s)) }},
	{name: "base64url", do: func(m maker, s string) string { return url64([]byte(around(m.IntN(3), s))) }},
	{name: "base64, lines of 76", lines: true, do: func(m maker, s string) string {
		return wrap(b64("a letter\n"+around(m.IntN(3), s)+m.sentence()), 76, "\r\n")
	}},
	{name: "base64, lines of 20", lines: true, do: func(_ maker, s string) string { return wrap(b64(s), 20, "\n") }},
	{name: "hexadecimal", do: func(_ maker, s string) string { return hex.EncodeToString([]byte(s)) }},
	{name: "hexadecimal, capitals", do: func(_ maker, s string) string { return strings.ToUpper(hex.EncodeToString([]byte(around(1, s)))) }},
	{name: "hexadecimal, \\x", do: func(_ maker, s string) string {
		return eachByte(s, func(c byte) string { return fmt.Sprintf(`\x%02x`, c) })
	}},
	{name: "base32", do: func(_ maker, s string) string { return base32.StdEncoding.EncodeToString([]byte(s)) }},
	{name: "base32, not padded, later alignment", do: func(m maker, s string) string {
		return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(around(m.IntN(3), s)))
	}},
	{name: "base32 in lower case", do: func(m maker, s string) string {
		return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(around(m.IntN(3), s))))
	}},
	{name: "base64, moved by letters", do: func(m maker, s string) string { return b64(m.text(lowers, m.IntN(3)) + s) }},
	{name: "base64 in base64", do: func(_ maker, s string) string { return b64("x=" + b64(s)) }},
	{name: "hexadecimal in base64", do: func(_ maker, s string) string { return b64(hex.EncodeToString([]byte(s))) }},
	{name: "base64 in hexadecimal", do: func(_ maker, s string) string { return hex.EncodeToString([]byte(b64(s))) }},
	{name: "base64 in base32", do: func(_ maker, s string) string { return base32.StdEncoding.EncodeToString([]byte(b64(s))) }},
	{name: "base64 in percent signs", written: inURL, do: func(_ maker, s string) string { return percentAll(b64(s)) }},
	{name: "base64 in JSON \\u", written: inJSON, do: func(_ maker, s string) string { return jsonAll(b64(s)) }},
	{name: "JSON \\u in base64", do: func(_ maker, s string) string { return b64(`{"v":"` + jsonAll(s) + `"}`) }},
	{name: "percent signs in base64", do: func(_ maker, s string) string { return b64("v=" + percentAll(s)) }},
	{name: "base64, three deep", do: func(_ maker, s string) string { return b64(b64(b64(s))) }},
	{name: "hexadecimal in base64 in base64url", do: func(_ maker, s string) string {
		return url64([]byte(b64(hex.EncodeToString([]byte(s)))))
	}},
	{name: "zero-width space after each letter", wide: true, do: func(_ maker, s string) string {
		return eachRune(s, func(r rune) string { return string(r) + "\u200b" })
	}},
	{name: "zero-width joiners and marks", wide: true, do: func(m maker, s string) string {
		return eachRune(s, func(r rune) string { return string(r) + m.pick("", "\u200d", "\u200c", "\ufeff", "\u2060", "\u200e") })
	}},
	{name: "soft hyphens", wide: true, do: func(m maker, s string) string { return wrap(s, 2+m.IntN(5), "\u00ad") }},
	{name: "full-width", wide: true, do: func(_ maker, s string) string {
		return eachRune(s, func(r rune) string {
			if r > ' ' && r < 0x7f {
				r += 0xfee0
			}
			return string(r)
		})
	}},
	{name: "Cyrillic look-alikes", wide: true, do: func(_ maker, s string) string { return homoglyphs.Replace(s) }},
	{name: "Greek look-alikes", wide: true, do: func(_ maker, s string) string { return greek.Replace(s) }},
	{name: "mathematical letters", wide: true, do: func(_ maker, s string) string {
		return eachRune(s, func(r rune) string {
			switch {
			case r >= 'A' && r <= 'Z':
				r += 0x1d400 - 'A'
			case r >= 'a' && r <= 'z':
				r += 0x1d41a - 'a'
			case r >= '0' && r <= '9':
				r += 0x1d7ce - '0'
			}
			return string(r)
		})
	}},
	{name: "line breaks", lines: true, do: func(_ maker, s string) string { return wrap(s, max(12, len(s)/3), "\n") }},
	{name: "line breaks and indents", lines: true, do: func(_ maker, s string) string { return wrap(s, max(12, len(s)/3), "\r\n    ") }},

	{name: "backwards", beyond: true, do: func(_ maker, s string) string {
		b := []byte(s)
		slices.Reverse(b)
		return string(b)
	}},
	{name: "rot13", beyond: true, do: func(_ maker, s string) string {
		return eachByte(s, func(c byte) string {
			switch {
			case c >= 'a' && c <= 'z':
				c = 'a' + (c-'a'+13)%26
			case c >= 'A' && c <= 'Z':
				c = 'A' + (c-'A'+13)%26
			}
			return string(c)
		})
	}},
	{name: "a space between all letters", beyond: true, do: func(_ maker, s string) string { return strings.Join(strings.Split(s, ""), " ") }},
	{name: "hexadecimal with colons", beyond: true, do: func(_ maker, s string) string {
		return strings.TrimSuffix(eachByte(s, func(c byte) string { return fmt.Sprintf("%02x:", c) }), ":")
	}},
	{name: "octal escapes", do: func(_ maker, s string) string {
		return eachByte(s, func(c byte) string { return fmt.Sprintf(`\%03o`, c) })
	}},
	{name: "quoted-printable", beyond: true, do: func(_ maker, s string) string {
		return eachByte(s, func(c byte) string { return fmt.Sprintf("=%02X", c) })
	}},
	{name: "decimal numbers", beyond: true, do: func(_ maker, s string) string {
		return "[" + strings.TrimSuffix(eachByte(s, func(c byte) string { return fmt.Sprintf("%d,", c) }), ",") + "]"
	}},
	{name: "UTF-16 in base64", beyond: true, do: func(_ maker, s string) string {
		var b []byte
		for _, u := range utf16.Encode([]rune(s)) {
			b = append(b, byte(u), byte(u>>8))
		}
		return std64(b)
	}},
	{name: "gzip in base64", beyond: true, do: func(_ maker, s string) string { return std64(gzipped([]byte(s))) }},
	{name: "exclusive or with one byte, in base64", beyond: true, do: func(_ maker, s string) string {
		b := []byte(s)
		for i := range b {
			b[i] ^= 0x2a
		}
		return std64(b)
	}},
	{name: "base64, five deep", beyond: true, do: func(_ maker, s string) string { return b64(b64(b64(b64(b64(s))))) }},
}
