package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"bottle/lib/dlp"
	"bottle/lib/stage"
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
	var b strings.Builder
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		if strings.Contains(line, " = ") || strings.HasPrefix(line, "[[") {
			b.WriteString(line)
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o600))
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
type endless struct{ left int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), e.left))
	for i := range n {
		p[i] = "harmless words, and no end of them.\n"[i%36]
	}
	e.left -= int64(n)
	return n, nil
}

func TestScanTakesConstantMemory(t *testing.T) {
	rules, err := dlp.Compile(dlp.Builtin(), dlp.Options{})
	require.NoError(t, err)
	allocated := func(size int64) float64 {
		return testing.AllocsPerRun(1, func() {
			n, err := scan(rules, &endless{size}, io.Discard, newProgress(io.Discard, 0), nil)
			require.NoError(t, err)
			require.Zero(t, n)
		})
	}
	small := allocated(1 << 20)
	require.LessOrEqual(t, allocated(64<<20), small+10)
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestScanOfABrokenPipeIsAnError(t *testing.T) {
	code := stage.Run(context.Background(), app(), []string{"bottle-pipelock", "scan"}, broken{}, io.Discard, io.Discard)
	require.Equal(t, stage.ExitMisuse, code)
}
