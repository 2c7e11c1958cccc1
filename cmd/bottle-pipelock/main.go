// Bottle-pipelock is the filter at the way out: it knows which hosts an agent
// may reach, how often, and what must not leave.
//
// Usage:
//
//	bottle-pipelock --config pipelock.toml
//	bottle-pipelock check METHOD URL
//	bottle-pipelock scan [FILE|-]
//
// A host that is not in allow is refused before its name is resolved. Tunnels
// to hosts in tls_passthrough are relayed unread, once their TLS server name is
// seen to be that host; all others are terminated, and every request inside is
// judged: the URL, the headers, the body (also gzip, deflate, zstd and brotli)
// and WebSocket messages (also permessage-deflate). Addresses that are no place on
// the internet are not dialled. See bottle-routes(5) for the file.
//
// # Limits
//
// Base64, base32, hex and escapes are undone, three inside each other; what is
// encoded in another way passes unseen, and so does what is encrypted. A
// tunnel to a passthrough host counts as one request, whatever is in it.
package main

import (
	"github.com/urfave/cli/v2"

	"bottle/lib/filter"
	"bottle/lib/proxy"
	"bottle/lib/stage"
	"bottle/lib/tomlfile"
)

func main() { stage.Main(app()) }

func app() *cli.App {
	p := &proxy.Program{
		Name:   filter.Stage,
		Config: "pipelock.toml",
		Usage:  "let an agent's requests out to allowed hosts, without secrets",
		Description: `An empty allow list denies everything.

examples:
  bottle-pipelock --config .bottle/pipelock/pipelock.toml
  bottle-pipelock --config pipelock.toml check GET https://api.github.com/user`,
		Load:     load,
		Read:     read,
		Commands: []*cli.Command{scanCommand()},
	}
	return p.App()
}

func read(path string) (*tomlfile.File, *proxy.Settings, error) {
	var config filter.Config
	file, err := tomlfile.Read(path, &config)
	return file, &config.Settings, err
}

func load(_ *cli.Context, path string) (*proxy.Loaded, error) {
	var config filter.Config
	file, err := tomlfile.Read(path, &config)
	if err != nil {
		return nil, err
	}
	f, err := config.Filter(file)
	if err != nil {
		return nil, err
	}
	return &proxy.Loaded{File: file, Settings: &config.Settings, Policy: f.Policy(), Explain: f.Explain, Intercepts: config.Intercepts(), Memory: f.Memory()}, nil
}
