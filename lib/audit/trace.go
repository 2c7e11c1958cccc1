package audit

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// ErrNoRecord says that no record has the request id that was asked for.
var ErrNoRecord = errors.New("no record has this request id")

// Trace writes to w, line by line as they stand in the logs at paths, the
// records of the request with the given id: those of the stage that gave it, and
// those of the stages before and after, in the order in which the request went
// through. A tunnel that a stage relays unread has one id for all requests in it.
func Trace(w io.Writer, id string, paths ...string) error {
	var found []traced
	wanted := func(t traced) bool {
		if t.RequestID == id {
			return true
		}
		return slices.ContainsFunc(found, func(f traced) bool {
			return f.Stage != t.Stage && (follows(f.HopOut, t.HopIn) || follows(t.HopOut, f.HopIn))
		})
	}
	for {
		before := len(found)
		var again []traced
		for _, path := range paths {
			err := eachRecord(path, func(t traced) {
				if wanted(t) {
					again = append(again, t)
				}
			})
			if err != nil {
				return err
			}
		}
		if found = again; len(found) == before {
			break
		}
	}
	if len(found) == 0 {
		return ErrNoRecord
	}
	slices.SortStableFunc(found, func(a, b traced) int {
		if a.Stage == b.Stage {
			return a.Time.Compare(b.Time)
		}
		// The first stage is told of an answer last.
		return rank(found, a) - rank(found, b)
	})
	for _, t := range found {
		if _, err := fmt.Fprintf(w, "%s\n", t.line); err != nil {
			return err
		}
	}
	return nil
}

type traced struct {
	Record
	line string
}

// rank is how many stages come before that of t.
func rank(found []traced, t traced) int {
	n := 0
	for t.HopIn != "" {
		i := slices.IndexFunc(found, func(f traced) bool { return f.Stage != t.Stage && follows(f.HopOut, t.HopIn) })
		if i < 0 || n > len(found) {
			break
		}
		t = found[i]
		n++
	}
	return n
}

// follows reports whether two stages' names of a request, or of the tunnel it
// went through, go together.
func follows(out, in string) bool {
	if out == "" || in == "" {
		return false
	}
	return out == in || strings.HasPrefix(out, in+".") || strings.HasPrefix(in, out+".")
}

// eachRecord calls f for each record of the log at path. A last line that is
// being written is left out.
func eachRecord(path string, f func(traced)) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read audit log: %w", err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		t := traced{line: lines.Text()}
		if json.Unmarshal(lines.Bytes(), &t.Record) == nil {
			f(t)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read audit log %s: %w", path, err)
	}
	return nil
}
