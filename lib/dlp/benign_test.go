package dlp

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// benign are bodies of real shape without a secret in them.
func (m maker) benign() map[string]string {
	repeat := func(n int, line func(i int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(line(i))
		}
		return b.String()
	}
	uuid := func() string {
		return m.text(hexChars, 8) + "-" + m.text(hexChars, 4) + "-4" + m.text(hexChars, 3) + "-a" + m.text(hexChars, 3) + "-" + m.text(hexChars, 12)
	}
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(m.IntN(256))
		}
		return b
	}
	png := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x05\x00\x00\x00\x03\x20\x08\x06\x00\x00\x00tEXtSoftware\x00Screenshot tool 1.2\x00"), random(300_000)...)
	jpeg := append([]byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x01\x00\x60\x00\x60\x00\x00\xff\xe1Exif\x00\x00Camera maker and model\x00"), random(300_000)...)
	source := `func (s *Server) serve(ctx context.Context, l net.Listener) error {\n\tfor {\n\t\tc, err := l.Accept()\n\t\tif err != nil {\n\t\t\treturn fmt.Errorf("accept: %w", err)\n\t\t}\n\t\tgo s.handle(ctx, c)\n\t}\n}\n`
	cert := "-----BEGIN CERTIFICATE-----\n" + wrapped(base64.StdEncoding.EncodeToString(append([]byte("\x30\x82\x03\x00Example Issuer, Inc. of Somewhere"), random(900)...)), 64, "\n") + "\n-----END CERTIFICATE-----\n"
	return map[string]string{
		"turn": string(llmJSON(200_000)),
		"package-lock": repeat(300, func(i int) string {
			return fmt.Sprintf("    \"node_modules/pkg-%d\": {\n      \"version\": \"1.%d.0\",\n      \"resolved\": \"https://registry.example.org/pkg-%d/-/pkg-%d-1.%d.0.tgz\",\n      \"integrity\": \"sha512-%s==\"\n    },\n", i, i, i, i, i, m.text(stdChars, 86))
		}),
		"go.sum": repeat(500, func(i int) string {
			return fmt.Sprintf("github.com/a/b%d v1.%d.0 h1:%s=\n", i, i, m.text(stdChars, 43))
		}),
		"Cargo.lock": repeat(300, func(i int) string {
			return fmt.Sprintf("[[package]]\nname = \"c%d\"\nchecksum = \"%s\"\n", i, m.text(hexChars, 64))
		}),
		"git log": repeat(500, func(i int) string {
			return "commit " + m.text(hexChars, 40) + "\nAuthor: A <a@b.example>\n\n    fix the build\n"
		}),
		"uuids": repeat(1000, func(i int) string { return `{"id":"` + uuid() + `","secret_id":"` + uuid() + `"},` }),
		"minified": repeat(800, func(i int) string {
			return fmt.Sprintf("function %s(t,e){return t&&e?t.%s(e,%d):\"\\u0026nbsp;\"+e.%s}var %s=/[\\u0000-\\u001f%%]/g;", m.text("abcxyz", 3), m.text(alnumChars[:52], 9), i, m.text(alnumChars[:52], 12), m.text("abcxyz", 2))
		}),
		"source map":   `{"version":3,"mappings":"` + repeat(20_000, func(int) string { return m.text("AACDEFGIKMOQSUWYacegikmoq", 4) + m.pick(",", ";", ",") }) + `"}`,
		"inline map":   "//# sourceMappingURL=data:application/json;base64," + base64.StdEncoding.EncodeToString([]byte(`{"version":3,"sources":["a.ts","b.ts"],"mappings":"`+repeat(5000, func(int) string { return m.text("AACDEFGIKMOQ", 4) + "," })+`"}`)),
		"png":          `{"type":"image","data":"` + base64.StdEncoding.EncodeToString(png) + `"}`,
		"jpeg":         `{"url":"data:image/jpeg;base64,` + base64.StdEncoding.EncodeToString(jpeg) + `"}`,
		"jpeg, url":    `{"data":"` + base64.RawURLEncoding.EncodeToString(jpeg) + `"}`,
		"png, wrapped": wrapped(base64.StdEncoding.EncodeToString(png), 76, "\r\n"),
		"certificates": repeat(20, func(int) string { return cert }),
		"in json":      strings.ReplaceAll(repeat(20, func(int) string { return cert }), "\n", `\n`),
		"ssh public":   repeat(50, func(int) string { return "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + m.text(stdChars, 43) + " me@host\n" }),
		"source":       strings.ReplaceAll(repeat(200, func(int) string { return source }), `\n`, "\n"),
		"source, b64":  base64.StdEncoding.EncodeToString([]byte(repeat(200, func(int) string { return source }))),
		"form": repeat(500, func(i int) string {
			return fmt.Sprintf("field%d=%%7B%%22a%%22%%3A%%22%s%%22%%7D&", i, m.text(alnumChars, 20))
		}),
		"hex dump": repeat(500, func(i int) string {
			return fmt.Sprintf("%08x  %s %s\n", i*16, m.text(hexChars, 16), m.text(hexChars, 16))
		}),
		"docs": `export OPENAI_API_KEY=sk-your-key-here; curl -H "Authorization: Bearer $TOKEN" -u user:password https://api.example.com; AWS_ACCESS_KEY_ID=` +
			"AKIA" + `IOSFODNN7EXAMPLE; ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; postgres://user:password@localhost/db; DATADOG_API_KEY=<your key>; mongodb://root:example@mongo:27017/`,
		"russian": strings.Repeat("Привет, это обычный текст о планировщике задач. Код: a.b(с) и x_о. ", 500),
		"chinese": strings.Repeat("请阅读失败的测试，然后提出修复方案。", 1000),
		"binary":  string(random(200_000)),
	}
}

func TestBenignBodiesAreClean(t *testing.T) {
	r := builtin(t)
	for seed := range few(uint64(3)) {
		for name, text := range newMaker(100 + seed).benign() {
			require.Empty(t, r.Scan([]byte(text)), "%s, seed %d", name, seed)
		}
	}
}

func TestASecretInABenignBodyIsFound(t *testing.T) {
	r := builtin(t)
	m := newMaker(110)
	for name, text := range m.benign() {
		if strings.Contains(name, "b64") || strings.Contains(name, "png") || strings.Contains(name, "jpeg") || name == "inline map" {
			continue // another byte would break what is around it
		}
		at := len(text) / 2
		at += bytes.IndexAny([]byte(text[at:]), "\n,; =") + 1
		token := m.github()
		require.NotEmpty(t, r.Scan([]byte(text[:at]+" "+token+" "+text[at:])), name)
		require.NotEmpty(t, r.Scan([]byte(text[:at]+" "+base64.StdEncoding.EncodeToString([]byte(token))+" "+text[at:])), name)
	}
}
