//go:build !race

package dlp

// few is how many of n rounds a test takes.
func few[N int | uint64](n N) N { return n }
