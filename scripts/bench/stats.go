package main

import (
	"math"
	"slices"
	"time"
)

// results holds the samples by row, variant and round; a round that failed is
// NaN.
type results map[string]map[string][]float64

func (r results) add(row, variant string, round int, value float64) {
	byVariant := r[row]
	if byVariant == nil {
		byVariant = make(map[string][]float64)
		r[row] = byVariant
	}
	for len(byVariant[variant]) <= round {
		byVariant[variant] = append(byVariant[variant], math.NaN())
	}
	byVariant[variant][round] = value
}

// each is what a variant scored in every round.
func (r results) each(row, variant string) []float64 { return r[row][variant] }

// ratio divides two variants round by round, so that noise which lasts longer
// than a round cancels out.
func (r results) ratio(row, variant, base string) []float64 {
	return pair(r[row][variant], r[row][base], func(a, b float64) float64 { return a / b })
}

// over subtracts a base from a variant round by round.
func (r results) over(row, variant, base string) []float64 {
	return pair(r[row][variant], r[row][base], func(a, b float64) float64 { return a - b })
}

func pair(a, b []float64, f func(a, b float64) float64) []float64 {
	out := make([]float64, min(len(a), len(b)))
	for i := range out {
		out[i] = f(a[i], b[i])
	}
	return out
}

// median of what is not NaN; NaN if nothing is.
func median(values []float64) float64 {
	v := finite(values)
	if len(v) == 0 {
		return math.NaN()
	}
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// finite returns the values that are numbers, sorted.
func finite(values []float64) []float64 {
	v := slices.DeleteFunc(slices.Clone(values), func(f float64) bool { return math.IsNaN(f) || math.IsInf(f, 0) })
	slices.Sort(v)
	return v
}

// percentile of sorted durations, nearest rank.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := (len(sorted)*p + 99) / 100
	return sorted[max(rank, 1)-1]
}
