package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"github.com/zricethezav/gitleaks/v8/detect"
	"github.com/zricethezav/gitleaks/v8/logging"

	"bottle/lib/dlp"
	"bottle/scripts/corpus"
)

// The names of the scanner's measures, beside those of the proxies.
const (
	scanSpeed  = "scan-speed"
	scanCorpus = "scan-corpus"
)

const (
	ours   = "bottle"
	theirs = "gitleaks"

	// theirDepth is how many encodings gitleaks' own program undoes. Its library
	// undoes none unless it is told to, which is faster: so is its speed taken,
	// and the score with what it can do.
	theirDepth = 5
	// piece is how the filter reads a body.
	piece = 32 << 10
)

// scan makes the scanner's measurements that o names: the speeds go to r, the
// tables to w.
func scan(w io.Writer, o options, r results) error {
	if len(o.scans) == 0 {
		return nil
	}
	s, err := newScanners()
	if err != nil {
		return err
	}
	if slices.Contains(o.scans, scanSpeed) {
		if err := s.speeds(o, r); err != nil {
			return fmt.Errorf("%s: %w", scanSpeed, err)
		}
		writeSpeeds(w, o, r)
	}
	if slices.Contains(o.scans, scanCorpus) {
		if err := s.score(context.Background(), w, o); err != nil {
			return fmt.Errorf("%s: %w", scanCorpus, err)
		}
	}
	return nil
}

// scanners are ours with all rules and decoders, and the library of gitleaks
// with its own.
type scanners struct {
	rules   *dlp.Rules
	fast    *detect.Detector // as the library makes it
	decodes *detect.Detector
}

func newScanners() (*scanners, error) {
	rules, err := dlp.Compile(dlp.Builtin(), dlp.Options{})
	if err != nil {
		return nil, err
	}
	logging.Logger = zerolog.Nop()
	s := &scanners{rules: rules}
	for _, d := range []**detect.Detector{&s.fast, &s.decodes} {
		if *d, err = detect.NewDetectorDefaultConfig(); err != nil {
			return nil, fmt.Errorf("gitleaks: %w", err)
		}
	}
	s.decodes.MaxDecodeDepth = theirDepth
	return s, nil
}

// speeds measures what both take for the same text, in turns. The unit is
// processor time of this process, so that other work on the machine and a
// scanner's garbage collection count where they belong.
func (s *scanners) speeds(o options, r results) error {
	size := 512 << 10
	if o.quick {
		size = 256 << 10
	}
	stream := s.rules.NewStream()
	for _, sample := range corpus.Samples(11, size) {
		for round := range o.rounds {
			fmt.Fprintf(os.Stderr, "bench: %s, %s, round %d of %d\n", scanSpeed, sample.Name, round+1, o.rounds)
			var took [2]float64
			for i := range 2 {
				which := (i + round) % 2
				scan := func() error { return scanStream(stream, sample.Text) }
				if which == 1 {
					scan = func() error { s.fast.DetectBytes(sample.Text); return nil }
				}
				perScan, err := processorTime(o.duration/2, scan)
				if err != nil {
					return fmt.Errorf("%s: %w", sample.Name, err)
				}
				took[which] = float64(len(sample.Text)) / 1e6 / perScan.Seconds()
			}
			r.add(sample.Name, ours, round, took[0])
			r.add(sample.Name, theirs, round, took[1])
		}
	}
	request := corpus.Turn(12, 4_500)
	for round := range o.rounds {
		perScan, err := processorTime(o.duration/2, func() error { return scanWhole(s.rules, request) })
		if err != nil {
			return err
		}
		theirTime, err := processorTime(o.duration/2, func() error { s.fast.DetectBytes(request); return nil })
		if err != nil {
			return err
		}
		// Per 8 KiB, as turns are made of whole messages.
		part := 8192 / float64(len(request))
		r.add(small, ours, round, microseconds(perScan)*part)
		r.add(small, theirs, round, microseconds(theirTime)*part)
		r.add(allocations, ours, round, allocationsOf(func() { scanWhole(s.rules, request) }))
		r.add(allocations, theirs, round, allocationsOf(func() { s.fast.DetectBytes(request) }))
	}
	return nil
}

const (
	small       = "8 KB JSON request"
	allocations = "allocations per 8 KB request"
)

var errFound = errors.New("a harmless text has findings")

func scanStream(s *dlp.Stream, text []byte) error {
	s.Reset()
	for len(text) > 0 {
		n := min(piece, len(text))
		if _, found := s.Scan(text[:n]); len(found) > 0 {
			return errFound
		}
		text = text[n:]
	}
	if len(s.Finish()) > 0 {
		return errFound
	}
	return nil
}

func scanWhole(r *dlp.Rules, text []byte) error {
	if len(r.Scan(text)) > 0 {
		return errFound
	}
	return nil
}

// processorTime runs f for at least d, twice or more, and returns the process's
// processor time for one run.
func processorTime(d time.Duration, f func() error) (time.Duration, error) {
	if err := f(); err != nil { // warm
		return 0, err
	}
	runtime.GC()
	n, began, before := 0, time.Now(), usage()
	for n == 0 || time.Since(began) < d {
		if err := f(); err != nil {
			return 0, err
		}
		n++
	}
	return (usage() - before) / time.Duration(n), nil
}

// usage is the processor time that this process has used so far.
func usage() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it fails for a bad argument only
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func allocationsOf(f func()) float64 {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection empties pools
	f()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const runs = 20
	for range runs {
		f()
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / runs
}

func (s *scanners) theirJudge(c *corpus.Case) corpus.Verdict {
	for _, text := range c.Request.Texts() {
		if found := s.decodes.DetectBytes(text); len(found) > 0 {
			return corpus.Verdict{Stopped: true, By: found[0].RuleID}
		}
	}
	return corpus.Verdict{}
}

// score counts what both find in the corpus, and what the filter stops of it
// over the wire.
func (s *scanners) score(ctx context.Context, w io.Writer, o options) error {
	c := corpus.New(1)
	if o.quick {
		c = c.Every(10)
	}
	fmt.Fprintf(os.Stderr, "bench: %s, %d planted and %d harmless\n", scanCorpus, len(c.Planted), len(c.Harmless))
	dir, err := os.MkdirTemp("", "bottle-corpus-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program, err := filepath.Abs(filepath.Join(o.bin, "bottle-pipelock"))
	if err != nil {
		return err
	}
	live, err := corpus.StartLive(program, dir, c.Known, "block")
	if err != nil {
		return err
	}
	defer live.Close()
	type row struct {
		name  string
		score *corpus.Score
	}
	rules, err := c.Rules()
	if err != nil {
		return err
	}
	rows := []row{{"lib/dlp", c.Score(corpus.Library(rules))}, {"gitleaks, the library", c.Score(s.theirJudge)}}
	for _, http2 := range []bool{false, true} {
		score, err := live.Score(ctx, c, http2)
		if err != nil {
			return err
		}
		rows = append(rows, row{map[bool]string{false: "bottle-pipelock, HTTP/1.1", true: "bottle-pipelock, HTTP/2"}[http2], score})
	}
	table := [][]string{{"corpus", "", "planted", "found", "recall", "harmless", "stopped", "wrong"}}
	for _, r := range rows {
		table = append(table, []string{r.name, "", fmt.Sprint(r.score.Planted), fmt.Sprint(r.score.Found), fmt.Sprintf("%.1f %%", r.score.Recall()),
			fmt.Sprint(r.score.Harmless), fmt.Sprint(r.score.Blocked), fmt.Sprintf("%.1f %%", r.score.Wrong())})
	}
	writeAny(w, o, table)
	for i, r := range rows {
		if i != 1 || o.misses { // theirs are hundreds
			fmt.Fprintln(w)
			r.score.Print(w, r.name)
		}
	}
	fmt.Fprintln(w)
	return nil
}

func writeAny(w io.Writer, o options, table [][]string) {
	if o.markdown {
		writeMarkdown(w, table)
	} else {
		writeText(w, table)
	}
}

// writeSpeeds prints the speeds and what is wanted of them.
func writeSpeeds(w io.Writer, o options, r results) {
	table := [][]string{{"scanner", "unit", ours, "gitleaks, the library", "ratio [lowest, highest]"}}
	for _, s := range corpus.Samples(11, 4096) {
		table = append(table, speedLine(r, s.Name, "MB/s", false))
	}
	table = append(table, speedLine(r, small, "µs", true), speedLine(r, allocations, "", true))
	writeAny(w, o, table)
	fmt.Fprintln(w)
}

// speedLine is a row; less says that less is better.
func speedLine(r results, key, unit string, less bool) []string {
	ratio := r.ratio(key, ours, theirs)
	if less {
		ratio = r.ratio(key, theirs, ours)
	}
	between := "-"
	if v := finite(ratio); len(v) > 0 {
		between = fmt.Sprintf("%s [%s, %s]", number(median(v)), number(v[0]), number(v[len(v)-1]))
	}
	return []string{key, unit, number(median(r.each(key, ours))), number(median(r.each(key, theirs))), between}
}
