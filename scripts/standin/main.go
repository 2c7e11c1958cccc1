// Standin runs the stand-in provider of bottle/lib/providertest as a program,
// for scripts and demonstrations: it writes its CA and a throw-away host login
// to files, serves until it is told to stop, and records what arrived.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"bottle/lib/hostauth/throwaway"
	"bottle/lib/providertest"
	"bottle/lib/secret"
	"bottle/lib/stage"
)

func main() { stage.Main(newApp()) }

func newApp() *cli.App {
	app := stage.NewApp("standin", "answer a Codex client as its provider would, on a loopback address")
	app.Flags = []cli.Flag{
		&cli.StringFlag{Name: "listen", Value: "127.0.0.1:0", Usage: "listen on `HOST:PORT`"},
		&cli.StringFlag{Name: "ready-file", Usage: "write the bound address to `FILE` once serving"},
		&cli.StringFlag{Name: "ca-out", Usage: "write the CA certificate to `FILE` (PEM)"},
		&cli.StringFlag{Name: "login-out", Usage: "write a throw-away host login to `FILE` (auth.json)"},
		&cli.StringFlag{Name: "record", Usage: "append a JSON line for each request to `FILE`"},
		&cli.StringFlag{Name: "mode", Value: "ws", Usage: "let the model answer by `TRANSPORT`: ws, ws-deflate or sse"},
		&cli.StringFlag{Name: "answer", Usage: "let the model say `TEXT`"},
		&cli.StringFlag{Name: "tool-command", Usage: "let the model ask for `COMMAND` to be run first"},
		&cli.IntFlag{Name: "unauthorized", Usage: "refuse the first `N` model requests with 401; -1: all"},
		&cli.StringFlag{Name: "token-endpoint", Value: "refresh", Usage: "answer a refresh with `WHAT`: refresh, refuse, hang, 500, html, malformed or lacking"},
		&cli.DurationFlag{Name: "refreshed-life", Value: 240 * time.Hour, Usage: "let a refreshed access token live for `TIME`"},
		&cli.StringFlag{Name: "workspace-origin", Usage: "let accounts/check name the origin `URL`, such as https://us.chatgpt.com"},
		&cli.StringFlag{Name: "seed", Usage: "make the login from `TEXT` instead of chance"},
		&cli.StringFlag{Name: "plan", Value: "pro", Usage: "write `PLAN` into the login"},
		&cli.DurationFlag{Name: "expires-in", Value: 240 * time.Hour, Usage: "let the login's access token end in `TIME`; negative: it has"},
	}
	app.Action = serve
	return app
}

func serve(c *cli.Context) (err error) {
	mode, err := providertest.ParseMode(c.String("mode"))
	if err != nil {
		return stage.Misuse(err)
	}
	endpoint, err := providertest.ParseTokenEndpoint(c.String("token-endpoint"))
	if err != nil {
		return stage.Misuse(err)
	}
	opts := providertest.Options{
		TokenEndpoint: endpoint, RefreshedLife: c.Duration("refreshed-life"),
		Listen: c.String("listen"), Mode: mode, Answer: c.String("answer"), ToolCommand: c.String("tool-command"),
		Unauthorized: c.Int("unauthorized"), WorkspaceOrigin: c.String("workspace-origin"),
		Login: throwaway.Codex{
			Seed: c.String("seed"), Plan: c.String("plan"),
			Expiry: time.Now().Add(c.Duration("expires-in")).Truncate(time.Second),
		},
	}
	if name := c.String("record"); name != "" {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		defer f.Close()
		opts.Record = f
	}
	s, err := providertest.Start(opts)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := s.Close(); err == nil {
			err = cerr
		}
	}()
	// The ready file comes last: whoever waits for it finds the others there.
	for _, out := range []struct {
		flag string
		data []byte
		perm os.FileMode
	}{
		{"ca-out", s.CAPEM(), 0o644},
		{"login-out", s.Login().JSON(), 0o600},
		{"ready-file", []byte(s.Addr() + "\n"), 0o644},
	} {
		if name := c.String(out.flag); name != "" {
			if err := secret.WriteFile(name, out.data, out.perm); err != nil {
				return err
			}
		}
	}
	fmt.Fprintf(c.App.ErrWriter, "standin: serving on %s, mode %s\n", s.Addr(), mode)
	<-c.Context.Done()
	return nil
}
