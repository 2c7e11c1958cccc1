package proxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"bottle/lib/forward"
	"bottle/lib/refusal"
	"bottle/lib/stage"
	"bottle/lib/tomlfile"
)

// Program is one of the two proxies.
type Program struct {
	// Name is the binary's, and the stage's in Proxy-Status; Config the file it
	// reads unless told otherwise.
	Name, Config string
	// Usage says in one clause what it does; Description ends its help.
	Usage, Description string
	// Flags are its own, beside the shared ones.
	Flags []cli.Flag
	// Commands are its own, beside check.
	Commands []*cli.Command
	// Load reads the configuration file at path and makes the policy. It is
	// called at the start and at each reload, and must leave the old policy
	// working if it fails.
	Load func(c *cli.Context, path string) (*Loaded, error)
	// Read reads the file at path alone, and nothing that it names.
	Read func(path string) (*tomlfile.File, *Settings, error)
}

// Loaded is a configuration that was read and understood.
type Loaded struct {
	File     *tomlfile.File
	Settings *Settings
	Policy   *forward.Policy
	// Explain, unless nil, says more about a rule that a refusal names, as names
	// and texts.
	Explain func(rule string) [][2]string
	// Intercepts says whether the policy terminates TLS anywhere, for which it
	// needs a CA.
	Intercepts bool
	// Memory is how many bytes the policy may take at most for what it judges, by
	// which the process's memory is limited.
	Memory int64
	// Follow, unless nil, begins whatever goes on beside the requests while the
	// configuration is in force, and Close ends it. A check calls neither.
	Follow func(forward.Config, *slog.Logger)
	Close  func() error

	config forward.Config
}

func (l *Loaded) follow(log *slog.Logger) {
	if l.Follow != nil {
		l.Follow(l.config, log)
	}
}

func (l *Loaded) close(log *slog.Logger) {
	if l.Close == nil {
		return
	}
	if err := l.Close(); err != nil {
		log.Warn("the old configuration did not end well", "err", err)
	}
}

type overrides struct {
	listen, nextHop, auditLog string
	nextHopSet                bool
	upstreamCA, connectTo     []string
}

// App returns the program's command line.
func (p *Program) App() *cli.App {
	app := stage.NewApp(p.Name, p.Usage)
	app.UsageText = p.Name + " [options]\n" + p.Name + " check [options] METHOD URL"
	for _, cmd := range p.Commands {
		app.UsageText += "\n" + cmd.UsageText
	}
	app.Description = p.Description
	app.Flags = append(p.flags(), p.Flags...)
	app.Action = p.serve
	app.Commands = append([]*cli.Command{p.check()}, p.Commands...)
	return app
}

func (p *Program) flags() []cli.Flag {
	env := func(name string) []string { return stage.Env(p.Name, name) }
	return []cli.Flag{
		&cli.StringFlag{Name: "config", Value: p.Config, Usage: "read the configuration from `FILE`", EnvVars: env("config")},
		&cli.StringFlag{Name: "listen", Usage: "accept clients on `ADDRESS`: 127.0.0.1:PORT or unix:PATH", EnvVars: env("listen")},
		&cli.StringFlag{Name: "next-hop", Usage: "connect through the proxy at `URL`: http://host:port or unix:PATH", EnvVars: env("next-hop")},
		&cli.StringSliceFlag{Name: "upstream-ca", Usage: "trust the roots in `FILE` upstream, beside the system's (repeatable)", EnvVars: env("upstream-ca")},
		&cli.StringSliceFlag{Name: "connect-to", Usage: "dial the second host and port in place of the first, `HOST1:PORT1:HOST2:PORT2`, as curl does (repeatable)", EnvVars: env("connect-to")},
		&cli.StringFlag{Name: "audit-log", Usage: "append one JSON line per decision to `FILE`", EnvVars: env("audit-log")},
		&cli.StringFlag{Name: "har", Usage: "record what passes into `FILE`, credentials replaced by fingerprints", EnvVars: env("har")},
		&cli.Int64Flag{Name: "har-limit", Value: 64, Usage: "record no more than `MIB` into the file of --har", EnvVars: env("har-limit")},
		&cli.StringFlag{Name: "trace", Usage: "print the records of the request `ID` in both stages from the audit log, and exit", EnvVars: env("trace")},
		&cli.StringSliceFlag{Name: "trace-log", Usage: "with --trace, read the audit log `FILE` in place of the configuration's (repeatable)", EnvVars: env("trace-log")},
		&cli.StringFlag{Name: "ready-file", Usage: "write the bound address to `FILE` once serving", EnvVars: env("ready-file")},
		&cli.DurationFlag{Name: "drain-timeout", Value: defaultDrain, Usage: "let requests under way end for `TIME` on SIGTERM", EnvVars: env("drain-timeout")},
		&cli.BoolFlag{Name: "allow-remote", Usage: "permit a listen address that other machines can reach", EnvVars: env("allow-remote")},
		&cli.StringFlag{Name: "log-format", Value: "text", Usage: "log as `FORMAT`: text or json", EnvVars: env("log-format")},
		&cli.StringFlag{Name: "log-level", Value: "info", Usage: "log from `LEVEL` on: debug, info, warn or error", EnvVars: env("log-level")},
	}
}

func overridesOf(c *cli.Context) overrides {
	return overrides{
		listen: c.String("listen"), nextHop: c.String("next-hop"), nextHopSet: c.IsSet("next-hop"), auditLog: c.String("audit-log"),
		upstreamCA: c.StringSlice("upstream-ca"), connectTo: c.StringSlice("connect-to"),
	}
}

// unreadable is the misuse of a configuration that could not be read.
func unreadable(c *cli.Context, err error) error {
	if errors.Is(err, fs.ErrNotExist) && !c.IsSet("config") {
		err = stage.Hint(err, "write one with bottle-prepare, or name it with --config")
	}
	return stage.Misuse(err)
}

// load reads everything that a reload replaces.
func (p *Program) load(c *cli.Context) (*Loaded, forward.Config, error) {
	l, err := p.Load(c, c.String("config"))
	if err != nil {
		return nil, forward.Config{}, unreadable(c, err)
	}
	o := overridesOf(c)
	l.Settings.override(o)
	config, err := l.Settings.engineConfig(l.File, o, l.Intercepts)
	if err != nil {
		return nil, forward.Config{}, stage.Misuse(err)
	}
	config.Policy = l.Policy
	l.config = config
	return l, config, nil
}

func newLogger(c *cli.Context) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.String("log-level"))); err != nil {
		return nil, stage.Misuse(fmt.Errorf("--log-level %q: want debug, info, warn or error", c.String("log-level")))
	}
	o := &slog.HandlerOptions{Level: level}
	switch c.String("log-format") {
	case "text":
		return slog.New(slog.NewTextHandler(c.App.ErrWriter, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(c.App.ErrWriter, o)), nil
	}
	return nil, stage.Misuse(fmt.Errorf("--log-format %q: want text or json", c.String("log-format")))
}

// Answer is what check prints as JSON.
type Answer struct {
	Decision   string `json:"decision"` // allow or refuse
	Host       string `json:"host"`
	Route      string `json:"route,omitempty"`
	Treatment  string `json:"treatment,omitempty"`
	Credential string `json:"credential,omitempty"` // real or none
	Source     string `json:"source,omitempty"`     // of the real one
	Expires    string `json:"expires,omitempty"`    // RFC 3339; of the real one, if it says
	Answers    string `json:"answers,omitempty"`    // redacted or unchanged, where a credential goes on
	Code       string `json:"code,omitempty"`
	Status     int    `json:"status,omitempty"`
	Message    string `json:"message,omitempty"`
	// OnMatch is what becomes of a secret, Matches those that were found in a
	// request that goes on.
	OnMatch string  `json:"on_match,omitempty"` // block, redact or log
	Matches []Match `json:"matches,omitempty"`

	// Of what a refusal is for: never the value.
	Rule        string `json:"rule,omitempty"`
	Location    string `json:"location,omitempty"`
	Sample      string `json:"sample,omitempty"`
	Encoding    string `json:"encoding,omitempty"`     // what was undone to see it
	RuleMatches string `json:"rule_matches,omitempty"` // what the rule matches
	RuleSource  string `json:"rule_source,omitempty"`  // that says so
	RuleCheck   string `json:"rule_check,omitempty"`   // that was passed
}

// Match is a secret in a request that goes on.
type Match struct {
	Rule     string `json:"rule"`
	Location string `json:"location"`
	Sample   string `json:"sample"`
	Action   string `json:"action"`
}

func (p *Program) check() *cli.Command {
	return &cli.Command{
		Name:      "check",
		Usage:     "say what would become of a request, sending nothing",
		UsageText: p.Name + " check [--header 'NAME: VALUE']... [--format text|json] METHOD URL",
		Description: `Asks the same policy that decides live traffic. Exit status: 0 allowed, 3 refused.

examples:
  ` + p.Name + ` --config ` + p.Config + ` check GET https://api.github.com/repos/acme/x
  ` + p.Name + ` check --format json POST https://chatgpt.com/backend-api/codex/responses`,
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "header", Usage: "give the request a header, `'NAME: VALUE'` (repeatable)"},
			&cli.StringFlag{Name: "format", Value: "text", Usage: "print as `FORMAT`: text or json"},
		},
		Action: p.runCheck,
	}
}

func (p *Program) runCheck(c *cli.Context) error {
	if c.NArg() != 2 {
		return stage.Misuse(stage.Hint(errors.New("check: want METHOD and URL"), "see "+p.Name+" check --help"))
	}
	if f := c.String("format"); f != "text" && f != "json" {
		return stage.Misuse(fmt.Errorf("check: --format %q: want text or json", f))
	}
	l, _, err := p.load(c)
	if err != nil {
		return err
	}
	scheme, a, err := ParseDestination(c.Args().Get(1))
	if err != nil {
		return stage.Misuse(fmt.Errorf("check: %w", err))
	}
	req, err := http.NewRequest(c.Args().Get(0), c.Args().Get(1), nil)
	if err != nil {
		return stage.Misuse(fmt.Errorf("check: %w", err))
	}
	for _, h := range c.StringSlice("header") {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return stage.Misuse(errors.New("check: --header: want 'NAME: VALUE'"))
		}
		req.Header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	x, v := forward.Check(l.Policy, req, a, scheme)
	ans := Answer{Decision: "allow", Host: a.String(), Route: v.Route, Credential: x.Credential, Source: x.CredentialSource, OnMatch: x.OnMatch}
	if !x.CredentialExpiry.IsZero() {
		ans.Expires = x.CredentialExpiry.UTC().Format(time.RFC3339)
	}
	switch {
	case x.Redacts:
		ans.Answers = "redacted"
	case x.Credential == forward.CredentialReal:
		ans.Answers = "unchanged"
	}
	for _, m := range x.Matches() {
		ans.Matches = append(ans.Matches, Match{m.Rule, m.Location, m.Sample, m.Action})
	}
	if scheme == "https" {
		ans.Treatment = v.Treatment.String()
	}
	if r := v.Refusal; r != nil {
		ans.Decision, ans.Treatment = "refuse", ""
		ans.Code, ans.Status, ans.Message = string(r.Code), r.HTTPStatus(), r.Message
		ans.Rule, ans.Location, ans.Sample, ans.Encoding = r.Rule, r.Location, r.Sample, r.Encoding
		if r.Rule != "" && l.Explain != nil {
			for _, pair := range l.Explain(r.Rule) {
				switch pair[0] {
				case "matches":
					ans.RuleMatches = pair[1]
				case "source":
					ans.RuleSource = pair[1]
				case "check":
					ans.RuleCheck = pair[1]
				}
			}
		}
		if refusal.Lookup(r.Code).Policy && x.RefusalStatus != 0 {
			ans.Status = x.RefusalStatus
		}
	}
	if c.String("format") == "json" {
		if err := json.NewEncoder(c.App.Writer).Encode(ans); err != nil {
			return err
		}
	} else {
		ans.print(c)
	}
	if v.Refusal != nil {
		return stage.Refused(fmt.Errorf("check: refused: %s", v.Refusal.Message))
	}
	return nil
}

func (a Answer) print(c *cli.Context) {
	for _, line := range [][2]string{
		{"decision", a.Decision}, {"host", a.Host}, {"route", a.Route}, {"treatment", a.Treatment}, {"credential", a.Credential},
		{"source", a.Source}, {"expires", a.Expires}, {"answers", a.Answers}, {"on match", a.OnMatch}, {"code", a.Code},
		{"rule", a.Rule}, {"location", a.Location}, {"sample", a.Sample}, {"undone", a.Encoding}, {"matches", a.RuleMatches}, {"rule source", a.RuleSource}, {"check", a.RuleCheck},
	} {
		if line[1] != "" {
			fmt.Fprintf(c.App.Writer, "%-11s %s\n", line[0]+":", line[1])
		}
	}
	for _, m := range a.Matches {
		fmt.Fprintf(c.App.Writer, "%-11s %s: %s in %s (%s)\n", "match:", m.Action, m.Rule, m.Location, m.Sample)
	}
	if a.Status != 0 {
		fmt.Fprintf(c.App.Writer, "%-11s %d\n", "status:", a.Status)
	}
}
