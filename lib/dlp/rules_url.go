package dlp

import (
	"bytes"
	"strings"
)

// urlWord is what a user name or a password in a URL is made of; what RFC 3986 wants escaped often is not.
var (
	urlUser     = set("A-Za-z0-9._~%!$&*+=-")
	urlPassword = set("A-Za-z0-9._~%!$&*+=^#,;?()-")
	hostName    = set("A-Za-z0-9.-")
)

func passwordsInURLs() []Rule {
	const rfc = "https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1"
	const check = "a password of 8 characters or more with letters and digits, no placeholder; a host that is not this machine or an example"
	rule := func(name, what string, schemes ...string) Rule {
		return Rule{
			Name: name, Matches: what + ": " + strings.Join(schemes, " or ") + " and user:password@host", Source: rfc, Check: check,
			patterns: []pattern{{
				keywords: schemes,
				fold:     true,
				steps:    seq(run(urlUser, 0, 64), lit(":"), run(urlPassword, 8, 160), lit("@"), run(hostName, 1, 128)),
				check:    urlCredentials,
			}},
		}
	}
	return []Rule{
		rule("database-url", "database URL with a password", "postgres://", "postgresql://", "mysql://", "mysql2://", "mariadb://", "mongodb://",
			"mongodb+srv://", "redis://", "rediss://", "amqp://", "amqps://", "mssql://", "sqlserver://", "clickhouse://", "cockroachdb://", "oracle://"),
		rule("basic-auth-url", "URL with a password", "https://", "http://", "ftp://", "ftps://", "sftp://", "ldap://", "ldaps://", "smtp://", "smtps://"),
	}
}

// urlCredentials takes scheme to password as the value, and judges password and host.
func urlCredentials(m []byte) (from, to int, ok bool) {
	begin := bytes.Index(m, []byte("://")) + len("://")
	at := begin + bytes.IndexByte(m[begin:], '@')
	_, password, _ := bytes.Cut(m[begin:at], []byte(":"))
	password = AppendPercentDecoded(nil, password)
	host := strings.ToLower(string(m[at+1:]))
	if !hasAll(password, digit, set("A-Za-z")) || !varied(password, 6) || placeholder(password) || wordPassword(password) {
		return 0, 0, false
	}
	switch {
	case strings.HasPrefix(host, "localhost"), strings.HasPrefix(host, "127."), strings.HasPrefix(host, "0.0.0.0"), strings.HasPrefix(host, "example."),
		strings.Contains(host, ".example"), host == "host", host == "hostname":
		return 0, 0, false
	}
	return 0, at, true
}

// wordPassword reports whether p is one that tutorials use: password123, secret_1.
func wordPassword(p []byte) bool {
	word := strings.ToLower(strings.Trim(string(p), "0123456789!_-.#$"))
	for _, w := range []string{"password", "passwd", "secret", "postgres", "mypassword", "testpass", "test", "changeit", "admin", "pass", "letmein", "mysecretpassword", "s3cret", "s3cr3t", "p4ssw0rd", "passw0rd"} {
		if word == w {
			return true
		}
	}
	return false
}

func netrc() []Rule {
	space := set(" \t\r\n")
	word := set("A-Za-z0-9._@+-")
	return []Rule{{
		Name:    "netrc-password",
		Matches: "machine HOST login USER password VALUE, on one line or several",
		Source:  "https://www.gnu.org/software/inetutils/manual/html_node/The-_002enetrc-file.html",
		Check:   "all three words in order; a password of 8 characters or more with letters and digits, no placeholder",
		patterns: []pattern{{
			keywords: []string{"machine "},
			steps: seq(run(word, 1, 128), run(space, 1, 16), lit("login"), run(space, 1, 16), run(word, 1, 128), run(space, 1, 16),
				lit("password"), run(space, 1, 16), run(set("!#$(-<>-Z^-z~|"), 8, 300)),
			check: func(m []byte) (int, int, bool) {
				from := bytes.LastIndexAny(m, " \t\r\n") + 1
				v := m[from:]
				return from, len(m), hasAll(v, digit, set("A-Za-z")) && varied(v, 6) && !placeholder(v) && !wordPassword(v)
			},
		}},
	}}
}
