package dlp

import (
	"bytes"
	"strings"
)

var (
	shellUser     = set("A-Za-z0-9._~+=-")
	shellQuote    = set(" \\\"'`=")
	shellPassword = set("!#$*+,./0-9:;<=>?@A-Z^_a-z~-") // no quotation mark, bracket, & or |, which end it
)

// shellPasswords are passwords on command lines, of which the words before say what they are.
func shellPasswords() []Rule {
	rule := Rule{
		Name:    "command-line-password",
		Matches: "a password after curl -u user:, sshpass -p, docker login … -p, mysql … -p, redis-cli … -a and the like",
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
	for _, c := range passwordOptions {
		find := optionGap(c.option, c.glued)
		for _, command := range strings.Split(c.commands, "|") {
			rule.patterns = append(rule.patterns, pattern{
				keywords: []string{command + " "},
				before:   alnum,
				steps:    seq([]step{{class: shellWord, min: 1, max: optionsMax, gap: find}}, value),
				check: func(m []byte) (from, to int, ok bool) {
					from = len(command) + 1
					n, _ := find(m[from:min(len(m), from+optionsMax)])
					from += n
					v := bytes.TrimRight(m[from:], ".,;:")
					return from, from + len(v), len(v) >= 8 && v[0] != '$' && v[0] != '<' && v[0] != '%' && v[0] != '-' && goodPassword(v) && !madeUp(v)
				},
			})
		}
	}
	return []Rule{rule}
}

// passwordOptions are the options of commands that take a password, by themselves or glued to it.
var passwordOptions = []struct {
	commands string // separated by |
	option   string
	glued    bool
}{
	{"docker login|podman login|skopeo login|helm registry login", "-p", false},
	{"mysql|mysqldump|mysqladmin|mariadb|mariadb-dump", "-p", true},
	{"mongosh|mongodump|mongorestore", "-p", false},
	{"redis-cli", "-a", false},
	{"sqlcmd", "-P", false},
	{"ldapsearch|ldapmodify", "-w", false},
}

// optionsMax is how many bytes may stand between a command and the option that is looked for.
const optionsMax = 160

var (
	shellWord  = set(" -~\t\r\n")
	shellBlank = set(" \t")
	shellEnd   = set("\r\n;&|#")
)

// optionGap takes a command's words up to where the value of option begins, with the quotation mark before it. A backslash at a line's end
// goes on with the command.
func optionGap(option string, glued bool) func(rest []byte) (n int, short bool) {
	return func(rest []byte) (int, bool) {
		for i := 0; i < len(rest); i++ {
			switch c := rest[i]; {
			case shellEnd[c] && !(c == '\n' && i > 0 && rest[i-1] == '\\'):
				return 0, false
			case c == '\\' && i+1 < len(rest) && isShortEscape(rest[i+1]): // a line's end in a string
				return 0, false
			case i > 0 && !shellBlank[rest[i-1]], len(rest)-i > len(option) && !bytes.HasPrefix(rest[i:], []byte(option)):
				continue
			case len(rest)-i <= len(option):
				return 0, true
			}
			n := i + len(option)
			if blanks := runOf(shellBlank, rest[n:], 8); glued != (blanks == 0) {
				continue
			} else {
				n += blanks
			}
			if spaceAt(rest[n:]) > 0 { // the command ends there
				return 0, false
			}
			n += runOf(shellQuote, rest[n:], 3)
			return n, n == len(rest)
		}
		return 0, true
	}
}
