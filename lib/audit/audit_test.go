package audit

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func lines(t *testing.T, path string) []Record {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	var out []Record
	for s := bufio.NewScanner(f); s.Scan(); {
		var r Record
		require.NoError(t, json.Unmarshal(s.Bytes(), &r), s.Text())
		out = append(out, r)
	}
	return out
}

func TestRefusalsAreWrittenAtOnceAndRequestsSoon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	synctest.Test(t, func(t *testing.T) {
		l, err := Open(path)
		require.NoError(t, err)
		require.NoError(t, l.Write(Record{Event: EventRequest, Decision: Allow, RequestID: "a"}))
		require.Empty(t, lines(t, path))
		<-time.After(flushAfter) // on the test's own clock
		synctest.Wait()
		require.Len(t, lines(t, path), 1)
		require.NoError(t, l.Write(Record{Event: EventRequest, Decision: Allow, RequestID: "b"}))
		require.NoError(t, l.Write(Record{Event: EventRequest, Decision: Refuse, RequestID: "c"}))
		require.Len(t, lines(t, path), 3)
		require.NoError(t, l.Write(Record{Event: EventRequest, Decision: Allow, RequestID: "d"}))
		require.NoError(t, l.Close())
		got := lines(t, path)
		require.Len(t, got, 4)
		require.Equal(t, "d", got[3].RequestID)
	})
	st, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), st.Mode().Perm())
}

func TestTwoLogsShareAFileWithoutMixingLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	const each = 500
	var wg sync.WaitGroup
	for i := range 2 {
		l, err := Open(path)
		require.NoError(t, err)
		for j := range 2 {
			wg.Go(func() {
				for k := range each {
					d := Allow
					if k%7 == 0 {
						d = Refuse
					}
					if err := l.Write(Record{Event: EventRequest, Decision: d, RequestID: fmt.Sprint(i, j, k), Host: strings.Repeat("x", k%200)}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		defer l.Close()
		t.Cleanup(func() { l.Close() })
	}
	wg.Wait()
	require.Eventually(t, func() bool { return len(lines(t, path)) == 4*each }, 5*time.Second, 10*time.Millisecond)
}

func TestReopenFollowsARotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l, err := Open(path)
	require.NoError(t, err)
	require.NoError(t, l.Write(Record{Event: EventRequest, Decision: Allow, RequestID: "old"}))
	require.NoError(t, os.Rename(path, path+".1"))
	require.NoError(t, l.Reopen())
	require.NoError(t, l.Write(Record{Event: EventConnect, Decision: Refuse, RequestID: "new"}))
	require.NoError(t, l.Close())
	require.Len(t, lines(t, path+".1"), 1)
	require.Len(t, lines(t, path), 1)
}

func TestNoPathDropsRecords(t *testing.T) {
	l, err := Open("")
	require.NoError(t, err)
	require.NoError(t, l.Write(Record{}))
	require.NoError(t, l.Close())
	require.NoError(t, (*Log)(nil).Write(Record{}))
}
