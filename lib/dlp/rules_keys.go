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
					keywords: []string{"-----BEGIN "},
					steps:    seq(privateKeyLine(), run(base64Std, 40, 40)),
					check:    all(func(m []byte) bool { return varied(m[len(m)-40:], 10) && !isAWSExample(m[len(m)-40:]) }),
				},
				{
					keywords: []string{"-----BEGIN "},
					steps:    seq(privateKeyLine(), run(set("A-Za-z-"), 4, 12), lit(":")),
					check:    all(hasArmorHeader),
				},
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
			}},
		},
	}
}

// privateKeyLine is the rest of a BEGIN line and what may stand between it and the body: line breaks, also as JSON and
// URLs escape them, and what source code puts between two pieces of a string.
func privateKeyLine() []step {
	label := step{class: set("A-Z0-9 "), min: len("PRIVATE KEY"), max: 50, check: isPrivateKeyLabel}
	return seq([]step{label}, lit("-----"), run(set(" \t\r\n\\nru0AD%\"'+,"), 0, 64))
}

func isPrivateKeyLabel(match []byte) bool {
	return bytes.HasSuffix(match, []byte("PRIVATE KEY")) || bytes.HasSuffix(match, []byte("PRIVATE KEY BLOCK"))
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
