package secret

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// FileError reports a file that must not be used for secrets.
type FileError struct {
	Path    string
	Problem string // lower case, no secret
	Hint    string // what to do about it
	Err     error  // underlying error, or nil
}

func (e *FileError) Error() string {
	if e.Err != nil && !errors.Is(e.Err, fs.ErrNotExist) && !errors.Is(e.Err, fs.ErrPermission) { // Problem says these
		return fmt.Sprintf("read %s: %s: %v", e.Path, e.Problem, cause(e.Err))
	}
	return fmt.Sprintf("read %s: %s", e.Path, e.Problem)
}

func (e *FileError) Unwrap() error { return e.Err }

// HintText returns what to do about the error.
func (e *FileError) HintText() string { return e.Hint }

// cause drops the operation and path that a PathError repeats.
func cause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// ReadPrivateFile returns the content of a file that holds a secret. The file
// must be a regular one, not a symbolic link, readable by nobody but its
// owner, and at most max bytes long. Errors are of type [*FileError] and wrap
// the file system's (errors.Is with fs.ErrNotExist works); they never quote
// content.
func ReadPrivateFile(path string, max int64) ([]byte, error) { return readFile(path, max, 0o077) }

// ReadSystemdCredential is [ReadPrivateFile] for a file in the directory that
// systemd makes for a service. The group may read it by its mode: where systemd
// lets the service's user in by an access control list, that is how the list's
// mask shows.
func ReadSystemdCredential(path string, max int64) ([]byte, error) {
	return readFile(path, max, 0o037)
}

// readFile reads a file none of whose permission bits is in forbidden.
func readFile(path string, max int64, forbidden fs.FileMode) ([]byte, error) {
	// O_NOFOLLOW and fstat on the open file leave no gap between check and use;
	// O_NONBLOCK keeps a FIFO from hanging the open.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.EMLINK):
		return nil, &FileError{path, "is a symbolic link", "name the file itself: a link can be pointed elsewhere by others", nil}
	case errors.Is(err, fs.ErrNotExist):
		return nil, &FileError{path, "no such file", "check the path", err}
	case errors.Is(err, fs.ErrPermission):
		return nil, &FileError{path, "not readable", "run as the file's owner, or chown it", err}
	case err != nil:
		return nil, &FileError{path, "cannot be opened", "check the path", err}
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, &FileError{path, "cannot be inspected", "check the file system", err}
	}
	if !st.Mode().IsRegular() {
		return nil, &FileError{path, "is not a regular file", "name a regular file", nil}
	}
	if perm := st.Mode().Perm(); perm&forbidden != 0 {
		return nil, &FileError{path, fmt.Sprintf("mode %04o lets others at it", perm), "chmod 600 " + path, nil}
	}
	if st.Size() > max {
		return nil, &FileError{path, fmt.Sprintf("is %d bytes, more than the %d allowed", st.Size(), max), "check that this is the right file", nil}
	}
	data, err := io.ReadAll(io.LimitReader(f, max+1))
	if err != nil {
		return nil, &FileError{path, "cannot be read", "check the file system", err}
	}
	if int64(len(data)) > max {
		return nil, &FileError{path, fmt.Sprintf("is more than the %d bytes allowed", max), "check that this is the right file", nil}
	}
	return data, nil
}

// WriteFile writes data to path so that a reader sees the old file or the
// whole new one: it writes a temporary name in the same directory with mode
// perm from its first byte on, syncs it, and renames it. A symbolic link at
// path is refused rather than replaced.
func WriteFile(path string, data []byte, perm fs.FileMode) (err error) {
	if st, lerr := os.Lstat(path); lerr == nil && !st.Mode().IsRegular() {
		return &fs.PathError{Op: "write", Path: path, Err: errors.New("exists and is not a regular file")}
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Chmod(perm); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
