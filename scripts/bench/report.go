package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"
)

// compare says what stands in parentheses behind a figure.
type compare int

const (
	alone  compare = iota
	share          // of direct, as a ratio
	excess         // over direct, as a difference
)

type row struct {
	key, title, unit string
	compare          compare
}

func rows(o options) []row {
	mb := fmt.Sprintf("%d MB", o.megabytes)
	body := fmt.Sprintf("%d MB body", o.body)
	return []row{
		{"rps1", "requests/s, 1 connection", "1/s", share},
		{"rps16", "requests/s, 16 connections", "1/s", share},
		{"rps256", "requests/s, 256 connections", "1/s", share},
		{"p501", "latency p50, 1 connection", "µs", excess},
		{"p991", "latency p99, 1 connection", "µs", excess},
		{"p5016", "latency p50, 16 connections", "µs", excess},
		{"p9916", "latency p99, 16 connections", "µs", excess},
		{"p50256", "latency p50, 256 connections", "µs", excess},
		{"p99256", "latency p99, 256 connections", "µs", excess},
		{"cpu16", "proxy CPU per request, 16 connections", "µs", alone},
		{"conn", "new CONNECT+TLS+request, 8 at a time", "1/s", share},
		{"connp50", "the same, p50", "µs", excess},
		{"connresume", "the same, client resumes", "1/s", share},
		{"resumed", "of these resumed", "%", alone},
		{"up.length", "upload " + mb + ", Content-Length", "MB/s", share},
		{"up.chunked", "upload " + mb + ", chunked", "MB/s", share},
		{"down.length", "download " + mb + ", Content-Length", "MB/s", share},
		{"down.chunked", "download " + mb + ", chunked", "MB/s", share},
		{"post", "POST of a 1 MB LLM turn, p50", "µs", excess},
		{"first.p50", "first event from request, p50", "µs", excess},
		{"first.p99", "first event from request, p99", "µs", excess},
		{"event.p50", "later events from origin, p50", "µs", excess},
		{"event.p99", "later events from origin, p99", "µs", excess},
		{"ready", "start to ready", "ms", alone},
		{"idle", "RSS idle", "MB", alone},
		{"tunnels", fmt.Sprintf("RSS, %d open tunnels", o.tunnels), "MB", alone},
		{"growth.up", "RSS growth, " + body + " up", "MB", alone},
		{"growth.down", "RSS growth, " + body + " down", "MB", alone},
	}
}

// writeTable prints medians over the rounds, and ratios or differences to
// direct (medians of what each round gave).
func writeTable(w io.Writer, o options, names []string, r results) {
	table := [][]string{append([]string{"", "unit"}, names...)}
	for _, row := range rows(o) {
		if r[row.key] == nil {
			continue
		}
		line := []string{row.title, row.unit}
		for _, name := range names {
			line = append(line, cell(row, name, r))
		}
		table = append(table, line)
	}
	if o.markdown {
		writeMarkdown(w, table)
	} else {
		writeText(w, table)
	}
}

func cell(row row, variant string, r results) string {
	m := median(r.each(row.key, variant))
	if math.IsNaN(m) {
		return "-"
	}
	s := number(m)
	if variant == direct {
		return s
	}
	switch row.compare {
	case share:
		if x := median(r.ratio(row.key, variant, direct)); !math.IsNaN(x) {
			s += fmt.Sprintf(" (%.2f)", x)
		}
	case excess:
		if x := median(r.over(row.key, variant, direct)); !math.IsNaN(x) {
			sign := "+"
			if x < 0 {
				sign, x = "-", -x
			}
			s += " (" + sign + number(x) + ")"
		}
	}
	return s
}

// number prints three digits or more, with thousands set apart.
func number(f float64) string {
	a := math.Abs(f)
	switch {
	case a < 10:
		return fmt.Sprintf("%.2f", f)
	case a < 100:
		return fmt.Sprintf("%.1f", f)
	}
	s := fmt.Sprintf("%.0f", f)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func writeText(w io.Writer, table [][]string) {
	width := make([]int, len(table[0]))
	for _, line := range table {
		for i, s := range line {
			width[i] = max(width[i], utf8.RuneCountInString(s))
		}
	}
	for _, line := range table {
		var b strings.Builder
		for i, s := range line {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(s))
			if i < 2 {
				b.WriteString(s + pad + "  ")
			} else {
				b.WriteString(pad + s + "  ")
			}
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}

func writeMarkdown(w io.Writer, table [][]string) {
	for i, line := range table {
		fmt.Fprintf(w, "| %s |\n", strings.Join(line, " | "))
		if i == 0 {
			fmt.Fprintf(w, "|-|-%s|\n", strings.Repeat("|-:", len(line)-2))
		}
	}
}
