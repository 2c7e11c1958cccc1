package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/audit"
)

var programs = []string{"bottle-mintauth", "bottle-prepare", "bottle-egress", "bottle-pipelock"}

// build builds the programs into a folder and returns it.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.Command("go", "build", "-o", dir+"/", "../cmd/...").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return dir
}

// help runs a program and returns the flags, commands and environment
// variables that its help names.
func help(t *testing.T, args ...string) (flags, commands, variables []string) {
	t.Helper()
	cmd := exec.Command(args[0], append(args[1:], "--help")...)
	out, err := cmd.Output()
	require.NoError(t, err, "%v --help", args)
	section := ""
	for line := range strings.Lines(string(out)) {
		if head := strings.TrimSpace(line); !strings.HasPrefix(line, " ") {
			section = head
			continue
		}
		switch first := strings.TrimSuffix(strings.Fields(line)[0], ","); section {
		case "options:":
			flags = append(flags, strings.TrimPrefix(first, "--"))
			for _, v := range regexp.MustCompile(`\$(BOTTLE_[A-Z_]+)`).FindAllStringSubmatch(line, -1) {
				variables = append(variables, v[1])
			}
		case "commands:":
			commands = append(commands, first)
		}
	}
	require.NotEmpty(t, flags, "%v --help names no option", args)
	return flags, commands, variables
}

// manFlags returns the flags that a man page describes or has in its synopsis.
func manFlags(page string) []string {
	var flags []string
	section := ""
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, ".Sh "); ok {
			section = name
		}
		if section == "SYNOPSIS" || strings.HasPrefix(line, ".It Fl ") {
			for _, m := range regexp.MustCompile(`\bFl -([a-z-]+)`).FindAllStringSubmatch(line, -1) {
				flags = append(flags, m[1])
			}
		}
	}
	return flags
}

func unique(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// What --help names stands in the man page, and the reverse.
func TestManPagesTellWhatHelpTells(t *testing.T) {
	bin := build(t)
	for _, name := range programs {
		t.Run(name, func(t *testing.T) {
			page := read(t, "man/"+name+".1")
			path := filepath.Join(bin, name)
			flags, commands, variables := help(t, path)
			for _, command := range commands {
				require.Regexp(t, `(?m)^\.(It )?Cm `+command+`\b`, page)
				f, _, v := help(t, path, command)
				flags, variables = append(flags, f...), append(variables, v...)
			}
			require.Equal(t, unique(flags), unique(manFlags(page)))
			for _, v := range variables {
				require.Regexp(t, `\b`+v+`\b`, page)
			}
		})
	}
}

func TestManPagesAreClean(t *testing.T) {
	mandoc, err := exec.LookPath("mandoc")
	if err != nil {
		t.Skip("mandoc is not installed")
	}
	pages, err := filepath.Glob("man/*.[1-9]")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(pages), len(programs)+2)
	// Whether a page that another refers to is installed is not its own fault.
	known := regexp.MustCompile(`(?m)^.*STYLE: referenced manual not found: Xr bottle.*\n`)
	for _, page := range pages {
		out, _ := exec.Command(mandoc, "-Tlint", page).CombinedOutput()
		require.Empty(t, known.ReplaceAllString(string(out), ""))
	}
	// It is ours to say that they exist.
	for _, page := range pages {
		for _, m := range regexp.MustCompile(`(?m)^\.Xr (bottle\S*) (\d)`).FindAllStringSubmatch(read(t, page), -1) {
			require.FileExists(t, "man/"+m[1]+"."+m[2], "%s refers to it", page)
		}
	}
}

func TestTheManualNamesEveryFieldOfTheAuditLog(t *testing.T) {
	page, err := os.ReadFile("man/bottle-routes.5")
	require.NoError(t, err)
	_, section, _ := strings.Cut(string(page), ".Sh AUDIT LOG\n")
	section, _, _ = strings.Cut(section, "\n.Sh ")
	words := map[string]bool{}
	for _, word := range strings.FieldsFunc(section, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }) {
		words[word] = true
	}
	for _, of := range []reflect.Type{reflect.TypeFor[audit.Record](), reflect.TypeFor[audit.Echo]()} {
		for i := range of.NumField() {
			name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			require.True(t, words[name], "%s is not in bottle-routes(5)", name)
		}
	}
	for _, event := range []string{audit.EventRequest, audit.EventTunnelOpen, audit.EventTunnelClose, audit.EventConnect, audit.EventMatch, audit.EventUndecoded} {
		require.True(t, words[event], "%s is not in bottle-routes(5)", event)
	}
}
