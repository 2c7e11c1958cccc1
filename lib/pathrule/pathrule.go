// Package pathrule matches the path of a request against the prefixes that a
// route allows, segment by segment, and refuses paths that two servers could
// read in two ways.
package pathrule

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Rule is a list of path prefixes, matched on whole segments. An empty one
// matches every path. It is immutable.
type Rule [][]string

// ErrAmbiguous reports a path that can be read in two ways.
var ErrAmbiguous = errors.New("path can be read in two ways")

// ambiguity says what is wrong with a path, after its name.
type ambiguity string

func (a ambiguity) Error() string        { return string(a) }
func (a ambiguity) Is(target error) bool { return target == ErrAmbiguous }

// Segments splits an escaped path into its decoded segments. A path that two
// servers could read differently is an error, [ErrAmbiguous]. A trailing slash gives no
// segment.
func Segments(escaped string) ([]string, error) {
	rest, ok := strings.CutPrefix(escaped, "/")
	if !ok {
		return nil, ambiguity("does not begin with /")
	}
	rest = strings.TrimSuffix(rest, "/")
	if rest == "" {
		return nil, nil
	}
	segs := strings.Split(rest, "/")
	for i, s := range segs {
		d, err := url.PathUnescape(s)
		if err != nil {
			return nil, ambiguity("has a bad percent escape")
		}
		// Path parameters: some servers take "..;x" for "..".
		name, _, _ := strings.Cut(d, ";")
		switch {
		case name == "":
			return nil, ambiguity("has an empty segment")
		case name == "." || name == "..":
			return nil, ambiguity("has a dot segment")
		case strings.ContainsAny(d, "/\\%") || strings.ContainsFunc(d, isControl):
			return nil, ambiguity("holds a backslash, or escapes a slash, percent sign or control character")
		}
		segs[i] = d
	}
	return segs, nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// Check says what is wrong with a prefix, in words that follow the prefix:
// "has a dot segment".
func Check(prefix string) error {
	switch {
	case strings.ContainsAny(prefix, "?#"):
		return errors.New("has a query or fragment; a path rule is about the path alone")
	case strings.ContainsFunc(prefix, func(r rune) bool { return isControl(r) || r == ' ' || r == '\\' }):
		return errors.New("has a space, control character or backslash")
	}
	_, err := Segments(prefix)
	return err
}

// Parse reads a route's prefixes ("/repos/acme/"; a trailing slash says
// nothing). An error comes with the index of the prefix that it is about.
func Parse(prefixes []string) (Rule, int, error) {
	var rule Rule
	for i, p := range prefixes {
		if err := Check(p); err != nil {
			return nil, i, fmt.Errorf("%q %w", p, err)
		}
		segs, err := Segments(p)
		if err != nil {
			return nil, i, err
		}
		rule = append(rule, segs)
	}
	return rule, 0, nil
}

// Match reports whether the escaped path (as url.URL.EscapedPath gives it) is
// one of the prefixes or below one. The error is [ErrAmbiguous]; it can only
// come from a rule that names prefixes.
func (r Rule) Match(escaped string) (bool, error) {
	if len(r) == 0 {
		return true, nil
	}
	segs, err := Segments(escaped)
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
