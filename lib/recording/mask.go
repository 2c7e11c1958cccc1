package recording

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"bottle/lib/dlp"
	"bottle/lib/echo"
	"bottle/lib/secret"
)

// speaking are the parts of names whose values are credentials.
const speaking = `auth|token|key|secret|passw|pwd|session|cookie|credential|signature|jwt|bearer|otp|code_verifier`

var (
	sensitive = regexp.MustCompile(`(?i)` + speaking)
	// oneTime are parameters of sign-ins (RFC 6749) beside them.
	oneTime = regexp.MustCompile(`(?i)^(code|state|sig|assertion|client_assertion)$`)
	// jsonMember is a member of a JSON object, the last one perhaps cut short.
	jsonMember = regexp.MustCompile(`(?i)("(?:[^"\\]|\\.)*(?:` + speaking + `)(?:[^"\\]|\\.)*"\s*:\s*")((?:[^"\\]|\\.)*)`)
	formMember = regexp.MustCompile(`(?i)((?:^|&)[^=&]*(?:` + speaking + `|assertion|^code|&code)[^=&]*=)([^&\s]*)`)
)

// harmless have a speaking name and no credential.
var harmless = map[string]bool{
	"Www-Authenticate": true, "Sec-Websocket-Key": true, "Sec-Websocket-Accept": true, "Access-Control-Allow-Credentials": true, "Idempotency-Key": true,
	"Surrogate-Key": true, "X-Ratelimit-Limit-Tokens": true, "X-Ratelimit-Remaining-Tokens": true, "X-Ratelimit-Reset-Tokens": true,
}

var isFingerprint = regexp.MustCompile(`^sha256-[0-9a-f]{16}$`)

// fingerprint stands for a value by which it can be recognised, unless it is so
// short that it could be guessed from that.
func fingerprint(value string) string {
	if isFingerprint.MatchString(value) {
		return value // it was replaced before
	}
	if len(value) < 16 {
		return "redacted"
	}
	return "sha256-" + secret.SHA256(value)[:16]
}

// masks makes the mask of each exchange. It is for one goroutine.
type masks struct {
	rules *dlp.Rules
	made  map[string]*echo.Rewriter // by the credentials; making one takes a while
}

func newMasks(rules *dlp.Rules) *masks {
	return &masks{rules: rules, made: map[string]*echo.Rewriter{}}
}

// mask hides the credentials of one exchange.
type mask struct {
	rules *dlp.Rules
	known *echo.Rewriter // nil: none
}

func (ms *masks) of(e *exchange) *mask {
	var values []string
	note := func(v string) {
		if len(v) >= echo.MinLength {
			values = append(values, v)
		}
	}
	for _, s := range e.secrets {
		note(s.Expose())
	}
	for _, h := range []http.Header{e.header, e.answer} {
		for name, lines := range h {
			if !isSensitive(name) {
				continue
			}
			for _, line := range lines {
				for _, v := range credentialsIn(name, line) {
					note(v)
				}
			}
		}
	}
	if _, query, ok := strings.Cut(e.uri, "?"); ok {
		for pair := range strings.SplitSeq(query, "&") {
			if name, value, _ := strings.Cut(pair, "="); isParameter(name) {
				note(unescaped(value))
			}
		}
	}
	m := &mask{rules: ms.rules}
	if len(values) == 0 {
		return m
	}
	key := strings.Join(values, "\x00")
	if m.known = ms.made[key]; m.known == nil {
		var creds []echo.Credential
		for _, v := range values {
			if real, err := secret.New(v); err == nil {
				creds = append(creds, echo.Credential{Real: real, StandIn: fingerprint(v)})
			}
		}
		w, err := echo.New(creds)
		if err != nil { // all of them had control characters
			return m
		}
		if len(ms.made) >= 16 {
			clear(ms.made)
		}
		ms.made[key], m.known = w, w
	}
	return m
}

func isSensitive(name string) bool { return sensitive.MatchString(name) && !harmless[name] }

func isParameter(name string) bool {
	name = unescaped(name)
	return sensitive.MatchString(name) || oneTime.MatchString(name)
}

// credentialsIn returns the credentials in a header field with a speaking name.
func credentialsIn(name, line string) []string {
	switch name {
	case "Cookie", "Set-Cookie":
		var out []string
		for pair := range strings.SplitSeq(line, ";") {
			_, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
			if out = append(out, strings.Trim(value, `"`)); name == "Set-Cookie" {
				break
			}
		}
		return out
	}
	scheme, rest, ok := strings.Cut(line, " ")
	if !ok {
		return []string{line}
	}
	rest = strings.TrimSpace(rest)
	out := []string{rest}
	if strings.EqualFold(scheme, "Basic") {
		if plain, err := base64.StdEncoding.DecodeString(rest); err == nil {
			if _, password, ok := strings.Cut(string(plain), ":"); ok {
				out = append(out, password)
			}
		}
	}
	return out
}

// header masks one field's value.
func (m *mask) header(name, line string) string {
	if !isSensitive(name) {
		return m.text(line)
	}
	switch name {
	case "Cookie", "Set-Cookie":
		var out []string
		for i, pair := range strings.Split(line, ";") {
			key, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
			if ok && (i == 0 || name == "Cookie") {
				pair = key + "=" + fingerprint(strings.Trim(value, `"`))
			}
			out = append(out, m.text(strings.TrimSpace(pair)))
		}
		return strings.Join(out, "; ")
	}
	if scheme, rest, ok := strings.Cut(line, " "); ok && !strings.ContainsAny(scheme, "=,") {
		return m.text(scheme) + " " + fingerprint(strings.TrimSpace(rest))
	}
	return fingerprint(line)
}

// query masks a query, which stays one.
func (m *mask) query(query string) string {
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		if name, value, ok := strings.Cut(pair, "="); ok && isParameter(name) {
			pairs[i] = m.text(name) + "=" + url.QueryEscape(fingerprint(unescaped(value)))
			continue
		}
		pairs[i] = m.text(pair)
	}
	return strings.Join(pairs, "&")
}

func (m *mask) text(s string) string { return string(m.bytes([]byte(s), false, false)) }

// bytes masks a text. cut means that it does not go to its end, where half a
// credential could stand.
func (m *mask) bytes(text []byte, form, cut bool) []byte {
	if cut {
		text = text[:bytes.LastIndexAny(text, " \t\r\n\"'&,;<>")+1]
	}
	if m.known != nil {
		s := m.known.NewStream(nil)
		out := s.Append(nil, text)
		if !cut {
			out = s.Finish(out)
		}
		text = out
	}
	if form {
		text = members(formMember, text)
	}
	text = members(jsonMember, text)
	findings := m.rules.Scan(text)
	for i := len(findings) - 1; i >= 0; i-- {
		f := findings[i]
		out := append([]byte(nil), text[:f.Start]...)
		out = append(out, fingerprint(string(text[f.Start:f.End]))...)
		text = append(out, text[f.End:]...)
	}
	return text
}

// members replaces what the second group of an expression matches.
func members(re *regexp.Regexp, text []byte) []byte {
	return re.ReplaceAllFunc(text, func(match []byte) []byte {
		groups := re.FindSubmatch(match)
		return append(append([]byte(nil), groups[1]...), fingerprint(string(groups[2]))...)
	})
}
