// Bottle-egress is the proxy that an agent's requests leave its machine
// through: it strips the dummy login and whatever else could be a credential,
// and puts the operator's real one on, for the hosts that have a route.
//
// Usage:
//
//	bottle-egress --config egress.toml [--env-file egress.env]
//	bottle-egress check METHOD URL
//
// The configuration names hosts, methods, paths and where each route's
// credential comes from: a variable of --env-file (mode 0600) or of the
// process's environment, a private file, a command, a systemd credential, or a
// login that a client keeps on the host. Files are followed: a credential that
// rotates is in force for the next request. The proxy listens where
// listen or --listen says, writes the address to --ready-file once it serves,
// reloads on SIGHUP (a bad file keeps the old configuration) and drains on
// SIGTERM.
//
// A host without a route is refused, and so is every request that cannot be
// read in exactly one way. See bottle-routes(5) for the file.
//
// # Limits
//
// A variable of the environment stays as it is until a restart. An agent that
// may read this process's memory or its files has the
// real credential: run it as another user, or the agent in a sandbox.
package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/urfave/cli/v2"

	"bottle/lib/forward"
	"bottle/lib/inject"
	"bottle/lib/proxy"
	"bottle/lib/renew"
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
		Description: `A host without a route is refused. Each route says where its credential comes
from; what changes there is in force for the next request.

examples:
  bottle-egress --config .bottle/egress/egress.toml --env-file .bottle/egress/egress.env
  bottle-egress --config egress.toml check GET https://api.github.com/user`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "env-file", Usage: "read the tokens from `FILE` of NAME=value lines, mode 0600", EnvVars: stage.Env(program, "env-file")},
		},
		Load: load,
		Read: read,
	}
	return p.App()
}

func read(path string) (*tomlfile.File, *proxy.Settings, error) {
	var config inject.Config
	file, err := tomlfile.Read(path, &config)
	return file, &config.Settings, err
}

func load(c *cli.Context, path string) (*proxy.Loaded, error) {
	var config inject.Config
	file, err := tomlfile.Read(path, &config)
	if err != nil {
		return nil, err
	}
	if config.EnvFile = c.String("env-file"); config.EnvFile != "" {
		if _, err := inject.LoadEnvFile(config.EnvFile); err != nil {
			return nil, fmt.Errorf("--env-file: %w", err)
		}
	}
	routes, err := config.Routes(file, os.LookupEnv)
	if err != nil {
		return nil, err
	}
	return &proxy.Loaded{
		File: file, Settings: &config.Settings, Policy: routes.Policy(), Intercepts: true,
		Memory: 256 << 20, // bodies that may be sent twice, and what is being sent
		Follow: func(c forward.Config, log *slog.Logger) {
			routes.Follow(log)
			routes.StartLogins(renew.Transport(c.Dialer.Dial, c.UpstreamRoots), log)
		},
		Close: routes.Close,
	}, nil
}
