package main

import (
	"fmt"
	"io"
	"math"
)

// goal is one figure that the product promised to reach.
type goal struct {
	text   string
	least  bool // the figure must be at least limit, else at most
	limit  float64
	unit   string
	values []float64 // by round
}

func goals(o options, r results) []goal {
	var g []goal
	atLeast := func(text string, limit float64, values []float64) {
		g = append(g, goal{text, true, limit, "", values})
	}
	atMost := func(text string, limit float64, unit string, values []float64) {
		g = append(g, goal{text, false, limit, unit, values})
	}
	atLeast("egress / same engine without auth, requests/s at 16", 0.9, r.ratio("rps16", egress, egressOpen))
	atLeast("egress / goproxy, requests/s at 16", 0.9, r.ratio("rps16", egress, goproxyProxy))
	atLeast("egress / martian, requests/s at 16", 0.9, r.ratio("rps16", egress, martianProxy))
	atLeast("chain with passthrough / egress, requests/s at 16", 0.5, r.ratio("rps16", chainTunnel, egress))
	atLeast("chain with intercept / egress, requests/s at 16", 0.5, r.ratio("rps16", chainIntercept, egress))
	atLeast("egress / martian, new connections/s", 2, r.ratio("conn", egress, martianProxy))
	for _, v := range []string{intercept, egress, chainTunnel, chainIntercept} {
		atMost(v+": first event over direct, p50", 1000, "µs", r.over("first.p50", v, direct))
		atMost(v+": each event over direct, p50", 300, "µs", r.over("event.p50", v, direct))
		atMost(v+": each event over direct, p99", 300, "µs", r.over("event.p99", v, direct))
	}
	for _, v := range []string{egress, chainTunnel, chainIntercept} {
		atMost(fmt.Sprintf("%s: RSS growth of a stage, %d MB body up", v, o.body), 16, "MB", r.each("growth.up.most", v))
		atMost(fmt.Sprintf("%s: RSS growth of a stage, %d MB body down", v, o.body), 16, "MB", r.each("growth.down.most", v))
	}
	for _, v := range []struct{ variant, stage string }{{egress, "egress"}, {tunnel, "pipelock"}} {
		atMost(v.stage+": RSS idle", 30, "MB", r.each("idle", v.variant))
		atMost(v.stage+": start to ready", 30, "ms", r.each("ready", v.variant))
	}
	atMost(fmt.Sprintf("pipelock: RSS, %d open passthrough tunnels", o.tunnels), 60, "MB", r.each("tunnels", tunnel))
	// The same engine, decrypting as well, without the scanner.
	atMost("pipelock intercept / egress, no auth: 1 MB POST, p50, more", 15_000, "µs", r.over("post", intercept, egressOpen))
	for _, text := range []string{"LLM turn in JSON", "source code"} {
		atLeast("scanner: "+text+", MB/s a core", 200, r.each(text, ours))
		atLeast("scanner / gitleaks: "+text, 60, r.ratio(text, ours, theirs))
	}
	atLeast("scanner: screenshot in base64 in JSON, MB/s a core", 100, r.each("screenshot in base64 in JSON", ours))
	atMost("scanner: "+small, 50, "µs", r.each(small, ours))
	atMost("scanner: "+allocations, 1, "", r.each(allocations, ours))
	return g
}

// writeGoals prints each goal, whether it was met, the median and, in
// brackets, the lowest and highest round. It returns how many were not met.
func writeGoals(w io.Writer, o options, r results) (missed int) {
	table := [][]string{{"target", "limit", "median [lowest, highest]", "verdict"}}
	for _, g := range goals(o, r) {
		m := median(g.values)
		sign, verdict := "≤", "met"
		if g.least {
			sign = "≥"
		}
		figure := ""
		switch {
		case math.IsNaN(m):
			verdict = "not measured"
		default:
			v := finite(g.values)
			figure = fmt.Sprintf("%s [%s, %s] %s", number(m), number(v[0]), number(v[len(v)-1]), g.unit)
			if g.least && m < g.limit || !g.least && m > g.limit {
				verdict = "not reached"
				missed++
			}
		}
		table = append(table, []string{g.text, fmt.Sprintf("%s %g %s", sign, g.limit, g.unit), figure, verdict})
	}
	if o.markdown {
		writeMarkdown(w, table)
	} else {
		writeText(w, table)
	}
	return missed
}
