// Package command runs a program that prints a secret, such as a password
// manager's, and hands over what it printed.
//
//	out, err := command.Output(ctx, []string{"op", "read", "op://work/key"}, command.Options{})
//	v, err := secret.NewTrimmed(string(out))
//
// # Limits
//
// The program is the operator's and runs with the operator's rights: nothing
// confines it. What it prints is in this process's memory, as any secret is.
package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
	"unicode"
)

// The defaults of [Options].
const (
	DefaultTimeout = 30 * time.Second
	DefaultMax     = 64 << 10
)

// Options bound a run. The zero value means the defaults.
type Options struct {
	// Dir is the directory to run in; "" is this process's.
	Dir string
	// Env is the environment, as in [exec.Cmd]; nil is this process's.
	Env []string
	// Timeout bounds the run; 0 means [DefaultTimeout].
	Timeout time.Duration
	// Max is how many bytes it may print; 0 means [DefaultMax].
	Max int
}

// Output runs words[0] with the other words as its arguments, without a shell
// and with an empty standard input, and returns what it printed. A run that
// fails, takes too long or prints too much is an error. What the program said on
// stderr is part of the error, in one line and cut to 1 KiB; its output never
// is. A child that it leaves behind does not hold the caller for more than a
// second.
func Output(ctx context.Context, words []string, o Options) ([]byte, error) {
	if len(words) == 0 || words[0] == "" {
		return nil, errors.New("no command given")
	}
	timeout, max := cmp.Or(o.Timeout, DefaultTimeout), cmp.Or(o.Max, DefaultMax)
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %v", timeout))
	defer cancel()
	stdout, stderr := capped{max: max}, capped{max: 1 << 10}
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Dir, cmd.Env = o.Dir, o.Env
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// Pipes that a child of the command holds open must not hold us.
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		if said := printable(stderr.text); said != "" {
			return nil, fmt.Errorf("%w; it said: %s", err, said)
		}
		return nil, err
	}
	if stdout.cut {
		return nil, fmt.Errorf("printed more than %d bytes", max)
	}
	return stdout.text, nil
}

// capped keeps the first max bytes written to it.
type capped struct {
	text []byte
	max  int
	cut  bool
}

func (c *capped) Write(p []byte) (int, error) {
	room := c.max - len(c.text)
	c.cut = c.cut || len(p) > room
	c.text = append(c.text, p[:min(room, len(p))]...)
	return len(p), nil
}

// printable makes one line of what a program said, without terminal controls.
func printable(text []byte) string {
	s := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsPrint(r):
			return r
		}
		return -1
	}, strings.ToValidUTF8(string(text), ""))
	return strings.Join(strings.Fields(s), " ")
}
