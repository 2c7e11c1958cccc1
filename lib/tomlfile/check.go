package tomlfile

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// checker compares what the file holds with the type that it is decoded into.
// The decoder itself is lenient (keys in any case, unknown ones skipped, a
// scalar where a map is wanted ignored) and stops at the first mismatch.
type checker struct {
	file  *File
	found []*Error
}

func (c *checker) add(e *Error) { c.found = append(c.found, e) }

func (c *checker) table(path string, data map[string]any, t reflect.Type) {
	known := fields(t)
	for key, value := range data {
		at := Key(path, key)
		if ft, ok := known[key]; ok {
			c.value(at, value, ft)
			continue
		}
		names := make([]string, 0, len(known))
		for name := range known {
			names = append(names, name)
		}
		slices.Sort(names)
		msg := "unknown key"
		if s := closest(key, names); s != "" {
			msg += fmt.Sprintf("; did you mean %q?", s)
		}
		where := "the top level"
		if path != "" {
			where = path
		}
		c.add(c.file.Errorf(at, "%s", msg).WithHint("known keys of " + where + ": " + strings.Join(names, ", ")))
	}
}

var (
	unmarshalerType     = reflect.TypeFor[toml.Unmarshaler]()
	textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
	timeType            = reflect.TypeFor[time.Time]()
	durationType        = reflect.TypeFor[time.Duration]()
)

func (c *checker) value(path string, data any, t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == timeType:
		if _, ok := data.(time.Time); !ok {
			c.mismatch(path, "a date and time", data)
		}
		return
	case t == durationType:
		s, ok := data.(string)
		if !ok {
			c.mismatch(path, `a duration such as "30s"`, data)
		} else if _, err := time.ParseDuration(s); err != nil {
			c.add(c.file.Errorf(path, "%q is not a duration such as \"30s\"", s))
		}
		return
	case reflect.PointerTo(t).Implements(oneOrManyType):
		c.oneOrMany(path, data, t)
		return
	case reflect.PointerTo(t).Implements(unmarshalerType):
		// Decoded into a spare value first, as only this error knows its line.
		if err := reflect.New(t).Interface().(toml.Unmarshaler).UnmarshalTOML(data); err != nil {
			c.add(c.file.Errorf(path, "%w", err))
		}
		return
	case reflect.PointerTo(t).Implements(textUnmarshalerType):
		s, ok := data.(string)
		if !ok {
			c.mismatch(path, "a string", data)
		} else if err := reflect.New(t).Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s)); err != nil {
			c.add(c.file.Errorf(path, "%w", err))
		}
		return
	}
	c.kind(path, data, t)
}

func (c *checker) kind(path string, data any, t reflect.Type) {
	switch t.Kind() {
	case reflect.Struct:
		if m, ok := data.(map[string]any); ok {
			c.table(path, m, t)
		} else {
			c.mismatch(path, "a table", data)
		}
	case reflect.Map:
		m, ok := data.(map[string]any)
		if !ok {
			c.mismatch(path, "a table", data)
		}
		for key, value := range m {
			c.value(Key(path, key), value, t.Elem())
		}
	case reflect.Slice:
		rv := reflect.ValueOf(data)
		if rv.Kind() != reflect.Slice {
			c.mismatch(path, "an array", data)
			return
		}
		for i := range rv.Len() {
			c.value(Index(path, i), rv.Index(i).Interface(), t.Elem())
		}
	case reflect.String:
		if _, ok := data.(string); !ok {
			c.mismatch(path, "a string", data)
		}
	case reflect.Bool:
		if _, ok := data.(bool); !ok {
			c.mismatch(path, "true or false", data)
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, ok := data.(int64)
		if !ok {
			c.mismatch(path, "an integer", data)
		} else if reflect.Zero(t).OverflowInt(n) {
			c.add(c.file.Errorf(path, "%d is out of range", n))
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, ok := data.(int64)
		if !ok {
			c.mismatch(path, "an integer", data)
		} else if n < 0 || reflect.Zero(t).OverflowUint(uint64(n)) {
			c.add(c.file.Errorf(path, "%d is out of range", n))
		}
	case reflect.Float32, reflect.Float64:
		switch data.(type) {
		case float64, int64:
		default:
			c.mismatch(path, "a number", data)
		}
	case reflect.Interface: // the caller looks at it
	default:
		panic(fmt.Sprintf("tomlfile: %s has type %s, which no TOML value has", path, t))
	}
}

func (c *checker) mismatch(path, want string, data any) {
	c.add(c.file.Errorf(path, "must be %s, not %s", want, TypeName(data)))
}

// TypeName names the TOML type of a decoded value, with its article.
func TypeName(data any) string {
	switch data.(type) {
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case int64:
		return "an integer"
	case float64:
		return "a float"
	case time.Time:
		return "a date or time"
	case map[string]any:
		return "a table"
	}
	return "an array"
}

// fields returns the keys of a struct type. Fields without a toml tag are no
// keys, so that what a file may say is spelled out in the type; an embedded
// struct's keys are its outer struct's.
func fields(t reflect.Type) map[string]reflect.Type {
	out := map[string]reflect.Type{}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
		switch {
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			for k, ft := range fields(f.Type) {
				out[k] = ft
			}
		case name != "" && name != "-" && f.IsExported():
			out[name] = f.Type
		}
	}
	return out
}
