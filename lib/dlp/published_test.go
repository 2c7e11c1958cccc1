package dlp

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"hash"
	"testing"

	"github.com/stretchr/testify/require"
)

func signed(alg, claims, key string) string {
	newHash := map[string]func() hash.Hash{"HS256": sha256.New, "HS384": sha512.New384, "HS512": sha512.New}[alg]
	enc := base64.RawURLEncoding
	text := enc.EncodeToString([]byte(`{"alg":"`+alg+`","typ":"JWT"}`)) + "." + enc.EncodeToString([]byte(claims))
	mac := hmac.New(newHash, []byte(key))
	mac.Write([]byte(text))
	return text + "." + enc.EncodeToString(mac.Sum(nil))
}

const (
	johnsClaims  = `{"sub":"1234567890","name":"John Doe","iat":1516239022}`
	adminsClaims = `{"sub":"1234567890","name":"John Doe","admin":true,"iat":1516239022}`
)

func TestExamplesOfDocumentationAreNoSecrets(t *testing.T) {
	r := builtin(t)
	m := newMaker(410)
	enc := base64.RawURLEncoding.EncodeToString
	unsigned := func(alg string, signature int) string {
		return enc([]byte(`{"alg":"`+alg+`","typ":"JWT"}`)) + "." + enc([]byte(adminsClaims)) + "." + m.text(urlChars, signature)
	}
	for _, token := range []string{
		signed("HS256", johnsClaims, "your-256-bit-secret"), signed("HS384", adminsClaims, "your-384-bit-secret"), signed("HS512", adminsClaims, "your-512-bit-secret"),
		signed("HS256", adminsClaims, "a-string-secret-at-least-256-bits-long"), signed("HS256", johnsClaims, "secret"),
		signed("HS256", `{"some":"payload"}`, "secret"), signed("HS256", `{"foo":"bar"}`, "shhhhh"),
		unsigned("RS256", 342), unsigned("ES256", 86), unsigned("PS512", 342), unsigned("ES384", 128),
		// RFC 7515 §A.1
		enc([]byte("{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}")) + "." + enc([]byte("{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}")) + "." + "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
	} {
		require.Empty(t, r.Scan([]byte("Authorization: Bearer "+token)), token)
		require.Empty(t, r.Scan([]byte(base64.StdEncoding.EncodeToString([]byte("  "+token+"  ")))), token)
	}
}

func TestTokensLikeExamplesAreSecrets(t *testing.T) {
	r := builtin(t)
	m := newMaker(411)
	key := m.text(alnumChars, 32)
	example := signed("HS256", johnsClaims, "your-256-bit-secret")
	for name, token := range map[string]string{
		"another key":              signed("HS256", johnsClaims, key),
		"another signature":        example[:len(example)-43] + m.text(urlChars, 43),
		"another subject":          enc64(`{"alg":"RS256"}`) + "." + enc64(`{"sub":"1234567891","name":"John Doe"}`) + "." + m.text(urlChars, 342),
		"one claim more":           enc64(`{"alg":"RS256"}`) + "." + enc64(`{"sub":"1234567890","name":"John Doe","scope":"admin"}`) + "." + m.text(urlChars, 342),
		"a weak key, a user":       signed("HS256", `{"sub":"4711","exp":1790000000}`, "secret"),
		"a weak key, data":         signed("HS256", `{"data":"`+m.text(alnumChars, 30)+`1"}`, "secret"),
		"an unknown algorithm":     enc64(`{"alg":"HS1"}`) + "." + enc64(johnsClaims) + "." + m.text(urlChars, 43),
		"a published key, no HMAC": enc64(`{"alg":"RS256"}`) + "." + enc64(`{"sub":"a"}`) + "." + m.text(urlChars, 342),
	} {
		require.Len(t, r.Scan([]byte("Authorization: Bearer "+token)), 1, name)
	}
}

func enc64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
