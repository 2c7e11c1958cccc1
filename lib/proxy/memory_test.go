package proxy

import (
	"math"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMemoryIsLimitedUnlessTheOperatorDoes(t *testing.T) {
	before, percent := debug.SetMemoryLimit(math.MaxInt64), debug.SetGCPercent(100)
	defer func() { debug.SetMemoryLimit(before); debug.SetGCPercent(percent) }()

	t.Setenv("GOMEMLIMIT", "1GiB")
	t.Setenv("GOGC", "50")
	collectSeldom()
	limitMemory(1 << 20)
	require.Equal(t, int64(math.MaxInt64), debug.SetMemoryLimit(-1), "the runtime has read the variable")
	require.Equal(t, 100, debug.SetGCPercent(100))

	t.Setenv("GOMEMLIMIT", "")
	t.Setenv("GOGC", "")
	collectSeldom()
	limitMemory(1 << 20)
	require.Equal(t, int64(memoryBeside+1<<20), debug.SetMemoryLimit(-1))
	require.Equal(t, 400, debug.SetGCPercent(100))
}
