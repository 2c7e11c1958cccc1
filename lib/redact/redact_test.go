package redact_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
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

// token makes a secret of gitlab's form.
func token(seed string) string {
	sum := sha256.Sum256([]byte(seed))
	return "gl" + "pat-" + base64.RawURLEncoding.EncodeToString(sum[:])[:20]
}

// privateKey makes what looks like one.
func privateKey(seed string, eol string) string {
	var b strings.Builder
	b.WriteString("-----BEGIN " + "PRIVATE KEY-----" + eol)
	for i := range 12 {
		sum := sha256.Sum256(fmt.Append(nil, seed, i))
		b.WriteString((base64.StdEncoding.EncodeToString(sum[:]) + base64.StdEncoding.EncodeToString(sum[:]))[:64] + eol)
	}
	return b.String() + "-----END " + "PRIVATE KEY-----" + eol
}

func rules(t testing.TB) *dlp.Rules {
	t.Helper()
	r, err := dlp.Compile(dlp.Builtin(), dlp.Options{})
	require.NoError(t, err)
	return r
}

func percent(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02X", s[i])
	}
	return b.String()
}

func unicodeEscapes(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, `\u%04x`, s[i])
	}
	return b.String()
}

func wrapped(s string) string {
	var b strings.Builder
	for len(s) > 60 {
		b.WriteString(s[:60] + "\n")
		s = s[60:]
	}
	return b.String() + s
}

var notations = []struct {
	name   string
	encode func(string) string
	decode func(string) (string, error)
}{
	{"plain", func(s string) string { return s }, func(s string) (string, error) { return s, nil }},
	{"percent", percent, url.PathUnescape},
	{"percent twice", func(s string) string { return percent(percent(s)) }, func(s string) (string, error) {
		s, err := url.PathUnescape(s)
		if err != nil {
			return "", err
		}
		return url.PathUnescape(s)
	}},
	{"json escapes", func(s string) string { return `"` + unicodeEscapes(s) + `"` }, func(s string) (string, error) {
		var out string
		err := json.Unmarshal([]byte(s), &out)
		return out, err
	}},
	{"base64", func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }, unBase64(base64.StdEncoding)},
	{"base64 shifted by one", func(s string) string { return base64.StdEncoding.EncodeToString([]byte("x" + s)) }, unBase64(base64.StdEncoding)},
	{"base64 shifted by two", func(s string) string { return base64.StdEncoding.EncodeToString([]byte("xy" + s)) }, unBase64(base64.StdEncoding)},
	{"base64url", func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }, unBase64(base64.RawURLEncoding)},
	{"base64 in lines", func(s string) string { return wrapped(base64.StdEncoding.EncodeToString([]byte(s))) }, unBase64(base64.StdEncoding)},
	{"UTF-16", func(s string) string {
		var b strings.Builder
		for i := range len(s) {
			b.WriteString(s[i:i+1] + "\x00")
		}
		return b.String()
	}, func(s string) (string, error) { return strings.ReplaceAll(s, "\x00", ""), nil }},
	{"UTF-16 in base64", func(s string) string {
		var b []byte
		for i := range len(s) {
			b = append(b, 0, s[i])
		}
		return base64.StdEncoding.EncodeToString(b)
	}, func(s string) (string, error) {
		b, err := base64.StdEncoding.DecodeString(s)
		return strings.ReplaceAll(string(b), "\x00", ""), err
	}},
	{"hex", func(s string) string { return hex.EncodeToString([]byte(s)) }, unHex},
	{"HEX", func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) }, unHex},
	{"base32", func(s string) string { return base32.StdEncoding.EncodeToString([]byte(s)) }, func(s string) (string, error) {
		b, err := base32.StdEncoding.DecodeString(s)
		return string(b), err
	}},
	{"base64 in base64", func(s string) string {
		return base64.StdEncoding.EncodeToString([]byte("x " + base64.StdEncoding.EncodeToString([]byte(s)) + " y"))
	}, func(s string) (string, error) {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil || len(b) < 4 {
			return "", err
		}
		b, err = base64.StdEncoding.DecodeString(string(b[2 : len(b)-2]))
		return string(b), err
	}},
	{"base64 in hex", func(s string) string {
		return hex.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(s))))
	}, func(s string) (string, error) {
		b, err := hex.DecodeString(s)
		if err != nil {
			return "", err
		}
		b, err = base64.StdEncoding.DecodeString(string(b))
		return string(b), err
	}},
}

func unHex(s string) (string, error) {
	b, err := hex.DecodeString(s)
	return string(b), err
}

func unBase64(e *base64.Encoding) func(string) (string, error) {
	return func(s string) (string, error) {
		b, err := e.DecodeString(s)
		return string(b), err
	}
}

// What stood around the value decodes as before, in each notation.
func TestTextReplacesInEachNotation(t *testing.T) {
	r := rules(t)
	for i, x := range notations {
		for pad := range 5 {
			secret := token(fmt.Sprint(x.name, pad))
			before, after := strings.Repeat("b", pad)+` {"key": "`, `", "more": "words that stay as they are"} `+strings.Repeat("a", pad)
			src := x.encode(before + secret + after)
			fs := r.Scan([]byte(src))
			require.NotEmpty(t, fs, x.name)
			for _, n := range []redact.Notation{redact.Plain, redact.Percent, redact.Fixed} {
				out, err := redact.Text(r, []byte(src), fs, n)
				require.NoError(t, err, "%s, %d", x.name, n)
				text, err := x.decode(string(out))
				require.NoError(t, err, "%s: %s", x.name, out)
				require.NotContains(t, text, secret[6:], x.name)
				require.Contains(t, text, "redacted", "%s: %s", x.name, text)
				require.True(t, strings.HasSuffix(text, after), "%s: %s", x.name, text)
				require.Contains(t, text, before, x.name)
				if n == redact.Fixed || i > 3 {
					require.Len(t, out, len(src), x.name)
				}
			}
			// In place, with nothing but the finding's bytes known.
			f := fs[0]
			raw := []byte(src)
			require.NoError(t, redact.InPlace(r, raw[f.Start:f.End], f), x.name)
			text, err := x.decode(string(raw))
			require.NoError(t, err, "%s: %s", x.name, raw)
			require.NotContains(t, text, secret[6:], x.name)
			require.Contains(t, text, before, x.name)
			require.True(t, strings.HasSuffix(text, after), "%s: %s", x.name, text)
		}
	}
}

func TestPrivateKeyIsReplacedToItsEnd(t *testing.T) {
	r := rules(t)
	for name, eol := range map[string]string{"lines": "\n", "JSON": `\n`, "JSON in JSON": `\\n`, "percent": "%0A"} {
		key := privateKey(name, eol)
		src := "{\"text\":\"before\",\"key\":\"" + key + "\",\"more\":\"after\"}"
		valid := json.Valid([]byte(src))
		fs := r.Scan([]byte(src))
		require.Len(t, fs, 1, name)
		for _, n := range []redact.Notation{redact.Plain, redact.Fixed} {
			out, err := redact.Text(r, []byte(src), fs, n)
			require.NoError(t, err, name)
			require.Equal(t, valid, json.Valid(out), "%s: %s", name, out)
			require.Contains(t, string(out), "[redacted:private-key")
			require.Contains(t, string(out), `,"more":"after"}`)
			for line := range strings.SplitSeq(key, eol) {
				if line != "" && !strings.HasPrefix(line, "-----") {
					require.NotContains(t, string(out), line[:12], name)
				}
			}
		}
	}
	// Base64 of the whole, as Kubernetes has it.
	key := privateKey("k", "\n")
	src := []byte(`{"tls.key":"` + base64.StdEncoding.EncodeToString([]byte(key)) + `"}`)
	out, err := redact.Text(r, src, r.Scan(src), redact.Plain)
	require.NoError(t, err)
	var secret map[string][]byte
	require.NoError(t, json.Unmarshal(out, &secret))
	require.Contains(t, string(secret["tls.key"]), "[redacted:private-key")
	require.NotContains(t, string(secret["tls.key"]), "PRIVATE KEY") // encoded, it would look like a part of the key
	require.NotContains(t, string(secret["tls.key"]), strings.Split(key, "\n")[5][:12])
	// In pieces, what follows may be the rest.
	broken := []byte(strings.Replace(privateKey("b", "\n"), "\n", "\"\n\"", 5))
	if fs := r.Scan(broken); len(fs) > 0 {
		_, err = redact.Text(r, broken, fs, redact.Plain)
		require.ErrorIs(t, err, redact.ErrUnsound)
	}
}

// Of a secret in several strings each is replaced, and nothing else.
func TestPiecesAreReplacedInTheirStrings(t *testing.T) {
	r := rules(t)
	secret := token("pieces")
	src := []byte(`{"messages":[{"role":"user","content":"` + secret[:14] + `"},{"role":"assistant","content":"Yes, go on."},{"role":"user","content":"` + secret[14:] + `"}]}`)
	fs := r.Scan(src)
	require.Len(t, fs, 1)
	for _, n := range []redact.Notation{redact.Plain, redact.Fixed} {
		out, err := redact.Text(r, src, fs, n)
		require.NoError(t, err)
		var turn struct {
			Messages []struct{ Role, Content string }
		}
		require.NoError(t, json.Unmarshal(out, &turn), string(out))
		require.Equal(t, "user", turn.Messages[2].Role)
		require.Equal(t, "Yes, go on.", turn.Messages[1].Content)
		require.Contains(t, turn.Messages[0].Content, "redacted")
		require.Equal(t, strings.Repeat("*", len(secret)-14), turn.Messages[2].Content)
	}
}

func TestSized(t *testing.T) {
	for n := range 60 {
		s := redact.Sized("some-rule", n)
		require.Len(t, s, n)
		if n >= len("[redacted]") {
			require.True(t, strings.HasPrefix(s, "[redacted") && strings.HasSuffix(s, "]"), s)
		}
	}
	require.Equal(t, "[redacted:some-rule***]", redact.Sized("some-rule", 23))
	require.Equal(t, "[redacted:some-rule]", redact.Placeholder("some-rule"))
	require.Equal(t, "[redacted:a-b-]", redact.Placeholder("a\"b\n"))
}

func TestPasswordInAURLIsReplacedAndNotFoundAgain(t *testing.T) {
	r := rules(t)
	for _, src := range []string{`{"url":"postgres://user:` + token("p")[6:] + `9a@db.internal:5432/x"}`} {
		fs := r.Scan([]byte(src))
		require.NotEmpty(t, fs)
		out, err := redact.Text(r, []byte(src), fs, redact.Plain)
		require.NoError(t, err)
		require.True(t, json.Valid(out))
		require.NotContains(t, string(out), token("p")[6:])
	}
}

func TestWhatCannotBeReplacedIsAnError(t *testing.T) {
	one := fake{"1234567890123456"}
	src := []byte(`{"pin":1234567890123456}`)
	_, err := redact.Text(one, src, one.Scan(src), redact.Plain)
	require.ErrorIs(t, err, redact.ErrUnsound)
	raw := []byte("1234567890123456")
	require.ErrorIs(t, redact.InPlace(one, raw, one.Scan(raw)[0]), redact.ErrUnsound)
	require.Equal(t, "1234567890123456", string(raw))
	structure := fake{`cd","ef`}
	src = []byte(`{"a":"abcd","ef":"x"}`)
	_, err = redact.Text(structure, src, structure.Scan(src), redact.Plain)
	require.ErrorIs(t, err, redact.ErrUnsound)
	structure = fake{`cd","e`} // the two strings become one, which is JSON still
	src = []byte(`["abcd","ef"]`)
	out, err := redact.Text(structure, src, structure.Scan(src), redact.Plain)
	require.NoError(t, err)
	require.Equal(t, `["ab[redacted:fake]f"]`, string(out))
	structure = fake{`abcd",`}
	_, err = redact.Text(structure, src, structure.Scan(src), redact.Plain)
	require.ErrorIs(t, err, redact.ErrUnsound)
}

// fake finds one text.
type fake struct{ value string }

func (f fake) Scan(b []byte) (fs []dlp.Finding) {
	for at := 0; ; {
		i := bytes.Index(b[at:], []byte(f.value))
		if i < 0 {
			return fs
		}
		at += i
		fs = append(fs, dlp.Finding{Rule: "fake", Start: int64(at), End: int64(at + len(f.value)), Sample: "…"})
		at += len(f.value)
	}
}

// Whatever is found where, the value does not come out again, and JSON stays
// JSON.
func FuzzText(f *testing.F) {
	for i := range notations {
		f.Add([]byte(`{"a":"`), []byte(`"}`), uint8(i), uint64(i))
		f.Add([]byte("\x00\xff ="), []byte("\\"), uint8(i), uint64(i))
	}
	r := rules(f)
	f.Fuzz(func(t *testing.T, before, after []byte, which uint8, seed uint64) {
		if len(before)+len(after) > 2000 {
			return
		}
		secret := token(fmt.Sprint(seed))
		src := []byte(string(before) + notations[int(which)%len(notations)].encode(secret) + string(after))
		fs := r.Scan(src)
		for _, n := range []redact.Notation{redact.Plain, redact.Percent, redact.Fixed} {
			out, err := redact.Text(r, src, fs, n)
			if err != nil {
				require.ErrorIs(t, err, redact.ErrUnsound)
				continue
			}
			if len(fs) == 0 {
				require.Equal(t, src, out)
				continue
			}
			require.False(t, json.Valid(src) && !json.Valid(out), "%q became %q", src, out)
			if n == redact.Fixed {
				require.Len(t, out, len(src))
			}
			for _, f := range r.Scan(out) {
				require.Contains(t, string(out[max(0, f.Start-10):f.End]), "redacted", "%q became %q", src, out)
			}
		}
		raw := bytes.Clone(src)
		for _, f := range fs {
			was := bytes.Clone(raw)
			if err := redact.InPlace(r, raw[f.Start:f.End], f); err != nil {
				require.Equal(t, was, raw)
			}
			require.Equal(t, was[:f.Start], raw[:f.Start])
			require.Equal(t, was[f.End:], raw[f.End:])
		}
	})
}

// Strings that make a secret together keep their places.
func TestPiecesAreReplacedEachInItsString(t *testing.T) {
	r := rules(t)
	s := token("pieces")
	for _, src := range []string{
		`["` + s[:12] + `","` + s[12:] + `"]`,
		`{"a":"` + s[:12] + `","b":"` + s[12:] + `","c":1}`,
		`{"a":["` + s[:12] + `"],"b":"` + s[12:] + `"}`,
		`{"a":"` + s[:14] + `","` + s[14:] + `":1}`,
	} {
		fs := r.Scan([]byte(src))
		if len(fs) == 0 {
			t.Logf("not found: %.5s…", src)
			continue
		}
		require.Contains(t, fs[0].Encoding, "split")
		for _, n := range []redact.Notation{redact.Plain, redact.Fixed} {
			out, err := redact.Text(r, []byte(src), fs, n)
			require.NoError(t, err)
			require.True(t, json.Valid(out), "%s", out)
			require.Len(t, out, len(src))
			require.Equal(t, strings.Count(src, `"`), bytes.Count(out, []byte(`"`)))
			require.NotContains(t, string(out), s[6:12])
			require.NotContains(t, string(out), s[14:])
		}
		raw := []byte(src)
		require.NoError(t, redact.InPlace(r, raw[fs[0].Start:fs[0].End], fs[0]))
		require.True(t, json.Valid(raw), "%s", raw)
	}
}
