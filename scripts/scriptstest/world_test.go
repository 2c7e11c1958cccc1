package scriptstest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bottle/lib/providertest"
)

// patience bounds whatever a test waits for; reaching it is a failure.
const patience = 60 * time.Second

// root has a copy of the scripts beside freshly built programs, as a checkout
// has them: bin/ and scripts/.
var root string

func TestMain(m *testing.M) {
	code := 1
	var err error
	if root, err = install(); err == nil {
		code = m.Run()
	} else {
		fmt.Println("build what the tests run:", err)
	}
	os.RemoveAll(root)
	os.Exit(code)
}

func install() (string, error) {
	dir, err := os.MkdirTemp("", "scriptstest")
	if err != nil {
		return "", err
	}
	for _, name := range []string{"bottle", "demo", "demo-agent", "stream-delays", "by-hand.sh"} {
		if err := copyFile(filepath.Join("..", name), filepath.Join(dir, "scripts", name)); err != nil {
			return dir, err
		}
	}
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "bin")+"/", "./cmd/...", "./scripts/standin")
	build.Dir = "../.."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("%w: %s", err, out)
	}
	return dir, nil
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o755)
	}
	if err == nil {
		err = os.WriteFile(to, data, 0o755)
	}
	return err
}

// routeToken is what the operator has for api.example.com.
const routeToken = "the-operators-token-for-the-route"

// world is an operator with a provider's login, in a folder with a manifest.
type world struct {
	dir      string
	provider *providertest.Server
	env      []string
}

// newWorld writes a bottle.toml to which more is added.
func newWorld(t *testing.T, more ...string) *world {
	t.Helper()
	provider, err := providertest.Start(providertest.Options{Answer: "hello from the stand-in"})
	require.NoError(t, err)
	t.Cleanup(func() { provider.Close() })
	w := &world{dir: t.TempDir(), provider: provider}
	w.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "TERM=dumb", "LANG=C.UTF-8",
		"ROUTE_TOKEN=" + routeToken, "EGRESS_TOKEN_0=not-from-here", "OPENAI_API_KEY=not-for-the-agent",
	}
	w.write(t, "auth.json", string(provider.Login().JSON()))
	w.write(t, "provider-ca.pem", string(provider.CAPEM()))
	w.write(t, "bottle.toml", fmt.Sprintf(`version = 1
network.connect_to = ["chatgpt.com:443:%[1]s", "api.example.com:443:%[1]s"]
network.upstream_ca = ["provider-ca.pem"]
agent.provider = "codex"
agent.forward_host_credentials = true
agent.auth_file = "auth.json"
%[2]s
[[egress.route]]
host = "api.example.com"
auth = { token_ref = "ROUTE_TOKEN" }
`, provider.Addr(), strings.Join(more, "\n")))
	// Whatever a test leaves running, and that none does.
	t.Cleanup(func() {
		dirs, err := filepath.Glob(filepath.Join(w.dir, "*", "run"))
		require.NoError(t, err)
		for _, d := range append(dirs, filepath.Join(w.dir, ".bottle", "run")) {
			w.command(t, "down", "--dir", filepath.Dir(d)).Run()
		}
		require.Empty(t, processesOf(t, w.dir), "processes are left over")
	})
	return w
}

func (w *world) write(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600))
}

func (w *world) read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(w.dir, name))
	require.NoError(t, err)
	return string(data)
}

// command is scripts/bottle with its arguments, in the operator's folder.
func (w *world) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	c := exec.CommandContext(ctx, filepath.Join(root, "scripts", "bottle"), args...)
	c.Dir, c.Env = w.dir, w.env
	c.WaitDelay = time.Second
	return c
}

// outcome is how a command ended.
type outcome struct {
	code           int
	stdout, stderr string
}

func (w *world) bottle(t *testing.T, args ...string) outcome {
	t.Helper()
	return finish(t, w.command(t, args...))
}

func finish(t *testing.T, c *exec.Cmd) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	return outcome{exitCode(t, c.Run()), stdout.String(), stderr.String()}
}

func exitCode(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	require.NoError(t, err)
	return 0
}

// running is a bottle whose command has said "ready" and goes on.
type running struct {
	*exec.Cmd
	stdin  io.WriteCloser
	lines  chan string // of stdout, after "ready"; closed at its end
	stderr bytes.Buffer
}

// start runs a shell script in a bottle and returns once it says "ready".
func (w *world) start(t *testing.T, options []string, script string) *running {
	t.Helper()
	args := append(append([]string{"run"}, options...), "--", "sh", "-c", script)
	r := &running{Cmd: w.command(t, args...), lines: make(chan string, 100)}
	var err error
	r.stdin, err = r.StdinPipe()
	require.NoError(t, err)
	stdout, err := r.StdoutPipe()
	require.NoError(t, err)
	r.Stderr = &r.stderr
	require.NoError(t, r.Cmd.Start())
	go func() {
		defer close(r.lines)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			r.lines <- s.Text()
		}
	}()
	if line, ok := <-r.lines; line != "ready" {
		r.Cmd.Wait()
		require.Failf(t, "no ready", "line %q, more to come: %v, stderr: %s", line, ok, &r.stderr)
	}
	return r
}

// end waits for the bottle's end; stdout is what came after "ready".
func (r *running) end(t *testing.T) outcome {
	t.Helper()
	var stdout strings.Builder
	for line := range r.lines { // before Wait, which closes the pipe
		stdout.WriteString(line + "\n")
	}
	return outcome{exitCode(t, r.Cmd.Wait()), stdout.String(), r.stderr.String()}
}

// processesOf returns the command lines of the programs that have text in
// theirs, where the system shows them.
func processesOf(t *testing.T, text string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	var found []string
	for _, f := range files {
		data, err := os.ReadFile(f) // ended by now, or somebody else's
		if line := string(bytes.ReplaceAll(data, []byte{0}, []byte{' '})); err == nil && strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}
