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
	var known prefixes
	for _, rule := range others {
		for _, p := range rule.patterns {
			for _, k := range p.keywords {
				if !p.fold && p.behind == nil && len(k) > 2 { // two letters begin too many other values
					known[k[0]] = append(known[k[0]], k)
				}
			}
		}
	}
	const source = "https://cwe.mitre.org/data/definitions/798.html"
	const check = "random text of 16 characters or more with digits and both cases, a digest, or a UUID; no public key, no placeholder, no code"
	value := run(set("A-Za-z0-9_.:+/=~-"), 12, 200)
	keys := Rule{Name: "named-key", general: true, Matches: "a value after api_key, api_token, auth_token, access_token, client_secret, secret_key, access_key, signing_key, encryption_key and the like, in any case, or after a name that ends in _token, .token, _secret or .secret, or in capitals in _KEY", Source: source, Check: check}
	for _, name := range []string{"api_key", "api_token", "auth_token", "access_token", "refresh_token", "client_secret", "api_secret", "app_secret", "secret_key", "consumer_secret", "signing_secret",
		"jwt_secret", "webhook_secret", "bearer_token", "private_token", "secret_key_base", "master_key", "app_key", "account_key", "storage_key", "api key", "api token", "auth token", "api.key", "api.token", "api.secret", "auth.token", "jwt.secret"} {
		ok := namedKey
		if name == "storage_key" { // of an object, or of an account
			ok = notRecord
		}
		p := namedPattern(name, true, value, &known, ok, allCommas)
		p.amid, p.spelled, p.joins = forAll, true, joinWrapped
		p.unless = []string{"PUBLIC ", "PUBLISHABLE "} // in prose
		if name == "api_key" || name == "access_token" {
			p.unless = append(p.unless, "APIGATEWAY::", "APPSYNC::", "LOCATION::", "RESOLVER::", // types of CloudFormation
				"AMPLITUDE", "AMPLITUDE_", "AMPLITUDE-", "ALGOLIA_SEARCH_", "ALGOLIASEARCH", "SEARCH_ONLY_", "SEARCHONLY") // delivered to every visitor
		}
		keys.patterns = append(keys.patterns, p)
	}
	for _, k := range []struct {
		name string
		ok   func(v []byte) (int, bool)
	}{{"access_key", notAccessID}, {"signing_key", notFingerprint}, {"ption_key", notUUID}, {"private_key", privateKey}, {"ice_key", notUUID}} { // the ends of encryption_key, subscription_key and service_key, as their begins are those of many words
		p := namedPattern(k.name, true, value, &known, k.ok, allCommas)
		p.amid, p.joins = forAll, joinWrapped
		for _, between := range []string{"-", "", " "} {
			if between != " " || k.name != "ice_key" { // many words end so
				p.keywords = append(p.keywords, strings.Replace(k.name, "_", between, 1))
			}
		}
		switch k.name {
		case "ption_key":
			p.within, p.unless = set("IYiy"), []string{"DESCRI", "TRANSCRI", "PRESCRI", "INSCRI"}
		case "ice_key":
			p.within, p.unless = set("Vv"), []string{"DEV"}
		}
		keys.patterns = append(keys.patterns, p)
	}
	for _, word := range []pattern{namedPattern("secret", true, value, &known, notUUID, noCommas), namedPattern("TOKEN", false, value, &known, namedToken, noCommas)} {
		word.before = union(nameChar, set("/:")) // the whole name: not checksum/secret, nor arn:aws:secretsmanager:…:secret:…
		word.unless = []string{"PUBLIC ", "PUBLISHABLE "}
		keys.patterns = append(keys.patterns, singleWord(word))
	}
	dotted := namedPattern("secret", true, value, &known, namedKey, allCommas)
	dotted.amid, dotted.within, dotted.joins = forAll, set("."), joinWrapped
	keys.patterns = append(keys.patterns, dotted)
	p := namedPattern("_KEY", false, value, &known, notID, allCommas)
	p.amid, p.joins = forAll, joinWrapped
	p.unless = []string{"CACHE", "SITE", "PRIMARY", "FOREIGN", "PARTITION", "SORT", "HOST", "PUB", "MAP", "ANON", "IDEMPOTENCY", "DEDUPE", "DEDUP", "S3", "OBJECT", "ROW",
		"HASH", "RANGE", "LOOKUP", "GROUP", "GPG", "PGP", "SEARCH", "KMS", "REGISTRY", "TRANSLATION", "I18N", "QUERY", "STATE", "ROUTING", "MESSAGE",
		"ARTIFACT", "RESTORE", "JOB", "UNIQUE", "TEMPLATE", "BUCKET", "COLUMN", "FIELD", "DOCUMENT", "ENTITY", "CORRELATION", "VERIFY", "VERIFYING", "VERIFICATION", "MINISIGN", "SIGNIFY", "SEGMENT_WRITE", "FIGMA_FILE", "AMPLITUDE_API", "ALGOLIA_SEARCH_API", "SEARCH_ONLY_API", "SEARCH_ONLY"}
	p.records = []string{"POOL", "REDIS", "MEMCACHE", "ITEM", "RECORD", "RESOURCE", "ASSET", "IMAGE", "BLOB", "CHUNK", "ISSUE", "BATCH", "QUEUE", "TOPIC", "PAGE", "RESULT", "REPORT", "LAYER"}
	keys.patterns = append(keys.patterns, p)
	for _, name := range []string{"_token", "_secret", "-token", "-secret", "Token", "Secret", "token"} { // the last but one of camel case, the last behind a dot
		p := namedPattern(name, !upperLetter[name[0]], value, &known, namedToken, allCommas)
		p.amid, p.joins = forAll, joinWrapped
		p.unless = []string{"CSRF", "XSRF", "AUTHENTICITY", "FORM", "NONCE", "VERIFICATION", "CONFIRMATION", "UNSUBSCRIBE", "RESET", "TRACKING", "TRACE",
			"NEXT", "PREV", "PREVIOUS", "PAGE", "PAGINATION", "CURSOR", "START", "STOP", "END", "CONTINUATION", "CONTINUE", "RESUME", "SCROLL", "SKIP", "ITERATOR", "SHARD",
			"SYNC", "DELTA", "CHANGE", "VERSION", "REVISION", "SNAPSHOT", "CHECKPOINT", "STATE", "CANCEL", "CANCELLATION", "LOCK", "FENCING", "TASK", "CACHE", "COMMIT", "MERGE",
			"DEVICE", "PUSH", "REGISTRATION", "DELIVERY", "UPLOAD", "CLIENT", "REQUEST", "IDEMPOTENCY", "SHARED", "EXPORTER", "INDEX", "STREAM", "DATASET", "COLLECTION", "VISIBILITY",
			"AFTER", "BEFORE", "SINCE", "LIST", "QUERY", "SEARCH", "BATCH", "WATCH", "OPERATION", "TRANSACTION", "PARTITION", "SEQUENCE", "PROGRESS", "CORRELATION", "CONSISTENCY",
			"DEDUPLICATION", "DEDUPE", "DEDUP", "EXPERIMENT", "PLACEMENT", "CHALLENGE", "CAPTCHA", "TURNSTILE", "TRIAL", "APNS", "FCM", "MIXPANEL", "OBJ", "FOLDER", "FILE", "ACTION", "UPDATE", "UNIT", "IDENTITY", "PAYMENT"}
		p.ofName = name == "_token" // by itself, it is a form's, against forgery of requests
		if upperLetter[name[0]] {
			p.unless = append(p.unless, "-", "_") // X-CSRF-Token is for the others
		}
		if !strings.HasSuffix(name, "ecret") {
			p.records = []string{"PREVIEW", "SUBSCRIPTION", "CART", "BASKET", "LEASE", "CONSENT", "RESERVATION", "BOOKING", "POOL"}
		}
		if name == "token" {
			p.within = set(".")
			for i := range p.unless {
				p.unless[i] += "."
			}
		}
		keys.patterns = append(keys.patterns, p)
	}
	passwords := Rule{Name: "named-password", general: true, Matches: "a value after password, passwd, passphrase, pwd or a name that ends in _pass or _pwd, in any case", Source: source,
		Check: "12 characters or more that look random, with digits, both cases or signs, or 8 that have all of them and change at nearly each character; no placeholder, no code, no folder"}
	chars := set("!#$&()*+,./0-9:;<=>?@A-Z^_a-z~|-")
	percent := union(chars, set("%"))
	for _, name := range []string{"password", "passwd", "passphrase", "_pass", "_pwd", "pwd"} {
		listed := namedPattern(name, true, run(chars, 12, 200), &known, namedPassword, quotedCommas)
		listed.within = nameChar
		for _, p := range []pattern{namedPattern(name, true, run(chars, 12, 200), &known, namedPassword, noCommas), namedPattern(name, true, run(percent, 8, 200), &known, rarePassword, noCommas), listed} {
			p.amid = forAll
			if name == "pwd" { // and not OLDPWD; it may be a folder's
				p.before, p.check = nameChar, noFolder(p.check)
			}
			passwords.patterns = append(passwords.patterns, p)
		}
	}
	return []Rule{keys, passwords, headers(&known)}
}

// forAll are words in names of what is for everybody to see, or made up: bundlers publish what NEXT_PUBLIC_ and the like begin.
var forAll = [][]byte{[]byte("PUBLIC"), []byte("PUBLISHABLE"), []byte("EXAMPLE"), []byte("DUMMY"), []byte("FAKE"), []byte("MOCK"), []byte("HASHED")}

// prefixes are what credentials begin with, by the first byte.
type prefixes [256][]string

// begin reports whether v, which has a byte at least, begins with one of them.
func (p *prefixes) begin(v []byte) bool {
	for _, prefix := range p[v[0]] {
		if len(v) >= len(prefix) && string(v[:len(prefix)]) == prefix {
			return true
		}
	}
	return false
}

// commas says what a comma between a name and a value may be: ("password", "…") is often one and its hash, ("DB_PASSWORD", "…") an assignment.
type commas uint8

const (
	noCommas commas = iota
	quotedCommas
	allCommas
)

func namedPattern(name string, fold bool, steps []step, known *prefixes, ok func(v []byte) (length int, ok bool), may commas) pattern {
	between, value := gapBefore(steps), steps[0].class
	return pattern{
		keywords: []string{name},
		fold:     fold,
		steps:    seq([]step{gapStep(between)}, steps),
		after:    union(set("A-Za-z0-9([{"), value), // what is longer is none
		aside:    aside,
		joinFrom: 1,
		check: func(m []byte) (int, int, bool) {
			end := lengthOf(name, m)
			n, _ := between(m[end:min(len(m), end+gapMax)])
			from := end + n
			if between := m[end:from]; !assigns(between) && !(listed(between, may) && hasDigit(m[from:])) || string(between) == "," && digits(m[from:]) < 2 ||
				(!assigns(between) || bytes.ContainsAny(between, "\n\\") || bytes.Contains(between, []byte(" --"))) && assignsItself(m[from:]) || // issued access_token id=4f…, the next of a list or option
				upperLetter[name[0]] && !hasDigit(m[from:]) || bytes.HasPrefix(bytes.TrimLeft(m[from:], "+"), []byte("--")) { // an empty field of a form, and the boundary behind it
				return 0, 0, false
			}
			if tag, _, ok := bytes.Cut(m[from:], []byte(">")); ok && beginsTag(m[end:from]) && runOf(tagChar, tag, len(tag)) == len(tag) { // behind </password>
				return 0, 0, false
			}
			if m[from] == '=' || m[from] == ':' { // behind what looks like a length
				return 0, 0, false
			}
			length, ok := ok(m[from:])
			return from, from + length, ok && !known.begin(m[from:])
		},
	}
}

// assigns reports whether what stands between a name and its value says that they belong together, as an assignment, a mapping or
// a field of a form, instead of standing in a list or in prose.
func assigns(between []byte) bool {
	return bytes.ContainsAny(between, ":=>|") || bytes.Contains(between, []byte(" --")) || bytes.Contains(between, []byte("\n")) && !bytes.ContainsAny(between, ",;)]}") || slices.ContainsFunc(between, func(c byte) bool { return c >= 0x80 || isBinary(c) }) || bytes.HasPrefix(between, []byte("x"))
}

// listed reports whether between parts a name and its value as arguments, rows of a table, words of a shell and sentences do: ("NAME", "value"),
// NAME value, name,value, and set NAME to value.
func listed(between []byte, may commas) bool {
	const space, quotes = " \t", "\\\"'`"
	before, after, comma := bytes.Cut(between, []byte(","))
	if !comma {
		word := string(bytes.Trim(between, space+quotes))
		return len(between) > 0 && (word == "" || word == "to" || word == "is")
	}
	if may == noCommas {
		return false
	}
	quoted := bytes.ContainsAny(before, quotes)
	return len(bytes.Trim(before, quotes)) == 0 && len(bytes.Trim(after, space+quotes)) == 0 && quoted == bytes.ContainsAny(after, quotes) && (quoted || may == allCommas && len(between) == 1)
}

// beginsTag reports whether between ends one tag of XML and begins another.
func beginsTag(between []byte) bool {
	behind, ok := bytes.CutSuffix(between, []byte("<"))
	return ok && len(bytes.Trim(behind, " \t\r\n\\nrt>")) == 0 && bytes.IndexByte(behind, '>') >= 0
}

var tagChar = set("A-Za-z0-9_.:-")

// assignsItself reports whether v is a name, an equals sign and a value.
func assignsItself(v []byte) bool {
	n := runOf(nameChar, v, len(v))
	return n < len(v) && v[n] == '=' && len(bytes.Trim(v[n:], "=")) > 0
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
var publicKeys = []string{"pk_live_", "pk_test_", "phc_", "pk.", "sha256", "sha384", "sha512", "http", "ssh-", "AAAAB3Nz", "AAAAC3Nz", "AAAAE2Vj", "6L", "G-", "GTM-", "appl_", "goog_", "amzn_", "NRJS-", "arn:", "urn:", "ey", "bottle-dummy-", "sk-ant-"}

// publishedValues are those of the examples of RFC 5849, RFC 6749 and OpenID Connect Core, the UUIDs of most documentation, and digests of
// nothing.
var publishedValues = []string{"550e8400-e29b-41d4-a716-446655440000", "123e4567-e89b-12d3-a456-426614174000", "f47ac10b-58cc-4372-a567-0e02b2c3d479",
	"d41d8cd98f00b204e9800998ecf8427e", "da39a3ee5e6b4b0d3255bfef95601890afd80709", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	"2YotnFZFEjr1zCsicMWpAA", "tGzv3JOkF0XG5Qx2TlKWIA", "7Fjfp0ZBr1KtDRbnfVdmIw", "czZCaGRSa3F0MzpnWDFmQmF0M2JW", "ad180jjd733klru7", "mF_9.B5f-4.1JqM",
	"dpf43f3p2l4k3l03", "kd94hf93k423kf44", "hh5s93j4hdidpola", "hdhd0244k9j7ao03", "nnch734d00sl2jdk", "pfkkdhi9sl3r4s00", "9djdj82h48djs9d2", "kkk9d7dh3k39sjv7", // OAuth Core 1.0, RFC 5849
	"ZJYCqe3GGRvdrudKyZS0XhGv_Z45DuKhCUk0gBR1vZk", "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS", "accVkjcJyb4BWCxGsndESCJQbdFMogUC5PbRDqceLTC", // OpenID Connect Registration, RFC 8628, RFC 8693
	"09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",                                                                                         // FastAPI's tutorial
	"2b7e151628aed2a6abf7158809cf4f3c", "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", // the keys of FIPS 197 and SP 800-38A
	"MWYyZDFlMmU2N2Rm", "1f2d1e2e67df", "8dyfuiRyq=vVc3RRr_edRk-fK__JItpZ", // Kubernetes, Discord
	"9HqLlyZOugoStsXCUfD_0YdwnNnunAJF8V47U3QHXSq", "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267", // each call in Rocket.Chat's documentation, Amazon's tests of Signature Version 4
	"czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3", "1/fFAGRNJru1FTz70BzhT3Zg", "1/fFBGRNJru1FQd44AzqT3Zg", "YQSn-xWAQiiEh9qM58wZNnyQS7FUdoqGIUAbrh7T", // RFC 6749, Google, Cloudflare
	"RsT5OjbzRn430zqMLgV3Ia", "MTQ0NjJkZmQ5OTM2NDE1ZTZjNGZmZjI3", "9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b", // tutorials of OAuth, Django REST framework
	// MD5, SHA-1 and SHA-256 of test, password and hello
	"098f6bcd4621d373cade4e832627b4f6", "5f4dcc3b5aa765d61d8327deb882cf99", "5d41402abc4b2a76b9719d911017c592",
	"a94a8fe5ccb19ba61c4c0873d391e987982fbbd3", "5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8", "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d",
	"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8", "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"}

func namedKey(v []byte) (length int, ok bool) {
	v = bytes.TrimRight(v, ".:")
	length, v = len(v), bytes.TrimLeft(v, "+") // a form's spaces
	if len(v) < 16 || bytes.Count(bytes.TrimRight(v, "="), []byte("=")) > 1 || !varied(v, 8) || !hasAll(v, letter) || placeholder(v) || madeUp(v) || published(v) || inert(untilPlus(v)) || publicHalf(v) || bytes.Contains(v, []byte("://")) || bytes.Contains(v, []byte("AWS::")) || bytes.Contains(v, []byte("bottle-dummy-")) {
		return 0, false
	}
	for _, p := range publicKeys {
		if bytes.HasPrefix(v, []byte(p)) {
			return 0, false
		}
	}
	if text, ok := encodedText(v); ok { // as in Kubernetes' secrets
		return length, !placeholder(text) && !madeUp(text) && !wordPassword(text) && (byChance(text) || allKinds(text) || isDigest(text))
	}
	return length, byChance(v) && !camelCase(untilPlus(v)) || isDigest(v)
}

// encodedText returns the text that v is base64 of, if it is of one: random bytes are not, but once in a hundred thousand.
func encodedText(v []byte) (text []byte, ok bool) {
	text, err := base64.StdEncoding.AppendDecode(nil, v)
	return text, err == nil && !bytes.ContainsFunc(text, func(r rune) bool { return r < 0x20 || r > 0x7E })
}

// namedToken wants more of what is called a token, as many things are.
func namedToken(v []byte) (length int, ok bool) {
	length, ok = namedKey(v)
	return length, ok && (length >= 24 && byChance(v) || length > 36 || hasAll(v, lower, upperLetter) || bytes.IndexByte(v, '-') > 0)
}

// madeUpWords are what values of tests and of documentation say, also with digits for letters.
var madeUpWords = []string{"secret", "token", "passw", "mypass", "test-", "test_", "-test", "_test", "dummy", "fake", "sample", "foobar", "replace", "insert", "your", "insecure",
	"strong", "secur", "hello", "world", "admin", "welcome", "qwerty", "letmein", "pass2", "passi2e", "i2ea", "i2ei", "iqaz2wsx", "iq2weear"}

// madeUp reports whether v was made up by somebody: it says so, or counts, as a1b2c3d4 does.
func madeUp(v []byte) bool {
	var text []byte
	pairs, next, last := 0, 0, byte(0)
	hex := len(bytes.Trim(v, "0123456789ABCDEFabcdef-")) == 0
	for _, c := range v {
		c = fold(c)
		if lower[c] {
			if last != 0 {
				pairs++
				if c-last == 1 || c == last || last-c == 1 && !hex { // six letters are often next to each other by chance
					next++
				}
			}
			last = c
		}
		if i := bytes.IndexByte([]byte("013457@!"), c); i >= 0 {
			c = "oieastai"[i]
		}
		text = append(text, c)
	}
	if hex { // which says words by chance, with digits for letters
		return bytes.Contains(v, []byte("1234")) || pairs > 6 && next*5 >= pairs*4
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
	if len(v) < 32 || len(v)%2 != 0 || len(v) > 128 || !hasAll(v, digit, letter) {
		return false
	}
	for _, c := range v {
		if !isHex(c) {
			return false
		}
	}
	return randomOrHex(v)
}

// isRecord reports whether v is what databases and caches call their records: a UUID, a ULID, MongoDB's id, or a digest.
func isRecord(v []byte) bool {
	switch {
	case len(v) == 26 && v[0] < '8':
		return len(bytes.Trim(v, "0123456789ABCDEFGHJKMNPQRSTVWXYZ")) == 0
	case len(v) == 24:
		return len(bytes.Trim(v, "0123456789abcdef")) == 0
	}
	return isDigest(v)
}

// notRecord is namedKey without what isRecord, but for digests by themselves.
func notRecord(v []byte) (length int, ok bool) {
	length, ok = namedKey(v)
	id := untilPlus(bytes.TrimLeft(v[:length], "+"))
	return length, ok && (!isRecord(id) || len(id) == 32 || len(id) > 36)
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
	length, v = len(v), bytes.TrimLeft(v, "+")
	if len(v) < 12 || !varied(v, 8) || placeholder(v) || madeUp(v) || sealed(v) || ldapHash(v) || wordPassword(v) || markup(v) || published(untilPlus(v)) || mangled(v) || bytes.HasPrefix(v, []byte("sha")) || strings.ContainsAny(string(v), "($") || bytes.Contains(v, []byte("://")) || bytes.Contains(v, []byte("bottle-dummy-")) {
		return 0, false
	}
	if text, ok := encodedText(v); ok {
		return length, byChance(text) && hasDigit(text) && !placeholder(text) && !madeUp(text) && !wordPassword(text)
	}
	return length, (byChance(v) && hasDigit(v) || allKinds(v) || jumbled(v)) && !camelCase(bytes.TrimRight(untilPlus(v), "0123456789!?#@%&*")) && !isDigest(bytes.TrimPrefix(bytes.TrimPrefix(v, []byte("md5")), []byte("*"))) && len(bytes.Trim(bytes.TrimPrefix(v, []byte("^")), "0123456789ABCDEFabcdef")) > 0 // git blame has a ^ before the first commit
}

// markup reports whether v is the next attribute of a tag: type="password" data-v-7ba5bd90 data-test=….
func markup(v []byte) bool {
	for _, p := range []string{"data-v-", "_ngcontent-", "_nghost-"} { // by which Vue and Angular know a component
		if bytes.HasPrefix(v, []byte(p)) {
			return true
		}
	}
	n := runOf(nameChar, v, len(v))
	return bytes.HasPrefix(v, []byte("data-")) && n < len(v) && (v[n] == '=' || v[n] == '>')
}

// singleWord is p for a name that is a common word: a sign has to assign the value, which is neither a name and its own value,
// TOKEN=_auth=…, nor fields with colons between them.
func singleWord(p pattern) pattern {
	gap, check := p.steps[0].gap, p.check
	p.joins = joinWrapped
	p.steps[0].begins = signs
	p.steps[0].gap = func(rest []byte) (n int, short bool) {
		n = runOf(signs, rest, assignedMax)
		if !bytes.ContainsAny(rest[:n], ":=>") {
			return 0, n == len(rest)
		}
		return gap(rest)
	}
	p.check = func(m []byte) (from, to int, ok bool) {
		from, to, ok = check(m)
		return from, to, ok && !assignsItself(m[from:to]) && bytes.IndexByte(m[from:to], ':') < 0
	}
	return p
}

// signs are what stands between a name and its value on one line.
var signs = set(" \t\"'`\\:=>)]*")

// noFolder is check without what a folder may be.
func noFolder(check func(m []byte) (int, int, bool)) func(m []byte) (int, int, bool) {
	return func(m []byte) (from, to int, ok bool) {
		from, to, ok = check(m)
		return from, to, ok && bytes.IndexByte(m[from:to], '/') < 0
	}
}

// rarePassword is namedPassword for those with a percent sign that begins no escape, and for those of 8 to 11 characters, which must look
// more like made by chance: of all kinds, of which one character and the next mostly are not the same.
func rarePassword(v []byte) (length int, ok bool) {
	if bytes.IndexByte(v, '%') < 0 { // namedPassword has judged the longer ones
		v = bytes.TrimRight(v, ",;)<")
		return len(v), len(v) < 12 && turns(v)*10 >= len(v)*6 && allKinds(v) && !placeholder(v) && !madeUp(v) && !wordPassword(v)
	}
	for i, c := range v {
		if _, escaped, _ := hexDigits(v[i+1:], 2); c == '%' && escaped {
			return 0, false
		}
	}
	return namedPassword(v)
}

// turns returns how often a character of v is of another kind than the one before.
func turns(v []byte) (n int) {
	for i := 1; i < len(v); i++ {
		if kindOf(v[i]) != kindOf(v[i-1]) {
			n++
		}
	}
	return n
}

// jumbled reports whether v, which has no digit, has signs amid letters of both cases that change as in random text.
func jumbled(v []byte) bool {
	amid := v[1 : len(v)-1]
	return hasAll(amid, lower, upperLetter, set("!#%^*@~?")) && !bytes.ContainsAny(v, "./:()[]>|\\&=") && turns(v)*2 >= len(v)
}

// allKinds reports whether v has letters of both cases, digits and a sign, as rules for passwords want, and nothing that code and paths have.
func allKinds(v []byte) bool {
	return hasAll(v, lower, upperLetter, digit, set("!#%^&*@+~?=-")) && !bytes.ContainsAny(v, "./:()[]>|\\")
}
