package hostauth

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"bottle/lib/secret"
)

// CodexPath finds the host's login where Codex keeps it: auth.json in
// $CODEX_HOME, then in $HOME/.codex. getenv is os.Getenv or a stand-in. If
// neither is there the error is [ErrNoLogin] and names what was looked for. A
// file that is there and cannot be used is found too: [LoadCodex] says why it
// cannot.
func CodexPath(getenv func(string) string) (string, error) {
	return find(getenv, codexKind, "auth.json", "CODEX_HOME", ".codex")
}

// find looks for the file name in the directory that the variable env names,
// then in sub of the home directory.
func find(getenv func(string) string, k *kind, name, env, sub string) (string, error) {
	var looked string
	for _, dir := range []struct{ env, sub string }{{env, ""}, {"HOME", sub}} {
		base := getenv(dir.env)
		if base == "" {
			continue
		}
		path := filepath.Join(base, dir.sub, name)
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return path, nil
		}
		if looked != "" {
			looked += ", "
		}
		looked += path
	}
	if looked == "" {
		return "", &Error{Err: ErrNoLogin, detail: "neither " + env + " nor HOME is set", hint: "set one, or name the file", kind: k}
	}
	return "", &Error{Name: looked, Err: ErrNoLogin, Cause: fs.ErrNotExist, kind: k}
}

// LoadCodex reads and validates the auth.json at path: a regular file, not a
// symbolic link, that only its owner may read, of at most [MaxSize] bytes. It
// does not look at the clock: see [Codex.CheckExpiry]. Errors are of type
// [*Error]; of the file's they wrap a [*secret.FileError].
func LoadCodex(path string) (*Codex, error) {
	data, err := secret.ReadPrivateFile(path, MaxSize)
	if err != nil {
		return nil, fileError(path, err, codexKind)
	}
	return parseNamed(data, path)
}

// fileError names the reason why ReadPrivateFile has refused path. The second
// look at the file only chooses the name: nothing is read by it.
func fileError(path string, err error, k *kind) error {
	e := &Error{Name: path, Err: ErrUnreadable, Cause: err, kind: k}
	var fe *secret.FileError
	if errors.As(err, &fe) {
		e.detail, e.hint = strings.TrimPrefix(fe.Error(), "read "+fe.Path+": "), fe.Hint
	}
	st, lerr := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Err, e.detail, e.hint = ErrNoLogin, "", ""
	case fe == nil || fe.Err != nil || lerr != nil:
	case st.Mode()&fs.ModeSymlink != 0:
		e.Err = ErrSymlink
	case !st.Mode().IsRegular():
		e.Err = ErrNotRegular
	case st.Mode().Perm()&0o077 != 0:
		e.Err = ErrOthersMayRead
	case st.Size() > MaxSize:
		e.Err = ErrTooLarge
	}
	return e
}
