// Package tomlfile reads configuration files strictly: what the program does
// not know, it refuses, and says at which line.
//
// [Read] decodes a TOML file into a struct whose fields carry `toml` tags. An
// unknown key, a value of the wrong type and a syntax error are errors with
// file and line; all of them are reported, not just the first. The [File] that
// Read returns lets the caller report its own findings in the same form:
//
//	var c config
//	f, err := tomlfile.Read("egress.toml", &c)
//	...
//	return f.Errorf("route[1].host", "%q is not a host", c.Route[1].Host)
//	// egress.toml:12: route[1].host: "a b" is not a host
//
// A key path names tables and keys joined by dots and elements of arrays by
// their index from 0; a key that TOML would not accept bare is quoted, as in
// refusal_status."chatgpt.com" ([Key] does it).
//
// Limits: keys match exactly, in case too. A file is at most [MaxSize] bytes
// and [MaxDepth] levels deep.
package tomlfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/BurntSushi/toml"
)

const (
	// MaxSize is the largest file that is read, in bytes.
	MaxSize = 1 << 20
	// MaxDepth is how deep arrays, tables and dotted keys may nest: the parser
	// recurses, so a file must not choose the depth of its stack.
	MaxDepth = 32
)

// File is a configuration file that was decoded. It keeps the lines of its
// keys, not its values. It is immutable and safe for concurrent use.
type File struct {
	path  string
	lines map[string]int
}

// Read decodes the file at path into v, a non-nil pointer to a struct. Fields
// that the file does not mention keep their value, so that defaults are set
// beforehand. On error v is unchanged or partly filled and must not be used.
//
// Errors are of type [*Error], or [Errors] when there are several. A file that
// cannot be opened keeps its cause: errors.Is with fs.ErrNotExist works.
func Read(path string, v any) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, unreadable(path, err)
	}
	return Parse(path, data, v)
}

// Parse is [Read] for content at hand; path is the name that errors show.
func Parse(path string, data []byte, v any) (*File, error) {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() || rv.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("tomlfile: decode into %T, want a non-nil pointer to a struct", v))
	}
	if len(data) > MaxSize {
		return nil, &Error{File: path, Message: fmt.Sprintf("is larger than %d bytes", MaxSize), Hint: "check that this is the right file"}
	}
	ix, err := scan(data)
	if err != nil {
		err.File = path
		return nil, err
	}
	file := &File{path: path, lines: ix}
	var tree map[string]any
	if _, err := toml.Decode(string(data), &tree); err != nil {
		return nil, file.syntax(err)
	}
	c := checker{file: file}
	c.table("", tree, rv.Elem().Type())
	if err := Join(c.found...); err != nil {
		return nil, err
	}
	if _, err := toml.Decode(string(data), v); err != nil {
		return nil, file.syntax(err)
	}
	return file, nil
}

func unreadable(path string, err error) *Error {
	e := &Error{File: path, Message: "cannot be read", Err: err, Hint: "check the path"}
	var pe *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Message = "no such file"
	case errors.Is(err, fs.ErrPermission):
		e.Message = "permission denied"
		e.Hint = "run as the file's owner, or change its mode"
	case errors.As(err, &pe):
		e.Message += ": " + pe.Err.Error()
	}
	return e
}

// syntax turns the decoder's error into ours.
func (f *File) syntax(err error) *Error {
	if pe, ok := errors.AsType[toml.ParseError](err); ok {
		line := pe.Position.Line
		if strings.HasSuffix(pe.Message, `end table name, but got '\n' instead`) {
			line-- // the decoder has stepped over the line end that it complains of
		}
		return &Error{File: f.path, Line: line, Message: pe.Message, Err: err}
	}
	return &Error{File: f.path, Message: strings.TrimPrefix(err.Error(), "toml: "), Err: err}
}

// Path is the file's name as it was given to Read.
func (f *File) Path() string { return f.path }

// Resolve returns name as seen from the file's directory: paths in a
// configuration file are relative to that file. An absolute name stays.
func (f *File) Resolve(name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(filepath.Dir(f.path), name)
}

// Has reports whether the file sets the key or table at keyPath itself.
func (f *File) Has(keyPath string) bool {
	_, ok := f.lines[keyPath]
	return ok
}

// Line returns the line, from 1, of the key or table at keyPath, or of the
// nearest table around it when the file does not mention it; 0 when there is
// none of these either.
func (f *File) Line(keyPath string) int {
	for p := keyPath; p != ""; p = parent(p) {
		if n, ok := f.lines[p]; ok {
			return n
		}
	}
	return 0
}

// Errorf reports that what stands at keyPath is not acceptable. The text
// follows fmt.Errorf, including %w, and reads on from the key:
// Errorf("listen", "%q has no port", s).
func (f *File) Errorf(keyPath, format string, a ...any) *Error {
	err := fmt.Errorf(format, a...)
	return &Error{File: f.path, Line: f.Line(keyPath), Key: keyPath, Message: err.Error(), Err: errors.Unwrap(err)}
}
