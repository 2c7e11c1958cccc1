package hostauth

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"
)

// authClaim names the object of OpenAI's claims in both tokens.
const authClaim = "https://api.openai.com/auth"

// claims are the claims of a token that are known to be needed.
type claims struct {
	expiry   time.Time // zero: none that can be used
	issuedAt time.Time // zero: none that can be used
	account  string
	plan     string
	fedRAMP  bool
}

// parseClaims reads a JWT the way Codex does: three non-empty parts, of which
// only the payload is decoded. The signature is not verified: the host's login
// is the operator's own file. field names the token in errors.
func parseClaims(field, token string) (claims, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims{}, bad(field, ErrNotJWT)
	}
	for _, p := range parts {
		if p == "" || !isBase64URL(p) {
			return claims{}, bad(field, ErrNotJWT)
		}
	}
	payload, err := base64.RawURLEncoding.Strict().DecodeString(parts[1])
	if err != nil {
		return claims{}, bad(field, ErrNotJWT)
	}
	o, err := parseObject(payload)
	if errors.Is(err, ErrDuplicateKey) {
		return claims{}, bad(field+" payload", err)
	}
	if err != nil {
		return claims{}, bad(field, ErrNotJWT)
	}
	c := claims{expiry: o.time("exp"), issuedAt: o.time("iat")}
	auth, err := o.object(authClaim)
	if err != nil {
		return claims{}, bad(field+" auth claim", err)
	}
	if c.account, err = auth.string("chatgpt_account_id"); err != nil || !isPlain(c.account) {
		return claims{}, bad(field+" chatgpt_account_id claim", ErrBadField)
	}
	if c.plan, err = auth.string("chatgpt_plan_type"); err != nil || !isPlain(c.plan) {
		return claims{}, bad(field+" chatgpt_plan_type claim", ErrBadField)
	}
	switch string(auth["chatgpt_account_is_fedramp"]) {
	case "true":
		c.fedRAMP = true
	case "", "false", "null":
	default:
		return claims{}, bad(field+" chatgpt_account_is_fedramp claim", ErrBadField)
	}
	return c, nil
}

// time returns the NumericDate at key (RFC 7519, section 2), zero if there is
// none. Codex reads it as a 64-bit integer, so a fraction or exponent is none;
// so is a time before 1970 or after the year 9999.
func (o object) time(key string) time.Time {
	const lastSecond = 253402300799 // 9999-12-31T23:59:59Z
	n, err := strconv.ParseInt(string(o[key]), 10, 64)
	if err != nil || n <= 0 || n > lastSecond {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

func isBase64URL(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// isPlain reports whether s can stand in a header field, in JSON and on a
// terminal as it is: at most 128 visible ASCII characters without quotes,
// backslash and markup. The account id is sent as a header by Codex.
func isPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] > '~' || strings.IndexByte(`"'\<>&`, s[i]) >= 0 {
			return false
		}
	}
	return len(s) <= 128
}
