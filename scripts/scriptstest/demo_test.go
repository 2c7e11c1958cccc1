package scriptstest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/providertest"
)

func fingerprint(token string) string { return providertest.Fingerprint(token) }

func demo(t *testing.T, root string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	c := exec.CommandContext(ctx, filepath.Join(root, "scripts", "demo"))
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir()}
	return finish(t, c)
}

func TestDemoShowsAndChecks(t *testing.T) {
	t.Parallel()
	o := demo(t, root)
	require.Zero(t, o.code, "%s%s", o.stdout, o.stderr)
	require.LessOrEqual(t, strings.Count(o.stdout, "\n"), 60)
	require.NotContains(t, o.stdout, "WRONG")
	for _, text := range []string{"CODEX_HOME", "dummy:   yes", "request body contains secret", "no_route", "not this bottle's dummy", "scripts/bottle run -- codex"} {
		require.Contains(t, o.stdout, text)
	}
}

// A demonstration that cannot fail shows nothing.
func TestDemoFailsWhereTheBottleLeaks(t *testing.T) {
	t.Parallel()
	for name, lines := range map[string]string{
		"the real token in the agent's hands": `cat "$out/../bottle/egress/egress.env" >"$out/found"`,
		"an answer that never came":           `: >"$out/answer"`,
		"events held back":                    `seq 400000 -100000 0 >"$out/delays"`,
		"a secret that got out":               `env -i curl -sS --insecure "https://$(cat "$out/../address")/v1/notes" >/dev/null`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			require.NoError(t, os.CopyFS(dir, os.DirFS(root)))
			agent := filepath.Join(dir, "scripts", "demo-agent")
			f, err := os.OpenFile(agent, os.O_APPEND|os.O_WRONLY, 0)
			require.NoError(t, err)
			_, err = f.WriteString(lines + "\n")
			require.NoError(t, err)
			require.NoError(t, f.Close())
			o := demo(t, dir)
			require.Equal(t, 1, o.code, "%s%s", o.stdout, o.stderr)
			require.Contains(t, o.stdout, "WRONG")
		})
	}
}
