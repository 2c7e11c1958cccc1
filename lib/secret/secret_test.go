package secret

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/require"
)

func TestNothingPrintsAValue(t *testing.T) {
	const plain = "hunter2hunter2"
	v, err := New(plain)
	require.NoError(t, err)
	type box struct {
		V  Value
		P  *Value
		In any
		M  map[string]Value
		L  []Value
		u  Value
	}
	b := box{v, &v, v, map[string]Value{"k": v}, []Value{v}, v}

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%10.3s"} {
		fmt.Fprintf(&out, verb+"\n", v)
		fmt.Fprintf(&out, verb+"\n", b)
		fmt.Fprintf(&out, verb+"\n", &b)
	}
	fmt.Fprintln(&out, v, b, b.u, fmt.Errorf("wrapped: %v", v))
	j, err := json.Marshal(b)
	require.NoError(t, err)
	out.Write(j)
	require.NoError(t, toml.NewEncoder(&out).Encode(map[string]any{"v": v}))
	type element struct{ V Value }
	x, err := xml.Marshal(element{v})
	require.NoError(t, err)
	out.Write(x)
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "v", v, "b", b)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "v", v, "b", b)
	require.Error(t, gob.NewEncoder(&out).Encode(v))

	require.NotContains(t, out.String(), plain)
	require.NotContains(t, out.String(), fmt.Sprintf("%x", plain))
	require.Contains(t, out.String(), redacted)
	require.Equal(t, plain, v.Expose())
}

func TestNewRefusesWhatCannotStandInAHeader(t *testing.T) {
	for in, want := range map[string]error{"": ErrEmpty, "a\nb": ErrControl, "a\rb": ErrControl, "a\x00b": ErrControl, "a\n": ErrControl, "\x7f": ErrControl, "\ufeffa": ErrBOM, "\xff\xfea": ErrBOM, "é-ok": nil, "a b": nil} {
		_, err := New(in)
		require.ErrorIs(t, err, want, "%q", in)
	}
	v, err := NewTrimmed("token\r\n")
	require.NoError(t, err)
	require.Equal(t, "token", v.Expose())
	_, err = NewTrimmed("token\n\n")
	require.ErrorIs(t, err, ErrControl)
	_, err = NewTrimmed("\n")
	require.ErrorIs(t, err, ErrEmpty)
}

func TestReadPrivateFile(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, mode fs.FileMode, data string) string {
		p := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(p, []byte(data), 0o600))
		require.NoError(t, os.Chmod(p, mode))
		return p
	}
	good := file("good", 0o600, "abc")
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(good, link))
	fifo := filepath.Join(dir, "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))

	data, err := ReadPrivateFile(good, 3)
	require.NoError(t, err)
	require.Equal(t, "abc", string(data))

	for path, want := range map[string]string{
		link:                            "symbolic link",
		fifo:                            "not a regular file",
		dir:                             "not a regular file",
		filepath.Join(dir, "missing"):   "no such file",
		file("group", 0o640, "abc"):     "mode 0640",
		file("world", 0o604, "abc"):     "mode 0604",
		file("large", 0o600, "secrets"): "more than the 3",
	} {
		_, err := ReadPrivateFile(path, 3)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "secrets")
		var fe *FileError
		require.ErrorAs(t, err, &fe)
		require.NotEmpty(t, fe.Hint)
	}
	_, err = ReadPrivateFile(filepath.Join(dir, "missing"), 3)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.Equal(t, "read "+filepath.Join(dir, "missing")+": no such file", err.Error(), "said once")
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	p := filepath.Join(dir, "f")
	require.NoError(t, WriteFile(p, []byte("one"), 0o600))
	require.NoError(t, WriteFile(p, []byte("two"), 0o644))
	data, err := os.ReadFile(p)
	require.NoError(t, err)
	require.Equal(t, "two", string(data))
	st, err := os.Stat(p)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o644), st.Mode().Perm())

	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(p, link))
	require.Error(t, WriteFile(link, []byte("three"), 0o600))
	require.Error(t, WriteFile(filepath.Join(dir, "no", "f"), nil, 0o600))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 2, "no temporary file is left")
}

func TestReadSystemdCredential(t *testing.T) {
	p := filepath.Join(t.TempDir(), "c")
	require.NoError(t, os.WriteFile(p, []byte("abc"), 0o600))
	for mode, ok := range map[fs.FileMode]bool{0o400: true, 0o440: true, 0o600: true, 0o444: false, 0o660: false, 0o404: false} {
		require.NoError(t, os.Chmod(p, mode))
		_, err := ReadSystemdCredential(p, 3)
		require.Equal(t, ok, err == nil, "%o: %v", mode, err)
	}
}
