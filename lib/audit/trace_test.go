package audit

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTraceFollowsARequestThroughBothStages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	lines := []string{
		`{"time":"2026-01-01T00:00:01Z","stage":"pipelock","request_id":"p1","event":"request","hop_in":"t1.1"}`,
		`{"time":"2026-01-01T00:00:02Z","stage":"egress","request_id":"e1","event":"request","hop_out":"t1.1"}`,
		`{"time":"2026-01-01T00:00:03Z","stage":"pipelock","request_id":"p2","event":"request","hop_in":"t1.2"}`,
		`{"time":"2026-01-01T00:00:04Z","stage":"egress","request_id":"e2","event":"request","hop_out":"t1.2"}`,
		`{"time":"2026-01-01T00:00:05Z","stage":"pipelock","request_id":"p3","event":"tunnel_open","hop_in":"t2"}`,
		`{"time":"2026-01-01T00:00:06Z","stage":"egress","request_id":"e3","event":"request","hop_out":"t2.7"}`,
		`{"time":"2026-01-01T00:00:07Z","stage":"pipelock","request_id":"p3","event":"tunnel_close","hop_in":"t2"}`,
		`{"time":"2026-01-01T00:00:08Z","stage":"egress","request_id":"e4","event":"request"}`,
		`{"time":"2026-01-01T00:00:09Z","stage":"egress","requ`,
	}
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600))
	for id, want := range map[string][]int{"e1": {1, 0}, "p1": {1, 0}, "e2": {3, 2}, "e3": {5, 4, 6}, "p3": {5, 4, 6}, "e4": {7}} {
		var b bytes.Buffer
		require.NoError(t, Trace(&b, id, path), id)
		var text []string
		for _, i := range want {
			text = append(text, lines[i])
		}
		require.Equal(t, strings.Join(text, "\n")+"\n", b.String(), id)
	}
	require.ErrorIs(t, Trace(&bytes.Buffer{}, "other", path), ErrNoRecord)
	require.Error(t, Trace(&bytes.Buffer{}, "e1", path+".none"))
}
