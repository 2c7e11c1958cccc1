package credential

import (
	"log/slog"
	"path/filepath"
	"sync"

	"github.com/fsnotify/fsnotify"
)

// Set is the sources of one configuration, which begin and end together. The
// zero Set is empty. Its methods are for one goroutine.
type Set struct {
	sources []*Followed
	watcher *fsnotify.Watcher
	running sync.WaitGroup
}

// Add puts a source under the set's care.
func (s *Set) Add(f *Followed) { s.sources = append(s.sources, f) }

// Follow begins to follow the sources. What happens to them is logged to log.
// Without it, or where the system has no notifications to give, a file is
// looked at twice a second.
func (s *Set) Follow(log *slog.Logger) {
	for _, f := range s.sources {
		f.log.Store(log)
		s.running.Go(f.follow)
	}
	s.watch(log)
}

func (s *Set) watch(log *slog.Logger) {
	byPath := map[string][]*Followed{}
	dirs := map[string]bool{}
	for _, f := range s.sources {
		if f.path != "" {
			path := filepath.Clean(f.path)
			byPath[path] = append(byPath[path], f)
			// The directory, not the file: a file that is replaced by another is
			// another file.
			dirs[filepath.Dir(path)] = true
		}
	}
	if len(dirs) == 0 {
		return
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		log.Warn("no notifications of changed files; they are looked at twice a second", "err", err)
		return
	}
	for dir := range dirs {
		if err := w.Add(dir); err != nil {
			log.Warn("no notifications of changed files; they are looked at twice a second", "directory", dir, "err", err)
		}
	}
	s.watcher = w
	s.running.Go(func() {
		for {
			select {
			case e, ok := <-w.Events:
				if !ok {
					return
				}
				for _, f := range byPath[e.Name] {
					f.nudge()
				}
			case _, ok := <-w.Errors: // events were lost; the poll makes up for them
				if !ok {
					return
				}
			}
		}
	})
}

// Close ends the following and waits for it. Requests under way go on with
// what the sources held last.
func (s *Set) Close() error {
	if s == nil {
		return nil
	}
	for _, f := range s.sources {
		f.Close()
	}
	var err error
	if s.watcher != nil {
		err = s.watcher.Close()
		s.watcher = nil
	}
	s.running.Wait()
	return err
}
