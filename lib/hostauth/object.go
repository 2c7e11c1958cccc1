package hostauth

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// object is a JSON object with its values unparsed. Keys are compared byte for
// byte, as Codex does and Go's struct decoding does not.
type object map[string]json.RawMessage

// parseObject reads data as exactly one JSON object without duplicate keys at
// any depth. The error is ErrNotJSON, ErrTrailingData or ErrDuplicateKey.
func parseObject(data []byte) (object, error) {
	if !utf8.Valid(data) {
		return nil, ErrNotJSON
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	var raw json.RawMessage
	if dec.Decode(&raw) != nil || raw[0] != '{' {
		return nil, ErrNotJSON
	}
	if rest := data[dec.InputOffset():]; strings.Trim(string(rest), " \t\r\n") != "" {
		return nil, ErrTrailingData
	}
	if hasDuplicateKey(raw) {
		return nil, ErrDuplicateKey
	}
	var o object
	if json.Unmarshal(raw, &o) != nil {
		return nil, ErrNotJSON
	}
	return o, nil
}

// hasDuplicateKey walks the tokens of a valid JSON value.
func hasDuplicateKey(raw json.RawMessage) bool {
	type level struct {
		keys    map[string]bool // nil in an array
		wantKey bool
	}
	var stack []level
	// done notes that a value has ended: in an object a key comes next.
	done := func() {
		if n := len(stack); n > 0 && stack[n-1].keys != nil {
			stack[n-1].wantKey = true
		}
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	for {
		tok, err := dec.Token()
		if err != nil {
			return false
		}
		switch t := tok.(type) {
		case json.Delim:
			switch t {
			case '{':
				stack = append(stack, level{keys: map[string]bool{}, wantKey: true})
			case '[':
				stack = append(stack, level{})
			default:
				stack = stack[:len(stack)-1]
				done()
			}
			continue
		case string:
			if n := len(stack); n > 0 && stack[n-1].wantKey {
				if stack[n-1].keys[t] {
					return true
				}
				stack[n-1].keys[t] = true
				stack[n-1].wantKey = false
				continue
			}
		}
		done()
	}
}

// has reports whether key is there and not null.
func (o object) has(key string) bool {
	raw, ok := o[key]
	return ok && string(raw) != "null"
}

// string returns the string at key, empty if it is absent or null.
func (o object) string(key string) (string, error) {
	if !o.has(key) {
		return "", nil
	}
	var s string
	if o[key][0] != '"' || json.Unmarshal(o[key], &s) != nil {
		return "", ErrBadField
	}
	return s, nil
}

// object returns the object at key, empty if it is absent or null.
func (o object) object(key string) (object, error) {
	if !o.has(key) {
		return nil, nil
	}
	var sub object
	if o[key][0] != '{' || json.Unmarshal(o[key], &sub) != nil {
		return nil, ErrBadField
	}
	return sub, nil
}

// strings returns the array of strings at key.
func (o object) strings(key string) ([]string, error) {
	var list []string
	if o[key][0] != '[' || json.Unmarshal(o[key], &list) != nil {
		return nil, ErrBadField
	}
	return list, nil
}
