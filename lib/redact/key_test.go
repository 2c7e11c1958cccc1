package redact_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/dlp"
	"bottle/lib/redact"
)

// putty makes what looks like a key of PuTTY's.
func putty(seed string) string {
	lines := strings.SplitAfter(privateKey(seed, "\r\n"), "\r\n")
	return "PuTTY-User-Key-File-3: ssh-rsa\r\nEncryption: none\r\nComment: me\r\nPublic-Lines: 1\r\nAAAAB3NzaC1yc2EAAAADAQ==\r\n" +
		"Private-Lines: 12\r\n" + strings.Join(lines[1:len(lines)-2], "") + "Private-MAC: " + strings.Repeat("0a", 32) + "\r\n"
}

func entities(format string) func(string) string {
	return func(s string) string {
		var b strings.Builder
		for i := range len(s) {
			fmt.Fprintf(&b, format, s[i])
		}
		return b.String()
	}
}

// keyNotations are ways to write a whole block, with the text around it.
var keyNotations = map[string]func(string) string{
	"plain":                 func(s string) string { return s },
	"JSON":                  func(s string) string { b, _ := json.Marshal(s); return `{"key":` + string(b) + `,"more":"after"}` },
	"JSON in JSON":          func(s string) string { b, _ := json.Marshal(s); b, _ = json.Marshal(string(b)); return string(b) },
	"JSON, slashes escaped": func(s string) string { b, _ := json.Marshal(s); return strings.ReplaceAll(string(b), "/", `\/`) },
	"JSON, all escaped":     func(s string) string { return `{"key":"` + unicodeEscapes(s) + `"}` },
	"hex escapes":           entities(`\x%02x`),
	"form": func(s string) string {
		return "a=1&key=" + strings.ReplaceAll(url.QueryEscape(s), "+", "%20") + "&more=after"
	},
	"percent":           percent,
	"percent twice":     func(s string) string { return percent(percent(s)) },
	"form twice":        func(s string) string { return url.QueryEscape(url.QueryEscape(s)) },
	"HTML, decimal":     entities("&#%d;"),
	"HTML, hexadecimal": entities("&#x%x;"),
	"HTML, line ends":   func(s string) string { return strings.ReplaceAll(s, "\n", "&#10;") },
	"UTF-16":            entities("%c\x00"),
	"base64":            func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"base64 in YAML": func(s string) string {
		return "data:\n  key: " + base64.RawStdEncoding.EncodeToString([]byte(s)) + "\n  other: abcdefghijklmnop\n"
	},
	"base64 in lines": func(s string) string { return wrapped(base64.StdEncoding.EncodeToString([]byte(s))) },
	"base64 in lines, in JSON": func(s string) string {
		b, _ := json.Marshal(wrapped(base64.StdEncoding.EncodeToString([]byte(s))))
		return string(b)
	},
	"base64 in lines, in JSON, slashes escaped": func(s string) string {
		b, _ := json.Marshal(wrapped(base64.StdEncoding.EncodeToString([]byte(s))))
		return strings.ReplaceAll(strings.ReplaceAll(string(b), "+", `\u002b`), "/", `\/`)
	},
	"base64 in a form": func(s string) string { return "key=" + url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(s))) },
	"base64 in lines, a form": func(s string) string {
		return "key=" + url.QueryEscape(wrapped(base64.StdEncoding.EncodeToString([]byte(s))))
	},
	"base64, cut in strings": func(s string) string {
		b, _ := json.Marshal(strings.Split(wrapped(base64.StdEncoding.EncodeToString([]byte(s))), "\n"))
		return string(b)
	},
	"base64 in base64": func(s string) string {
		return base64.StdEncoding.EncodeToString([]byte("k: " + base64.StdEncoding.EncodeToString([]byte(s)) + "\n"))
	},
	"base64 in lines, in base64": func(s string) string {
		return base64.StdEncoding.EncodeToString([]byte("k: " + wrapped(base64.StdEncoding.EncodeToString([]byte(s))) + "\n"))
	},
	"JSON in base64": func(s string) string {
		b, _ := json.Marshal(map[string]string{"private_key": s})
		return base64.StdEncoding.EncodeToString(b)
	},
	"percent in base64": func(s string) string { return base64.StdEncoding.EncodeToString([]byte("k=" + percent(s))) },
	"hex":               func(s string) string { return hex.EncodeToString([]byte(s)) },
	"hex in base64":     func(s string) string { return base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString([]byte(s)))) },
}

// Of a block that is found by its beginning nothing is left, in any notation:
// it is replaced to its end, or the text is refused.
func TestNothingIsLeftOfAPrivateKey(t *testing.T) {
	r := rules(t)
	replaced := map[string]bool{}
	for name, write := range keyNotations {
		for kind, key := range map[string]string{"PEM": privateKey(name, "\n"), "PEM, CRLF": privateKey(name, "\r\n"), "PuTTY": putty(name)} {
			for _, text := range []string{key, strings.TrimSpace(key), key[:len(key)/2], "#\n" + key + "and more text behind it\n", "##\n" + key + key} {
				src := []byte(write(text))
				fs := r.Scan(src)
				if len(fs) == 0 { // not found at all is another matter
					continue
				}
				for n, notation := range []redact.Notation{redact.Plain, redact.Percent, redact.Fixed} {
					out, err := redact.Text(r, src, fs, notation)
					if err != nil {
						require.ErrorIs(t, err, redact.ErrUnsound)
						continue
					}
					replaced[kind+" "+name] = true
					requireNothingLeft(t, write, text, out, "%s in %s, %d:\n%.2000s", kind, name, n, out)
					if json.Valid(src) {
						require.True(t, json.Valid(out), "%s in %s: %s", kind, name, out)
					}
				}
				if out, ok := streamed(r, src, fs); ok {
					require.Len(t, out, len(src))
					requireNothingLeft(t, write, text, out, "%s in %s, as it flows:\n%.2000s", kind, name, out)
				}
			}
		}
	}
	for _, name := range []string{"plain", "JSON", "JSON in JSON", "JSON, slashes escaped", "JSON, all escaped", "form", "percent", "base64", "base64 in YAML",
		"base64 in lines", "base64 in lines, in JSON", "base64 in base64", "JSON in base64", "percent in base64", "hex", "hex in base64"} {
		require.True(t, replaced["PEM "+name], name)
	}
}

// requireNothingLeft says that no 16 characters of the key's lines stand in out as write wrote them.
func requireNothingLeft(t *testing.T, write func(string) string, text string, out []byte, format string, args ...any) {
	t.Helper()
	was := write(text)
	begin := strings.IndexAny(text, "\n") // of the body
	for at := max(0, begin); at+32 < len(text); at += 32 {
		line := text[at : at+32]
		if strings.ContainsAny(line, "-\r\n:# ") || strings.Contains(line, "0a0a0a0a") { // PuTTY's MAC stays: it is no part of the key
			continue
		}
		// What write makes of it stands in the source, at one of the alignments.
		for _, pad := range []string{"", "x", "xy", "xyz"} {
			w := write(pad + line + "zzzzzz")
			for from := 0; from+40 <= len(w); from += 8 {
				if part := w[from : from+40]; strings.Contains(was, part) {
					require.NotContains(t, string(out), part, append([]any{format}, args...)...)
				}
			}
		}
	}
}

// streamed is what becomes of src when it flows.
func streamed(r *dlp.Rules, src []byte, fs []dlp.Finding) ([]byte, bool) {
	out := append([]byte(nil), src...)
	var tail *redact.Tail
	at := 0
	mask := func(to int) bool {
		for ; tail != nil && at < to; at++ {
			c, state := tail.Next(out[at])
			out[at] = c
			switch state {
			case redact.Broken:
				return false
			case redact.Ended:
				tail = nil
			}
		}
		return true
	}
	for _, f := range fs {
		raw := out[f.Start:f.End]
		if !mask(int(f.Start)) {
			return nil, false
		}
		begins := redact.BeginsKey(f, raw)
		if redact.InPlace(r, raw, f) != nil {
			return nil, false
		}
		if at = int(f.End); begins {
			tail = redact.NewTail(f)
		}
	}
	return out, mask(len(out))
}
