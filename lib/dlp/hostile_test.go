package dlp

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// hostile are texts that make the scanner work: what begins like a secret over and over, what is encoded, and the begins of values.
func hostile(m maker, size int, values []string) map[string][]byte {
	text := string(sourceCode(size))
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	repeated := func(s string) string { return strings.Repeat(s, size/len(s)+1)[:size] }
	utf16 := func(s string) string { return each(s, func(c byte) string { return string(rune(c)) + "\x00" }) }
	out := map[string][]byte{}
	for _, unit := range []string{
		"eyJ", "eyJ.", "eyJhIjp7ImEi", "eyJhbGciOiJIUzI1NiJ9.", strings.Repeat("eyJ", 600) + ".", "ya29.", "ya29.eyJ",
		"sk-", "sk-.", "sk-abc\n", "sk-ab1\nqz_ab1\n", "ghp_", `ghp_a1","`, m.github()[:20] + `","`, "ghp_ab12\n    ", "AIza", "AIzaa1\n", "AKIA", "xoxb-", "xoxb-1-", `sk_live_ab12","`, `xoxb-","`, "glpat-/", `sk_li","b":"`, `"shpat_" + `, `datadog_api_key="a1b2c3" + `,
		`{"a":"ghp_ab12ab12","b":"user","c":"hello world foo"},`, "-----BEGIN ", "-----BEGIN PRIVATE KEY-----\n",
		"api_key=", "api_key=a1", "api_key=a1B2", "api_key=api-key=" + strings.Repeat("aB1", 50), "_KEY", "_token",
		"_KEY=", "_KEY=a1B2c3\n", "api_key=a1B2\n", "api_k\n", "ACME_API_KEY=a1B2c3d4\n    ", "acces\n", "twilio_auth_token=a1\n", "postgres://user:p4\n", "hooks.slack.com/\n", "eyJhbGci\n",
		"-us1", "\n-us1", "ab1\n-us1", `a1","-us1`, `"a":"a1","-us1`, "ab1/AZDO", "a\nAZDOab\n", "ab12\n    ab12\n    FFFFNR", "acme_token=a1B2c3d4e5f6g7h8i9j0k1l2 ", "password=", "password=passwd", "password: secret ",
		`\1` + strings.Repeat("API_KEY=", 23), " " + strings.Repeat("API_KEY=", 23), "-0-9a1B2%25" + strings.Repeat("api_key=", 35),
		"%25" + strings.Repeat("pwd:", 50), strings.Repeat("pwd=", 40) + "\n", `" "ak-merge ":"%25  `,
		"password=" + strings.Repeat("a1B", 60), "passwd" + strings.Repeat(" ", 64), `"datadog_api_key"` + strings.Repeat(" ", 20), `"auth": "`,
		"https://", "https://a:bcdefghijkl", "postgres://user:pass", "redis://", "machine a login b password ", "machine ",
		"\u200b", "g\u200b", "\x00", "e\x00", "рассказ о том, как ", "gһр_", "ａｂｃｄ", "&", "&abcdefghij", "&#00000065;",
		`\`, `\\u`, `\\x41`, `\u0041`, "%", "%2", "%25", "%2525252541",
		"abandon ability able about ", b64("hello, this is") + "\n", b64("hello, this is") + " \n\n   ", "a\n", "YWFh", "6161", "MFQWC", "AAAA", "a", "2020", "0a0a", "ICAg",
	} {
		out["repeated "+unit[:min(len(unit), 24)]] = []byte(repeated(unit))
	}
	for i, v := range values {
		if len(v) > 8 {
			out[fmt.Sprintf("begin of value %d", i)] = []byte(repeated(v[:8]))
		}
		if len(v) > 24 {
			out[fmt.Sprintf("value %d again and again", i)] = []byte(repeated(v[:16] + v[1:14]))
			out[fmt.Sprintf("value %d cut", i)] = []byte(repeated(v[:len(v)-3]))
		}
	}
	for name, s := range map[string]string{
		"base64": b64(text), "base64 twice": b64(b64(text)), "base64 four times": b64(b64(b64(b64(text)))), "hex": hex.EncodeToString([]byte(text)),
		"base64 of hex of base64": b64(hex.EncodeToString([]byte(b64(text)))), "percent": percentAll(text), "percent twice": percentAll(percentAll(text)),
		"percent of base64": percentAll(b64(text)), "percent of base64 of percent": percentAll(b64(percentAll(text))), "entities twice": entities8(entities8(text[:size/50])),
		"UTF-16": utf16(text), "base64 of eyJ": b64(repeated("eyJ")), "base64 of sk-": b64(repeated("sk-")), "hex of sk-": hex.EncodeToString([]byte(repeated("sk-"))),
		"percent of sk-": percentAll(repeated("sk-")), "base64 of ghp,": b64(repeated(`ghp_a1","`)), "base64 of a cut token": repeated(b64(" "+m.github()[:39]+"!") + " "),
	} {
		out[name] = []byte(s[:min(len(s), size)])
	}
	return out
}

// They end, and no split of them gives other findings. How long they take is for BenchmarkHostile: at most twenty times as long as
// ordinary JSON is the aim, or an agent could keep its proxy busy.
func TestHostileTextsInAnySplit(t *testing.T) {
	x := newStress(t, 1)
	r := knowing(t, x.values...)
	s := r.NewStream()
	rng := rand.New(rand.NewPCG(81, 1))
	for name, text := range hostile(newMaker(81), few(100_000), x.values) {
		s.Reset()
		require.Equal(t, r.Scan(text), inPieces(t, s, text, func() int { return 1 + rng.IntN(5000) }), name)
	}
}

// The speeds of all of them, beside that of ordinary JSON with the same rules.
func BenchmarkHostile(b *testing.B) {
	m := newMaker(81)
	values := m.knownValues()
	var list []string
	for _, kind := range slices.Sorted(maps.Keys(values)) {
		list = append(list, values[kind])
	}
	r := knowing(b, list...)
	texts := hostile(m, 300_000, list)
	texts["JSON"] = llmJSON(300_000)
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(texts[name])))
			for b.Loop() {
				r.Scan(texts[name])
			}
		})
	}
}
