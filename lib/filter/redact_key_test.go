package filter_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/decode"
	"bottle/lib/refusal"
)

// privateKey makes what looks like one.
func privateKey(seed, eol string) (key string, lines []string) {
	for i := range 12 {
		sum := sha256.Sum256(fmt.Append(nil, seed, i))
		lines = append(lines, (base64.StdEncoding.EncodeToString(sum[:]) + base64.StdEncoding.EncodeToString(sum[:]))[:64])
	}
	return "-----BEGIN " + "PRIVATE KEY-----" + eol + strings.Join(lines, eol) + eol + "-----END " + "PRIVATE KEY-----" + eol, lines
}

func TestWholePrivateKeyIsRedacted(t *testing.T) {
	got := make(chan seen, 1)
	w := newWorld(t, redacting, keeper(got))
	for _, size := range []int{1000, 2 << 20} {
		key, lines := privateKey(fmt.Sprint(size), `\n`)
		text := `{"a":"` + strings.Repeat("x ", size/2) + `","key":"` + key + `","more":"words"}`
		res, answer := w.do(w.client(false), request(t, "POST", "https://origin.test/", strings.NewReader(text), "Content-Type", "application/json"))
		require.Equal(t, 200, res.StatusCode, answer)
		o := receive(t, got, "request")
		require.True(t, json.Valid(o.body))
		require.Contains(t, string(o.body), "[redacted:private-key")
		require.Contains(t, string(o.body), `"more":"words"`)
		for _, l := range lines {
			require.NotContains(t, string(o.body), l[:12])
		}
		require.Equal(t, int64(len(o.sent)), o.length)
	}
	// Where its end cannot be told, it is refused.
	key, _ := privateKey("pieces", "\\n\",\n\"")
	w.refused(w.client(false), request(t, "POST", "https://origin.test/", strings.NewReader(`["`+key+`"]`)), 403, refusal.SecretInRequest)
}

// Nothing of a key arrives in an encoding of it, as it flows or whole, compressed
// or not: the end of what is encoded is found, or the request is refused.
func TestPrivateKeyInAnEncodingDoesNotArrive(t *testing.T) {
	got := make(chan seen, 1)
	w := newWorld(t, redacting, keeper(got))
	client := w.client(false)
	for name, encode := range map[string]func(string) string{
		"kubeconfig": func(s string) string {
			return "users:\n- user:\n    client-key-data: " + base64.StdEncoding.EncodeToString([]byte(s)) + "\n    token: x\n"
		},
		"secret": func(s string) string {
			return `{"data":{"tls.key":"` + base64.StdEncoding.EncodeToString([]byte(s)) + `"}}`
		},
		"hex":     func(s string) string { return "key=" + hex.EncodeToString([]byte(s)) },
		"escapes": func(s string) string { return "key=" + percent(s) },
		"UTF-16":  func(s string) string { return strings.Join(strings.Split(s, ""), "\x00") },
	} {
		for _, flowing := range []bool{false, true} {
			for _, coding := range []string{"", "gzip"} {
				key, _ := privateKey(name, "\n")
				text := []byte(encode(key))
				body := text
				if coding != "" {
					var err error
					body, err = decode.Encode(coding, text, nil)
					require.NoError(t, err)
				}
				var src io.Reader = bytes.NewReader(body)
				if flowing {
					src = io.MultiReader(src)
				}
				req := request(t, "POST", "https://origin.test/", src, "Content-Type", "text/plain")
				if coding != "" {
					req.Header.Set("Content-Encoding", coding)
				}
				res, answer := w.do(client, req)
				if res.StatusCode != 200 {
					require.Contains(t, answer, refusal.SecretInRequest, name)
					continue
				}
				o := receive(t, got, "request")
				for at := len(text) / 4; at+24 < len(text)*3/4; at += 8 {
					require.NotContains(t, string(o.body), string(text[at:at+24]), "%s, flowing %v, %s", name, flowing, coding)
				}
			}
		}
	}
	// A usual one is replaced, not refused.
	key, _ := privateKey("usual", "\n")
	w.do(client, request(t, "POST", "https://origin.test/", strings.NewReader(`{"k":"`+base64.StdEncoding.EncodeToString([]byte(key))+`"}`), "Content-Type", "application/json"))
	require.NotContains(t, string(receive(t, got, "request").body), base64.StdEncoding.EncodeToString([]byte(key))[200:260])
}

// In forms and queries + is a space, which a PEM block and a .netrc have.
