package clienttest

import (
	"os"
	"path/filepath"
	"testing"
)

// versions are the clients that scripts/codex locks.
var versions = []string{"0.135", "0.169"}

const skipped = "\n*** SKIPPED: no real client was run. %s is not set; scripts/e2e sets it. ***\n"

// client returns the path of a Codex, or skips.
func client(t *testing.T, version string) string {
	t.Helper()
	dir := os.Getenv("BOTTLE_E2E_CODEX")
	if dir == "" {
		t.Skipf(skipped, "BOTTLE_E2E_CODEX")
	}
	return installed(t, filepath.Join(dir, "codex-"+version, "vendor", "x86_64-unknown-linux-musl", "bin", "codex"))
}

// program returns the path of one of bottle's programs, or skips.
func program(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("BOTTLE_E2E_PROGRAMS")
	if dir == "" {
		t.Skipf(skipped, "BOTTLE_E2E_PROGRAMS")
	}
	return installed(t, filepath.Join(dir, name))
}

// installed fails where a variable is set and what it promises is not there:
// a broken installation must not pass for a missing one.
func installed(t *testing.T, path string) string {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: scripts/e2e puts it there", err)
	}
	return path
}

// perVersion runs test once for each client, side by side.
func perVersion(t *testing.T, test func(t *testing.T, version string)) {
	t.Helper()
	t.Parallel()
	for _, v := range versions {
		t.Run(v, func(t *testing.T) {
			t.Parallel()
			test(t, v)
		})
	}
}
