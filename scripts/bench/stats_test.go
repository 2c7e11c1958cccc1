package main

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestRatioIsFormedInEachRound(t *testing.T) {
	r := make(results)
	// The machine is twice as fast in the second round, and the third failed
	// for one variant.
	for round, v := range []float64{100, 200, 150} {
		r.add("rps", "a", round, v)
	}
	r.add("rps", "b", 0, 50)
	r.add("rps", "b", 1, 100)
	if got := median(r.ratio("rps", "b", "a")); got != 0.5 {
		t.Errorf("ratio %v, want 0.5", got)
	}
	if got := median(r.over("rps", "b", "a")); got != -75 {
		t.Errorf("difference %v, want -75", got)
	}
	if got := median(r.each("rps", "nobody")); !math.IsNaN(got) {
		t.Errorf("median of nothing %v, want NaN", got)
	}
}

func TestRoundThatFailedIsLeftOut(t *testing.T) {
	r := make(results)
	r.add("rps", "a", 2, 7)
	if got := median(r.each("rps", "a")); got != 7 {
		t.Errorf("median %v, want 7", got)
	}
}

func TestPercentile(t *testing.T) {
	var sorted []time.Duration
	for i := range 100 {
		sorted = append(sorted, time.Duration(i+1))
	}
	for p, want := range map[int]time.Duration{50: 50, 99: 99, 100: 100, 0: 1} {
		if got := percentile(sorted, p); got != want {
			t.Errorf("p%d: %d, want %d", p, got, want)
		}
	}
	if got := percentile(nil, 50); got != 0 {
		t.Errorf("p50 of nothing: %d", got)
	}
}

func TestNumber(t *testing.T) {
	for f, want := range map[float64]string{
		0.5: "0.50", 12.34: "12.3", 123.4: "123", 1234: "1,234", 1234567: "1,234,567", -123.4: "-123", -1234: "-1,234",
	} {
		if got := number(f); got != want {
			t.Errorf("%v: %q, want %q", f, got, want)
		}
	}
}

func TestGoalIsJudgedByItsMedian(t *testing.T) {
	r := make(results)
	for round, v := range []float64{100, 100, 100} {
		r.add("rps16", egressOpen, round, v)
		r.add("rps16", egress, round, []float64{80, 95, 96}[round])
		r.add("idle", egress, round, 31)
	}
	var b strings.Builder
	if missed := writeGoals(&b, options{}, r); missed != 1 {
		t.Errorf("%d missed, want 1:\n%s", missed, &b)
	}
	for _, want := range []string{"0.95 [0.80, 0.96]", "not reached"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in:\n%s", want, &b)
		}
	}
}
