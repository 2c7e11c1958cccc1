package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"bottle/lib/allowlist"
	"bottle/lib/authority"
	"bottle/lib/dlp"
	"bottle/lib/filter"
	"bottle/lib/forward"
	"bottle/lib/locate"
	"bottle/lib/stage"
	"bottle/lib/tomlfile"
)

func TestScanScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/scan",
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":     exits,
			"planted":   planted,
			"hides":     hides,
			"inside":    inside,
			"allowlist": keepAllowlist,
		},
	})
}

// The scripts have a folder of their own: they run the program inside the test, where the streams can be searched.

var oneApp sync.Mutex

// exits CODE [<FILE] ARGUMENTS... runs the program and wants this exit code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	args = args[1:]
	var in io.Reader = strings.NewReader("")
	if name, ok := strings.CutPrefix(args[0], "<"); ok {
		in, args = strings.NewReader(ts.ReadFile(name)), args[1:]
	}
	for i, a := range args {
		if strings.Contains(a, ".") {
			args[i] = ts.MkAbs(a)
		}
	}
	argv := append([]string{"bottle-pipelock"}, args...)
	// The library of flags has flags of its own, which all apps of a process share.
	oneApp.Lock()
	got := stage.Run(context.Background(), app(), argv, in, ts.Stdout(), ts.Stderr())
	oneApp.Unlock()
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// token is a made-up credential: no literal here looks like a live one.
func token() string {
	const chars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	r := rand.New(rand.NewPCG(7, 7))
	b := []byte("glpat" + "-")
	for range 20 {
		b = append(b, chars[r.IntN(len(chars))])
	}
	return string(b)
}

// planted FILE [BYTES] writes a file with a credential as it is, at byte 8, and in base64 behind BYTES of harmless text.
func planted(ts *testscript.TestScript, _ bool, args []string) {
	pad := 10
	if len(args) > 1 {
		var err error
		pad, err = strconv.Atoi(args[1])
		ts.Check(err)
	}
	text := "token = " + token() + "\n" + strings.Repeat("harmless. ", pad/10) + "\ndata: " + base64.StdEncoding.EncodeToString([]byte("key="+token())) + "\n"
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// inside FILE JSON writes a request whose second message is the file's text.
func inside(ts *testscript.TestScript, _ bool, args []string) {
	text, err := json.Marshal(map[string]any{"messages": []any{1, map[string]string{"content": ts.ReadFile(args[0])}}})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), text, 0o600))
}

// keepAllowlist FILE writes what the last command printed as entries.
func keepAllowlist(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(entries(ts.ReadFile("stdout"))), 0o600))
}

// entries are the lines for an allowlist in what scan said.
func entries(said string) string {
	var b strings.Builder
	for line := range strings.Lines(said) {
		if strings.Contains(line, " = ") || strings.HasPrefix(line, "[[") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// hides checks that the credential is in neither stream.
func hides(ts *testscript.TestScript, _ bool, _ []string) {
	for _, name := range []string{"stdout", "stderr"} { // of the last command
		if text := ts.ReadFile(name); strings.Contains(text, token()[4:]) || strings.Contains(text, token()[:8]) {
			ts.Fatalf("%s holds the value", name)
		}
	}
}

// endless is a pipe that never holds more than a block.
type endless struct {
	text string // again and again
	at   int
	left int64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), e.left))
	for filled := 0; filled < n; {
		copied := copy(p[filled:n], e.text[e.at:])
		e.at = (e.at + copied) % len(e.text)
		filled += copied
	}
	e.left -= int64(n)
	return n, nil
}

func TestScanTakesConstantMemory(t *testing.T) {
	rules, err := dlp.Compile(dlp.Builtin(), dlp.Options{})
	require.NoError(t, err)
	for _, explained := range []bool{false, true} {
		allocated := func(size int64) (bytes, count int64) {
			var e *explainer
			if explained {
				e = &explainer{words: true, rules: rules, list: allowlist.New(), where: locate.NewText()}
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			n, err := scan(rules.NewStream(), &endless{`{"a":["harmless words"]}, `, 0, size}, io.Discard, newProgress(io.Discard, 0), e)
			runtime.ReadMemStats(&after)
			require.NoError(t, err)
			require.Zero(t, n)
			if explained {
				require.Regexp(t, "^body json text [0-9]{4,}", e.location(dlp.Finding{Start: size, End: size}))
			}
			return int64(after.TotalAlloc - before.TotalAlloc), int64(after.Mallocs - before.Mallocs)
		}
		allocated(1 << 20) // what is made once
		short, few := allocated(1 << 20)
		long, many := allocated(16 << 20)
		// Pools are emptied at times, and under the race detector at random: what
		// grows with the text takes megabytes, or more than one piece for a block.
		require.Less(t, long, short+(1<<20))
		require.Less(t, many, few+(15<<20)/(64<<10))
	}
}

// What scan prints for a request in a file silences the live filter there, also
// where the request is so long that its body flows; and nowhere else.
func TestWhatScanPrintsHoldsLive(t *testing.T) {
	dir := t.TempDir()
	filler := strings.Repeat(`{"role":"user","content":["harmless words, and more",{"n":[1,2,3]}]},`, 50_000)
	body := `{"model":"m","messages":[` + filler + `{"role":"tool","content":["","see ` + token() + `"]}]}`
	require.Greater(t, len(body), 3<<20)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "request.json"), []byte(body), 0o600))
	var said, complaints strings.Builder
	oneApp.Lock()
	code := stage.Run(t.Context(), app(), []string{"bottle-pipelock", "scan", "--explain", filepath.Join(dir, "request.json")}, strings.NewReader(""), &said, &complaints)
	oneApp.Unlock()
	require.Equal(t, 3, code, complaints.String())
	require.Contains(t, said.String(), "body json path messages[50000].content[1]\n")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "allow.toml"), []byte(entries(said.String())), 0o600))

	live := func(allowlist, body string) error {
		path := filepath.Join(dir, "pipelock.toml")
		require.NoError(t, os.WriteFile(path, []byte("allow = [\"origin.test\"]\n[dlp]\n"+allowlist), 0o600))
		var config filter.Config
		file, err := tomlfile.Read(path, &config)
		require.NoError(t, err)
		f, err := config.Filter(file)
		require.NoError(t, err)
		a, err := authority.ParseDefault("origin.test", 443)
		require.NoError(t, err)
		req := httptest.NewRequest("POST", "https://origin.test/", strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		req = forward.WithExchange(req, &forward.Exchange{Destination: a})
		require.NoError(t, f.Policy().Judge.ModifyRequest(req), "it is judged while it flows")
		_, err = io.Copy(io.Discard, req.Body)
		return err
	}
	const use = "allowlist = \"allow.toml\"\n"
	require.ErrorContains(t, live("", body), "gitlab-personal-token in body json path messages[50000].content[1] (")
	require.NoError(t, live(use, body))
	require.ErrorContains(t, live(use, strings.Replace(body, `"tool","content"`, `"tool","note"`, 1)), "in body json path messages[50000].note[1] (")
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestScanOfABrokenPipeIsAnError(t *testing.T) {
	code := stage.Run(context.Background(), app(), []string{"bottle-pipelock", "scan"}, broken{}, io.Discard, io.Discard)
	require.Equal(t, stage.ExitMisuse, code)
}
