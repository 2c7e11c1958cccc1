package stage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v2"
)

func testApp() *cli.App {
	app := NewApp("bottle-test", "does nothing")
	app.Flags = []cli.Flag{&cli.StringFlag{Name: "config", EnvVars: Env("bottle-test", "config")}}
	app.Commands = []*cli.Command{{
		Name: "do", Usage: "does it", Flags: []cli.Flag{&cli.IntFlag{Name: "n"}},
		Action: func(c *cli.Context) error {
			switch c.Int("n") {
			case 1:
				return errors.New("do it: broke")
			case 2:
				return Misuse(Hint(errors.New("read x: bad"), "mend x"))
			case 3:
				return fmt.Errorf("check: %w", Refused(errors.New("no")))
			}
			fmt.Fprintln(c.App.Writer, "done", c.String("config"))
			return nil
		},
	}}
	return app
}

func run(args ...string) (int, string, string) {
	var out, errs bytes.Buffer
	code := Run(context.Background(), testApp(), append([]string{"bottle-test"}, args...), strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

func TestExitCodesAndStreams(t *testing.T) {
	for _, tc := range []struct {
		args   []string
		code   int
		stdout string
		stderr string
	}{
		{[]string{"do"}, 0, "done \n", ""},
		{[]string{"do", "--n", "1"}, 1, "", "bottle-test: do it: broke\n"},
		{[]string{"do", "--n", "2"}, 2, "", "bottle-test: read x: bad\nhint: mend x\n"},
		{[]string{"do", "--n", "3"}, 3, "", "bottle-test: check: no\n"},
		{[]string{"do", "--m", "3"}, 2, "", "bottle-test: flag provided but not defined: -m\nhint: see bottle-test do --help\n"},
		{[]string{"--bad"}, 2, "", "bottle-test: flag provided but not defined: -bad\nhint: see bottle-test --help\n"},
		{[]string{"dx"}, 2, "", "bottle-test: unknown command \"dx\"\nhint: see bottle-test --help\n"},
		{nil, 2, "", "bottle-test: no command given\nhint: see bottle-test --help\n"},
	} {
		code, stdout, stderr := run(tc.args...)
		require.Equal(t, tc.code, code, "%v", tc.args)
		require.Equal(t, tc.stdout, stdout, "%v", tc.args)
		require.Equal(t, tc.stderr, stderr, "%v", tc.args)
	}
}

func TestEveryFlagHasAnEnvironmentVariable(t *testing.T) {
	t.Setenv("BOTTLE_TEST_CONFIG", "from-env")
	_, stdout, _ := run("do")
	require.Equal(t, "done from-env\n", stdout)
	_, stdout, _ = run("--config", "from-flag", "do")
	require.Equal(t, "done from-flag\n", stdout)
}

func TestHelpAndVersionGoToStdout(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"do", "--help"}, {"--version"}} {
		code, stdout, stderr := run(args...)
		require.Equal(t, 0, code)
		require.NotEmpty(t, stdout)
		require.Empty(t, stderr)
	}
}

func TestHintsOfJoinedErrorsAreAllPrinted(t *testing.T) {
	var out bytes.Buffer
	PrintError(&out, "p", errors.Join(Hint(errors.New("a"), "do a"), fmt.Errorf("x: %w", Hint(errors.New("b"), "do b"))))
	require.Equal(t, "p: a\np: x: b\nhint: do a\nhint: do b\n", out.String())
}
