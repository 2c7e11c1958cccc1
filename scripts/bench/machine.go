package main

import (
	"debug/buildinfo"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// writeMachine prints where and with what the run was made.
func writeMachine(w io.Writer, o options, load string) {
	line := func(name, value string) {
		if o.markdown {
			fmt.Fprintf(w, "- %s: %s\n", name, value)
		} else {
			fmt.Fprintf(w, "%-10s %s\n", name, value)
		}
	}
	line("date", time.Now().Format(time.DateOnly))
	line("cpu", fmt.Sprintf("%s, %d cores", field("/proc/cpuinfo", "model name"), runtime.NumCPU()))
	line("memory", field("/proc/meminfo", "MemTotal"))
	line("kernel", firstLine("/proc/sys/kernel/osrelease"))
	line("load", load+" (1 minute average before the run)")
	line("go", runtime.Version()+" for the bench and its peers")
	for _, name := range []string{"bottle-egress", "bottle-pipelock"} {
		if info, err := buildinfo.ReadFile(filepath.Join(o.bin, name)); err == nil {
			line(strings.TrimPrefix(name, "bottle-"), info.GoVersion+revision(info))
		}
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "github.com/google/martian/v3" || m.Path == "github.com/elazarl/goproxy" || m.Path == "github.com/zricethezav/gitleaks/v8" {
				line("peer", m.Path+" "+m.Version)
			}
		}
	}
	line("run", fmt.Sprintf("%d rounds of %v, interleaved; origin offers HTTP/2: %t; audit log: %t", o.rounds, o.duration, o.h2, o.audit))
}

func revision(info *debug.BuildInfo) string {
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return " at " + s.Value[:min(len(s.Value), 12)]
		}
	}
	return ""
}

// field is the first value of "name: value" in a file of /proc.
func field(path, name string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return "unknown"
}

func firstLine(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}
