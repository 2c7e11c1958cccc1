package filter

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/forward"
	"bottle/lib/locate"
	"bottle/lib/redact"
	"bottle/lib/tomlfile"
)

// flowed runs text through a flow that redacts, in pieces, and returns what
// leaves, in the order in which it may.
func flowed(t *testing.T, f *Filter, text []byte, piece func() int) ([]byte, error) {
	t.Helper()
	r := f.ruling(httptest.NewRequest("POST", "/", nil), &forward.Exchange{})
	w := newFlow(r, place{where: "body", location: "body", part: body, flowing: true}, asText{f.rules().all}, locate.NewBody(""), 0)
	out := bytes.Clone(text)
	var clean int64
	for at := 0; at < len(text); {
		n := min(max(1, piece()), len(text)-at)
		to, patches, err := w.scan(text[at : at+n])
		if err != nil {
			return out[:clean], err
		}
		require.GreaterOrEqual(t, to, clean)
		for _, p := range patches {
			require.GreaterOrEqual(t, p.At, clean, "it has left already")
			copy(out[p.At:], p.Data)
		}
		clean, at = to, at+n
		require.LessOrEqual(t, clean, int64(at))
		require.LessOrEqual(t, len(w.window), 1<<15+n, "the window is bounded")
	}
	patches, err := w.finish()
	if err != nil {
		return out[:clean], err
	}
	for _, p := range patches {
		require.GreaterOrEqual(t, p.At, clean, "it has left already")
		copy(out[p.At:], p.Data)
	}
	return out, nil
}

// redacts returns a filter that does so.
func redacts(t testing.TB) *Filter {
	t.Helper()
	var c Config
	file, err := tomlfile.Parse("pipelock.toml", []byte("[dlp]\non_match = 'redact'\n"), &c)
	require.NoError(t, err)
	f, err := c.Filter(file)
	require.NoError(t, err)
	return f
}

// gitlabToken makes a secret that no literal looks like.
func gitlabToken(seed uint64) string {
	sum := sha256.Sum256(fmt.Append(nil, seed))
	return "gl" + "pat-" + base64.RawURLEncoding.EncodeToString(sum[:])[:20]
}

func FuzzFlow(f *testing.F) {
	for i := range uint64(6) {
		f.Add([]byte(`{"a":"`), []byte(`","b":"words"}`), i)
		f.Add([]byte("\x00\xff = "), []byte("\\"), i)
		f.Add([]byte(`["-----BEGIN `+`PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIB\nAQC7VJTUt9Us8cKj","`), []byte("\\"), i)
	}
	filter := redacts(f)
	f.Fuzz(func(t *testing.T, before, after []byte, seed uint64) {
		if len(before)+len(after) > 4000 {
			return
		}
		s := gitlabToken(seed)
		hidden := s
		switch seed % 6 {
		case 1:
			hidden = base64.StdEncoding.EncodeToString([]byte("x" + s))
		case 2:
			hidden = hex.EncodeToString([]byte(s))
		case 3:
			hidden = fmt.Sprintf(`\u%04x%s`, s[0], s[1:])
		case 4:
			hidden = base64.RawURLEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(s))))
		case 5:
			hidden = s + " " + s
		}
		text := []byte(string(before) + hidden + string(after))
		one, err := flowed(t, filter, text, func() int { return 1 << 20 })
		n := int(seed>>8) % 97
		two, err2 := flowed(t, filter, text, func() int { n = n*31%97 + 1; return n })
		require.Equal(t, err == nil, err2 == nil)
		all := filter.rules().all
		if err != nil {
			require.Empty(t, all.Scan(two), "what left before it was refused")
			return
		}
		require.Equal(t, one, two)
		require.Len(t, one, len(text))
		if len(all.Scan(text)) == 0 {
			require.Equal(t, text, one)
			return
		}
		require.False(t, json.Valid(text) && !json.Valid(one), "%q became %q", text, one)
		for _, found := range all.Scan(one) {
			require.Contains(t, string(one[max(0, found.Start-10):found.End]), "[redacted", "%q became %q", text, one)
		}
	})
}

func TestAKeyGoesOnBehindWhatIsFoundInIt(t *testing.T) {
	f := redacts(t)
	key := "-----BEGIN " + "PRIVATE KEY-----\n"
	for i := range uint64(10) {
		key += hex.EncodeToString([]byte(gitlabToken(i)))[:48] + "\n"
		if i == 5 {
			key += gitlabToken(99) + "\n"
		}
	}
	key += "-----END " + "PRIVATE KEY-----\n"
	text := []byte("before " + key + " after")
	if len(f.rules().all.Scan(text)) == 0 {
		t.Skip("no key to the scanner")
	}
	for _, n := range []int{1, 7, 1 << 20} {
		out, err := flowed(t, f, text, func() int { return n })
		require.NoError(t, err)
		require.Empty(t, f.rules().all.Scan(out))
		require.Contains(t, string(out), redact.Sized("private-key", 20)[:12])
		require.True(t, bytes.HasSuffix(out, []byte(" after")))
	}
}
