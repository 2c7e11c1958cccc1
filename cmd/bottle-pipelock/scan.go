package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"os"

	"github.com/urfave/cli/v2"

	"bottle/lib/allowlist"
	"bottle/lib/dlp"
	"bottle/lib/filter"
	"bottle/lib/locate"
	"bottle/lib/stage"
	"bottle/lib/tomlfile"
)

// scanCommand is the filter's scanner for a file or a pipe.
func scanCommand() *cli.Command {
	return &cli.Command{
		Name:      "scan",
		Usage:     "look for secrets in a file or in standard input",
		UsageText: filter.Stage + " scan [--type TYPE] [--rules FILE] [--explain] [--allowlist FILE] [FILE|-]",
		Description: `Prints one line of JSON for each secret: the rule, the byte range, what was undone
to see it (base64, percent, json, ...) and a masked sample, never the value.
Reads a stream of any size in constant memory. With --config before scan, the
rules and known secrets of that file are looked for as well, and its allowlist
holds. Exit status: 0 none found, 3 some found, 2 the input or the rules cannot
be read.

examples:
  git diff | ` + filter.Stage + ` scan
  ` + filter.Stage + ` scan --rules .gitleaks.toml dump.sql
  ` + filter.Stage + ` --config pipelock.toml scan --explain request.json`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "type", Usage: "read the input as the body of a request with the Content-Type `TYPE`: fields of a form, parts of a multipart body", EnvVars: stage.Env(filter.Stage, "scan-type")},
			&cli.StringFlag{Name: "rules", Usage: "use the rules in `FILE`, in gitleaks' format, beside the built-in ones", EnvVars: stage.Env(filter.Stage, "scan-rules")},
			&cli.BoolFlag{Name: "explain", Usage: "say in words why each is taken for a secret, and what to add to an allowlist if it is none"},
			&cli.StringFlag{Name: "allowlist", Usage: "leave out what the allowlist in `FILE` silences, instead of that in the configuration; with --explain: use its key", EnvVars: stage.Env(filter.Stage, "scan-allowlist")},
		},
		Action: runScan,
	}
}

// hit is a line of scan's output.
type hit struct {
	Rule     string `json:"rule"`
	Start    int64  `json:"start"`              // byte range in the input
	End      int64  `json:"end"`                // one past the last
	Encoding string `json:"encoding,omitempty"` // what was undone, the outermost first, joined by ">"
	Sample   string `json:"sample"`
}

func runScan(c *cli.Context) error {
	if c.NArg() > 1 {
		return stage.Misuse(stage.Hint(errors.New("scan: want one FILE or -"), "see "+filter.Stage+" scan --help"))
	}
	kind := c.String("type")
	if _, _, err := mime.ParseMediaType(kind); kind != "" && err != nil {
		return stage.Misuse(stage.Hint(fmt.Errorf("--type %q: %w", kind, err), "give a Content-Type as a request has it, such as application/x-www-form-urlencoded"))
	}
	rules, explain, err := scanSettings(c)
	if err != nil {
		return stage.Misuse(err)
	}
	in, size := c.App.Reader, int64(0)
	if name := c.Args().First(); name != "" && name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return stage.Misuse(fmt.Errorf("scan: %w", err))
		}
		defer f.Close()
		if st, err := f.Stat(); err == nil {
			size = st.Size()
		}
		in = f
	}
	p := newProgress(c.App.ErrWriter, size)
	n, err := scan(filter.NewStream(rules, kind), in, c.App.Writer, p, explain)
	p.end()
	switch {
	case err != nil:
		return stage.Misuse(fmt.Errorf("scan: %w", err))
	case n == 1:
		return stage.Refused(errors.New("scan: 1 secret found"))
	case n > 0:
		return stage.Refused(fmt.Errorf("scan: %d secrets found", n))
	}
	return nil
}

// scanSettings returns the rules to scan with, and what explains its findings,
// nil without --explain and an allowlist.
func scanSettings(c *cli.Context) (*dlp.Rules, *explainer, error) {
	about, allow := dlp.Builtin(), c.String("allowlist")
	if c.IsSet("config") {
		var config filter.Config
		file, err := tomlfile.Read(c.String("config"), &config)
		if err != nil {
			return nil, nil, err
		}
		if about, err = config.ScanRules(file); err != nil {
			return nil, nil, err
		}
		if allow == "" && config.DLP.Allowlist != "" {
			allow = file.Resolve(config.DLP.Allowlist)
		}
	}
	if path := c.String("rules"); path != "" {
		more, err := dlp.ReadRules(path)
		if err != nil {
			return nil, nil, err
		}
		about = append(about, more...)
	}
	var explain *explainer
	var o dlp.Options
	if words := c.Bool("explain"); words || allow != "" {
		explain = &explainer{words: words, about: about, list: allowlist.New(), fresh: true, where: locate.NewBody(c.String("type"))}
		if allow != "" {
			list, err := allowlist.Read(allow)
			if err != nil {
				return nil, nil, err
			}
			explain.list, explain.fresh = list, false
		}
		o.Label = func(_ string, value []byte) string { return explain.list.Digest(value) }
	}
	rules, err := dlp.Compile(about, o)
	if explain != nil {
		explain.rules = rules
	}
	return rules, explain, err
}

// scan writes a line for each finding in r, or its explanation, and returns
// how many there are that no allowlist silences.
func scan(stream filter.Stream, r io.Reader, w io.Writer, p *progress, explain *explainer) (int, error) {
	out, n := json.NewEncoder(w), 0
	out.SetEscapeHTML(false)
	print := func(found []dlp.Finding) error {
		for _, f := range found {
			var err error
			allowed := explain.allows(f)
			switch {
			case explain != nil && explain.words:
				err = explain.print(w, f)
			case !allowed:
				err = out.Encode(hit{f.Rule, f.Start, f.End, f.Encoding, f.Sample})
			}
			if err != nil {
				return fmt.Errorf("write: %w", err)
			}
			if !allowed {
				n++
			}
		}
		return nil
	}
	chunk := make([]byte, 64<<10)
	for {
		got, err := r.Read(chunk)
		explain.take(chunk[:got])
		_, found := stream.Scan(chunk[:got])
		if werr := print(found); werr != nil {
			return n, werr
		}
		explain.settle(stream.Settled())
		p.add(got)
		if err == io.EOF {
			return n, print(stream.Finish())
		}
		if err != nil {
			return n, err
		}
	}
}
