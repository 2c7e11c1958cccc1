package clienttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// agent is a place where a client runs: folders of its own and an environment
// that is built from nothing.
type agent struct {
	home, work, tmp string
	envFile         string // agent.env, read by sh
	codexHome       string
	claudeHome      string
}

func newAgent(t *testing.T, envFile, codexHome string) *agent {
	t.Helper()
	return &agent{home: t.TempDir(), work: t.TempDir(), tmp: t.TempDir(), envFile: envFile, codexHome: codexHome}
}

// outcome is how a client's run went.
type outcome struct {
	stdout, stderr string
	exit           int
	took           time.Duration
	// environs and commands are what /proc said of the agent's processes and of
	// all processes while the client ran.
	environs, commands map[string]bool
}

// clientTimeout is far above the second or two that a run takes; the retries
// that a wrong refusal causes take longer.
const clientTimeout = 120 * time.Second

// exec runs `codex exec prompt` in the agent's place.
func (a *agent) exec(t *testing.T, codex, prompt string) *outcome {
	t.Helper()
	return a.run(t, "CODEX_HOME="+a.codexHome, codex, "exec", "--skip-git-repo-check", "--sandbox", "danger-full-access", prompt)
}

// run runs a client in the agent's place. mark is a variable of agent.env, by
// which the agent's processes are known.
func (a *agent) run(t *testing.T, mark string, client ...string) *outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), clientTimeout)
	defer cancel()
	// The environment is what a shell makes of agent.env, and nothing else.
	cmd := exec.CommandContext(ctx, "env", append([]string{
		"-i", "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + a.home, "TMPDIR=" + a.tmp,
		"sh", "-c", `set -a; . "$1"; set +a; shift; exec "$@"`, "sh", a.envFile,
	}, client...)...)
	cmd.Dir = a.work
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr

	start := time.Now()
	require.NoError(t, cmd.Start())
	watch := watchProcesses(mark)
	err := cmd.Wait()
	o := &outcome{took: time.Since(start)}
	o.environs, o.commands = watch()
	o.stdout, o.stderr = stdout.String(), stderr.String()
	var ee *exec.ExitError
	if errors.As(err, &ee) {
		o.exit = ee.ExitCode()
	} else {
		require.NoError(t, err)
	}
	require.NoError(t, ctx.Err(), "the client hung\n%s", o)
	if o.took > 500*time.Millisecond { // else it may have come and gone between two looks
		require.NotEmpty(t, o.environs, "no process of the agent was seen with %s\n%s", mark, o)
	}
	return o
}

func (o *outcome) String() string {
	return fmt.Sprintf("exit %d after %v\n--- stdout\n%s\n--- stderr\n%s", o.exit, o.took.Round(time.Millisecond), o.stdout, o.stderr)
}

// watchProcesses reads /proc until the function that it returns is called,
// which returns the environments of all processes with mark in theirs, and
// every command line on the machine.
func watchProcesses(mark string) func() (environs, commands map[string]bool) {
	environs, commands := map[string]bool{}, map[string]bool{}
	look := func() {
		for _, file := range glob("/proc/[0-9]*/cmdline") {
			// A process that has ended meanwhile has nothing to show.
			command, err := os.ReadFile(file)
			if err != nil || len(command) == 0 {
				continue
			}
			commands[string(command)] = true
			environ, err := os.ReadFile(filepath.Join(filepath.Dir(file), "environ"))
			if err == nil && strings.Contains("\x00"+string(environ), "\x00"+mark+"\x00") {
				environs[string(environ)] = true
			}
		}
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(120 * time.Millisecond)
		defer tick.Stop()
		for {
			look()
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
	return func() (map[string]bool, map[string]bool) {
		close(stop)
		<-done
		return environs, commands
	}
}

func glob(pattern string) []string {
	names, err := filepath.Glob(pattern)
	if err != nil { // the pattern is a constant
		panic(err)
	}
	return names
}
