package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// code N PROGRAM ARGS...: the exit code is N.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N program args...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	var ee *exec.ExitError
	if errors.As(err, &ee) {
		got = ee.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

// tree lists every name below dir with its mode, and its content if wanted.
func tree(ts *testscript.TestScript, dir string, content bool) string {
	var lines []string
	ts.Check(filepath.WalkDir(ts.MkAbs(dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(ts.MkAbs(dir), path)
		line := st.Mode().String() + " " + rel
		if content && st.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += "\n" + string(data)
		}
		lines = append(lines, line)
		return nil
	}))
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

// modes DIR writes the names and modes below DIR to the file "modes".
func modes(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs("modes"), []byte(tree(ts, args[0], false)), 0o600))
}

// snapshot DIR FILE writes names, modes and content below DIR to FILE.
func snapshot(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(tree(ts, args[0], true)), 0o600))
}

// nosecret PATH...: no file at or below the paths holds a real credential: a
// token of the scripts, or one of the login that the host has now. With ! each
// holds one.
func noSecret(ts *testscript.TestScript, neg bool, args []string) {
	secrets := []string{token("one"), token("two")}
	var login struct {
		Tokens map[string]string `json:"tokens"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(".codex/auth.json")), &login))
	for _, name := range []string{"id_token", "access_token", "refresh_token"} {
		if login.Tokens[name] == "" {
			ts.Fatalf("the login has no %s", name)
		}
		secrets = append(secrets, login.Tokens[name])
	}
	for _, arg := range args {
		text := tree(ts, arg, true)
		has := slices.ContainsFunc(secrets, func(s string) bool { return strings.Contains(text, s) })
		if has != neg {
			ts.Fatalf("%s: a real credential is in it: %v", arg, has)
		}
	}
}
