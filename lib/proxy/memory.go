package proxy

import (
	"os"
	"runtime/debug"
)

// memoryBeside is what the soft limit leaves to connections, TLS and the program
// itself, beside what the policy judges.
const memoryBeside = 192 << 20

// collectSeldom has the runtime collect as seldom as a proxy wants, from before rules
// are compiled on. An operator's GOGC is left alone.
func collectSeldom() {
	// A proxy's live heap is a few MB, and the runtime's default would collect it
	// some hundred times a second under load. 400 costs at most about 16 MB then;
	// what an agent fills it with must not count fivefold, which the limit sees
	// to.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}

// limitMemory sets the soft limit, where policy is what the policy may take: beyond
// it the program gets slower and goes on. An operator's GOMEMLIMIT is left alone.
func limitMemory(policy int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryBeside + policy)
	}
}
