package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"bottle/lib/manifest"
	"bottle/lib/plan"
)

// printText prints a line for each folder and file, the notes, and what to do
// next.
func printText(c *cli.Context, w io.Writer, verb string, m *manifest.Manifest, p *plan.Plan) error {
	fmt.Fprintf(w, "%s %s\n", verb, p.Dir)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, d := range p.Dirs {
		fmt.Fprintf(t, "  folder\t%04o\t%s/\t%s\n", d.Mode, d.Path, d.Purpose)
	}
	for _, f := range p.Files {
		fmt.Fprintf(t, "  %s\t%04o\t%s\t%s\n", f.Change, f.Mode, f.Path, f.Purpose)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, n := range p.Notes {
		fmt.Fprintf(w, "note: %s\n", n)
	}
	command := "COMMAND"
	if p, ok := m.Preset(); ok {
		command = p.Command
	}
	options := ""
	for _, name := range []string{"manifest", "dir"} {
		if c.IsSet(name) {
			options += " --" + name + " " + c.String(name)
		}
	}
	_, err := fmt.Fprintf(w, "next: scripts/bottle run%s -- %s\n", options, command)
	return err
}

type jsonPlan struct {
	Dir     string       `json:"dir"`
	Folders []jsonFolder `json:"folders"`
	Files   []jsonFile   `json:"files"`
	Notes   []string     `json:"notes"`
}

type jsonFolder struct {
	Path    string `json:"path"`
	Mode    string `json:"mode"`
	Purpose string `json:"purpose"`
}

type jsonFile struct {
	Path    string      `json:"path"`
	Mode    string      `json:"mode"`
	Purpose string      `json:"purpose"`
	Secret  bool        `json:"secret"`
	Change  plan.Change `json:"change"`
}

func printJSON(w io.Writer, p *plan.Plan) error {
	out := jsonPlan{Dir: p.Dir, Folders: []jsonFolder{}, Files: []jsonFile{}, Notes: append([]string{}, p.Notes...)}
	for _, d := range p.Dirs {
		out.Folders = append(out.Folders, jsonFolder{d.Path, fmt.Sprintf("%04o", d.Mode), d.Purpose})
	}
	for _, f := range p.Files {
		out.Files = append(out.Files, jsonFile{f.Path, fmt.Sprintf("%04o", f.Mode), f.Purpose, f.Secret, f.Change})
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(out)
}
