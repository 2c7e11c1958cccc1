package hostauth

import (
	"errors"
	"strings"
)

// ErrNoField: a key on the way is missing, or leads to something else than
// what was asked for.
var ErrNoField = errors.New("no such string")

// Field returns the string in a JSON object that the keys joined by dots in
// path lead to, such as "tokens.access_token". data is read as a login is: one
// object in UTF-8 that names no key twice. The error is one of this package's
// and holds nothing of data.
func Field(data []byte, path string) (string, error) {
	o, err := parseObject(data)
	if err != nil {
		return "", err
	}
	keys := strings.Split(path, ".")
	for _, key := range keys[:len(keys)-1] {
		if o, err = o.object(key); err != nil {
			return "", ErrNoField
		}
	}
	last := keys[len(keys)-1]
	s, err := o.string(last)
	if err != nil || !o.has(last) {
		return "", ErrNoField
	}
	return s, nil
}
