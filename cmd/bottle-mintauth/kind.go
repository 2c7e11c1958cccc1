package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"bottle/lib/dummyauth"
	"bottle/lib/hostauth"
	"bottle/lib/secret"
)

// login is a login of any kind, as this program needs it.
type login interface {
	CheckExpiry(now time.Time, minTTL time.Duration) error
	mint(seed []byte) ([]byte, error)
	describe(now time.Time) description
}

// kind is a client whose login has a dummy.
type kind struct {
	name, client      string
	file, home, where string // of the host's login
	out               string // of the dummy, in examples
	signIn            string
	find              func(getenv func(string) string) (string, error)
	load              func(path string) (login, error)
	parse             func(data []byte) (login, error)
}

var kinds = []kind{
	{
		name: "codex", client: "Codex", file: "auth.json", home: "CODEX_HOME", where: "auth.json in $CODEX_HOME, then ~/.codex",
		out: "agent/codex/auth.json", signIn: `"codex login"`, find: hostauth.CodexPath,
		load: func(path string) (login, error) { c, err := hostauth.LoadCodex(path); return codex{c}, err },
		parse: func(data []byte) (login, error) {
			c, err := hostauth.ReadCodex(bytes.NewReader(data), stdin)
			return codex{c}, err
		},
	},
	{
		name: "claude", client: "Claude Code", file: ".credentials.json", home: "CLAUDE_CONFIG_DIR", where: ".credentials.json in $CLAUDE_CONFIG_DIR, then ~/.claude",
		out: "agent/claude/.credentials.json", signIn: "/login in claude", find: hostauth.ClaudePath,
		load: func(path string) (login, error) { c, err := hostauth.LoadClaude(path); return claude{c}, err },
		parse: func(data []byte) (login, error) {
			c, err := hostauth.ReadClaude(bytes.NewReader(data), stdin)
			return claude{c}, err
		},
	},
}

const stdin = "standard input"

// kindOf tells whose login data is. What is neither is taken for the first
// kind's, whose reader says what is wrong with it.
func kindOf(data []byte) kind {
	if _, err := hostauth.Field(data, "claudeAiOauth.accessToken"); err == nil {
		return kinds[1]
	}
	return kinds[0]
}

type codex struct{ *hostauth.Codex }

func (c codex) mint(seed []byte) ([]byte, error) {
	d, err := dummyauth.Mint(c.Codex, seed)
	if err != nil {
		return nil, err
	}
	return d.JSON(), nil
}

type claude struct{ *hostauth.Claude }

func (c claude) mint(seed []byte) ([]byte, error) {
	d, err := dummyauth.MintClaude(c.Claude, seed)
	if err != nil {
		return nil, err
	}
	return d.JSON(), nil
}

// read reads the login at path: - is standard input, empty is where the client
// keeps it. source describes the open or named file, nil if it is no file.
func (k kind) read(c *cli.Context, path string) (l login, source fs.FileInfo, err error) {
	if path == "-" {
		data, source, err := readInput(c)
		if err != nil {
			return nil, nil, err
		}
		l, err = k.parse(data)
		return l, source, err
	}
	if path == "" {
		if path, err = k.find(os.Getenv); err != nil {
			return nil, nil, err
		}
		if home := os.Getenv(k.home); home != "" && filepath.Dir(path) != filepath.Clean(home) {
			fmt.Fprintf(c.App.ErrWriter, "%s: no %s in %s, reading %s\n", program, k.file, home, path)
		}
	}
	if l, err = k.load(path); err != nil {
		return nil, nil, err
	}
	if source, err = os.Stat(path); err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", path, err)
	}
	return l, source, nil
}

// readInput reads standard input; a reader's own limit finds what is too much.
func readInput(c *cli.Context) (data []byte, source fs.FileInfo, err error) {
	if f, ok := c.App.Reader.(*os.File); ok {
		if source, err = f.Stat(); err != nil {
			return nil, nil, fmt.Errorf("read %s: %w", stdin, err)
		}
	}
	if data, err = io.ReadAll(io.LimitReader(c.App.Reader, hostauth.MaxSize+1)); err != nil {
		return nil, nil, &hostauth.Error{Name: stdin, Err: hostauth.ErrUnreadable, Cause: err}
	}
	return data, source, nil
}

// readAny reads a login whose kind its content tells.
func readAny(c *cli.Context, path string) (login, error) {
	switch path {
	case "":
		l, _, err := kinds[0].read(c, path)
		if !errors.Is(err, hostauth.ErrNoLogin) {
			return l, err
		}
		if other, _, otherErr := kinds[1].read(c, path); otherErr == nil {
			return other, nil
		}
		return nil, err
	case "-":
		data, _, err := readInput(c)
		if err != nil {
			return nil, err
		}
		return kindOf(data).parse(data)
	}
	return loadAny(path)
}

// loadAny reads the file at path once for its kind; what is wrong with it, the
// kind's own reader says.
func loadAny(path string) (login, error) {
	data, err := secret.ReadPrivateFile(path, hostauth.MaxSize)
	if err != nil {
		return kinds[0].load(path)
	}
	return kindOf(data).load(path)
}
