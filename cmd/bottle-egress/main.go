// Bottle-egress is the proxy that an agent's requests leave its machine
// through: it strips the dummy login and whatever else could be a credential,
// and puts the operator's real one on, for the hosts that have a route.
//
// Usage:
//
//	bottle-egress --config egress.toml [--env-file egress.env]
//	bottle-egress check METHOD URL
//
// The configuration names hosts, methods, paths and the environment variable
// of each route's token; the values come from --env-file (mode 0600) or the
// process's environment, and are in no other file. The proxy listens where
// listen or --listen says, writes the address to --ready-file once it serves,
// reloads on SIGHUP (a bad file keeps the old configuration) and drains on
// SIGTERM.
//
// A host without a route is refused, and so is every request that cannot be
// read in exactly one way. See bottle-routes(5) for the file.
//
// # Limits
//
// A token is read at the start and on SIGHUP; a login that rotates in between
// needs one. An agent that may read this process's memory or its files has the
// real credential: run it as another user, or the agent in a sandbox.
package main

import (
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"bottle/lib/inject"
	"bottle/lib/proxy"
	"bottle/lib/stage"
	"bottle/lib/tomlfile"
)

const program = "bottle-egress"

func main() { stage.Main(app()) }

func app() *cli.App {
	p := &proxy.Program{
		Name:   program,
		Config: "egress.toml",
		Usage:  "put the real credential on an agent's requests",
		Description: `A host without a route is refused. Tokens come from --env-file or the
environment, by the names that the routes give.

examples:
  bottle-egress --config .bottle/egress/egress.toml --env-file .bottle/egress/egress.env
  bottle-egress --config egress.toml check GET https://api.github.com/user`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "env-file", Usage: "read the tokens from `FILE` of NAME=value lines, mode 0600", EnvVars: stage.Env(program, "env-file")},
		},
		Load: load,
	}
	return p.App()
}

func load(c *cli.Context, path string) (*proxy.Loaded, error) {
	var config inject.Config
	file, err := tomlfile.Read(path, &config)
	if err != nil {
		return nil, err
	}
	env := map[string]string{}
	if name := c.String("env-file"); name != "" {
		if env, err = inject.LoadEnvFile(name); err != nil {
			return nil, fmt.Errorf("--env-file: %w", err)
		}
	}
	routes, err := config.Routes(file, func(name string) (string, bool) {
		// The file was named for this; a variable may be left over from anywhere.
		if v, ok := env[name]; ok {
			return v, true
		}
		return os.LookupEnv(name)
	})
	if err != nil {
		return nil, err
	}
	return &proxy.Loaded{File: file, Settings: &config.Settings, Policy: routes.Policy(), Intercepts: true}, nil
}
