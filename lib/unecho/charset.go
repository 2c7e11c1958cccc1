package unecho

import (
	"net/http"
	"slices"
	"strings"
)

// likeASCII begin the names of character sets in which ASCII text has its own
// bytes, so that a credential can be found in it.
var likeASCII = []string{
	"utf-8", "utf8", "us-ascii", "ascii", "iso-8859", "iso8859", "iso_8859", "latin", "windows-", "cp125", "x-cp125", "koi8", "gb", "big5",
	"euc", "ks_c", "shift", "sjis", "x-sjis", "ms932", "iso-2022", "tis-620", "macintosh", "x-mac", "ansi", "binary",
}

// readableText reports whether the body is in such a character set, as far as
// Content-Type names any. An agent can ask for others in Accept-Charset and
// Accept: UTF-16, or EBCDIC.
func readableText(h http.Header) bool {
	for _, v := range h["Content-Type"] {
		for param := range strings.SplitSeq(strings.ToLower(v), ";") {
			name, value, ok := strings.Cut(param, "=")
			if name = strings.Trim(name, " \t"); !ok || name != "charset" && name != "charset*" {
				continue
			}
			value = strings.Trim(value, " \t\"'")
			if value != "" && !slices.ContainsFunc(likeASCII, func(p string) bool { return strings.HasPrefix(value, p) }) {
				return false
			}
		}
	}
	return true
}
