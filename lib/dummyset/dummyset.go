// Package dummyset knows which dummies are this bottle's own: those that
// prepare has written down, and those that a stage has minted since.
//
// The set holds digests, never tokens. What a stage adds is kept in a file, so
// that an agent which got a dummy before a restart is still known after it.
//
// Limits: the file keeps the newest 384 digests, which is 128 logins.
package dummyset

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"

	"bottle/lib/secret"
)

// Most is how many digests the file keeps.
const Most = 384

const maxFile = 1 << 20

var digest = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Set is a set of digests. It is safe for concurrent use; Has takes no lock.
type Set struct {
	path  string
	fixed []string

	mu    sync.Mutex // held while the file is written
	added []string   // oldest first
	all   atomic.Pointer[map[string]bool]
}

// file is the format.
type file struct {
	SHA256 []string `json:"sha256"`
}

// Open returns the set of fixed, which are lower-case hex SHA-256 of tokens,
// and of what the file at path holds, if there is one. An empty path keeps
// what is added in memory alone.
func Open(path string, fixed []string) (*Set, error) {
	s := &Set{path: path, fixed: fixed}
	var err error
	if s.added, err = s.read(); err != nil {
		return nil, err
	}
	s.publish()
	return s, nil
}

// broken is a file that the set cannot be read from.
type broken struct{ path string }

func (e *broken) Error() string    { return e.path + ": not a list of digests" }
func (e *broken) HintText() string { return "delete it; the agent may have to be started again" }

func (s *Set) read() ([]string, error) {
	if s.path == "" {
		return nil, nil
	}
	data, err := secret.ReadPrivateFile(s.path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var f file
	if json.Unmarshal(data, &f) != nil || slices.ContainsFunc(f.SHA256, func(d string) bool { return !digest.MatchString(d) }) {
		return nil, &broken{s.path}
	}
	return f.SHA256, nil
}

// publish makes what is in s visible to Has. s.mu is held, or s is new.
func (s *Set) publish() {
	all := make(map[string]bool, len(s.fixed)+len(s.added))
	for _, d := range slices.Concat(s.fixed, s.added) {
		all[d] = true
	}
	s.all.Store(&all)
}

// Has reports whether token is one of this bottle's dummies.
func (s *Set) Has(token string) bool { return (*s.all.Load())[secret.SHA256(token)] }

// Add puts digests into the set and the file, as the newest. After an error
// the set has them and the file may not.
func (s *Set) Add(digests []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := *s.all.Load()
	if !slices.ContainsFunc(digests, func(d string) bool { return !all[d] }) {
		return nil
	}
	// Another process of this bottle may have added some.
	if read, err := s.read(); err == nil {
		for _, d := range read {
			if !slices.Contains(s.added, d) {
				s.added = append(s.added, d)
			}
		}
	}
	for _, d := range digests {
		if !slices.Contains(s.added, d) {
			s.added = append(s.added, d)
		}
	}
	s.added = slices.Clone(s.added[max(0, len(s.added)-Most):])
	s.publish()
	if s.path == "" {
		return nil
	}
	data, err := json.Marshal(file{s.added})
	if err == nil {
		err = secret.WriteFile(s.path, append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep the minted dummies: %w", err)
	}
	return nil
}
