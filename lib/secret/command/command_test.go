package command

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOutput(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name  string
		words []string
		o     Options
		want  string
		err   string
	}{
		{"prints", []string{"printf", "a b"}, Options{}, "a b", ""},
		{"no shell", []string{"printf", "%s", "$HOME; id"}, Options{}, "$HOME; id", ""},
		{"directory", []string{"sh", "-c", "pwd -P"}, Options{Dir: dir}, dir + "\n", ""},
		{"environment", []string{"/bin/sh", "-c", "echo $ONLY"}, Options{Env: []string{"ONLY=this"}}, "this\n", ""},
		{"fails", []string{"sh", "-c", "echo out; echo 'not signed\tin\033[31m' >&2; exit 3"}, Options{}, "", "exit status 3; it said: not signed in[31m"},
		{"says too much", []string{"sh", "-c", "yes | head -c 9000 >&2; exit 1"}, Options{}, "", "exit status 1; it said: " + strings.TrimSpace(strings.Repeat("y ", 512))},
		{"prints too much", []string{"sh", "-c", "yes | head -c 100"}, Options{Max: 99}, "", "printed more than 99 bytes"},
		{"takes too long", []string{"sleep", "60"}, Options{Timeout: 20 * time.Millisecond}, "", "no answer within 20ms"},
		{"is missing", []string{"/nowhere/op"}, Options{}, "", "fork/exec /nowhere/op: no such file or directory"},
		{"is none", nil, Options{}, "", "no command given"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := Output(context.Background(), c.words, c.o)
			if c.err != "" {
				require.EqualError(t, err, c.err)
				require.Empty(t, out)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, string(out))
		})
	}
}

func TestOutputEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Output(ctx, []string{"sleep", "60"}, Options{})
	require.ErrorIs(t, err, context.Canceled)
}
