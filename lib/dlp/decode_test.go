package dlp

import (
	"bytes"
	b32 "encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
)

// disguise is a way to write text that a scanner of raw bytes does not read.
type disguise struct {
	name string
	undo string // Finding.Encoding
	do   func(m maker, s string) string
}

func each(s string, f func(c byte) string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteString(f(s[i]))
	}
	return b.String()
}

func wrapped(s string, at int, eol string) string {
	var b strings.Builder
	for len(s) > at {
		b.WriteString(s[:at] + eol)
		s = s[at:]
	}
	return b.String() + s
}

func percentAll(s string) string {
	return each(s, func(c byte) string { return fmt.Sprintf("%%%02X", c) })
}

func utf16le(s string) string { return each(s, func(c byte) string { return string(c) + "\x00" }) }

var disguises = []disguise{
	{"percent", "percent", func(_ maker, s string) string { return percentAll(s) }},
	{"percent, some", "percent", func(m maker, s string) string {
		return fmt.Sprintf("%%%02x", s[0]) + each(s[1:], func(c byte) string {
			if m.IntN(5) == 0 {
				return fmt.Sprintf("%%%02x", c)
			}
			return string(c)
		})
	}},
	{"percent twice", "percent", func(_ maker, s string) string { return strings.ReplaceAll(percentAll(s), "%", "%25") }},
	{"json u", "json", func(_ maker, s string) string {
		return each(s, func(c byte) string { return fmt.Sprintf(`\u%04x`, c) })
	}},
	{"json u in json", "json", func(_ maker, s string) string {
		return each(s, func(c byte) string { return fmt.Sprintf(`\\u%04X`, c) })
	}},
	{"html number", "html", func(_ maker, s string) string {
		return each(s, func(c byte) string { return fmt.Sprintf("&#%d;", c) })
	}},
	{"html hex", "html", func(_ maker, s string) string {
		return each(s, func(c byte) string { return fmt.Sprintf("&#x%x;", c) })
	}},
	{"zero-width", "unicode", func(_ maker, s string) string {
		return each(s, func(c byte) string { return string(c) + "\u200b" })
	}},
	{"soft hyphen", "unicode", func(_ maker, s string) string { return s[:2] + "\u00ad" + s[2:9] + "\u00ad" + s[9:] }},
	{"full width", "unicode", func(_ maker, s string) string {
		return each(s, func(c byte) string {
			if c <= ' ' {
				return string(c)
			}
			return string(rune(c) + 0xFEE0)
		})
	}},
	{"look-alikes", "unicode", func(_ maker, s string) string {
		return strings.NewReplacer("a", "а", "e", "е", "o", "о", "p", "р", "c", "с", "A", "А", "K", "К", "x", "х", "S", "Ѕ").Replace(s)
	}},
	{"base64", "base64", func(_ maker, s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }},
	{"base64, second alignment", "base64", func(_ maker, s string) string { return base64.StdEncoding.EncodeToString([]byte("k" + " " + s)) }},
	{"base64, third alignment", "base64", func(_ maker, s string) string { return base64.RawURLEncoding.EncodeToString([]byte("; " + " " + s)) }},
	{"base64 in a longer word", "base64", func(_ maker, s string) string { return "ab" + base64.RawStdEncoding.EncodeToString([]byte(s)) }},
	{"base64 amid binary", "base64", func(m maker, s string) string {
		blob := m.text("\x02\x01\x80\xfe\xff", 500)
		return base64.StdEncoding.EncodeToString([]byte(blob + s + blob))
	}},
	{"base64, wrapped", "base64", func(_ maker, s string) string {
		return wrapped(base64.StdEncoding.EncodeToString([]byte("key is "+s)), 24, "\r\n")
	}},
	{"base64, wrapped and indented", "base64", func(_ maker, s string) string {
		return wrapped(base64.StdEncoding.EncodeToString([]byte(s)), 20, "\n    ")
	}},
	{"hex", "hex", func(_ maker, s string) string { return hex.EncodeToString([]byte(s)) }},
	{"hex, upper", "hex", func(_ maker, s string) string { return strings.ToUpper(hex.EncodeToString([]byte("a " + s))) }},
	{"base32", "base32", func(_ maker, s string) string { return b32.StdEncoding.EncodeToString([]byte(s)) }},
	{"base32, shifted", "base32", func(_ maker, s string) string { return b32.StdEncoding.EncodeToString([]byte("= " + s)) }},
	{"base64 twice", "base64>base64", func(_ maker, s string) string {
		return base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(s))))
	}},
	{"base64 three times", "base64>base64>base64", func(_ maker, s string) string {
		for range 3 {
			s = base64.URLEncoding.EncodeToString([]byte(s))
		}
		return s
	}},
	{"base64 of hex", "base64>hex", func(_ maker, s string) string {
		return base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString([]byte(s))))
	}},
	{"hex of base64", "hex>base64", func(_ maker, s string) string {
		return hex.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(s))))
	}},
	{"base64 of json u", "base64>json", func(_ maker, s string) string {
		return base64.StdEncoding.EncodeToString([]byte(each(s, func(c byte) string { return fmt.Sprintf(`\u%04x`, utf16.Encode([]rune{rune(c)})[0]) })))
	}},
	{"utf-16", "unicode", func(_ maker, s string) string { return utf16le(s) }},
	{"utf-16 in base64", "base64>unicode", func(_ maker, s string) string { return base64.StdEncoding.EncodeToString([]byte(utf16le(s))) }},
	{"utf-16, big endian, in base64", "base64>unicode", func(_ maker, s string) string {
		return base64.StdEncoding.EncodeToString([]byte("\x00" + utf16le(s[:len(s)-1]) + s[len(s)-1:]))
	}},
	{"utf-16 in hex", "hex>unicode", func(_ maker, s string) string { return hex.EncodeToString([]byte(utf16le(s))) }},
	{"utf-16 in json", "json>unicode", func(_ maker, s string) string { return strings.ReplaceAll(utf16le(s), "\x00", "\\u0000") }},
	{"percent of base64", "percent>base64", func(_ maker, s string) string {
		return percentAll(base64.StdEncoding.EncodeToString([]byte(s)))
	}},
}

func TestEachKindIsFoundInEachDisguise(t *testing.T) {
	r := builtin(t)
	m := newMaker(81)
	misses := 0
	for _, s := range m.secrets() {
		for _, d := range disguises {
			if strings.ContainsAny(s.text, "\\%") && d.undo != "base64" {
				continue
			}
			for _, p := range []string{`{"k":"`, "k=", "x\n"}[:few(3)] {
				disguised := d.do(m, s.text)
				if len(disguised) > MaxMatch-maxMargin {
					continue // more than is held
				}
				text := p + disguised + "\" ,"
				found := r.Scan([]byte(text))
				if len(found) == 0 || found[0].Rule != s.rule && (len(found) < 2 || found[1].Rule != s.rule) {
					misses++
					t.Errorf("%s in %s, %.60q: found %v", s.rule, d.name, text, found)
					continue
				}
				f := found[0]
				if strings.HasPrefix(s.text, s.value) && !strings.ContainsAny(s.text, "\\%") && d.name != "look-alikes" && d.name != "soft hyphen" && f.Rule == s.rule {
					if d.undo != f.Encoding {
						t.Errorf("%s in %s: %q", s.rule, d.name, f.Encoding)
					}
				}
				require.GreaterOrEqual(t, f.Start, int64(len(p))-2)
				require.LessOrEqual(t, f.End, int64(len(p)+len(disguised)))
			}
		}
	}
	require.Zero(t, misses)
}

// disguised is text with many secrets in disguises, cut ones, and beginnings.
func disguisedMixture(seed uint64, size int) []byte {
	m := newMaker(seed)
	var b bytes.Buffer
	all := m.secrets()
	for b.Len() < size {
		s := all[m.IntN(len(all))].text
		d := disguises[m.IntN(len(disguises))].do(m, s)
		switch m.IntN(5) {
		case 0:
			b.WriteString(d[:m.IntN(len(d))])
		case 1:
			b.WriteString(d[m.IntN(len(d)):])
		case 2:
			b.WriteString(m.text(stdChars+" \"\\\n%&", m.IntN(80)))
		default:
			b.WriteString(d + m.pick(`"`, " ", "\n", "", "&", `\n`))
		}
	}
	return b.Bytes()
}

func TestAnySplitGivesTheSameDecodedFindings(t *testing.T) {
	r := builtin(t)
	s := r.NewStream()
	for seed := range few(uint64(6)) {
		text := disguisedMixture(seed, few(60_000))
		want := r.Scan(text)
		require.Greater(t, len(want), 5)
		rng := rand.New(rand.NewPCG(seed, 2))
		for name, next := range map[string]func() int{
			"at once":   func() int { return len(text) },
			"bytes":     func() int { return 1 },
			"1 to 9":    func() int { return 1 + rng.IntN(9) },
			"1 to 3000": func() int { return 1 + rng.IntN(3000) },
		} {
			s.Reset()
			require.Equal(t, want, inPieces(t, s, text, next), "%s, seed %d", name, seed)
		}
	}
}

// Encoders leave letters and digits as they are, so that a name stands in plain
// and what follows it does not.
func TestPunctuationAloneMayBeEscaped(t *testing.T) {
	r := builtin(t)
	plain := func(c byte) bool { return alnum[c] || c == '_' || c == '-' || c == '.' }
	for name, escape := range map[string]string{"percent": "%%%02X", "json u": `\u%04x`, "html": "&#%d;", "script": `\x%02x`} {
		for _, s := range newMaker(502).secrets() {
			if len(s.text) > 4000 {
				continue
			}
			text := each(s.text, func(c byte) string {
				if plain(c) {
					return string(c)
				}
				return fmt.Sprintf(escape, c)
			})
			require.NotEmpty(t, r.Scan([]byte("x "+text+" y")), "%s in %s: %s", s.rule, name, text)
		}
	}
}
