package dlp

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"hash"
	"strings"
)

// Documentation shows tokens that open nothing: anybody can make them, as the key they are signed with stands beside them. A token of an
// example's claims with another signature is not one of those.

// publishedKeys are keys that documentation signs its examples with, and that nobody would take for one: of jwt.io, RFC 7515 §A.1,
// golang-jwt, FastAPI, jsonwebtoken, and Supabase's local development.
var publishedKeys = []string{
	"your-256-bit-secret", "your-384-bit-secret", "your-512-bit-secret", "your-secret-key", "your_secret_key", "your-secret", "your_jwt_secret",
	"a-string-secret-at-least-256-bits-long", "a-valid-string-secret-that-is-at-least-384-bits-long", "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
	"super-secret-jwt-token-with-at-least-32-characters-long", "AllYourBase", "shhhhh", "shhhhhared-secret",
	"09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
	"\x03\x23\x35\x4b\x2b\x0f\xa5\xbc\x83\x7e\x06\x65\x77\x7b\xa6\x8f\x5a\xb3\x28\xe6\xf0\x54\xc9\x28\xa9\x0f\x84\xb2\xd2\x50\x2e\xbf\xd3\xfb\x5a\x92\xd2\x06\x47\xef\x96\x8a\xb4\xc3\x77\x62\x3d\x22\x3d\x2e\x21\x72\x05\x2e\x4f\x08\xc0\xcd\x9a\xf5\x67\xd0\x80\xa3",
}

// weakKeys are those that tutorials use, and careless people as well: they tell an example only where its claims do so too.
var weakKeys = []string{"secret", "secretkey", "secret-key", "secret_key", "my-secret", "my_secret", "mysecret", "my-secret-key", "key", "test", "password", "foobar", "changeme", "change-me"}

// publishedJWT reports whether token, which has the form of a JWT, is an example of documentation.
func publishedJWT(token []byte) bool {
	dot, second := bytes.IndexByte(token, '.'), bytes.LastIndexByte(token, '.')
	if dot < 0 || second-dot > 1<<10 {
		return false
	}
	header, payload, signature := token[:dot], token[dot+1:second], token[second+1:]
	var h struct{ Alg string }
	if text, err := base64.RawURLEncoding.AppendDecode(nil, header); err != nil || json.Unmarshal(text, &h) != nil {
		return false
	}
	claims, err := base64.RawURLEncoding.AppendDecode(nil, payload)
	if err != nil {
		return false
	}
	if forEverybody(claims) || bytes.Contains(claims, []byte(`"http://example.com/is_root"`)) { // RFC 7515 and 7519
		return true
	}
	var newHash func() hash.Hash
	switch h.Alg {
	case "HS256":
		newHash = sha256.New
	case "HS384":
		newHash = sha512.New384
	case "HS512":
		newHash = sha512.New
	default:
		// No key of theirs signs anything else, and what is signed is the same everywhere.
		return strings.TrimRight(h.Alg, "0123456789") != "HS" && johnDoe(claims)
	}
	signedWith := func(keys []string) bool {
		for _, key := range keys {
			mac := hmac.New(newHash, []byte(key))
			mac.Write(token[:second])
			// What stands behind it may have been taken for a piece of it.
			if bytes.HasPrefix(signature, base64.RawURLEncoding.AppendEncode(nil, mac.Sum(nil))) {
				return true
			}
		}
		return false
	}
	return signedWith(publishedKeys) || (johnDoe(claims) || wordsOnly(claims)) && signedWith(weakKeys)
}

// forEverybody reports whether claims are those of a Supabase project's anon key, which is delivered to every visitor.
func forEverybody(claims []byte) bool {
	var c struct{ Iss, Role string }
	return json.Unmarshal(claims, &c) == nil && c.Iss == "supabase" && c.Role == "anon"
}

// johnDoe reports whether claims are those of the examples of jwt.io, and no more.
func johnDoe(claims []byte) bool {
	var c map[string]any
	if json.Unmarshal(claims, &c) != nil || c["sub"] != "1234567890" || c["name"] != "John Doe" {
		return false
	}
	for _, name := range []string{"sub", "name", "admin", "iat"} {
		delete(c, name)
	}
	return len(c) == 0
}

// wordsOnly reports whether claims are one or two words about nobody: {"some":"payload"}. Names that RFC 7519 registers, or that
// say who somebody is, are not.
func wordsOnly(claims []byte) bool {
	var c map[string]string
	if json.Unmarshal(claims, &c) != nil || len(c) > 2 {
		return false
	}
	for name, value := range c {
		switch strings.ToLower(name) {
		case "some", "foo", "bar", "hello", "data", "message", "msg", "key", "test", "payload", "example", "a", "b":
		default:
			return false
		}
		for i := range len(value) {
			if !letter[value[i]] && value[i] != ' ' {
				return false
			}
		}
	}
	return true
}
