package dlp

import (
	"bytes"
	"hash/crc32"
)

// all is a pattern's check that takes the whole match as the value, if ok says that it is one.
func all(ok func(match []byte) bool) func([]byte) (int, int, bool) {
	return func(match []byte) (int, int, bool) { return 0, len(match), ok(match) }
}

// varied reports whether b has at least n different bytes. Random text of a credential's length always has; xxxx…,
// 0000…, YOUR_KEY_HERE and the like have not.
func varied(b []byte, n int) bool {
	var seen [256]bool
	for _, c := range b[:min(len(b), 256)] {
		if !seen[c] {
			seen[c] = true
			if n--; n <= 0 {
				return true
			}
		}
	}
	return false
}

// base62 is the alphabet of GitHub's checksums.
const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// crc32Base62 reports whether the last six characters of body are the CRC-32 (IEEE) of those before, in base 62 with
// leading zeros.
func crc32Base62(body []byte) bool {
	const digits = 6
	if len(body) <= digits {
		return false
	}
	payload, want := body[:len(body)-digits], body[len(body)-digits:]
	sum := crc32.ChecksumIEEE(payload)
	for i := digits - 1; i >= 0; i-- {
		if want[i] != base62[sum%62] {
			return false
		}
		sum /= 62
	}
	return sum == 0
}

// isAWSExample reports whether b is one of the credentials in Amazon's documentation, which all say so.
func isAWSExample(b []byte) bool { return bytes.Contains(b, []byte("EXAMPLE")) }

// hasAll reports whether b has at least one byte of each class.
func hasAll(b []byte, classes ...*class) bool {
	for _, c := range classes {
		if !bytes.ContainsFunc(b, func(r rune) bool { return r < 256 && c[r] }) {
			return false
		}
	}
	return true
}
