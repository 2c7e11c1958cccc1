package tomlfile

import (
	"bytes"
	"reflect"

	"github.com/BurntSushi/toml"
)

// OneOrMany is a key that takes a table, or an array of such tables:
//
//	auth = { scheme = "Bearer" }
//	auth = [{ scheme = "Bearer" }, { header = "X-Account" }]
//
// Both are read as strictly as the struct T is anywhere else.
type OneOrMany[T any] struct {
	Items []T
	one   bool
}

// At returns the key path of item i of the value at keyPath.
func (o OneOrMany[T]) At(keyPath string, i int) string {
	if o.one {
		return keyPath
	}
	return Index(keyPath, i)
}

// UnmarshalTOML decodes what the checker has found to be tables.
func (o *OneOrMany[T]) UnmarshalTOML(data any) error {
	items, many := tables(data)
	o.Items, o.one = make([]T, len(items)), !many
	for i, item := range items {
		// The decoder hands over its own tree; T's fields want it once more as
		// text, so that their types decode themselves.
		var text bytes.Buffer
		if err := toml.NewEncoder(&text).Encode(item); err != nil {
			return err
		}
		if _, err := toml.Decode(text.String(), &o.Items[i]); err != nil {
			return err
		}
	}
	return nil
}

// Element returns T, for those who walk the keys of a type.
func (o *OneOrMany[T]) Element() reflect.Type { return reflect.TypeFor[T]() }

type oneOrMany interface{ Element() reflect.Type }

var oneOrManyType = reflect.TypeFor[oneOrMany]()

// tables returns the elements of data, and whether data is an array.
func tables(data any) (items []any, many bool) {
	if _, ok := data.(map[string]any); ok {
		return []any{data}, false
	}
	rv := reflect.ValueOf(data)
	if rv.Kind() != reflect.Slice {
		return []any{data}, false
	}
	for i := range rv.Len() {
		items = append(items, rv.Index(i).Interface())
	}
	return items, true
}

// oneOrMany checks data against the element type of t.
func (c *checker) oneOrMany(path string, data any, t reflect.Type) {
	items, many := tables(data)
	if many && len(items) == 0 {
		c.add(c.file.Errorf(path, "must not be empty"))
	}
	element := reflect.New(t).Interface().(oneOrMany).Element()
	for i, item := range items {
		at := path
		if many {
			at = Index(path, i)
		}
		if _, ok := item.(map[string]any); !ok {
			c.mismatch(at, "a table or an array of tables", item)
			continue
		}
		c.value(at, item, element)
	}
}
