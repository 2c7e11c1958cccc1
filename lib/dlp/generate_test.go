package dlp

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fromSteps makes text that the steps match.
func (m maker) fromSteps(steps []step) string {
	var b strings.Builder
	for _, s := range steps {
		var chars []byte
		for c, in := range s.class {
			if in {
				chars = append(chars, byte(c))
			}
		}
		n := s.min
		if s.max > s.min {
			n += m.IntN(min(s.max-s.min, 12) + 1)
		}
		b.WriteString(m.text(string(chars), n))
	}
	return b.String()
}

// made makes the values whose check wants more than the right characters.
func (m maker) made(rule string) string {
	userPassword := func() string {
		return base64.StdEncoding.EncodeToString([]byte("user:" + m.text(alnumChars, 10+3*m.IntN(4))))
	}
	switch rule {
	case "npm-token":
		return "npm" + m.github()[3:]
	case "npmrc-password":
		return ":_password=" + base64.StdEncoding.EncodeToString([]byte(m.text(alnumChars, 12+3*m.IntN(4))))
	case "npmrc-auth":
		return ":_auth=" + userPassword()
	case "npmrc-auth-of-all":
		return "_auth=" + userPassword()
	case "django-secret-key":
		return m.pick("SECRET_KEY = '", "secret_key: ") + m.text("abcdefghij", 1) + m.text("abcdefghijklmnopqrstuvwxyz0123456789!@#$^&*(-_=+)", 36) + "%g7!@#^*(-_=x" // a % before two digits of hex may be an escape
	case "otpauth-secret":
		return m.pick("otpauth://totp/", "otpauth://hotp/") + "Corp:bob%40corp.net?" + m.pick("", "issuer=Corp&") + "secret=" + m.text(base32Chars, 32)
	case "docker-config-auth":
		return `"auth": "` + userPassword()
	case "grafana-cloud-token":
		return "glc_" + base64.RawStdEncoding.EncodeToString([]byte(`{"o":"1","n":"`+m.text(alnumChars, 20)+`","k":"`+m.text(alnumChars, 24)+`","m":{"r":"us"}}`))
	case "grafana-api-key":
		return base64.RawStdEncoding.EncodeToString([]byte(`{"k":"` + m.text(alnumChars, 32) + `","n":"ci-` + m.text(alnumChars, 4) + `","id":1}`))
	case "cloudflare-tunnel-token":
		return base64.RawStdEncoding.EncodeToString([]byte(`{"a":"` + m.text(hexChars, 32) + `","t":"` + m.text(hexChars, 36) + `","s":"` + m.text(alnumChars, 40) + `"}`))
	case "discord-token":
		return base64.RawURLEncoding.EncodeToString([]byte(m.text("123456789", 1)+m.text(digitChars, 16+m.IntN(3)))) + "." + m.text(urlChars, 6) + "." + m.text(urlChars, 25+11*m.IntN(2)) + "aZ"
	case "named-key":
		return m.pick(m.pick("ACME_TOKEN=", "acme_token: ", "acme_api_key: ", `"clientSecret": "`, "ACME_KEY='")+m.pick(m.text(alnumChars, 32)+"a1", m.text(alnumChars, 24)+"-"+m.text(alnumChars, 12)),
			m.pick("acme_api_key: ", `"clientSecret": "`, "ACME_KEY='")+m.text(hexChars, 32)) // what is a digest behind _token is often none
	case "named-password":
		return m.pick("password=", `"password": "`, "DB_PASS=") + m.text(alnumChars+"!#+.", 18) + "4aZ"
	case "wireguard-private-key":
		key := []byte(m.text(stdChars, 32))
		key[0], key[31] = key[0]&0xf8, key[31]&0x7f|0x40
		return "PrivateKey = " + base64.StdEncoding.EncodeToString(key)
	case "age-secret-key":
		return m.age()
	case "discord-bot-token":
		return "DISCORD_TOKEN=" + base64.RawURLEncoding.EncodeToString([]byte("1"+m.text(digitChars, 17))) + "." + m.text(urlChars, 6) + "." + m.text(urlChars, 30) + "aZ"
	case "database-url", "basic-auth-url":
		scheme := m.pick("postgres://", "mongodb+srv://", "redis://")
		if rule == "basic-auth-url" {
			scheme = m.pick("https://", "ftp://")
		}
		return scheme + m.pick("app", "svc-user") + ":" + m.text(alnumChars, 15) + "7k"
	case "pgpass-password":
		return ":5432:main:app:" + m.text(alnumChars, 14) + "7k"
	case "command-line-password":
		return m.pick("curl -s -u bob:", "sshpass -p '", "wget --user=bob:", "docker login -u bob -p ", "mysqldump -h db -u root -p", "redis-cli -h db -a ") + m.text(alnumChars, 14) + "7k"
	case "authorization-header":
		token := m.text(alnumChars, 32) + "a1"
		return m.pick(`"Bearer `+token, ` -H "Authorization: Bearer `+token, `, "Authorization" => "Token `+token, "\nauthorization: Basic "+userPassword())
	case "wordpress-key":
		return m.pick("define('AUTH_KEY',         '", "define( 'SECURE_AUTH_SALT', '", "LOGGED_IN_KEY='") + m.text(stdChars+" !#$*()-_[]{}|~;:,.?", 64) + "'"
	case "netrc-password":
		return "machine git.corp.net login bob password " + m.text(alnumChars, 18) + "7k"
	}
	return ""
}

func (m maker) age() string {
	const alphabet = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"
	body := m.text(alphabet, 52)
	// The checksum of BIP 173, found by trying: each character is linear in the sum, so six of them can be solved one
	// after the other through the definition instead.
	values := []uint32{}
	const hrp = "age-secret-key-"
	for i := range len(hrp) {
		values = append(values, uint32(hrp[i])>>5)
	}
	values = append(values, 0)
	for i := range len(hrp) {
		values = append(values, uint32(hrp[i])&31)
	}
	for i := range len(body) {
		values = append(values, uint32(strings.IndexByte(alphabet, body[i])))
	}
	values = append(values, 0, 0, 0, 0, 0, 0)
	sum := uint32(1)
	for _, v := range values {
		top := sum >> 25
		sum = sum&0x1ffffff<<5 ^ v
		for i, g := range []uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				sum ^= g
			}
		}
	}
	sum ^= 1
	for i := range 6 {
		body += string(alphabet[sum>>(5*(5-i))&31])
	}
	return "AGE-SECRET-KEY-" + "1" + body
}

// fromRule makes a secret that rule matches, by its own pattern.
func (m maker) fromRule(rule Rule) planted {
	for range 500 {
		p := &rule.patterns[m.IntN(len(rule.patterns))]
		text := m.made(rule.Name)
		if text == "" {
			text = p.keywords[m.IntN(len(p.keywords))]
			rest := p.steps
			if p.fold { // an assignment
				text, rest = m.pick(text, strings.ToUpper(text)), rest[1:]
				text += m.pick("=", ": ", `": "`, " = '", "\n")
			}
			text += m.fromSteps(rest)
			if p.behind != nil {
				return m.tailed(rule.Name, p, text)
			}
		}
		from, to, ok := 0, len(text), true
		if p.check != nil {
			whole := text
			if rule.Name == "database-url" || rule.Name == "basic-auth-url" {
				whole += "@db.corp.net"
			}
			at := strings.Index(strings.ToLower(whole), strings.ToLower(p.keywords[0])) // another pattern's, if not there
			if at < 0 {
				continue
			}
			if from, to, ok = p.check([]byte(whole[at:])); ok {
				return planted{rule.Name, whole, whole[at+from : at+to]}
			}
			continue
		}
		if ok {
			return planted{rule.Name, text, text[from:to]}
		}
	}
	panic("no value for rule " + rule.Name)
}

// tailed puts what must precede the mark of a form before text.
func (m maker) tailed(rule string, p *pattern, text string) planted {
	text = m.fromSteps([]step{{class: p.behind.class, min: p.behind.min, max: p.behind.max}}) + text
	return planted{rule, text, text}
}

// others are secrets of the rules that the tables hold.
func (m maker) others() []planted {
	var all []planted
	for _, rule := range Builtin()[handWritten():] {
		all = append(all, m.fromRule(rule))
	}
	return all
}

// handWritten is how many rules come before the tables'.
func handWritten() int {
	n := 0
	for _, f := range [][]Rule{github(), openAI(), anthropic(), aws(), slack(), google(), keysAndBearers()} {
		n += len(f)
	}
	return n
}

func TestThereAreAHundredRules(t *testing.T) {
	require.GreaterOrEqual(t, len(Builtin()), 100)
}

func TestNearMissesOfTheTablesAreClean(t *testing.T) {
	r := builtin(t)
	m := newMaker(71)
	for _, rule := range Builtin()[handWritten():] {
		for range 5 {
			s := m.fromRule(rule)
			at := strings.Index(s.text, s.value)
			before, after := s.text[:at], s.text[at+len(s.value):]
			keep := ""
			for _, p := range rule.patterns {
				if k := p.keywords[0]; strings.HasPrefix(s.value, k) && len(k) > len(keep) {
					keep = k
				}
			}
			body := s.value[len(keep):]
			like := func(c rune) string { // the same form, of one character
				return strings.Map(func(r rune) rune {
					if strings.ContainsRune(alnumChars, r) {
						return c
					}
					return r
				}, body)
			}
			misses := map[string]string{
				"x":           keep + like('x'),
				"X":           keep + like('X'),
				"zeros":       keep + like('0'),
				"placeholder": keep + "your-token-here",
			}
			if rule.patterns[0].behind != nil { // before this is random text
				delete(misses, "placeholder")
			}
			if keep != "" && !strings.HasSuffix(keep, "//") {
				misses["example"] = keep + "EXAMPLE" + body[min(7, len(body)):]
			}
			last := rule.patterns[0].steps[len(rule.patterns[0].steps)-1]
			if fixed(rule) && last.min == last.max && last.max > 1 {
				misses["cut"] = s.value[:len(s.value)-1]
				more := s.value[len(s.value)-2 : len(s.value)-1]
				if more == "=" || more == "/" { // they end a word
					more = "7"
				}
				misses["long"] = s.value + more
			}
			if s.rule == "npm-token" || s.rule == "age-secret-key" {
				misses["checksum"] = swapped(s.value)
			}
			for what, value := range misses {
				if value == s.value {
					continue
				}
				for _, f := range r.Scan([]byte(" " + before + value + after + " ")) {
					require.NotEqual(t, rule.Name, f.Rule, "%s: %s%s%s", what, before, value, after)
				}
			}
		}
	}
}

// fixed reports whether every pattern of rule has one length only.
func fixed(rule Rule) bool {
	for _, p := range rule.patterns {
		for i, s := range p.steps {
			if s.min != s.max && !(p.fold && i == 0) {
				return false
			}
		}
	}
	return true
}

// swapped exchanges two different neighbours near the end.
func swapped(s string) string {
	b := []byte(s)
	for i := len(b) - 9; i > 0; i-- {
		if b[i] != b[i+1] {
			b[i], b[i+1] = b[i+1], b[i]
			return string(b)
		}
	}
	return s
}

func TestNotationOfEachTable(t *testing.T) {
	steps := notation("<d>{2,3}-[ab]x{4}")
	require.Len(t, steps, 4)
	require.Equal(t, []int{2, 3, 1, 1, 1, 1, 4, 4}, []int{steps[0].min, steps[0].max, steps[1].min, steps[1].max, steps[2].min, steps[2].max, steps[3].min, steps[3].max})
	require.True(t, steps[2].class['b'])
	require.Panics(t, func() { notation("<z>") })
	require.Panics(t, func() { notation("a{x}") })
}

func TestTutorialPasswordsAreNoSecrets(t *testing.T) {
	r := builtin(t)
	for _, url := range []string{
		"postgres://postgres:postgres@localhost:5432/app", "postgresql://user:password123@db:5432/app", "mysql://root:s3cr3t@127.0.0.1/x",
		"https://user:pass@example.com/", "mongodb://admin:changeme1@mongo:27017", "redis://:p4ssw0rd12@cache:6379", "https://proxy.corp.net:8080/a@b",
		"postgres://u:${DB_PASSWORD}@db/x", "https://" + "bob:" + "aB3dE6gH9kLm@localhost:8000", "machine HOST login USER password YOUR_PASSWORD",
		"https://registry.example.org/@scope/pkg", "https://medium.com:443/@someone12345678",
	} {
		require.Empty(t, r.Scan([]byte(url)), url)
	}
}
