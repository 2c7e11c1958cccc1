package clienttest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bottle/lib/audit"
	"bottle/lib/providertest"
)

// The members that the HAR format, version 1.2, requires of an entry, by where
// they are. A browser does not open a file without them.
var harMembers = map[string][]string{
	"":                 {"startedDateTime", "time", "request", "response", "cache", "timings"},
	"request":          {"method", "url", "httpVersion", "cookies", "headers", "queryString", "headersSize", "bodySize"},
	"response":         {"status", "statusText", "httpVersion", "cookies", "headers", "content", "redirectURL", "headersSize", "bodySize"},
	"response content": {"size", "mimeType"},
	"timings":          {"send", "wait", "receive"},
}

func requireHAR(t *testing.T, text string) (urls []string) {
	t.Helper()
	var file struct {
		Log struct {
			Version string                         `json:"version"`
			Creator struct{ Name, Version string } `json:"creator"`
			Entries []map[string]any               `json:"entries"`
		} `json:"log"`
	}
	require.NoError(t, json.Unmarshal([]byte(text), &file))
	require.Equal(t, "1.2", file.Log.Version)
	require.NotEmpty(t, file.Log.Creator.Name)
	require.NotEmpty(t, file.Log.Creator.Version)
	for _, entry := range file.Log.Entries {
		for path, names := range harMembers {
			at := entry
			for _, step := range strings.Fields(path) {
				at, _ = at[step].(map[string]any)
			}
			for _, name := range names {
				require.Contains(t, at, name, "%s of %v", path, entry)
				require.NotNil(t, at[name], "%s %s", path, name)
			}
		}
		_, err := time.Parse(time.RFC3339, entry["startedDateTime"].(string))
		require.NoError(t, err)
		for _, side := range []string{"request", "response"} {
			for _, list := range []string{"headers", "cookies"} {
				for _, pair := range entry[side].(map[string]any)[list].([]any) {
					require.IsType(t, "", pair.(map[string]any)["name"])
					require.IsType(t, "", pair.(map[string]any)["value"])
				}
			}
		}
		urls = append(urls, entry["request"].(map[string]any)["url"].(string))
	}
	return urls
}

// Both stages record a run of the client, with no credential in it, and one
// request of the model is followed through both by its id.
func TestARunIsRecordedAndTraced(t *testing.T) {
	t.Parallel()
	s := standIn(t, providertest.Options{Mode: providertest.SSE})
	b := newBottle(t, s, setup{order: pipelockFirst, har: true})
	requireGreen(t, b, b.codex(t, "0.169", "say something")) // which searches run/ for credentials
	for _, stage := range b.order {
		urls := requireHAR(t, readFile(t, b.path("run/"+stage+".har")))
		require.True(t, slices.ContainsFunc(urls, func(u string) bool {
			return strings.HasPrefix(u, "https://chatgpt.com/backend-api/codex/responses")
		}), "%s: %v", stage, urls)
	}

	var id string
	for _, r := range b.audited(t) {
		if r.Stage == "bottle-egress" && r.Event == audit.EventRequest && r.Decision == audit.Allow && r.Credential == "real" && r.Method == "POST" {
			id = r.RequestID
		}
	}
	require.NotEmpty(t, id, "%s", b.story(t))
	f := run(t, []string{"PATH=/usr/bin:/bin"}, "bottle-egress", "--trace", id, "--trace-log", b.path("run/audit.jsonl"))
	require.Zero(t, f.exit, "%s", f.stderr)
	var stages []string
	for line := range strings.Lines(f.stdout) {
		var r audit.Record
		require.NoError(t, json.Unmarshal([]byte(line), &r), "%s", line)
		if r.Event == audit.EventRequest && !slices.Contains(stages, r.Stage) {
			stages = append(stages, r.Stage)
		}
	}
	require.Equal(t, []string{"bottle-pipelock", "bottle-egress"}, stages, "%s", f.stdout)
	for _, r := range s.Records() {
		for name, value := range r.Headers {
			require.NotContains(t, value, id, "%s went to the origin", name)
		}
	}
}
