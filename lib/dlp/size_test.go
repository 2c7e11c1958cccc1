package dlp

import (
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// manyReadings is a text in which more readings are open than in others: it decodes to itself, at each alignment, to digits.
func manyReadings(size int) []byte { return []byte(strings.Repeat("MzMz", size/4)) }

// What a caller budgets by Size is what the streams take, and bounded.
func TestSizeIsWhatAStreamTakes(t *testing.T) {
	r := builtin(t)
	for name, text := range map[string][]byte{"words": sourceCode(16 << 10), "many readings": manyReadings(16 << 10), "nothing": nil} {
		streams := make([]*Stream, 24)
		before := heapInUse()
		size := 0
		for i := range streams {
			streams[i] = r.newStream() // none that was used before
			streams[i].Reset()
			streams[i].Scan(text)
			size += streams[i].Size()
		}
		took := float64(heapInUse() - before)
		require.InEpsilon(t, took, size, 0.2, name)
		require.Less(t, size/len(streams), 3<<19, name)
		runtime.KeepAlive(streams)
	}
}

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// One text with many readings does not make all streams to come as large.
func TestReleasedStreamsKeepLittle(t *testing.T) {
	r := builtin(t)
	most := r.newStream().Size() + keptViews
	s := r.NewStream()
	s.Scan(manyReadings(64 << 10))
	require.Greater(t, s.Size(), most)
	s.Finish()
	s.Release()
	require.LessOrEqual(t, s.Size(), most)
	require.Equal(t, r.Scan([]byte("a " + newMaker(5).jwt(`{"alg":"HS256"}`, 80)))[0].Rule, "jwt", "it can be used again")
}
