package dlp

import (
	"bytes"
	"encoding/base64"
)

// randomText reports whether b, behind a prefix that says what it is, looks made by chance: cases change as in random text, or digits
// stand amid its letters.
func randomText(b []byte) bool {
	return digitRuns(b) > 1 || mixedCase(b)
}

// kindOf returns which kind of characters c is of: small letters, digits, capitals or, as 0, what is none of them.
func kindOf(c byte) int {
	switch {
	case lower[c]:
		return 1
	case digit[c]:
		return 2
	case letter[c]:
		return 3
	}
	return 0
}

// byChance reports whether b looks made by chance where nothing but a general name says what it is. Names, also in camel case and with
// a number, are not: in random text one character and the next are often not of one kind, and digits stand amid letters, in 16 characters
// or more several times.
func byChance(b []byte) bool {
	pairs, changes, digits, amid, inside := 0, 0, 0, false, 0
	for i, c := range b {
		if digit[c] {
			digits++
		}
		if i > 0 && letter[c] && digit[b[i-1]] && letterBefore(b[:i]) {
			inside++
		}
		if i == 0 || kindOf(c) == 0 || kindOf(b[i-1]) == 0 {
			continue
		}
		pairs++
		if kindOf(c) != kindOf(b[i-1]) {
			changes++
			amid = amid || digit[b[i-1]]
		}
	}
	if digits == 0 {
		return changes*5 >= pairs*2 && pairs > 12
	}
	return (changes*3 >= pairs && (amid || digits > 1) || (inside > 1 && len(b) >= 20 || inside > 2 && len(b) >= 16) && !hasAll(b, upperLetter)) && pairs*2 > len(b)
}

// letterBefore reports whether a letter stands before the digits that b ends in.
func letterBefore(b []byte) bool {
	i := len(b) - 1
	for i >= 0 && digit[b[i]] {
		i--
	}
	return i >= 0 && letter[b[i]]
}

// capitalizedWords reports whether b can be words in camel case: it has no digit, and no two capitals side by side.
func capitalizedWords(b []byte) bool {
	for i, c := range b {
		if digit[c] || i > 0 && upperLetter[c] && upperLetter[b[i-1]] {
			return false
		}
	}
	return true
}

// randomOrHex reports whether b is random text, or lower-case letters and digits that alternate as in a digest or a UUID.
func randomOrHex(b []byte) bool {
	if randomText(b) {
		return true
	}
	turns := 0
	for i := 1; i < len(b); i++ {
		if digit[b[i]] != digit[b[i-1]] && alnum[b[i]] && alnum[b[i-1]] {
			turns++
		}
	}
	return turns*6 >= len(b) && hasAll(b, digit, letter)
}

// base64JSON returns a check for base64 of a JSON object that has all of parts in it.
func base64JSON(parts ...string) func(match []byte) bool {
	return func(m []byte) bool {
		text, err := base64.RawStdEncoding.AppendDecode(nil, m[:len(m)&^3])
		if err != nil {
			return false
		}
		for _, p := range parts {
			if !bytes.Contains(text, []byte(p)) {
				return false
			}
		}
		return true
	}
}
