package dlp

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"
)

// named are the rules for values that only a general name gives away: API_KEY, FOO_TOKEN, client_secret, password. They take nothing
// but what looks made by chance, and leave what begins like a credential of the other rules to those.
func named(others []Rule) []Rule {
	var known []string
	for _, rule := range others {
		for _, p := range rule.patterns {
			if !p.fold && p.behind == nil && rule.Name != "discord-token" { // which has begins of two letters
				known = append(known, p.keywords...)
			}
		}
	}
	const source = "https://cwe.mitre.org/data/definitions/798.html"
	const check = "random text of 16 characters or more with digits and both cases, a digest, or a UUID; no public key, no placeholder, no code"
	value := set("A-Za-z0-9_.:+/=~-")
	keys := Rule{Name: "named-key", general: true, Matches: "a value after api_key, api_token, auth_token, access_token, client_secret, secret_key and the like, in any case, or after a name that ends in _token or _secret, or in capitals in _KEY", Source: source, Check: check}
	for _, name := range []string{"api_key", "api_token", "auth_token", "access_token", "refresh_token", "client_secret", "api_secret", "app_secret", "secret_key", "consumer_secret", "signing_secret",
		"jwt_secret", "webhook_secret", "bearer_token", "private_token", "secret_key_base", "master_key", "app_key", "account_key", "storage_key", "api key", "api token", "auth token", "api.key", "api.token", "auth.token", "jwt.secret"} {
		p := namedPattern(name, true, value, known, namedKey)
		p.amid, p.spelled = forAll, true
		keys.patterns = append(keys.patterns, p)
	}
	p := namedPattern("_KEY", false, value, known, namedKey)
	p.amid = forAll
	p.unless = []string{"CACHE", "SITE", "PRIMARY", "FOREIGN", "PARTITION", "SORT", "HOST", "PUB", "MAP", "ANON", "IDEMPOTENCY", "DEDUPE", "DEDUP", "S3", "OBJECT", "ROW",
		"HASH", "RANGE", "LOOKUP", "GROUP", "GPG", "PGP", "SEARCH", "KMS", "REGISTRY", "TRANSLATION", "I18N", "QUERY", "STATE", "ROUTING", "MESSAGE"}
	keys.patterns = append(keys.patterns, p)
	for _, name := range []string{"_token", "_secret", "-token", "-secret", "Token", "Secret"} { // the last two of camel case
		p := namedPattern(name, !letter[name[0]], value, known, namedToken)
		p.amid = forAll
		p.unless = []string{"CSRF", "XSRF", "AUTHENTICITY", "FORM", "NONCE", "VERIFICATION", "CONFIRMATION", "UNSUBSCRIBE", "RESET", "TRACKING", "TRACE",
			"NEXT", "PREV", "PREVIOUS", "PAGE", "PAGINATION", "CURSOR", "START", "STOP", "END", "CONTINUATION", "CONTINUE", "RESUME", "SCROLL", "SKIP", "ITERATOR", "SHARD",
			"SYNC", "DELTA", "CHANGE", "VERSION", "REVISION", "SNAPSHOT", "CHECKPOINT", "STATE", "CANCEL", "CANCELLATION", "LOCK", "FENCING", "TASK", "CACHE", "COMMIT", "MERGE",
			"DEVICE", "PUSH", "REGISTRATION", "DELIVERY", "UPLOAD", "CLIENT", "REQUEST", "IDEMPOTENCY", "SHARED", "EXPORTER", "INDEX", "STREAM", "DATASET", "COLLECTION", "VISIBILITY", "SEQUENCE", "ACTION", "UPDATE", "UNIT", "IDENTITY", "PAYMENT"}
		keys.patterns = append(keys.patterns, p)
	}
	passwords := Rule{Name: "named-password", general: true, Matches: "a value after password or passwd, in any case, or _PASS or _PWD", Source: source,
		Check: "12 characters or more that look random, with digits, both cases or signs; no placeholder, no code"}
	chars := set("!#$&()*+,./0-9:;<=>?@A-Z^_a-z~|-")
	for _, name := range []string{"password", "passwd"} {
		p := namedPattern(name, true, chars, known, namedPassword)
		p.amid = forAll
		passwords.patterns = append(passwords.patterns, p)
	}
	for _, name := range []string{"_PASS", "_PWD"} {
		passwords.patterns = append(passwords.patterns, namedPattern(name, false, chars, known, namedPassword))
	}
	return []Rule{keys, passwords}
}

// forAll are words in names of what is for everybody to see, or made up: bundlers publish what NEXT_PUBLIC_ and the like begin.
var forAll = []string{"PUBLIC", "PUBLISHABLE", "EXAMPLE", "DUMMY", "FAKE", "MOCK"}

func namedPattern(name string, fold bool, value *class, known []string, ok func(v []byte) (length int, ok bool)) pattern {
	steps := run(value, 12, 200)
	between := gapBefore(steps)
	return pattern{
		keywords: []string{name},
		fold:     fold,
		steps:    seq([]step{{class: assigned, min: 1, max: gapMax, gap: between}}, steps),
		after:    set("A-Za-z0-9([{"),
		check: func(m []byte) (int, int, bool) {
			end := lengthOf(name, m)
			n, _ := between(m[end:min(len(m), end+gapMax)])
			from := end + n
			if between := m[end:from]; !assigns(between) && !(listed(between) && hasDigit(m[from:])) || string(between) == "," && digits(m[from:]) < 2 {
				return 0, 0, false
			}
			for _, prefix := range known {
				if bytes.HasPrefix(m[from:], []byte(prefix)) {
					return 0, 0, false
				}
			}
			if m[from] == '=' || m[from] == ':' { // behind what looks like a length
				return 0, 0, false
			}
			length, ok := ok(m[from:])
			return from, from + length, ok
		},
	}
}

// assigns reports whether what stands between a name and its value says that they belong together, as an assignment, a mapping or
// a field of a form, instead of standing in a list or in prose.
func assigns(between []byte) bool {
	return bytes.ContainsAny(between, ":=>|") || bytes.Contains(between, []byte("\n")) && !bytes.ContainsAny(between, ",;)]}") || slices.ContainsFunc(between, func(c byte) bool { return c >= 0x80 || isBinary(c) }) || bytes.HasPrefix(between, []byte("x"))
}

// listed reports whether between parts a name and its value as arguments, rows of a table, words of a shell and sentences do: ("NAME", "value"),
// NAME value, name,value, and set NAME to value.
func listed(between []byte) bool {
	const space, quotes = " \t", "\\\"'`"
	before, after, comma := bytes.Cut(between, []byte(","))
	if !comma {
		word := string(bytes.Trim(between, space+quotes))
		return len(between) > 0 && (word == "" || word == "to" || word == "is")
	}
	quoted := bytes.ContainsAny(before, quotes)
	return len(bytes.Trim(before, quotes)) == 0 && len(bytes.Trim(after, space+quotes)) == 0 && quoted == bytes.ContainsAny(after, quotes) && (quoted || len(between) == 1)
}

func digits(b []byte) (n int) {
	for _, c := range b {
		if digit[c] {
			n++
		}
	}
	return n
}

// publicKeys are what keys that are for everybody to see begin with, and values of other kinds.
var publicKeys = []string{"pk_live_", "pk_test_", "phc_", "pk.", "sha256", "sha384", "sha512", "http", "ssh-", "AAAAB3Nz", "AAAAC3Nz", "AAAAE2Vj", "6L", "G-", "GTM-", "arn:", "urn:", "ey", "bottle-dummy-", "sk-ant-"}

// publishedValues are those of the examples of RFC 5849, RFC 6749 and OpenID Connect Core, the UUIDs of most documentation, and digests of
// nothing.
var publishedValues = []string{"550e8400-e29b-41d4-a716-446655440000", "123e4567-e89b-12d3-a456-426614174000", "f47ac10b-58cc-4372-a567-0e02b2c3d479",
	"d41d8cd98f00b204e9800998ecf8427e", "da39a3ee5e6b4b0d3255bfef95601890afd80709", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	"2YotnFZFEjr1zCsicMWpAA", "tGzv3JOkF0XG5Qx2TlKWIA", "7Fjfp0ZBr1KtDRbnfVdmIw", "czZCaGRSa3F0MzpnWDFmQmF0M2JW", "ad180jjd733klru7", "mF_9.B5f-4.1JqM"}

func namedKey(v []byte) (length int, ok bool) {
	v = bytes.TrimRight(v, ".:")
	if len(v) < 16 || !varied(v, 8) || !hasAll(v, letter) || placeholder(v) || madeUp(v) || bytes.Contains(v, []byte("://")) || bytes.Contains(v, []byte("bottle-dummy-")) {
		return 0, false
	}
	for _, p := range publicKeys {
		if bytes.HasPrefix(v, []byte(p)) {
			return 0, false
		}
	}
	for _, p := range publishedValues {
		if string(v) == p {
			return 0, false
		}
	}
	return len(v), byChance(v) || isDigest(v)
}

// namedToken wants more of what is called a token, as many things are.
func namedToken(v []byte) (length int, ok bool) {
	length, ok = namedKey(v)
	return length, ok && (length >= 24 && byChance(v) || length > 36 || hasAll(v, lower, upperLetter) || bytes.IndexByte(v, '-') > 0)
}

// madeUpWords are what values of tests and of documentation say, also with digits for letters.
var madeUpWords = []string{"secret", "token", "passw", "test-", "test_", "-test", "_test", "dummy", "fake", "sample", "foobar", "replace", "insert", "your"}

// madeUp reports whether v was made up by somebody: it says so, or counts, as a1b2c3d4 does.
func madeUp(v []byte) bool {
	var text []byte
	pairs, next, last := 0, 0, byte(0)
	for _, c := range v {
		c = fold(c)
		if lower[c] {
			if last != 0 {
				pairs++
				if c-last == 1 || c == last || last-c == 1 {
					next++
				}
			}
			last = c
		}
		if i := bytes.IndexByte([]byte("013457"), c); i >= 0 {
			c = "oieast"[i]
		}
		text = append(text, c)
	}
	for _, word := range madeUpWords {
		if bytes.Contains(text, []byte(word)) {
			return true
		}
	}
	return pairs > 6 && next*5 >= pairs*4
}

// isDigest reports whether v is hex of 16 bytes or more, as openssl rand -hex makes it, or a UUID.
func isDigest(v []byte) bool {
	if len(v) == 36 && v[8] == '-' && v[13] == '-' && v[18] == '-' && v[23] == '-' {
		v = bytes.ReplaceAll(v, []byte("-"), nil)
	}
	if len(v) < 32 || len(v)%2 != 0 || len(v) > 128 {
		return false
	}
	for _, c := range v {
		if !isHex(c) {
			return false
		}
	}
	return randomOrHex(v)
}

func namedPassword(v []byte) (length int, ok bool) {
	// What ends a value where nothing quotes it.
	if n := bytes.IndexAny(v, ";,<)"); n >= 0 {
		v = v[:n]
	}
	if before, next, ok := bytes.Cut(v, []byte("&")); ok { // the next parameter
		if n := runOf(nameChar, next, len(next)); n == len(next) || next[n] == '=' {
			v = before
		}
	}
	if len(v) < 12 || !varied(v, 8) || placeholder(v) || madeUp(v) || wordPassword(v) || bytes.HasPrefix(v, []byte("sha")) || strings.ContainsAny(string(v), "($") || bytes.Contains(v, []byte("://")) || bytes.Contains(v, []byte("bottle-dummy-")) {
		return 0, false
	}
	if text, err := base64.StdEncoding.AppendDecode(nil, v); err == nil && !bytes.ContainsFunc(text, func(r rune) bool { return r < 0x20 || r > 0x7E }) {
		return len(v), byChance(text) && hasDigit(text)
	}
	return len(v), (byChance(v) || allKinds(v)) && hasDigit(v) && !isDigest(v) && len(bytes.Trim(v, "0123456789ABCDEFabcdef")) > 0
}

// allKinds reports whether v has letters of both cases, digits and a sign, as rules for passwords want, and nothing that code and paths have.
func allKinds(v []byte) bool {
	return hasAll(v, lower, upperLetter, digit, set("!#%^&*@+~?=-")) && !bytes.ContainsAny(v, "./:()[]>|\\")
}
