package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"bottle/lib/hostauth/throwaway"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){program: main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			return os.Mkdir(filepath.Join(env.WorkDir, "home"), 0o700)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"hostlogin":    hostlogin,
			"claudelogin":  claudelogin,
			"mode":         mode,
			"only":         only,
			"sharesnoneof": sharesNoneOf,
		},
	})
}

// hostlogin FILE [LIFE] writes a throwaway host login, mode 0600, whose access
// token expires after LIFE (default 240h).
func hostlogin(ts *testscript.TestScript, neg bool, args []string) {
	life := 240 * time.Hour
	if len(args) > 1 {
		var err error
		life, err = time.ParseDuration(args[1])
		ts.Check(err)
	}
	path := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o700))
	login := throwaway.Codex{Seed: "script", Expiry: time.Now().Add(life), Account: "account-of-nobody", Plan: "business"}
	ts.Check(os.WriteFile(path, login.JSON(), 0o600))
}

// claudelogin FILE [LIFE] is hostlogin for Claude Code; LIFE is 8h by default.
func claudelogin(ts *testscript.TestScript, neg bool, args []string) {
	life := 8 * time.Hour
	if len(args) > 1 {
		var err error
		life, err = time.ParseDuration(args[1])
		ts.Check(err)
	}
	path := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o700))
	ts.Check(os.WriteFile(path, throwaway.Claude{Seed: "script", Expiry: time.Now().Add(life)}.JSON(), 0o600))
}

// mode FILE PERM checks the permission bits of a file.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	st, err := os.Lstat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", st.Mode().Perm()); got != args[1] {
		ts.Fatalf("%s has mode %s, want %s", args[0], got, args[1])
	}
}

// only DIR NAME... checks that a folder holds these names and no other: no
// temporary file is left.
func only(ts *testscript.TestScript, neg bool, args []string) {
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if fmt.Sprint(names) != fmt.Sprint(args[1:]) {
		ts.Fatalf("%s holds %v, want %v", args[0], names, args[1:])
	}
}

// sharesnoneof FILE OUTPUT... checks that no output (a file, stdout, stderr)
// has twelve characters in a row of a token of the login in FILE. Twelve, as
// talk and JSON may hold short words; the mint's own tests look at six.
func sharesNoneOf(ts *testscript.TestScript, neg bool, args []string) {
	for _, token := range tokensOf(ts.ReadFile(args[0])) {
		for _, out := range args[1:] {
			if piece := sharedPiece(ts.ReadFile(out), token, 12); piece != "" {
				ts.Fatalf("%s has %q of a token", out, piece)
			}
		}
	}
}
