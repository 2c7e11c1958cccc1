package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"bottle/lib/hostauth"
	"bottle/lib/secret"
	"bottle/lib/stage"
)

// writeDummy writes the file at path, unless that would cost somebody a login.
func writeDummy(path string, data []byte, source fs.FileInfo) error {
	refuse := func(problem, hint string) error {
		return stage.Misuse(stage.Hint(fmt.Errorf("write %s: %s", path, problem), hint))
	}
	switch target, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return writeError(path, err)
	case target.Mode()&fs.ModeSymlink != 0:
		return refuse("is a symbolic link", "name the file itself, or - for standard output")
	case !target.Mode().IsRegular():
		return refuse("is not a regular file", "name a file, or - for standard output")
	case source != nil && os.SameFile(source, target):
		return refuse("is the login that is read", "name another file: the host still needs its own")
	case holdsRealLogin(path):
		return refuse("holds a real login", "name another file, or move that one away first")
	}
	if err := secret.WriteFile(path, data, 0o600); err != nil {
		return writeError(path, err)
	}
	return nil
}

// writeError leaves the temporary name out of what a writer says.
func writeError(path string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return stage.Hint(fmt.Errorf("write %s: %w", path, err), "the folder must exist, and you must be able to write to it")
}

func holdsRealLogin(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, hostauth.MaxSize+1))
	if err != nil {
		return false
	}
	l, err := kindOf(data).parse(data)
	return errors.Is(err, hostauth.ErrAPIKey) || err == nil && !l.describe(time.Now()).Dummy
}
