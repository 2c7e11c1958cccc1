package inject

import (
	"errors"
	"net/url"
	"strings"
)

// pathRule is a list of path prefixes, matched on whole segments. An empty one
// matches every path.
type pathRule [][]string

var errAmbiguousPath = errors.New("path can be read in two ways")

// segments splits an escaped path into its decoded segments. A path that two
// servers could read differently is an error: dot segments, empty segments,
// encoded slashes or percent signs, backslashes, controls. A trailing slash
// gives no segment.
func segments(escaped string) ([]string, error) {
	rest, ok := strings.CutPrefix(escaped, "/")
	if !ok {
		return nil, errAmbiguousPath
	}
	rest = strings.TrimSuffix(rest, "/")
	if rest == "" {
		return nil, nil
	}
	segs := strings.Split(rest, "/")
	for i, s := range segs {
		d, err := url.PathUnescape(s)
		if err != nil {
			return nil, errAmbiguousPath
		}
		// Path parameters: some servers take "..;x" for "..".
		name, _, _ := strings.Cut(d, ";")
		if name == "" || name == "." || name == ".." || strings.ContainsAny(d, "/\\%") {
			return nil, errAmbiguousPath
		}
		for j := 0; j < len(d); j++ {
			if d[j] < 0x20 || d[j] == 0x7f {
				return nil, errAmbiguousPath
			}
		}
		segs[i] = d
	}
	return segs, nil
}

func parsePathRule(prefixes []string) (pathRule, int, error) {
	var rule pathRule
	for i, p := range prefixes {
		segs, err := segments(p)
		if err != nil || strings.ContainsAny(p, "?#") {
			return nil, i, errors.New("want a plain path prefix such as /repos/acme/")
		}
		rule = append(rule, segs)
	}
	return rule, 0, nil
}

// match reports whether the escaped path is a prefix's own or below it.
func (r pathRule) match(escaped string) (bool, error) {
	if len(r) == 0 {
		return true, nil
	}
	segs, err := segments(escaped)
	if err != nil {
		return false, err
	}
next:
	for _, prefix := range r {
		if len(segs) < len(prefix) {
			continue
		}
		for i := range prefix {
			if segs[i] != prefix[i] {
				continue next
			}
		}
		return true, nil
	}
	return false, nil
}
