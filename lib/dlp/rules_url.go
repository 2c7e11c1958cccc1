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
	dsnPassword = set("!#$*+,./0-9:;<=>?A-Z^_a-z~-")
	pgName      = set("A-Za-z0-9_*.-")
	oracleUser  = set("A-Za-z0-9_$#-")
)

func passwordsInURLs() []Rule {
	const rfc = "https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1"
	const check = "a password of 8 characters or more with letters and digits, or of 10 in both cases, no placeholder; random text where the host is this machine or an example"
	rule := func(name, what string, schemes ...string) Rule {
		return Rule{
			Name: name, Matches: what + ": " + strings.Join(schemes, " or ") + " and user:password@host", Source: rfc, Check: check,
			patterns: []pattern{{
				keywords: schemes,
				fold:     true,
				steps:    userinfo,
				check:    urlCredentials,
				joins:    joinLines,
				joinFrom: 2,
				hosted:   true,
			}},
		}
	}
	database := rule("database-url", "database URL with a password", "postgres://", "postgresql://", "mysql://", "mysql2://", "mariadb://", "mongodb://",
		"mongodb+srv://", "redis://", "rediss://", "amqp://", "amqps://", "mssql://", "sqlserver://", "clickhouse://", "cockroachdb://", "oracle://",
		"neo4j://", "bolt://", "nats://", "mqtt://", "mqtts://")
	database.patterns = append(database.patterns, pattern{ // postgresql+asyncpg://, neo4j+s://
		keywords: []string{"postgresql+", "postgres+", "mysql+", "mariadb+", "mssql+", "oracle+", "redis+", "neo4j+", "bolt+", "cockroachdb+", "clickhouse+"},
		fold:     true,
		steps:    seq(run(set("a-z0-9"), 1, 16), lit("://"), userinfo),
		check:    urlCredentials,
		joins:    joinLines,
		joinFrom: 6,
	}, pattern{
		keywords: []string{"jdbc:oracle:thin:", "jdbc:oracle:oci:"},
		steps:    seq(run(oracleUser, 1, 64), lit("/"), run(dsnPassword, 8, 160), lit("@"), run(hostName, 1, 1)),
		check: func(m []byte) (from, to int, ok bool) {
			at := bytes.LastIndexByte(m, '@')
			return 0, at, goodPassword(m[bytes.IndexByte(m, '/')+1 : at])
		},
	})
	return []Rule{
		database,
		rule("basic-auth-url", "URL with a password", "https://", "http://", "ftp://", "ftps://", "sftp://", "ldap://", "ldaps://", "smtp://", "smtps://"),
		mysqlDSN(),
		{
			Name:    "pgpass-password",
			Matches: "HOST:5432:DATABASE:USER:PASSWORD, a line of .pgpass",
			Source:  "https://www.postgresql.org/docs/current/libpq-pgpass.html",
			Check:   "a password of 8 characters or more with letters and digits, or of 10 in both cases, no placeholder",
			patterns: []pattern{{
				keywords: []string{":5432:"},
				steps:    seq(run(pgName, 1, 64), lit(":"), run(pgName, 1, 64), lit(":"), run(shellPassword, 8, 160)),
				check: func(m []byte) (from, to int, ok bool) {
					from = bytes.LastIndexByte(m, ':') + 1
					return from, len(m), goodPassword(m[from:])
				},
			}},
		},
	}
}

// userinfo is what stands behind a URL's scheme, with @ as it often is in users and passwords, though it ought to be escaped.
var userinfo = seq(run(union(urlUser, set("@")), 0, 64), lit(":"), run(union(urlPassword, set("@")), 10, 288))

// mysqlDSN is for the data source names of Go's driver, which have no mark before the password: user:password@tcp(host)/db.
func mysqlDSN() Rule {
	rule := Rule{
		Name:    "mysql-dsn",
		Matches: "user:password@tcp(host) or @unix(path) after mysql, dsn, database_url and the like",
		Source:  "https://github.com/go-sql-driver/mysql#dsn-data-source-name",
		Check:   "a password of 8 characters or more with letters and digits, or of 10 in both cases, no placeholder",
	}
	user := run(shellUser, 1, 64)
	between := gapBefore(user)
	for _, name := range []string{"mysql", "dsn", "database_url", "db_url"} {
		for _, network := range []string{"tcp(", "unix("} {
			rule.patterns = append(rule.patterns, pattern{
				keywords: []string{name},
				fold:     true,
				spelled:  true,
				steps:    seq([]step{gapStep(between)}, user, lit(":"), run(dsnPassword, 8, 160), lit("@"+network)),
				check: func(m []byte) (from, to int, ok bool) {
					end := lengthOf(name, m)
					n, _ := between(m[end:min(len(m), end+gapMax)])
					from, to = end+n, bytes.LastIndexByte(m, '@')
					_, password, _ := bytes.Cut(m[from:to], []byte(":"))
					return from, to, goodPassword(password)
				},
			})
		}
	}
	return rule
}

// goodPassword reports whether p is more than a word, and no placeholder.
func goodPassword(p []byte) bool {
	p = AppendPercentDecoded(nil, p)
	if !varied(p, 6) || placeholder(p) || wordPassword(p) {
		return false
	}
	return hasAll(p, digit, letter) || len(p) >= 10 && hasAll(p, lower, upperLetter) && mixedCase(p)
}

// urlCredentials takes scheme to password as the value, and judges password and host.
func urlCredentials(m []byte) (from, to int, ok bool) {
	begin := bytes.Index(m, []byte("://")) + len("://")
	at := bytes.LastIndexByte(m, '@')
	if at < begin {
		return 0, 0, false
	}
	user, password, _ := bytes.Cut(m[begin:at], []byte(":"))
	if bytes.IndexByte(user, '@') >= 0 && bytes.ContainsAny(password, "?&=#") { // a host, its port and a query
		return 0, 0, false
	}
	if len(password) < 8 || len(password) > 160 || at+1 == len(m) || !hostName[m[at+1]] {
		return 0, 0, false
	}
	host := strings.ToLower(string(m[at+1:]))
	if !goodPassword(password) && !passphrase(password) {
		return 0, 0, false
	}
	web := bytes.HasPrefix(m, []byte("http"))
	switch {
	case web && (strings.HasPrefix(host, "localhost") || strings.HasPrefix(host, "127.") || strings.HasPrefix(host, "0.0.0.0")), host == "host", host == "hostname":
		return 0, 0, false
	case strings.HasPrefix(host, "localhost"), strings.HasPrefix(host, "127."), strings.HasPrefix(host, "0.0.0.0"), strings.HasPrefix(host, "example."), strings.Contains(host, ".example"):
		password = AppendPercentDecoded(nil, password)
		return 0, at, len(password) >= 10 && (byChance(password) || len(password) >= 12 && (allKinds(password) || hasAll(password, lower, upperLetter, digit))) && !madeUp(password)
	}
	return 0, at, true
}

// passphrase reports whether p is three words or more, which documentation would not put there to say what to put there.
func passphrase(p []byte) bool {
	if len(p) < 14 || !varied(p, 8) || placeholder(p) || madeUp(p) {
		return false
	}
	for _, word := range []string{"pass", "user", "name", "here", "host", "value", "credential", "database", "key"} {
		if bytes.Contains(bytes.ToLower(p), []byte(word)) {
			return false
		}
	}
	words := bytes.FieldsFunc(p, func(r rune) bool { return strings.ContainsRune("-_.!+~*^,", r) })
	for _, w := range words {
		if len(w) < 3 || runOf(letter, w, len(w)) < len(w) {
			return false
		}
	}
	return len(words) > 2
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
	word := set("A-Za-z0-9._@+-")
	value := set("!#$(-<>-Z^-z~|")
	rule := Rule{
		Name:    "netrc-password",
		Matches: "machine HOST login USER password VALUE, on one line or several, also as a string of JSON",
		Source:  "https://www.gnu.org/software/inetutils/manual/html_node/The-_002enetrc-file.html",
		Check:   "all three words in order; a password of 8 characters or more with letters and digits, no placeholder",
	}
	// Behind an escaped line's end the first letters of a word may be taken for space: n, r and t.
	for _, space := range []*class{set(" \t\r\n"), set(" \t\r\n\\nrt")} {
		rule.patterns = append(rule.patterns, pattern{
			keywords: []string{"machine "},
			steps: seq(run(word, 1, 128), run(space, 1, 16), lit("login"), run(space, 1, 16), run(word, 1, 128), run(space, 1, 16),
				lit("password"), run(space, 1, 16), run(value, 6, 300)),
			check: func(m []byte) (int, int, bool) {
				from := bytes.LastIndex(m, []byte("password")) + len("password")
				for n := 1; n > 0; from += n {
					n = spaceAt(m[from:])
				}
				v := m[from:]
				return from, len(m), len(v) >= 8 && goodPassword(v)
			},
		})
	}
	return []Rule{rule}
}

// spaceAt returns how long the white space is that b begins with, also as strings escape it.
func spaceAt(b []byte) int {
	n := 0
	for n < len(b) && b[n] == '\\' {
		n++
	}
	switch {
	case n < len(b) && n > 0 && isShortEscape(b[n]), n < len(b) && n == 0 && bytes.IndexByte([]byte(" \t\r\n"), b[0]) >= 0:
		return n + 1
	}
	return 0
}
