package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"bottle/lib/dummyauth"
	"bottle/lib/hostauth"
	"bottle/lib/stage"
)

const program = "bottle-mintauth"

func main() { stage.Main(newApp()) }

func newApp() *cli.App {
	app := stage.NewApp(program, "makes the dummy login that the agent in a bottle holds")
	app.UsageText = "bottle-mintauth codex [--in FILE|-] [--out FILE|-] [--min-ttl 10m]\nbottle-mintauth inspect [--format text|json] [FILE|-]"
	app.Description = `The host's login is read, never changed. The dummy has its account, plan and
expiry, and no credential.

examples:
  bottle-mintauth codex --out agent/codex/auth.json
  bottle-mintauth codex | bottle-mintauth inspect -`
	app.Commands = []*cli.Command{
		{
			Name:      "codex",
			Usage:     "mint the dummy of a Codex login",
			UsageText: "bottle-mintauth codex [options]",
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "in", EnvVars: stage.Env(program, "in"), Usage: "read the host's login from `FILE`, - is stdin", DefaultText: "auth.json in $CODEX_HOME, then ~/.codex"},
				&cli.StringFlag{Name: "out", EnvVars: stage.Env(program, "out"), Value: "-", Usage: "write the dummy to `FILE`, mode 0600, - is stdout"},
				&cli.DurationFlag{Name: "min-ttl", EnvVars: stage.Env(program, "min-ttl"), Value: hostauth.DefaultMinTTL, Usage: "refuse a login that expires within `DURATION`"},
			},
			Description: `examples:
  bottle-mintauth codex --out agent/codex/auth.json
  bottle-mintauth codex --min-ttl 2h | bottle-mintauth inspect -`,
			Action: mintCodex,
		},
		{
			Name:      "inspect",
			Usage:     "say what a login is and when it expires; prints no token",
			UsageText: "bottle-mintauth inspect [options] [FILE|-]",
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "format", EnvVars: stage.Env(program, "format"), Value: "text", Usage: "`FORMAT` of the answer, text or json"},
			},
			Description: `FILE is found like that of bottle-mintauth codex unless it is named.

examples:
  bottle-mintauth inspect
  bottle-mintauth inspect --format json .bottle/agent/codex/auth.json`,
			Action: inspect,
		},
	}
	return app
}

func mintCodex(c *cli.Context) error {
	if c.NArg() > 0 {
		return stage.Misuse(stage.Hint(fmt.Errorf("codex: unexpected argument %q", c.Args().First()), "name the login with --in, and the dummy with --out"))
	}
	ttl := c.Duration("min-ttl")
	if ttl < 0 {
		return stage.Misuse(fmt.Errorf("codex: --min-ttl %s is negative", ttl))
	}
	host, source, err := readLogin(c, c.String("in"))
	if err != nil {
		return stage.Misuse(err)
	}
	err = host.CheckExpiry(time.Now(), ttl)
	if errors.Is(err, hostauth.ErrNearExpiry) {
		err = stage.Hint(err, "a lower --min-ttl accepts it; to have a new one now, sign in again on the host with \"codex login\"")
	}
	if err != nil {
		return stage.Misuse(err)
	}
	dummy, err := dummyauth.Mint(host, dummyauth.NewSeed())
	switch {
	case errors.Is(err, dummyauth.ErrIsDummy):
		err = stage.Hint(err, "name the host's own login with --in; CODEX_HOME may point into a bottle")
	case errors.Is(err, dummyauth.ErrShared):
		err = stage.Hint(err, "check that this is codex's own auth.json, or sign in again with \"codex login\"")
	}
	if err != nil {
		return stage.Misuse(err)
	}
	if out := c.String("out"); out != "-" {
		return writeDummy(out, dummy.JSON(), source)
	}
	_, err = c.App.Writer.Write(dummy.JSON())
	return err
}

// readLogin reads the login at path: - is standard input, empty is where Codex
// keeps it. source describes the open or named file, nil if it is no file.
func readLogin(c *cli.Context, path string) (login *hostauth.Codex, source fs.FileInfo, err error) {
	if path == "-" {
		if f, ok := c.App.Reader.(*os.File); ok {
			if source, err = f.Stat(); err != nil {
				return nil, nil, fmt.Errorf("read standard input: %w", err)
			}
		}
		login, err = hostauth.ReadCodex(c.App.Reader, "standard input")
		return login, source, err
	}
	if path == "" {
		if path, err = hostauth.CodexPath(os.Getenv); err != nil {
			return nil, nil, err
		}
		if home := os.Getenv("CODEX_HOME"); home != "" && filepath.Dir(path) != filepath.Clean(home) {
			fmt.Fprintf(c.App.ErrWriter, "%s: no auth.json in %s, reading %s\n", program, home, path)
		}
	}
	if login, err = hostauth.LoadCodex(path); err != nil {
		return nil, nil, err
	}
	if source, err = os.Stat(path); err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", path, err)
	}
	return login, source, nil
}
