package dlp

import (
	"bytes"
	"slices"
)

// What stands behind a value tells of some that they are no credentials.

// aside reports whether value, before which stand a general name and what parts them, is of a row below that name, or is published as next says.
func aside(before, value, next []byte) bool {
	return firstOfRow(before, value, next) || published32(value, next)
}

// firstOfRow reports whether value is the hash that a row of a list begins with, below one that ends in what reads like a name: of commits and
// branches (git log, blame, ls-remote) or of files (sha256sum). People write a sentence behind a key that is below a name: only a blank behind
// it does not make a row, but where the next line begins with a hash as well.
func firstOfRow(before, value, next []byte) bool {
	if bytes.ContainsAny(before, ":=>|") || !bytes.Contains(before, []byte("\n")) && !bytes.Contains(before, []byte(`\n`)) {
		return false
	}
	if hash, _, ok := bytes.Cut(value, []byte("+")); ok || bytes.HasPrefix(next, []byte("+")) { // a form's spaces
		value, next = hash, bytes.ReplaceAll(slices.Concat(value[len(hash):], next), []byte("+"), []byte(" "))
	}
	if !isDigest(value) {
		return false
	}
	column, parted := next, false
	for _, between := range []string{`\\\\t`, `\\t`, `\t`, "\t", "%09", "  ", " *", " %2A"} {
		if column, parted = bytes.CutPrefix(next, []byte(between)); parted {
			break
		}
	}
	switch column = bytes.TrimLeft(column, " "); {
	case parted && len(column) > 0 && (alnum[column[0]] || bytes.IndexByte([]byte("_./("), column[0]) >= 0):
		return true
	case bytes.HasPrefix(next, []byte(" (")), bytes.HasPrefix(next, []byte(" refs/")):
		return true
	}
	n := bytes.IndexByte(next, '\n')
	if m := bytes.Index(next, []byte(`\n`)); m >= 0 && (n < 0 || m < n) {
		n = m + 1
	}
	following := next[n+1:]
	return n > 1 && (next[0] == ' ' || next[0] == ',') && len(following) >= 12 && len(bytes.Trim(following[:12], "0123456789abcdef")) == 0
}

// published32 reports whether the next member says that value is delivered to every visitor: 32 digits of hex before the index of a search by
// Algolia, the events of Amplitude, or BugSnag's version of a payload. The number of a line may stand before it.
func published32(value, next []byte) bool {
	if len(value) != 32 || !isDigest(value) {
		return false
	}
	for len(next) > 0 && bytes.IndexByte([]byte("\"'`,; \t\r\n\\0123456789→"), next[0]) >= 0 {
		if next[0] == '\\' && len(next) > 1 && isShortEscape(next[1]) {
			next = next[1:]
		}
		next = next[1:]
	}
	n := runOf(nameChar, next, len(next))
	switch string(next[:n]) {
	case "indexName", "index_name", "events", "payloadVersion":
		return n < len(next)
	}
	return false
}
