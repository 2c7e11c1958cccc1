// Bench measures the stages against going direct and against two well-known
// intercepting proxies, in one run on one machine.
//
//	bench [--bin DIR] [--markdown] [--quick] [--measures LIST] [--variants LIST]
//
// Every variant is a real process, or a chain of them: bottle-egress and
// bottle-pipelock from --bin, and this program again as the origin and as the
// peers. A measure goes through all variants in each round, starting with
// another one each time, so that noise on the machine hits all alike. Figures
// are medians over the rounds; ratios and differences are formed in each round
// before their median is taken. The scanner is measured beside the library of
// gitleaks, for speed and on the corpus of scripts/corpus.
//
// The table and the verdicts go to stdout, progress to stderr. The exit code
// is 1 if something could not be measured, and with --strict also if a target
// was not reached.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

type options struct {
	bin       string
	rounds    int
	duration  time.Duration
	megabytes int
	body      int
	tunnels   int
	measures  []string // nil: all
	scans     []string // of these the scanner's
	variants  []string
	markdown  bool
	h2        bool
	audit     bool
	strict    bool
	keep      bool
	quick     bool
	misses    bool
}

func main() {
	var err error
	role, args := "", os.Args[1:]
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		role, args = args[0], args[1:]
	}
	switch role {
	case "":
		err = bench(args)
	case "origin":
		err = runOrigin(args)
	case "martian":
		err = runPeer(args, serveMartian)
	case "goproxy":
		err = runPeer(args, serveGoproxy)
	default:
		err = fmt.Errorf("no helper %q", role)
	}
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	var o options
	var measures, variants string
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.StringVar(&o.bin, "bin", "bin", "`folder` with bottle-egress and bottle-pipelock")
	fs.IntVar(&o.rounds, "rounds", 5, "rounds of each measure")
	fs.DurationVar(&o.duration, "duration", time.Second, "length of a round of the timed measures")
	fs.IntVar(&o.megabytes, "megabytes", 100, "size of the transfers in MB")
	fs.IntVar(&o.body, "body", 1000, "size in MB of the body whose memory is measured")
	fs.IntVar(&o.tunnels, "tunnels", 1000, "number of idle tunnels")
	fs.StringVar(&measures, "measures", "", "comma-separated `list` of measures (default all)")
	fs.StringVar(&variants, "variants", "", "semicolon-separated `list` of columns (default all)")
	fs.BoolVar(&o.markdown, "markdown", false, "print Markdown")
	fs.BoolVar(&o.h2, "h2", true, "let the origin offer HTTP/2")
	fs.BoolVar(&o.audit, "audit", true, "let the stages write their audit log")
	fs.BoolVar(&o.strict, "strict", false, "exit 1 if a target was not reached")
	fs.BoolVar(&o.keep, "keep", false, "keep the temporary folder")
	fs.BoolVar(&o.quick, "quick", false, "one short, small round: proves that the bench works, and nothing else")
	fs.BoolVar(&o.misses, "misses", false, "name what gitleaks misses, too")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if o.quick {
		o.rounds, o.duration, o.megabytes, o.body, o.tunnels = 1, 100*time.Millisecond, 10, 50, 200
	}
	if o.rounds < 1 || o.duration <= 0 || o.megabytes < 1 || o.body < 1 || o.tunnels < 1 {
		return o, errors.New("rounds, duration and sizes must be positive")
	}
	o.scans = []string{scanSpeed, scanCorpus}
	if measures != "" {
		o.measures, o.scans = []string{}, nil
		for _, name := range split(measures, ",") {
			if name == scanSpeed || name == scanCorpus {
				o.scans = append(o.scans, name)
			} else {
				o.measures = append(o.measures, name)
			}
		}
	}
	o.variants = split(variants, ";")
	return o, nil
}

func split(list, by string) []string {
	if list == "" {
		return nil
	}
	items := strings.Split(list, by)
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}

func bench(args []string) (err error) {
	o, err := parse(args)
	if err != nil {
		return err
	}
	load, _, _ := strings.Cut(firstLine("/proc/loadavg"), " ")
	dir, err := os.MkdirTemp("", "bottle-bench-")
	if err != nil {
		return err
	}
	if o.keep {
		fmt.Fprintf(os.Stderr, "bench: keeping %s\n", dir)
	} else {
		defer os.RemoveAll(dir)
	}
	w, err := newWorld(dir, o)
	if err != nil {
		return err
	}
	defer w.stop()
	interrupt := make(chan os.Signal, 1)
	signal.Notify(interrupt, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(interrupt)

	names, r, problems, err := run(w, o, interrupt)
	if err != nil {
		return err
	}
	var scored bytes.Buffer
	if err := scan(&scored, o, r); err != nil {
		problems = append(problems, err.Error())
	}
	missed := report(os.Stdout, o, load, names, r, scored.String(), problems)
	switch {
	case len(problems) > 0:
		return fmt.Errorf("%d measurements failed", len(problems))
	case o.strict && missed > 0:
		return fmt.Errorf("%d targets not reached", missed)
	}
	return nil
}

func report(w io.Writer, o options, load string, names []string, r results, scored string, problems []string) (missed int) {
	writeMachine(w, o, load)
	if len(names) > 0 {
		fmt.Fprint(w, "\nMedians; in parentheses the ratio to direct, or with a sign the difference.\n\n")
		writeTable(w, o, names, r)
	}
	fmt.Fprintln(w)
	fmt.Fprint(w, scored)
	missed = writeGoals(w, o, r)
	for _, p := range problems {
		fmt.Fprintf(w, "\nfailed: %s\n", p)
	}
	return missed
}
