package dlp

import (
	"bytes"
	"encoding/base64"
	"slices"
)

// AuthorizationRule is the name of the rule for what requests are authorized with, where commands, source code, logs and dumps write it. What a
// request itself is sent with is none of it: who is spoken to has given it out.
const AuthorizationRule = "authorization-header"

// headers is [AuthorizationRule]: the header by its name, or a string that begins with Bearer.
func headers(known *prefixes) Rule {
	rule := Rule{
		Name: AuthorizationRule, general: true,
		Matches: "a value after Authorization: and Bearer, Basic, token or the like, or after Bearer in quotation marks",
		Source:  "https://www.rfc-editor.org/rfc/rfc9110#section-11.6.2",
		Check:   "random text of 20 characters or more with digits and both cases, a digest, or a UUID; of Basic: base64 of a user and a password that looks made by chance; no placeholder, no code",
	}
	value := run(set("A-Za-z0-9_.:+/=~-"), 16, 2000)
	between := gapBefore(run(letter, 4, 7))
	scheme := step{class: letter, min: 4, max: 7}
	rule.patterns = []pattern{
		{
			keywords: []string{"authorization"},
			fold:     true,
			before:   nameChar,
			steps:    seq([]step{gapStep(between)}, []step{scheme}, run(set(" +"), 1, 2), value),
			check: func(m []byte) (int, int, bool) {
				name := len("authorization")
				n, _ := between(m[name:min(len(m), name+gapMax)])
				end := name + n + runOf(letter, m[name+n:], 7)
				from := end + runOf(set(" +"), m[end:], 2)
				n, ok := authorizes(string(bytes.ToLower(m[name+n:end])), m[from:])
				return from, from + n, ok && !known.begin(m[from:])
			},
		},
	}
	for _, in := range []struct {
		keyword string
		within  *class
	}{{`"bearer `, nil}, {"bearer ", set("'`")}} {
		rule.patterns = append(rule.patterns, pattern{
			keywords: []string{in.keyword},
			fold:     true,
			within:   in.within,
			steps:    value,
			check: func(m []byte) (from, to int, ok bool) {
				from = len(in.keyword)
				n, ok := authorizes("bearer", m[from:])
				return from, from + n, ok && !known.begin(m[from:])
			},
		})
	}
	return rule
}

// authorizes reports whether v is a credential of scheme, which is in lower case, and how long it is.
func authorizes(scheme string, v []byte) (length int, ok bool) {
	switch scheme {
	case "basic":
		text, err := base64.StdEncoding.AppendDecode(nil, v)
		if err != nil || slices.Contains(publishedValues, string(v)) {
			return 0, false
		}
		_, password, ok := bytes.Cut(text, []byte(":"))
		return len(v), ok && (len(password) >= 8 && randomPassword(password) || len(password) >= 14 && goodPassword(password) && mixedCase(password) && !madeUp(password) && !camelCase(password))
	case "bearer", "token", "apikey", "ssws":
		length, ok = namedKey(v)
		return length, ok && length >= 20
	}
	return 0, false
}

// randomPassword reports whether p is one that named-password or named-key would take behind a name.
func randomPassword(p []byte) bool {
	for _, ok := range []func(v []byte) (int, bool){namedPassword, rarePassword, namedKey} {
		if length, ok := ok(p); ok && length == len(p) {
			return true
		}
	}
	return false
}

// wordPressKeys is for the keys and salts of wp-config.php, which have signs of all kinds.
func wordPressKeys() Rule {
	return Rule{
		Name:    "wordpress-key",
		Matches: "64 characters in apostrophes after AUTH_KEY, SECURE_AUTH_KEY, LOGGED_IN_KEY, NONCE_KEY and the salts of these",
		Source:  "https://api.wordpress.org/secret-key/1.1/salt/",
		Check:   "letters of both cases, digits and signs, at least 24 different characters",
		patterns: []pattern{{
			keywords: []string{"AUTH_KEY", "AUTH_SALT", "LOGGED_IN_KEY", "LOGGED_IN_SALT", "NCE_KEY", "NCE_SALT"},
			steps:    seq(run(set("'\"\\,=: \t"), 1, 24), run(set(" -&(-~"), 60, 96), lit("'")),
			check: func(m []byte) (from, to int, ok bool) {
				to = len(m) - 1
				v := m[runOf(upperOrBreak, m, to):to]
				v = v[bytes.LastIndexByte(v, '\'')+1:]
				return to - len(v), to, len(v) >= 60 && varied(v, 24) && hasAll(v, lower, upperLetter, digit, saltSign) && !placeholder(v)
			},
		}},
	}
}

var (
	upperOrBreak = set("A-Z_")
	saltSign     = set("!#$%&()*+,./:;<=>?@[]^_`{|}~ -")
)
