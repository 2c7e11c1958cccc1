package clienttest

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// finished is a program that ran to its end.
type finished struct {
	stdout, stderr string
	exit           int
}

// run runs a program of the bottle with env as its whole environment.
func run(t *testing.T, env []string, name string, args ...string) finished {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program(t, name), args...)
	var stdout, stderr bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = env, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		require.ErrorAs(t, err, new(*exec.ExitError))
	}
	return finished{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// startStage starts a proxy of the bottle with its log in logFile and returns
// its address, and its process, when it serves. It is stopped at the end of the test, and must
// then end well.
func startStage(t *testing.T, logFile, readyFile, name string, args ...string) (addr string, process *os.Process) {
	t.Helper()
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	require.NoError(t, err)
	defer log.Close()
	cmd := exec.Command(program(t, name), append(args, "--ready-file", readyFile)...)
	cmd.Env, cmd.Stdout, cmd.Stderr = []string{"PATH=/usr/bin:/bin"}, log, log
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("%s ended with %v\n%s", name, err, readFile(t, logFile))
			}
		case <-time.After(15 * time.Second):
			cmd.Process.Kill()
			t.Errorf("%s did not end on SIGTERM\n%s", name, readFile(t, logFile))
		}
	})
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(15 * time.Second)
	for {
		if addr, err := os.ReadFile(readyFile); err == nil {
			return strings.TrimSpace(string(addr)), cmd.Process
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s ended before it served: %v\n%s", name, err, readFile(t, logFile))
		case <-deadline:
			t.Fatalf("%s did not serve in time\n%s", name, readFile(t, logFile))
		case <-tick.C:
		}
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(data)
}
