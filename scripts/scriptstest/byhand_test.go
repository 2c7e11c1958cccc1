package scriptstest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// byHand returns the lines of scripts/by-hand.sh after its heading.
func byHand(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../by-hand.sh")
	require.NoError(t, err)
	_, lines, ok := strings.Cut(string(data), "\n\n")
	require.True(t, ok)
	return lines
}

func TestReadmeShowsTheChainByHand(t *testing.T) {
	data, err := os.ReadFile("../../README.md")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("there is no README.md")
	}
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(data), "<!-- by-hand:begin -->\n```sh\n")
	require.True(t, ok, "README.md has no block that <!-- by-hand:begin --> announces")
	block, _, ok := strings.Cut(rest, "```\n<!-- by-hand:end -->")
	require.True(t, ok)
	require.Equal(t, byHand(t), block)
	require.LessOrEqual(t, strings.Count(block, "\n"), 10)
}

// The lines run as they stand, in each shell that is here, with a codex on PATH
// that asks the model by curl.
func TestChainByHandWorks(t *testing.T) {
	t.Parallel()
	const codex = `#!/bin/sh
token=$(tr -d '\n' <"$CODEX_HOME/auth.json" | sed 's/.*"access_token" *: *"\([^"]*\)".*/\1/')
account=$(tr -d '\n' <"$CODEX_HOME/auth.json" | sed 's/.*"account_id" *: *"\([^"]*\)".*/\1/')
echo "codex $*"
exec curl -sSf https://chatgpt.com/backend-api/codex/responses -H "Authorization: Bearer $token" \
	-H "chatgpt-account-id: $account" -H 'Content-Type: application/json' -d '{"input":[]}'
`
	for _, shell := range []string{"sh", "bash", "dash"} {
		t.Run(shell, func(t *testing.T) {
			if _, err := exec.LookPath(shell); err != nil {
				t.Skipf("there is no %s", shell)
			}
			// The lines take the ports from the manifest.
			w := newWorld(t, fmt.Sprintf(`egress.listen = "%s"`, freeAddress(t)), fmt.Sprintf(`pipelock.listen = "%s"`, freeAddress(t)))
			w.write(t, "codex", codex)
			require.NoError(t, os.Chmod(filepath.Join(w.dir, "codex"), 0o755))
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			c := exec.CommandContext(ctx, shell, "-c", byHand(t)+"wait\n")
			c.Dir = w.dir
			c.Env = append(slices.DeleteFunc(w.env, func(v string) bool { return strings.HasPrefix(v, "EGRESS_TOKEN_") }), "PATH="+w.dir+":"+filepath.Join(root, "bin")+":"+os.Getenv("PATH"))
			o := finish(t, c)
			require.Contains(t, o.stdout, "dummy:   yes", o.stderr)
			require.Contains(t, o.stdout, "codex exec say hello\n", o.stderr)
			require.Contains(t, o.stdout, "response.completed", o.stderr)
			records := w.provider.Records()
			require.Len(t, records, 1)
			require.Equal(t, fingerprint(w.provider.Token()), records[0].Bearer)
			require.Empty(t, processesOf(t, w.dir), "both stages are stopped")
		})
	}
}

// freeAddress is one that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}
