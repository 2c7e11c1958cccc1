package main

import (
	"errors"
	"fmt"
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
	app.UsageText = "bottle-mintauth codex|claude [--in FILE|-] [--out FILE|-] [--min-ttl 10m]\nbottle-mintauth inspect [--format text|json] [FILE|-]"
	app.Description = `The host's login is read, never changed. The dummy has its account, plan and
expiry, and no credential.

examples:
  bottle-mintauth codex --out agent/codex/auth.json
  bottle-mintauth codex | bottle-mintauth inspect -`
	for _, k := range kinds {
		app.Commands = append(app.Commands, k.command())
	}
	app.Commands = append(app.Commands, []*cli.Command{
		{
			Name:      "inspect",
			Usage:     "say what a login is and when it expires; prints no token",
			UsageText: "bottle-mintauth inspect [options] [FILE|-]",
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "format", EnvVars: stage.Env(program, "format"), Value: "text", Usage: "`FORMAT` of the answer, text or json"},
			},
			Description: `FILE is found like that of bottle-mintauth codex unless it is named. Its
content says whose login it is.

examples:
  bottle-mintauth inspect
  bottle-mintauth inspect --format json .bottle/agent/codex/auth.json`,
			Action: inspect,
		},
	}...)
	return app
}

// command is the subcommand that mints the dummy of one kind of login.
func (k kind) command() *cli.Command {
	return &cli.Command{
		Name:      k.name,
		Usage:     "mint the dummy of a " + k.client + " login",
		UsageText: "bottle-mintauth " + k.name + " [options]",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "in", EnvVars: stage.Env(program, "in"), Usage: "read the host's login from `FILE`, - is stdin", DefaultText: k.where},
			&cli.StringFlag{Name: "out", EnvVars: stage.Env(program, "out"), Value: "-", Usage: "write the dummy to `FILE`, mode 0600, - is stdout"},
			&cli.DurationFlag{Name: "min-ttl", EnvVars: stage.Env(program, "min-ttl"), Value: hostauth.DefaultMinTTL, Usage: "refuse a login that expires within `DURATION`"},
		},
		Description: fmt.Sprintf(`examples:
  bottle-mintauth %[1]s --out %[2]s
  bottle-mintauth %[1]s --min-ttl 2h | bottle-mintauth inspect -`, k.name, k.out),
		Action: k.mintLogin,
	}
}

func (k kind) mintLogin(c *cli.Context) error {
	if c.NArg() > 0 {
		return stage.Misuse(stage.Hint(fmt.Errorf("%s: unexpected argument %q", k.name, c.Args().First()), "name the login with --in, and the dummy with --out"))
	}
	ttl := c.Duration("min-ttl")
	if ttl < 0 {
		return stage.Misuse(fmt.Errorf("%s: --min-ttl %s is negative", k.name, ttl))
	}
	host, source, err := k.read(c, c.String("in"))
	if err != nil {
		return stage.Misuse(err)
	}
	err = host.CheckExpiry(time.Now(), ttl)
	if errors.Is(err, hostauth.ErrNearExpiry) {
		err = stage.Hint(err, "a lower --min-ttl accepts it; to have a new one now, sign in again on the host with "+k.signIn)
	}
	if err != nil {
		return stage.Misuse(err)
	}
	dummy, err := host.mint(dummyauth.NewSeed())
	switch {
	case errors.Is(err, dummyauth.ErrIsDummy):
		err = stage.Hint(err, "name the host's own login with --in; "+k.home+" may point into a bottle")
	case errors.Is(err, dummyauth.ErrShared):
		err = stage.Hint(err, "check that this is "+k.client+"'s own "+k.file+", or sign in again with "+k.signIn)
	}
	if err != nil {
		return stage.Misuse(err)
	}
	if out := c.String("out"); out != "-" {
		return writeDummy(out, dummy, source)
	}
	_, err = c.App.Writer.Write(dummy)
	return err
}
