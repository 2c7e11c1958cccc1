package dlp

import "bytes"

var (
	shellUser     = set("A-Za-z0-9._~+=-")
	shellQuote    = set(" \\\"'`=")
	shellPassword = set("!#$*+,./0-9:;<=>?@A-Z^_a-z~-") // no quotation mark, bracket, & or |, which end it
)

// shellPasswords are passwords on command lines, of which the words before say what they are.
func shellPasswords() []Rule {
	rule := Rule{
		Name:    "command-line-password",
		Matches: "a password after curl -u user: and sshpass -p",
		Source:  "https://cwe.mitre.org/data/definitions/214.html",
		Check:   "8 characters or more with letters and digits, or 10 in both cases, no placeholder, no variable",
	}
	value := run(shellPassword, 8, 160)
	last := func(mark string) func(m []byte) (from, to int, ok bool) {
		return func(m []byte) (from, to int, ok bool) {
			at := bytes.Index(bytes.ToLower(m), []byte(mark))
			if at < 0 {
				return 0, 0, false
			}
			from = at + len(mark)
			for from < len(m) && shellQuote[m[from]] {
				from++
			}
			v := bytes.TrimRight(m[from:], ".,;:")
			return from, from + len(v), len(v) >= 8 && v[0] != '$' && v[0] != '<' && v[0] != '%' && goodPassword(v)
		}
	}
	for _, keyword := range []string{"-u ", "--user ", "--user="} {
		rule.patterns = append(rule.patterns, pattern{
			keywords: []string{keyword},
			before:   nameChar,
			steps:    seq(run(shellQuote, 0, 2), run(shellUser, 1, 64), lit(":"), value),
			check:    last(":"),
		})
	}
	rule.patterns = append(rule.patterns, pattern{
		keywords: []string{"sshpass -p"},
		steps:    seq(run(shellQuote, 0, 3), value),
		check:    last(" -p"),
	})
	return []Rule{rule}
}
