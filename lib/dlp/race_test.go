//go:build race

package dlp

// few is how many of n rounds a test takes: the race detector makes each ten times as long.
func few[N int | uint64](n N) N { return max(1, n/6) }
