package main

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"bottle/lib/hostauth/throwaway"
	"bottle/lib/secret"
	"bottle/lib/stage"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"bottle-prepare": func() { stage.Main(app()) },
		"sign-in":        signIn,
		"put-token":      putToken,
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			roots := filepath.Join(e.WorkDir, "system-roots.pem")
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("SSL_CERT_FILE", roots)
			e.Setenv("TOKEN", token("one"))
			return os.WriteFile(roots, []byte("# none here\n"), 0o644)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": code, "modes": modes, "snapshot": snapshot, "nosecret": noSecret,
		},
	})
}

// token makes a secret that no literal in this repository looks like.
func token(seed string) string { return "token-" + secret.SHA256(seed)[:32] }

// sign-in SEED [HOURS]: the host gets a Codex login that is valid for HOURS.
func signIn() {
	hours := 240
	if len(os.Args) > 2 {
		hours, _ = strconv.Atoi(os.Args[2])
	}
	login := throwaway.Codex{Seed: os.Args[1], Expiry: time.Now().Add(time.Duration(hours) * time.Hour)}
	must(os.MkdirAll(".codex", 0o700))
	must(os.WriteFile(".codex/auth.json", login.JSON(), 0o600))
}

// put-token SEED FILE: the file gets a secret, for its owner alone.
func putToken() { must(os.WriteFile(os.Args[2], []byte(token(os.Args[1])+"\n"), 0o600)) }

func must(err error) {
	if err != nil {
		panic(err)
	}
}
