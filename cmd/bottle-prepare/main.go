// Bottle-prepare makes a bottle's folder from bottle.toml: the settings of both
// stages, their CAs, the real credentials for egress, and the agent's
// environment with the dummy login.
//
//	bottle-prepare [--manifest bottle.toml] [--dir .bottle] [--dry-run [--format text|json]]
//	bottle-prepare agent-env --proxy URL
//
// Everything is read and checked before the first file is written. Exit code 2
// means that the manifest, the login or a secret is not right and nothing was
// touched; 1, that reading was fine and writing was not.
//
// stdout stays empty, but for a dry run: there the plan is the data. What was
// done is said on stderr, one line a file, with paths and purposes, no values.
//
// Limits: a token_ref that changes on the host reaches egress with the next run
// of this program, not by itself; a login does not need one.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"bottle/lib/manifest"
	"bottle/lib/plan"
	"bottle/lib/stage"
)

const program = "bottle-prepare"

func main() { stage.Main(app()) }

func app() *cli.App {
	a := stage.NewApp(program, "make a bottle's folder from bottle.toml")
	a.UsageText = program + " [--manifest FILE] [--dir DIR] [--dry-run [--format text|json]]\n" +
		program + " agent-env --proxy URL [--manifest FILE] [--dir DIR]"
	a.Description = `Run it again whenever bottle.toml, a secret or the host's login changes: what
still fits is kept. Nothing is written unless everything can be.

examples:
  bottle-prepare --dry-run
  bottle-prepare --manifest work.toml --dir ~/.bottles/work`
	a.Flags = append(folderFlags(),
		&cli.BoolFlag{Name: "dry-run", Usage: "show what would be written; read secrets, run no commands", EnvVars: stage.Env(program, "dry-run")},
		&cli.StringFlag{Name: "format", Value: "text", Usage: "show a dry run as `text|json`", EnvVars: stage.Env(program, "format")})
	a.Action = prepare
	a.Commands = []*cli.Command{{
		Name:      "agent-env",
		Usage:     "put the proxy's address into agent.env, once its port is known",
		UsageText: program + " agent-env --proxy URL [--manifest FILE] [--dir DIR]",
		Description: `Needed where the first stage listens on port 0 or a socket. Variables that
bottle.toml sets itself stay.

examples:
  bottle-prepare agent-env --proxy http://$(cat .bottle/run/egress.addr)
  bottle-prepare agent-env --dir ~/.bottles/work --proxy http://127.0.0.1:40123`,
		Flags: append(folderFlags(),
			&cli.StringFlag{Name: "proxy", Usage: "the agent's proxy is `URL`: http://host:port", EnvVars: stage.Env(program, "proxy")}),
		Action: agentEnv,
	}}
	return a
}

func folderFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "manifest", Value: "bottle.toml", Usage: "the bottle is described in `FILE`", EnvVars: stage.Env(program, "manifest")},
		&cli.StringFlag{Name: "dir", Value: ".bottle", Usage: "the bottle's folder is `DIR`", EnvVars: append([]string{"BOTTLE_DIR"}, stage.Env(program, "dir")...)},
	}
}

// flag returns a flag that may stand before or after the command's name.
func flag(c *cli.Context, name string) string {
	for _, l := range c.Lineage() {
		if l.IsSet(name) {
			return l.String(name)
		}
	}
	return c.String(name)
}

func prepare(c *cli.Context) error {
	dry, format := c.Bool("dry-run"), c.String("format")
	switch {
	case c.NArg() > 0:
		return stage.Misuse(stage.Hint(fmt.Errorf("unexpected argument %q", c.Args().First()), "see "+program+" --help"))
	case format != "text" && format != "json":
		return stage.Misuse(fmt.Errorf("--format %q: want text or json", format))
	case c.IsSet("format") && !dry:
		return stage.Misuse(errors.New("--format is for --dry-run"))
	}
	m, err := manifest.Read(flag(c, "manifest"))
	if err != nil {
		return stage.Misuse(err)
	}
	p, err := plan.New(c.Context, m, plan.Options{Dir: flag(c, "dir"), LookupEnv: os.LookupEnv, SkipCommands: dry})
	if err != nil && c.Context.Err() != nil {
		return err // interrupted; nothing was wrong with the input
	}
	if err != nil {
		return stage.Misuse(err)
	}
	if dry {
		if format == "json" {
			return printJSON(c.App.Writer, p)
		}
		return printText(c, c.App.Writer, "would write", m, p)
	}
	if err := p.Write(); err != nil {
		return err
	}
	return printText(c, c.App.ErrWriter, "wrote", m, p)
}

func agentEnv(c *cli.Context) error {
	if c.NArg() > 0 || c.String("proxy") == "" {
		return stage.Misuse(stage.Hint(errors.New("agent-env takes the proxy's address"), "add --proxy http://host:port"))
	}
	m, err := manifest.Read(flag(c, "manifest"))
	if err != nil {
		return stage.Misuse(err)
	}
	dir, err := filepath.Abs(flag(c, "dir"))
	if err != nil {
		return err
	}
	if err := plan.StampProxy(dir, m, c.String("proxy")); err != nil {
		return stage.Misuse(err)
	}
	return nil
}
