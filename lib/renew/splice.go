package renew

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// edit sets the value at a path of object keys.
type edit struct {
	path  []string
	value any
}

// splice returns the JSON object data with the values at the paths replaced;
// every other byte stays as it is. A key that is not there is added as the
// first of its object, which has to be there.
func splice(data []byte, edits []edit) ([]byte, error) {
	for _, e := range edits {
		text, err := json.Marshal(e.value)
		if err != nil {
			return nil, err
		}
		at, end, found, err := locate(data, e.path)
		if err != nil {
			return nil, err
		}
		if !found {
			key, err := json.Marshal(e.path[len(e.path)-1])
			if err != nil {
				return nil, err
			}
			text = append(append(key, ':', ' '), text...)
			if rest := bytes.TrimLeft(data[end:], " \t\r\n"); len(rest) > 0 && rest[0] != '}' {
				text = append(text, ", "...)
			}
		}
		data = slices.Concat(data[:at], text, data[end:])
	}
	return data, nil
}

// locate returns where the value at path stands in data or, if the last key is
// not there, where the inside of its object begins.
func locate(data []byte, path []string) (at, end int, found bool, err error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	missing := fmt.Errorf("the login has no %s", strings.Join(path, "."))
	for depth, key := range path {
		tok, err := dec.Token()
		if err != nil || tok != json.Delim('{') {
			return 0, 0, false, missing
		}
		inside := int(dec.InputOffset())
		for {
			if !dec.More() {
				if depth < len(path)-1 {
					return 0, 0, false, missing
				}
				return inside, inside, false, nil
			}
			name, err := dec.Token()
			if err != nil {
				return 0, 0, false, errors.New("the login is not JSON")
			}
			if name == key {
				break
			}
			var skipped json.RawMessage
			if err := dec.Decode(&skipped); err != nil {
				return 0, 0, false, errors.New("the login is not JSON")
			}
		}
	}
	var value json.RawMessage
	if err := dec.Decode(&value); err != nil {
		return 0, 0, false, errors.New("the login is not JSON")
	}
	end = int(dec.InputOffset())
	return end - len(value), end, true, nil
}
