// Package docs holds no code, only tests that keep the documents true.
//
// go test ./docs -update writes the parts that are generated.
package docs

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/refusal"
)

var update = flag.Bool("update", false, "write the generated parts of the documents")

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(data)
}

// between returns what stands between the two marker lines of a document.
func between(t *testing.T, name, mark string) string {
	t.Helper()
	begin, end := "<!-- "+mark+":begin -->\n", "<!-- "+mark+":end -->"
	_, rest, ok := strings.Cut(read(t, name), begin)
	require.True(t, ok, "%s has no line %q", name, strings.TrimSpace(begin))
	inside, _, ok := strings.Cut(rest, end)
	require.True(t, ok, "%s has no line %q", name, end)
	return inside
}

// documents returns every Markdown file of the project.
func documents(t *testing.T) []string {
	t.Helper()
	files := []string{"../README.md"}
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			files = append(files, path)
		}
		return err
	}))
	return files
}

// cells splits a row of a Markdown table. nil: the line is no row.
func cells(line string) []string {
	line = strings.TrimSpace(line)
	if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|-") {
		return nil
	}
	out := strings.Split(strings.Trim(line, "|"), "|")
	for i := range out {
		out[i] = strings.TrimSpace(out[i])
	}
	return out
}

// The table of refusals is the one that the programs answer by.
func TestRefusalsTable(t *testing.T) {
	const file = "refusals.md"
	var b strings.Builder
	b.WriteString("| code | status | Proxy-Status error | verdict | retry | what happened, what to do |\n|-|-|-|-|-|-|\n")
	word := map[bool]string{true: "yes", false: "no"}
	for _, e := range refusal.Table() {
		fmt.Fprintf(&b, "| `%s` | %d | %s | %s | %s | %s |\n", e.Code, e.Status, e.ProxyStatus, word[e.Policy], word[e.Retry], e.Meaning)
	}
	if was := between(t, file, "table"); *update && was != b.String() {
		text := strings.Replace(read(t, file), "<!-- table:begin -->\n"+was, "<!-- table:begin -->\n"+b.String(), 1)
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
	require.Equal(t, b.String(), between(t, file, "table"), "run: go test ./docs -update")
}

// The map names every package and nothing else.
func TestMap(t *testing.T) {
	var there []string
	for _, root := range []string{"cmd", "lib"} {
		require.NoError(t, filepath.WalkDir("../"+root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() || d.Name() == "testdata" {
				return err
			}
			files, err := filepath.Glob(path + "/*.go")
			if len(files) > 0 {
				there = append(there, strings.TrimPrefix(filepath.ToSlash(path), "../"))
			}
			return err
		}))
	}
	var named []string
	for line := range strings.Lines(between(t, "README.md", "map")) {
		row := cells(line)
		if row == nil || !strings.HasPrefix(row[0], "`") {
			continue
		}
		path := strings.Trim(row[0], "`")
		require.NotEmpty(t, row[1], "%s has no line of its own", path)
		if strings.HasPrefix(path, "scripts/") {
			_, err := os.Stat("../" + path)
			require.NoError(t, err)
			continue
		}
		named = append(named, path)
	}
	slices.Sort(named)
	slices.Sort(there)
	require.Equal(t, there, named, "docs/README.md and the tree differ")
}

// requires returns the modules that a go.mod requires, by whether its own code
// imports them.
func requires(t *testing.T, file string) (direct, all []string) {
	t.Helper()
	for line := range strings.Lines(read(t, file)) {
		f := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(f) < 2 || !strings.Contains(f[0], ".") || !strings.HasPrefix(f[1], "v") {
			continue
		}
		all = append(all, f[0])
		if !strings.HasSuffix(strings.TrimSpace(line), "// indirect") {
			direct = append(direct, f[0])
		}
	}
	require.NotEmpty(t, direct, file)
	return direct, all
}

// Each module that the project requires has its reason, and each reason its
// module.
func TestDependencies(t *testing.T) {
	const record = "decisions/0005-dependencies.md"
	for mark, file := range map[string]string{"product": "../go.mod", "bench": "../scripts/bench/go.mod"} {
		direct, all := requires(t, file)
		var named []string
		for line := range strings.Lines(between(t, record, mark)) {
			row := cells(line)
			if row == nil || !strings.HasPrefix(row[0], "`") {
				continue
			}
			require.NotEmpty(t, row[len(row)-1], "%s has no reason", row[0])
			named = append(named, strings.Trim(row[0], "`"))
		}
		for _, m := range direct {
			require.Contains(t, named, m, "%s requires it and %s does not say why", file, record)
		}
		for _, m := range named {
			require.Contains(t, all, m, "%s gives a reason for it and %s does not require it", record, file)
		}
	}
}

// Modules that only tests may import stay out of the programs.
func TestTestModules(t *testing.T) {
	var tests []string
	for line := range strings.Lines(between(t, "decisions/0005-dependencies.md", "product")) {
		if row := cells(line); len(row) > 2 && row[1] == "tests" {
			tests = append(tests, strings.Trim(row[0], "`"))
		}
	}
	require.NotEmpty(t, tests)
	out, err := exec.Command("go", "list", "-deps", "../cmd/...").Output()
	require.NoError(t, err)
	for path := range strings.Lines(string(out)) {
		for _, m := range tests {
			require.False(t, strings.HasPrefix(path, m), "a program imports %s", path)
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	for _, file := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(read(t, file), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			_, err := os.Stat(filepath.Join(filepath.Dir(file), m[1]))
			require.NoError(t, err, "%s links to %s", file, m[1])
		}
	}
}

// Each kind of document has the parts that its template names, in order.
func TestTemplates(t *testing.T) {
	kinds := map[string][]string{
		"prds":      {"\nStatus: ", "\nAuthor: ", "\nCreated: ", "\n## Summary\n", "\n## Problem\n", "\n## Goals / Success Criteria\n", "\n## Non-goals\n", "\n## Scope\n", "\n## Design\n", "\n## Open questions\n"},
		"decisions": {"\nStatus: ", "\nDate: ", "\n## Context\n", "\n## Decision\n", "\n## Consequences\n"},
		"research":  {"\n## Question\n", "\n## Verdict\n", "\n## Evidence\n"},
	}
	number := regexp.MustCompile(`^\d{4}-[a-z0-9-]+\.md$`)
	for kind, parts := range kinds {
		files, err := filepath.Glob(kind + "/*.md")
		require.NoError(t, err)
		require.NotEmpty(t, files, kind)
		for _, file := range files {
			require.Regexp(t, number, filepath.Base(file))
			rest, ok := read(t, file), false
			require.True(t, strings.HasPrefix(rest, "# "+filepath.Base(file)[:4]+": "), "%s begins with its number", file)
			for _, part := range parts {
				_, rest, ok = strings.Cut(rest, part)
				require.True(t, ok, "%s has no %q, or not in its place", file, strings.TrimSpace(part))
				rest = "\n" + rest // the next part may follow at once
			}
		}
	}
}

// The guide's commands exist, and it names the Go version that is needed.
func TestGuide(t *testing.T) {
	guide := read(t, "../README.md")
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "../go.mod"))
	require.Contains(t, guide, "Go "+version[1])
	makefile := read(t, "../Makefile")
	for _, m := range regexp.MustCompile("(?m)(?:^|`)make ([a-z]+)").FindAllStringSubmatch(guide, -1) {
		require.Regexp(t, `(?m)^`+m[1]+`:`, makefile, "README.md says make %s", m[1])
	}
	for _, m := range regexp.MustCompile(`\bscripts/[a-z0-9.-]+`).FindAllString(guide, -1) {
		_, err := os.Stat("../" + m)
		require.NoError(t, err)
	}
}
