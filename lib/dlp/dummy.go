package dlp

import "bytes"

// dummyMarker is in every dummy credential that a bottle mints: at the start of a refresh token, of what follows the prefix of one of
// Claude's tokens, and of the third part of a JWT.
const dummyMarker = "bottle-dummy-"

// Dummy returns the rule "bottle-dummy", which finds the dummy credentials of every bottle by their marker. It is not one
// of [Builtin]: a dummy is inert where it belongs, and an alarm elsewhere. Beside the built-in rules it is tried first, so that
// a dummy JWT is found as such, over its whole length. A value that [Options].Exempt lets pass for this rule is then asked
// about for the next one ("jwt").
func Dummy() []Rule {
	body := run(base64URL, 16, jwtSignatureMax)
	return []Rule{{
		Name:    "bottle-dummy",
		Matches: "a JWT whose third part begins with " + dummyMarker + ", or " + dummyMarker + " and 16 characters of base64url or more, also behind sk-ant-oat01- and the like",
		Source:  "docs/decisions/0004-dummy-token-shape.md",
		Check:   "the marker, in clear; a word of its own",
		ahead:   true,
		patterns: []pattern{
			{
				keywords: jwtKeywords,
				steps: seq(run(base64URL, 8, jwtHeaderMax), lit("."), run(base64URL, 4, jwtPayloadMax), lit("."),
					lit(dummyMarker), body),
				check: all(func(m []byte) bool { return bytes.Count(m, []byte(".")) == 2 }),
			},
			{keywords: []string{dummyMarker}, before: base64URL, steps: body},
			{keywords: []string{"sk-ant-"}, steps: seq(run(lower, 2, 8), run(digit, 2, 2), lit("-"+dummyMarker), body)},
		},
	}}
}
