package proxy

import (
	"os"
	"runtime/debug"
)

// memoryBeside is what the soft limit leaves to connections, TLS and the program
// itself, beside what the policy judges.
const memoryBeside = 192 << 20

// tuneMemory has the runtime collect as seldom as the memory allows, where policy
// is what the policy may take. An operator's GOGC and GOMEMLIMIT are left alone.
func tuneMemory(policy int64) {
	// A proxy's live heap is a few MB, and the runtime's default would collect it
	// some hundred times a second under load. 400 costs at most about 16 MB then;
	// what an agent fills it with must not count fivefold, which the limit sees
	// to. It is a soft one: beyond it the program gets slower and goes on.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryBeside + policy)
	}
}
