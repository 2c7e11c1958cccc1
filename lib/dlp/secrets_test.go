package dlp

import (
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strings"
)

// Test secrets are made at run time from seeds: no literal in this repository looks like a live credential.

const (
	alnumChars  = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	urlChars    = alnumChars + "-_"
	stdChars    = alnumChars + "+/"
	base32Chars = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	digitChars  = "0123456789"
	hexChars    = "0123456789abcdef"
	upperChars  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
)

type maker struct{ *rand.Rand }

func newMaker(seed uint64) maker { return maker{rand.New(rand.NewPCG(seed, 1))} }

func (m maker) text(chars string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = chars[m.IntN(len(chars))]
	}
	return string(b)
}

func (m maker) pick(options ...string) string { return options[m.IntN(len(options))] }

func (m maker) github() string {
	body := m.text(alnumChars, 30)
	sum := crc32.ChecksumIEEE([]byte(body))
	check := make([]byte, 6)
	for i := 5; i >= 0; i-- {
		check[i] = base62[sum%62]
		sum /= 62
	}
	return m.pick("ghp", "gho", "ghu", "ghs", "ghr") + "_" + body + string(check)
}

func (m maker) jwt(header string, payload int) string {
	enc := base64.RawURLEncoding
	claims := `{"iss":"https://issuer.example","sub":"` + m.text(alnumChars, payload) + `"}`
	return enc.EncodeToString([]byte(header)) + "." + enc.EncodeToString([]byte(claims)) + "." + m.text(urlChars, 86)
}

func (m maker) pem(label string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "-----%s %s-----\n", "BEGIN", label)
	for range 6 {
		b.WriteString("M" + m.text(stdChars, 63) + "\n")
	}
	fmt.Fprintf(&b, "-----%s %s-----\n", "END", label)
	return b.String()
}

// planted is a made-up credential in its place.
type planted struct {
	rule  string
	text  string // what is scanned: value, with the keyword that the rule needs
	value string // what the finding must cover; "" where it is only the beginning of text
}

// secrets makes one of each kind that the built-in rules know.
func (m maker) secrets() []planted {
	same := func(rule, value string) planted { return planted{rule, value, value} }
	awsSecret := m.text("abcdefghij", 4) + m.text("ABCDEFGHIJ", 4) + m.text("0123456789", 4) + m.text(stdChars, 28)
	jwk := m.text(urlChars, 41) + "aZ"
	all := []planted{
		same("github-token", m.github()),
		same("github-installation-token", "ghs_"+m.text(digitChars, 7)+"_"+m.jwt(`{"alg":"RS256","typ":"JWT"}`, 90)),
		same("github-fine-grained-token", "github_pat_"+m.text(alnumChars, 22)+"_"+m.text(alnumChars, 59)),
		same("github-refresh-token", "ghr_"+m.text(alnumChars, 76)),
		same("openai-api-key", "sk-"+m.text(alnumChars, 20)+"T3Blbk"+"FJ"+m.text(alnumChars, 20)),
		same("openai-api-key", "sk-proj-"+m.text(urlChars, 74)+"T3Blbk"+"FJ"+m.text(urlChars, 74)),
		same("openai-api-key", "sk-svcacct-"+m.text(urlChars, 58)+"T3Blbk"+"FJ"+m.text(urlChars, 58)),
		same("anthropic-token", "sk-ant-"+"api03-"+m.text(urlChars, 86)+"-"+m.text(urlChars, 6)+"AA"),
		same("anthropic-token", "sk-ant-"+"api03-"+m.text(alnumChars, 93)+"AA"),
		same("anthropic-token", "sk-ant-"+"oat01-"+m.text(urlChars, 86)+"-"+m.text(urlChars, 6)+"AA"),
		same("anthropic-token", "sk-ant-"+"ort01-"+m.text(alnumChars, 95)),
		same("aws-access-key-id", "AKIA"+m.text(base32Chars, 16)),
		same("aws-access-key-id", "ASIA"+m.text(base32Chars, 16)),
		{"aws-secret-access-key", "aws_secret_access_key = " + awsSecret, awsSecret},
		{"aws-secret-access-key", `"SecretAccessKey": "` + awsSecret + `"`, awsSecret},
		{"aws-secret-access-key", `\"AWS_SECRET_ACCESS_KEY\":\"` + awsSecret + `\"`, awsSecret},
		same("slack-token", "xoxb-"+m.text(digitChars, 12)+"-"+m.text(digitChars, 13)+"-"+m.text(alnumChars, 22)+"7a"),
		same("slack-token", "xoxp-"+m.text(digitChars, 11)+"-"+m.text(digitChars, 11)+"-"+m.text(digitChars, 11)+"-"+m.text(hexChars, 32)),
		same("slack-app-token", "xapp-1-A"+m.text(upperChars, 10)+"-"+m.text(digitChars, 13)+"-"+m.text(hexChars, 64)),
		same("slack-webhook", "hooks.slack.com/services/T"+m.text(upperChars, 10)+"/B"+m.text(upperChars, 10)+"/"+m.text(alnumChars, 24)),
		same("slack-webhook", `hooks.slack.com\/services\/T`+m.text(upperChars, 8)+`\/B`+m.text(upperChars, 8)+`\/`+m.text(alnumChars, 24)),
		same("google-api-key", "AIza"+m.text(urlChars, 35)),
		same("google-oauth-access-token", "ya29."+m.text(urlChars, 180)),
		same("google-oauth-client-secret", "GOCSPX-"+m.text(urlChars, 28)),
		same("putty-private-key", "Private-Lines: 1"+m.pick("\n", "\r\n", `\n`)+m.text(stdChars, 48)),
		{"jwk-private-key", `{"kty":"EC","d":"` + jwk + `","crv":"P-256"}`, jwk},
		same("jwt", m.jwt(`{"alg":"ES256","typ":"JWT","kid":"`+m.text(alnumChars, 20)+`"}`, 300)),
		same("jwt", m.jwt("{\n  \"typ\": \"JWT\",\n  \"alg\": \"HS256\"\n}", 8000)),
	}
	for _, label := range []string{"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY"} {
		key := m.pem(label)
		all = append(all, planted{"private-key", key, ""})
		all = append(all, planted{"private-key", strings.ReplaceAll(key, "\n", `\n`), ""})
		all = append(all, planted{"private-key", strings.ReplaceAll(key, "\n", "%0A"), ""})
	}
	begin := "-----" + "BEGIN "
	all = append(all,
		planted{"private-key", begin + "PGP PRIVATE KEY BLOCK-----\n\nlQOY" + m.text(stdChars, 60) + "\n", ""},
		planted{"private-key", begin + "PGP PRIVATE KEY BLOCK-----\r\nComment: mine\r\n", ""},
		planted{"private-key", begin + "RSA PRIVATE KEY-----\\nProc-Type: 4,ENCRYPTED\\n", ""},
	)
	return append(all, m.others()...)
}

// places are what may stand around a secret.
var places = []struct{ name, before, after string }{
	{"alone", "", ""},
	{"json", `{"role":"user","content":"token `, `"}`},
	{"after an escaped line break", `{"content":"a line\n`, `\nanother"}`},
	{"after a unicode escape", `{"content":"a line\u000a`, `\u000aanother"}`},
	{"env file", "A=1\nTOKEN=", "\nB=2\n"},
	{"query", "https://example.com/?q=1&t=", "&x=y"},
	{"after a percent escape", "t%3D", "%26x"},
	{"shell", "export T='", "'; run"},
	{"after binary", "\x00\xff\xfe", "\x00"},
}
