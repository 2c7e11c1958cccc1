package gitrule

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"bottle/lib/pathrule"
)

// kind is what a request is to git.
type kind int

const (
	other   kind = iota // nothing
	read                // a part of a fetch
	push                // a part of a push
	batch               // git-lfs; its body says which
	unclear             // one of its readings may be a push
)

// locking are the methods of WebDAV that change something and that no other
// interface uses. git's push over WebDAV begins with LOCK.
var locking = map[string]bool{
	"LOCK": true, "UNLOCK": true, "MKCOL": true, "MOVE": true, "COPY": true, "PROPPATCH": true,
}

func classify(method, escapedPath, rawQuery string) kind {
	method = strings.ToUpper(method)
	if locking[method] {
		return push
	}
	segs, err := pathrule.Segments(escapedPath)
	text, valid := reading(escapedPath)
	switch {
	case !valid:
		return unclear
	case err != nil:
		for _, word := range []string{"receive-pack", "upload-pack", "upload-archive", "refs", "lfs", "batch", ".git"} {
			if strings.Contains(text, word) {
				return unclear
			}
		}
		return other
	}
	for i, s := range segs {
		s, _, _ = strings.Cut(s, ";") // path parameters
		segs[i] = strings.ToLower(s)
		// A prefix: some frameworks take "name.format" for the name.
		if strings.HasPrefix(segs[i], "git-receive-pack") {
			return push
		}
	}
	safe := method == http.MethodGet || method == http.MethodHead

	isRepository := false
	for i, s := range segs {
		switch {
		case strings.HasPrefix(s, "git-upload-pack"), strings.HasPrefix(s, "git-upload-archive"):
			return service(rawQuery)
		case s == "info" && i+1 < len(segs) && segs[i+1] == "lfs", s == "objects" && i+2 == len(segs) && segs[i+1] == "batch":
			return lfs(safe, method, segs[i:])
		case s == "info" && i+2 == len(segs) && segs[i+1] == "refs":
			if k := service(rawQuery); k != read || safe {
				return k
			}
			return push
		}
		isRepository = isRepository || strings.HasSuffix(s, ".git")
	}
	switch {
	case !isRepository:
		return other
	case safe || method == http.MethodOptions || method == "PROPFIND":
		return read
	}
	return push
}

// lfs tells reading from writing in the API of git-lfs. rest begins at "info"
// or "objects".
func lfs(safe bool, method string, rest []string) kind {
	n := len(rest)
	switch {
	case safe:
		return read
	case method == http.MethodPost && n >= 2 && rest[n-2] == "objects" && rest[n-1] == "batch":
		return batch
	}
	return push
}

// service says what the query of a request for a service of git asks for.
// Without a service it is the older protocol, which only reads.
func service(rawQuery string) kind {
	text, valid := reading(rawQuery)
	switch {
	case !valid:
		return unclear
	case strings.Contains(text, "receive-pack"):
		return push
	}
	found := 0
	for _, part := range strings.FieldsFunc(rawQuery, func(r rune) bool { return r == '&' || r == ';' }) {
		name, value, _ := strings.Cut(part, "=")
		name, _ = reading(name)
		value, _ = reading(value)
		name, _, _ = strings.Cut(name, "[") // of a list, in PHP and Rails
		if strings.TrimSpace(name) != "service" {
			continue
		}
		found++
		if found > 1 || value != "git-upload-pack" && value != "git-upload-archive" {
			return unclear
		}
	}
	return read
}

// reading is s as the most liberal server would read it: unescaped as often as
// that changes something, in lower case, without control characters, "\" as
// "/", "+" as a space. It is not valid if that is not UTF-8: overlong forms
// could spell anything.
func reading(s string) (text string, valid bool) {
	for range 8 {
		next := strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f {
				return -1
			}
			return r
		}, unescape(s))
		if !utf8.ValidString(unescape(s)) {
			return "", false
		}
		if next == s {
			break
		}
		s = next
	}
	return strings.ToLower(strings.NewReplacer("\\", "/", "+", " ").Replace(s)), true
}

// unescape undoes the percent escapes in s that are well-formed.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := url.PathUnescape(s[i : i+3]); err == nil {
				b.WriteString(c)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
