package dlp

import "bytes"

func keysAndBearers() []Rule {
	return []Rule{
		{
			Name:    "private-key",
			Matches: "-----BEGIN … PRIVATE KEY----- (RSA, EC, DSA, OPENSSH, ENCRYPTED, PGP … BLOCK) and the begin of its body",
			Source:  "https://www.rfc-editor.org/rfc/rfc7468",
			Check:   "40 characters of base64 follow, of at least 10 kinds, or a header line of RFC 1421 or RFC 9580",
			patterns: []pattern{
				{
					keywords: []string{"-----BEGIN"},
					steps:    seq(privateKeyLine(), run(base64Std, 40, 40)),
					check:    all(func(m []byte) bool { return varied(m[len(m)-40:], 10) && !isAWSExample(m[len(m)-40:]) }),
				},
				{
					keywords: []string{"-----BEGIN"},
					steps:    seq(privateKeyLine(), run(set("A-Za-z-"), 4, 12), lit(":")),
					check:    all(hasArmorHeader),
				},
			},
		},
		{
			Name:    "putty-private-key",
			Matches: "Private-Lines: and the begin of a PuTTY key's private part",
			Source:  "https://the.earth.li/~sgtatham/putty/latest/htmldoc/AppendixC.html",
			Check:   "a number, and 32 characters of base64 or more, of at least 10 kinds",
			patterns: []pattern{{
				keywords: []string{"Private-Lines: "},
				steps:    seq(run(digit, 1, 3), []step{{class: base64Std, min: 1, max: 160, gap: beforeKeyBody}}, run(base64Std, 32, 64)),
				after:    base64Std,
				check:    all(func(m []byte) bool { return varied(m[len(m)-32:], 10) }),
			}},
		},
		{
			Name:    "jwk-private-key",
			Matches: `the private part of a JSON Web Key: "d": and base64url of 32 bytes or more`,
			Source:  "https://www.rfc-editor.org/rfc/rfc7518#section-6",
			Check:   "the length of a key of Curve25519, P-256, P-384, P-521 or RSA, at least 20 different characters, random text",
			patterns: []pattern{
				jwkPrivate([]string{`"d":`, `"d\":`}, nil),
				jwkPrivate([]string{`"d\\`}, seq(run(set(`\`), 1, 13), run(set(`"`), 1, 1), run(set(":"), 1, 1))), // in strings that are in others
			},
		},
		{
			Name:    "jwt",
			Matches: "a JSON Web Token: header.payload.signature in base64url, up to 16 kB",
			Source:  "https://www.rfc-editor.org/rfc/rfc7519",
			Check:   "the header decodes to JSON with alg, the payload begins a JSON object, the signature has 32 characters or more; not an example of documentation, signed with the key that stands beside it there",
			patterns: []pattern{{
				keywords: jwtKeywords,
				steps:    jwtSteps(func(m []byte) []byte { return m }),
				check:    all(func(m []byte) bool { return !publishedJWT(m) }),
				joins:    joinChecked,
				dotted:   true,
				joinFrom: 2, // the payload; most headers are base64 of other JSON
				lined:    true,
			}},
		},
	}
}

// privateKeyLine is the rest of a BEGIN line, in which forms write + for spaces, and what may stand between it and the body.
func privateKeyLine() []step {
	label := step{class: set("A-Z0-9 +"), min: len("PRIVATE KEY"), max: 50, check: isPrivateKeyLabel}
	return seq(run(set(" +"), 1, 1), []step{label}, lit("-----"), []step{{class: base64Std, min: 0, max: 160, gap: beforeKeyBody}})
}

// lineBreak are line breaks, also as JSON and URLs escape them, and what source code puts between two pieces of a string.
var lineBreak = set(" \t\r\n\\nru0AD%\"'+,")

// beforeKeyBody takes line breaks, and what tools and people put before each line: the number that cat -n, editors and agents show, the
// file and line of grep -n, the mark of a quotation, a comment or a list.
func beforeKeyBody(rest []byte) (n int, short bool) {
	n = runOf(lineBreak, rest, 64)
	for range 3 {
		at := n
		switch end := n + runOf(nameOfFile, rest[n:], 80); {
		case end == len(rest), rest[end] == ':' && end+1 == len(rest):
			return n, true
		case end > n && rest[end] == ':' && digit[rest[end+1]]: // file:12:
			end++
			at = end + runOf(digit, rest[end:], 7) + 1
		case end > n && runOf(digit, rest[n:end], 7) == end-n && afterNumber[rest[end]]:
			at = end + 1
		case rest[n] != '/' && lineMark[rest[n]]:
			at = n + runOf(lineMark, rest[n:], 8)
		case rest[n] == '/' || rest[n] == '-': // a comment, which has a space behind its mark; base64 has none
			if at = n + runOf(commentMark, rest[n:], 4); at < len(rest) && rest[at] != ' ' {
				at = n
				if rest[n] == '-' { // a line that a diff takes away
					at++
				}
			}
		}
		if at == n || at >= len(rest) {
			return n, at >= len(rest)
		}
		n = at + runOf(lineBreak, rest[at:], 64)
	}
	return n, n == len(rest)
}

var (
	nameOfFile  = set("A-Za-z0-9_./@-")
	afterNumber = set(" \t:|)>.\\\xe2") // the last begins an arrow
	lineMark    = set(">|#*;:\x86\x92\xe2")
	commentMark = set("/-")
)

// runOf returns how many of the first bytes of b belong to c, at most max.
func runOf(c *class, b []byte, max int) int {
	n := 0
	for n < len(b) && n < max && c[b[n]] {
		n++
	}
	return n
}

func isPrivateKeyLabel(match []byte) bool {
	label := bytes.ReplaceAll(match[max(0, len(match)-len("PRIVATE KEY BLOCK")):], []byte("+"), []byte(" "))
	return bytes.HasSuffix(label, []byte("PRIVATE KEY")) || bytes.HasSuffix(label, []byte("PRIVATE KEY BLOCK"))
}

// hasArmorHeader reports whether match ends in the name of a header line of an encrypted or an OpenPGP key.
func hasArmorHeader(match []byte) bool {
	for _, name := range []string{"Proc-Type:", "Version:", "Comment:", "Hash:", "Charset:", "MessageID:"} {
		if bytes.HasSuffix(match, []byte(name)) {
			return true
		}
	}
	return false
}

// jwkPrivate is the private part of a JSON Web Key behind its name, which rest is of.
func jwkPrivate(names []string, rest []step) pattern {
	return pattern{
		keywords: names,
		steps:    seq(rest, run(set(" \\\""), 1, 20), run(base64URL, 43, 700)),
		after:    set("A-Za-z0-9_=-"),
		check: func(m []byte) (from, to int, ok bool) {
			from = bytes.IndexByte(m, ':') + 1
			for m[from] == ' ' || m[from] == '\\' || m[from] == '"' {
				from++
			}
			v := m[from:]
			return from, len(m), (len(v) == 43 || len(v) == 64 || len(v) == 76 || len(v) == 88 || len(v) > 170) && varied(v, 20) && randomText(v) && mixedCase(v)
		},
	}
}
