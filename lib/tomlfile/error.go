package tomlfile

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// Error is one problem in a configuration file.
type Error struct {
	File    string // as it was given to Read
	Line    int    // from 1; 0 when the problem has no line
	Key     string // key path; empty when the problem is not one key's
	Message string // lower case, no secret
	Hint    string // what the operator can do, or empty
	Err     error  // underlying error, or nil
}

// Error returns "file:line: key: message", without the parts that are missing.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		b.WriteString(":" + strconv.Itoa(e.Line))
	}
	if e.Key != "" {
		b.WriteString(": " + e.Key)
	}
	b.WriteString(": " + e.Message)
	return b.String()
}

// Unwrap returns the underlying error.
func (e *Error) Unwrap() error { return e.Err }

// HintText returns what the operator can do about the error.
func (e *Error) HintText() string { return e.Hint }

// WithHint sets the hint and returns e, to be used in a return statement.
func (e *Error) WithHint(hint string) *Error {
	e.Hint = hint
	return e
}

// Errors is several problems, sorted by file and line.
type Errors []*Error

// Error returns one problem a line.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap makes errors.Is and errors.As look at every problem.
func (es Errors) Unwrap() []error {
	out := make([]error, len(es))
	for i, e := range es {
		out[i] = e
	}
	return out
}

// Join returns nil without problems, the problem itself when there is one, and
// [Errors] sorted by file and line otherwise. nil elements are dropped.
func Join(problems ...*Error) error {
	es := slices.DeleteFunc(slices.Clone(problems), func(e *Error) bool { return e == nil })
	switch len(es) {
	case 0:
		return nil
	case 1:
		return es[0]
	}
	slices.SortStableFunc(es, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return Errors(es)
}

// Problems returns the problems that err holds, however wrapped; nil when err
// is none of this package's.
func Problems(err error) []*Error {
	if es, ok := errors.AsType[Errors](err); ok {
		return es
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return []*Error{e}
	}
	return nil
}
