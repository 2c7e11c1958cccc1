package tomlfile

import "strings"

// closest returns the name that key was probably meant to be, or "".
func closest(key string, names []string) string {
	fold := strings.NewReplacer("-", "_", " ", "_")
	key = fold.Replace(strings.ToLower(key))
	best, bestDistance := "", max(2, len(key)/3)+1
	for _, name := range names {
		// What shares nothing with the name is no misspelling of it.
		if d := distance(key, fold.Replace(strings.ToLower(name))); d < bestDistance && d < len(name) {
			best, bestDistance = name, d
		}
	}
	return best
}

// distance is the number of single-byte insertions, deletions, replacements
// and swaps of neighbours between a and b (optimal string alignment).
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 { // no key is this long; keep the work bounded
		return 64
	}
	var before []int // row i-2
	previous := make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(previous[j]+1, row[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, previous = previous, row
	}
	return previous[len(b)]
}
