package plan

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"bottle/lib/secret"
)

// Write makes the folder what the plan says. Files that are so already are
// left alone. Two runs for one folder wait for each other.
func (p *Plan) Write() error {
	if p.incomplete {
		return errors.New("write folder: the plan was made without running its commands")
	}
	if err := os.MkdirAll(p.Dir, 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	unlock, err := lock(p.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	for _, d := range p.Dirs {
		if err := makeDir(filepath.Join(p.Dir, filepath.FromSlash(d.Path)), d.Mode); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
	}
	for _, f := range p.Files {
		path := filepath.Join(p.Dir, filepath.FromSlash(f.Path))
		switch f.Change {
		case Keep:
		case Delete:
			err = os.Remove(path)
		default:
			err = secret.WriteFile(path, f.content, f.Mode)
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", f.Path, err)
		}
	}
	return nil
}

// lock holds the folder itself, so that no lock file is left in it. The kernel
// lets go when the process ends.
func lock(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("lock folder: %w", err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock folder %s: %w", dir, err)
	}
	return func() { f.Close() }, nil
}

// makeDir makes path a folder that grants no more than mode. One that grants
// less is the operator's choice.
func makeDir(path string, mode fs.FileMode) error {
	err := os.Mkdir(path, mode)
	if err == nil {
		return os.Chmod(path, mode) // whatever the umask
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	st, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !st.IsDir() {
		return &fs.PathError{Op: "mkdir", Path: path, Err: errors.New("is not a folder")}
	}
	if st.Mode().Perm()&^mode != 0 {
		return os.Chmod(path, mode)
	}
	return nil
}
