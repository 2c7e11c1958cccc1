package renew

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"bottle/lib/hostauth"
	"bottle/lib/secret"
)

// lock takes the lock beside the login at path. The kernel takes it off a
// process that ends, however it ends, so there are no stale ones; the file
// stays, as removing it would let two have a lock each.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	name := beside(path, "lock")
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock login: %w", err)
	}
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			f.Close()
			return nil, fmt.Errorf("lock login: %s: %w", name, err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("lock login: %s is held by another process: %w", name, ctx.Err())
		case <-time.After(wait):
		}
	}
}

func beside(path, what string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".bottle-"+what)
}

// journal is the file that takes the renewed login before it is put in the
// place of the old one. Its name says what login it replaces: the one with the
// refresh token that was exchanged.
type journal struct {
	f    *os.File
	path string // of the login
}

const journalPrefix = "renewal-"

func journalName(path string, refresh secret.Value) string {
	return beside(path, journalPrefix+refresh.SHA256()[:16])
}

// openJournal makes the file, with the owner and mode of the login and the
// space that it will need: what can fail fails before anything was asked.
func openJournal(path string, refresh secret.Value) (_ *journal, err error) {
	st, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.OpenFile(journalName(path, refresh), os.O_RDWR|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	j := &journal{f, path}
	defer func() {
		if err != nil {
			j.discard()
		}
	}()
	if owner, ok := st.Sys().(*syscall.Stat_t); ok {
		mine, err := f.Stat()
		if err != nil {
			return nil, err
		}
		if m := mine.Sys().(*syscall.Stat_t); m.Uid != owner.Uid || m.Gid != owner.Gid {
			if err := f.Chown(int(owner.Uid), int(owner.Gid)); err != nil {
				return nil, fmt.Errorf("give the renewed login to the owner of %s: %w", path, err)
			}
		}
	}
	if err := f.Chmod(st.Mode().Perm()); err != nil {
		return nil, err
	}
	room := st.Size() + mostAnswer/4
	if _, err := f.Write(make([]byte, room)); err != nil {
		return nil, err
	}
	return j, f.Sync()
}

// write puts the renewed login on the disk, beside the old one.
func (j *journal) write(data []byte, step func(string)) error {
	if _, err := j.f.WriteAt(data, 0); err != nil {
		return err
	}
	if err := j.f.Truncate(int64(len(data))); err != nil {
		return err
	}
	step("written")
	return j.f.Sync()
}

// install puts it in the place of the old one.
func (j *journal) install(step func(string)) error {
	j.f.Close()
	if err := os.Rename(j.f.Name(), j.path); err != nil {
		return err
	}
	step("renamed")
	return syncDir(j.path)
}

func (j *journal) discard() {
	j.f.Close()
	os.Remove(j.f.Name())
}

func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// recover finishes what a process that was killed has left, under the lock. A
// file that is whole holds a login which no other has replaced, or is out of
// date; one that is not whole holds nothing.
func (r *Renewer) recover() error {
	names, err := filepath.Glob(globEscape(beside(r.path, journalPrefix)) + "*")
	if err != nil || len(names) == 0 {
		return err
	}
	_, current, err := r.read()
	if err != nil {
		return err // the login has to be there and whole first
	}
	for _, name := range names {
		data, err := secret.ReadPrivateFile(name, hostauth.MaxSize)
		if err != nil {
			return err
		}
		l, err := r.kind.read(data)
		switch {
		case err != nil:
			r.log.Error("a renewal was cut off before its answer was kept; if the provider took the refresh token, the host has to sign in again", "login", r.path)
		case name == journalName(r.path, current.refresh) && l.expiry.After(current.expiry) && l.account == current.account:
			if err := os.Rename(name, r.path); err != nil {
				return err
			}
			r.log.Warn("finished a renewal that was cut off", "login", r.path, "ends", l.expiry)
			return syncDir(r.path)
		}
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// globEscape keeps the characters of a path from meaning others.
func globEscape(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}
