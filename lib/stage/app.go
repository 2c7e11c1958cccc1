// Package stage is what the four programs share, so that a flag, an exit code
// or a message has one spelling: help, version, errors, hints and exit codes.
//
// stdout carries data only; all talk goes to stderr as
//
//	bottle-egress: read egress.toml: no such file
//	hint: write one with bottle-prepare, or name it with --config
package stage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"
)

// Exit codes, the same in every program.
const (
	ExitDone    = 0 // done
	ExitFailed  = 1 // failed at run time
	ExitMisuse  = 2 // misuse, bad config or bad input file
	ExitRefused = 3 // refused by policy (check, scan)
)

type exitError struct {
	err  error
	code int
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// Misuse marks err as one that exits with [ExitMisuse]. nil stays nil.
func Misuse(err error) error { return exit(err, ExitMisuse) }

// Refused marks err as one that exits with [ExitRefused]. nil stays nil.
func Refused(err error) error { return exit(err, ExitRefused) }

func exit(err error, code int) error {
	if err == nil {
		return nil
	}
	return &exitError{err, code}
}

// Hinter is implemented by errors that know what the operator can do.
type Hinter interface{ HintText() string }

type hintError struct {
	error
	hint string
}

func (e *hintError) HintText() string { return e.hint }
func (e *hintError) Unwrap() error    { return e.error }

// Hint adds to err what the operator can do about it; it is printed on a line
// of its own. nil stays nil.
func Hint(err error, hint string) error {
	if err == nil {
		return nil
	}
	return &hintError{err, hint}
}

// Env names the environment variable of a program's flag:
// Env("bottle-egress", "next-hop") is BOTTLE_EGRESS_NEXT_HOP.
func Env(program, flag string) []string {
	return []string{strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(program + "_" + flag))}
}

const helpTemplate = `{{.Name}}: {{.Usage}}

usage:
  {{if .UsageText}}{{.UsageText | nindent 2 | trim}}{{else}}{{.HelpName}} [options]{{end}}
{{if .VisibleCommands}}
commands:{{range .VisibleCommands}}
  {{join .Names ", "}}{{"\t"}}{{.Usage}}{{end}}
{{end}}{{if .VisibleFlags}}
options:{{range .VisibleFlags}}
  {{.}}{{end}}
{{end}}{{if .Description}}
{{.Description}}
{{end}}`

const commandTemplate = `{{.HelpName}}: {{.Usage}}

usage:
  {{if .UsageText}}{{.UsageText | nindent 2 | trim}}{{else}}{{.HelpName}} [options]{{end}}
{{if .VisibleFlags}}
options:{{range .VisibleFlags}}
  {{.}}{{end}}
{{end}}{{if .Description}}
{{.Description}}
{{end}}`

// NewApp returns a command-line app with the family's help, version and error
// behaviour. program is its name, usage what it does in one clause.
func NewApp(program, usage string) *cli.App {
	return &cli.App{
		Name:                      program,
		HelpName:                  program,
		Usage:                     usage,
		Version:                   Version(),
		EnableBashCompletion:      true,
		HideHelpCommand:           true,
		CustomAppHelpTemplate:     helpTemplate,
		DisableSliceFlagSeparator: true,
		// Errors are printed and turned into an exit code in one place, Run.
		ExitErrHandler: func(*cli.Context, error) {},
	}
}

// Version is the module version, or the commit that the binary was built from.
func Version() string {
	bi, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := bi.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	var rev, dirty string
	for _, s := range bi.Settings {
		switch s.Key {
		case "vcs.revision":
			rev = s.Value
		case "vcs.modified":
			if s.Value == "true" {
				dirty = "-dirty"
			}
		}
	}
	if len(rev) > 12 {
		rev = rev[:12]
	}
	if rev == "" {
		return "devel"
	}
	return "devel-" + rev + dirty
}

// Main is the whole of a program's main function: it runs app on the process's
// own arguments and streams and exits. SIGINT and SIGTERM cancel the context
// that commands get (cli.Context.Context); a second one ends the process at
// once.
func Main(app *cli.App) {
	ctx, stop := signalContext()
	code := Run(ctx, app, os.Args, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// signalContext is cancelled by the first SIGINT or SIGTERM; the second has
// its default effect, which ends the process.
func signalContext() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// Run runs app and returns its exit code. Errors go to stderr in the family's
// form. It does not touch the process's own streams or exit.
func Run(ctx context.Context, app *cli.App, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	app.Reader, app.Writer, app.ErrWriter = stdin, stdout, stderr
	setUsageErrors(app)
	err := app.RunContext(ctx, args)
	if err == nil {
		return ExitDone
	}
	PrintError(stderr, app.Name, err)
	var ee *exitError
	if errors.As(err, &ee) {
		return ee.code
	}
	return ExitFailed
}

// setUsageErrors makes misuse one line and a pointer to --help, instead of the
// library's full help on stdout, for the app and every command.
func setUsageErrors(app *cli.App) {
	onUsage := func(c *cli.Context, err error, _ bool) error {
		name := c.App.Name
		if c.Command != nil && c.Command.Name != "" && c.Command.Name != name {
			name += " " + c.Command.Name
		}
		return Misuse(Hint(err, "see "+name+" --help"))
	}
	app.OnUsageError = onUsage
	if app.Action != nil {
		action := app.Action
		app.Action = func(c *cli.Context) error {
			if c.NArg() > 0 && len(app.Commands) > 0 {
				return Misuse(Hint(fmt.Errorf("unknown command %q", c.Args().First()), "see "+app.Name+" --help"))
			}
			return action(c)
		}
	} else {
		app.Action = func(c *cli.Context) error {
			if c.NArg() > 0 {
				return Misuse(Hint(fmt.Errorf("unknown command %q", c.Args().First()), "see "+app.Name+" --help"))
			}
			return Misuse(Hint(errors.New("no command given"), "see "+app.Name+" --help"))
		}
	}
	for _, cmd := range app.Commands {
		cmd.OnUsageError = onUsage
		cmd.HideHelpCommand = true
		if cmd.CustomHelpTemplate == "" {
			cmd.CustomHelpTemplate = commandTemplate
		}
	}
}

// PrintError writes err to w as "program: text", its hint on a second line.
// Joined errors get a line each.
func PrintError(w io.Writer, program string, err error) {
	for _, line := range strings.Split(err.Error(), "\n") {
		fmt.Fprintf(w, "%s: %s\n", program, line)
	}
	for _, h := range hints(err) {
		fmt.Fprintf(w, "hint: %s\n", h)
	}
}

// hints collects the outermost hint on every branch of err.
func hints(err error) []string {
	var out []string
	seen := map[string]bool{}
	var walk func(error)
	walk = func(e error) {
		if h, ok := e.(Hinter); ok && h.HintText() != "" {
			if t := h.HintText(); !seen[t] {
				seen[t] = true
				out = append(out, t)
			}
			return
		}
		switch u := e.(type) {
		case interface{ Unwrap() error }:
			if inner := u.Unwrap(); inner != nil {
				walk(inner)
			}
		case interface{ Unwrap() []error }:
			for _, inner := range u.Unwrap() {
				walk(inner)
			}
		}
	}
	walk(err)
	return out
}
