// Package plan turns a manifest, the host's login and the host's environment
// into the folder of a bottle.
//
// [New] reads everything, checks everything and renders every file, and writes
// nothing. [Plan.Write] then puts the files in place one by one, each under a
// temporary name first. So a mistake in any input leaves the folder as it was.
//
//	p, err := plan.New(ctx, m, plan.Options{Dir: ".bottle", LookupEnv: os.LookupEnv})
//	err = p.Write()
//
// The same input gives the same bytes: authorities are kept until they are
// near their end or the intercepted hosts change, and the dummy's seed is kept
// in the egress folder, so that only another host login gives another dummy.
//
// Limits: writing is atomic for each file, not for the folder; a run that is
// cut off half way is mended by the next. The agent's folder is checked for
// symbolic links, but an agent that runs at the same time, as the same user
// and without a sandbox can race the check.
package plan

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"bottle/lib/manifest"
	"bottle/lib/provider"
	"bottle/lib/secret"
)

// Options are what [New] looks at besides the manifest.
type Options struct {
	// Dir is the bottle's folder.
	Dir string
	// LookupEnv reads the host's environment, as os.LookupEnv does.
	LookupEnv func(string) (string, bool)
	// Now is the time; zero means the clock's.
	Now time.Time
	// SkipCommands leaves the commands of token_ref alone, which may ask the
	// operator something or have effects. Such a Plan shows what would be
	// written and cannot be written.
	SkipCommands bool
	// CommandTimeout bounds each command; 0 means 30 s.
	CommandTimeout time.Duration
}

// Change says what writing does to a file.
type Change string

// The changes.
const (
	Create Change = "create"
	Update Change = "update"
	Keep   Change = "keep"
	Delete Change = "delete"
)

// File is a file of the folder.
type File struct {
	Path    string // relative to the folder
	Mode    fs.FileMode
	Purpose string // one clause, no value
	Secret  bool   // the content is for egress or one stage alone
	Change  Change

	content []byte
}

// Content returns what the file is to hold.
func (f File) Content() []byte { return bytes.Clone(f.content) }

// Dir is a folder below the bottle's.
type Dir struct {
	Path    string
	Mode    fs.FileMode
	Purpose string
}

// Plan is a folder as it should be.
type Plan struct {
	Dir   string // absolute
	Dirs  []Dir
	Files []File // in the order of writing; those with Delete go
	// Notes are sentences for the operator: what was renewed and why, what was
	// left out.
	Notes []string

	incomplete bool
}

// builder gathers a plan.
type builder struct {
	m       *manifest.Manifest
	o       Options
	dir     string
	plan    *Plan
	slots   []slot
	secrets []named // everything that must not be outside egress.env
	dummy   dummy
}

// named is a secret and what to call it.
type named struct {
	name  string
	value secret.Value
}

// New works out the bottle's folder. It reads the login, the secrets, the
// system's roots and the folder as it is, runs the commands of token_ref, and
// changes nothing. Problems that have a place in the manifest come as
// tomlfile errors with its line.
func New(ctx context.Context, m *manifest.Manifest, o Options) (*Plan, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("find folder %s: %w", o.Dir, err)
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	o.CommandTimeout = cmp.Or(o.CommandTimeout, 30*time.Second)
	b := &builder{m: m, o: o, dir: dir, plan: &Plan{Dir: dir}}
	for _, step := range []func(context.Context) error{b.dirs, b.login, b.tokens, b.stages, b.agent, b.leaks, b.compare} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return b.plan, nil
}

// dirs lists the folders and makes sure that each is one or can become one.
func (b *builder) dirs(context.Context) error {
	b.plan.Dirs = []Dir{
		{"agent", 0o755, "all that the agent may see"},
		{"egress", 0o700, "real credentials; never shown to the agent"},
		{"pipelock", 0o700, "the filter's settings"},
		{"run", 0o700, "addresses, logs and the audit trail of running stages"},
	}
	if p, ok := b.m.Preset(); ok {
		b.plan.Dirs = append(b.plan.Dirs, Dir{agentDir(p), 0o700, "the agent's " + p.Login.DirVariable})
	}
	names := []string{".", "agent", "egress", "pipelock", "run"}
	for _, p := range provider.All() { // all: what was left over in there is deleted
		names = append(names, agentDir(p))
	}
	for _, name := range names {
		path := b.path(name)
		lookup := os.Lstat // a link in the agent's folder would lead elsewhere
		if name == "." {
			lookup = os.Stat // the operator chose it
		}
		if st, err := lookup(path); err == nil && !st.IsDir() {
			return &obstacle{path, "is not a folder", "move it away, or choose another folder with --dir"}
		}
	}
	return nil
}

// obstacle is something in the way of the folder.
type obstacle struct{ path, problem, hint string }

func (e *obstacle) Error() string    { return fmt.Sprintf("prepare %s: %s", e.path, e.problem) }
func (e *obstacle) HintText() string { return e.hint }

func (b *builder) note(format string, a ...any) {
	b.plan.Notes = append(b.plan.Notes, fmt.Sprintf(format, a...))
}

func (b *builder) add(path string, mode fs.FileMode, content []byte, purpose string) {
	b.plan.Files = append(b.plan.Files, File{Path: path, Mode: mode, Purpose: purpose, content: content})
}

func (b *builder) addSecret(path string, content []byte, purpose string) {
	b.add(path, 0o600, content, purpose)
	b.plan.Files[len(b.plan.Files)-1].Secret = true
}

// path is a file of the folder as it is now.
func (b *builder) path(name string) string { return filepath.Join(b.dir, filepath.FromSlash(name)) }

func (b *builder) getenv(name string) string {
	v, _ := b.o.LookupEnv(name)
	return v
}

// leaks makes sure that no real secret stands in a file but the one for it.
// Values so short that they occur by chance are left out.
func (b *builder) leaks(context.Context) error {
	const chance = 8
	for _, s := range b.secrets {
		if len(s.value.Expose()) < chance {
			continue
		}
		for _, f := range b.plan.Files {
			if f.Path != egressEnv && bytes.Contains(f.content, []byte(s.value.Expose())) {
				return &obstacle{b.path(f.Path), "would hold the secret of " + s.name, "look for a variable in agent.env or agent.pass_env with the same value; the agent gets dummies only"}
			}
		}
	}
	return nil
}

// gitignore keeps the folder out of the repository it may stand in.
const gitignore = "# Written by bottle-prepare: nothing in here belongs in a repository.\n*\n"

// compare fills in what writing will change, and finds what is in the way.
func (b *builder) compare(context.Context) error {
	_, err := os.Stat(b.dir)
	own, _ := os.ReadFile(b.path(".gitignore"))
	// A folder that was there before may be the operator's own repository.
	if err != nil || string(own) == gitignore {
		f := File{Path: ".gitignore", Mode: 0o644, Purpose: "keeps the folder out of git", content: []byte(gitignore)}
		b.plan.Files = slices.Insert(b.plan.Files, 0, f) // before there is anything to keep out
	}
	planned := map[string]bool{}
	for i := range b.plan.Files {
		f := &b.plan.Files[i]
		planned[f.Path] = true
		st, err := os.Lstat(b.path(f.Path))
		switch {
		case err != nil:
			f.Change = Create
		case !st.Mode().IsRegular():
			return &obstacle{b.path(f.Path), "is not a regular file", "move it away; bottle-prepare replaces files only"}
		default:
			f.Change = Update
			if st.Size() != int64(len(f.content)) || st.Mode().Perm() != f.Mode {
				continue
			}
			if was, err := os.ReadFile(b.path(f.Path)); err == nil && bytes.Equal(was, f.content) {
				f.Change = Keep
			}
		}
	}
	for _, f := range occasional() {
		st, err := os.Lstat(b.path(f.Path))
		if err == nil && st.Mode().IsRegular() && !planned[f.Path] {
			f.Change = Delete
			f.Mode = st.Mode().Perm()
			b.plan.Files = append(b.plan.Files, f)
		}
	}
	return nil
}

// occasional are the files that a bottle has or has not, depending on its
// manifest. One that was left over would make the folder depend on its past.
func occasional() []File {
	files := []File{
		{Path: dummySeed, Purpose: "the seed of a dummy that this manifest does not ask for", Secret: true},
		{Path: upstreamCA(manifest.Egress), Purpose: "roots that this manifest does not ask for"},
		{Path: upstreamCA(manifest.Pipelock), Purpose: "roots that this manifest does not ask for"},
	}
	for _, p := range provider.All() {
		files = append(files, File{Path: agentLogin(p), Purpose: "a dummy login that this manifest does not ask for"})
	}
	return files
}

// The files that more than one place names; the rest follow from a stage's name.
const (
	agentEnvFile = "agent/agent.env"
	agentBundle  = "agent/ca-bundle.pem"
	egressEnv    = "egress/egress.env"
	dummySeed    = "egress/dummy-seed"
)

// agentDir and agentLogin are where the client of a provider keeps its login in
// the bottle.
func agentDir(p provider.Provider) string   { return "agent/" + p.Name }
func agentLogin(p provider.Provider) string { return agentDir(p) + "/" + p.Login.File }

func caCert(stage string) string     { return stage + "/ca.pem" }
func caKey(stage string) string      { return stage + "/ca-key.pem" }
func upstreamCA(stage string) string { return stage + "/upstream-ca.pem" }
func config(stage string) string     { return stage + "/" + stage + ".toml" }
