// Package knownsecret is about secrets that are named by where they are kept:
// in an environment variable, a private file, or behind a command. The filter
// looks for their values; the files that it is configured with never hold one.
//
//	[[known_secrets]]
//	name = "database"
//	env = "DATABASE_PASSWORD"        # or file = "…", or command = ["op", "read", "…"]
//
// # Limits
//
// A file or a command's output is one secret, as a whole: of a file with several
// in it, each wants a file of its own.
package knownsecret

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"bottle/lib/secret"
	"bottle/lib/secret/command"
	"bottle/lib/tomlfile"
)

// maxSize is the largest file or output, in bytes.
const maxSize = 64 << 10

// Source says where a secret is kept. Exactly one of Env, File and Command is
// set in one that [Check] has passed.
type Source struct {
	// Name stands in findings: letters, digits, '.', '_' and '-'.
	Name string `toml:"name"`
	// Env is a variable of the environment of the process that reads it.
	Env string `toml:"env"`
	// File is a private file, see [secret.ReadPrivateFile].
	File string `toml:"file"`
	// Command is a program and its arguments, run without a shell; its output is
	// the secret.
	Command []string `toml:"command"`
	// Timeout bounds the command; 0 means 30 s.
	Timeout time.Duration `toml:"timeout"`
}

var (
	namePattern     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	variablePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// egressPrefix begins the variables that hold egress's real credentials, which
// no other stage's environment has.
const egressPrefix = "EGRESS_TOKEN_"

// Check returns what is wrong with the sources that stand in f at the array of
// tables key.
func Check(f *tomlfile.File, key string, sources []Source) []*tomlfile.Error {
	var problems []*tomlfile.Error
	complain := func(at, format string, a ...any) *tomlfile.Error {
		e := f.Errorf(at, format, a...)
		problems = append(problems, e)
		return e
	}
	seen := map[string]int{}
	for i, s := range sources {
		at := tomlfile.Index(key, i)
		switch first, twice := seen[s.Name]; {
		case s.Name == "":
			complain(at+".name", "is missing").WithHint("it is how a refusal calls the secret")
		case !namePattern.MatchString(s.Name): // not quoted: it may be the secret itself
			complain(at+".name", "may hold up to 64 letters, digits, dots, hyphens and underscores")
		case twice:
			complain(at+".name", "%s is a name already, at line %d", s.Name, f.Line(tomlfile.Index(key, first)+".name"))
		}
		seen[s.Name] = i
		n := 0
		for _, set := range []bool{s.Env != "", s.File != "", s.Command != nil} {
			if set {
				n++
			}
		}
		if n != 1 {
			complain(at, "wants one of env, file and command").WithHint(`as in env = "DATABASE_PASSWORD" or command = ["op", "read", "…"]`)
			continue
		}
		switch {
		case s.Env != "" && !variablePattern.MatchString(s.Env):
			complain(at+".env", "must name a variable of the environment; the secret itself does not belong here")
		case strings.HasPrefix(s.Env, egressPrefix):
			complain(at+".env", "%s is egress's own; no other stage has it", s.Env)
		case s.Command != nil && (len(s.Command) == 0 || s.Command[0] == ""):
			complain(at+".command", "names no program").WithHint(`as in command = ["op", "read", "…"]`)
		}
		if s.Timeout < 0 {
			complain(at+".timeout", "must not be negative")
		}
		if s.Timeout != 0 && s.Command == nil {
			complain(at+".timeout", "has no effect without command")
		}
	}
	return problems
}

// Reader reads secrets.
type Reader struct {
	LookupEnv func(string) (string, bool)
	// Resolve makes the name of a file absolute; Dir is where commands run.
	Resolve func(string) string
	Dir     string
}

// Read returns the value of s, white space around it left out. The error says
// where the value should have come from and never what was there.
func (r Reader) Read(ctx context.Context, s Source) (secret.Value, error) {
	var text string
	switch {
	case s.Env != "":
		var ok bool
		if text, ok = r.LookupEnv(s.Env); !ok {
			return secret.Value{}, hinted{fmt.Errorf("environment variable %s is not set", s.Env), "export it, or take the secret from a file or command"}
		}
	case s.File != "":
		data, err := secret.ReadPrivateFile(r.Resolve(s.File), maxSize)
		if err != nil {
			return secret.Value{}, err
		}
		text = string(data)
	default:
		out, err := command.Output(ctx, s.Command, command.Options{Dir: r.Dir, Timeout: s.Timeout, Max: maxSize})
		if err != nil {
			return secret.Value{}, hinted{fmt.Errorf("command %s: %w", s.Command[0], err), "run the command by hand to see what it does"}
		}
		text = string(out)
	}
	v, err := secret.NewAny(strings.TrimSpace(text))
	if err != nil {
		return v, fmt.Errorf("%s: %w", s.origin(), err)
	}
	return v, nil
}

// origin says where s comes from, without a command's arguments, which may
// hold a secret.
func (s Source) origin() string {
	switch {
	case s.Env != "":
		return "environment variable " + s.Env
	case s.File != "":
		return "file " + s.File
	}
	return "command " + s.Command[0]
}

// hinted is an error that knows what to do about it.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error    { return h.error }
func (h hinted) HintText() string { return h.hint }
