package inject

import (
	"net/url"
	"strings"
)

// eachPair calls f with every pair of a raw query, in order, with its name
// decoded. Both & and ; divide: some servers still read the latter so, and a
// parameter must not hide behind it.
func eachPair(raw string, f func(pair, name, value string)) {
	for raw != "" {
		var pair string
		if i := strings.IndexAny(raw, "&;"); i < 0 {
			pair, raw = raw, ""
		} else {
			pair, raw = raw[:i], raw[i+1:]
		}
		name, value, _ := strings.Cut(pair, "=")
		f(pair, unescape(name), unescape(value))
	}
}

// unescape decodes what can be decoded; the rest stays, as lenient servers
// leave it.
func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

// queryValues returns the decoded values of the parameter name. Servers differ
// on the case of a name, so it does not count.
func queryValues(raw, name string) []string {
	var values []string
	eachPair(raw, func(_, n, v string) {
		if strings.EqualFold(n, name) {
			values = append(values, v)
		}
	})
	return values
}

// setQuery removes every parameter called name from raw and adds one with
// value. A query without that parameter keeps its bytes.
func setQuery(raw, name, value string) string {
	kept := raw
	if len(queryValues(raw, name)) > 0 {
		var pairs []string
		eachPair(raw, func(pair, n, _ string) {
			if !strings.EqualFold(n, name) {
				pairs = append(pairs, pair)
			}
		})
		kept = strings.Join(pairs, "&")
	}
	if kept != "" {
		kept += "&"
	}
	return kept + url.QueryEscape(name) + "=" + url.QueryEscape(value)
}

// eachCookie calls f with every cookie of the header's lines (RFC 6265,
// section 4.2.1).
func eachCookie(lines []string, f func(cookie, name, value string)) {
	for _, line := range lines {
		for _, cookie := range strings.Split(line, ";") {
			if cookie = strings.TrimSpace(cookie); cookie != "" {
				name, value, _ := strings.Cut(cookie, "=")
				f(cookie, strings.TrimSpace(name), strings.Trim(strings.TrimSpace(value), `"`))
			}
		}
	}
}

func cookieValues(lines []string, name string) []string {
	var values []string
	eachCookie(lines, func(_, n, v string) {
		if n == name {
			values = append(values, v)
		}
	})
	return values
}

// setCookie returns one line with every cookie but those called name, and
// then that one with value.
func setCookie(lines []string, name, value string) string {
	var kept []string
	eachCookie(lines, func(cookie, n, _ string) {
		if n != name {
			kept = append(kept, cookie)
		}
	})
	return strings.Join(append(kept, name+"="+value), "; ")
}
