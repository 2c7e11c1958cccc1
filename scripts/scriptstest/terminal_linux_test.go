package scriptstest

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// openTerminal returns both sides of a new pseudo-terminal.
func openTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	var number, unlock int32
	for request, arg := range map[uintptr]*int32{syscall.TIOCSPTLCK: &unlock, syscall.TIOCGPTN: &number} {
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, master.Fd(), request, uintptr(unsafe.Pointer(arg)))
		require.Zero(t, errno)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

// Ctrl-C reaches the command once, not a second time through the script, and
// not the stages: a command that goes on after it still has its way out.
func TestInterruptFromTheTerminal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	master, slave := openTerminal(t)
	c := w.command(t, "run", "--", "bash", "-c", `n=0; trap 'n=$((n + 1))' INT
		echo ready; until [ $n -gt 0 ]; do sleep 0.05; done; sleep 0.3
		curl -sSf https://api.example.com/v1/a >/dev/null && echo "interrupts: $n"; exit 9`)
	c.Stdin, c.Stdout, c.Stderr = slave, slave, slave
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	require.NoError(t, c.Start())
	slave.Close()
	var said []string
	for s := bufio.NewScanner(master); s.Scan(); { // until the last process lets go of the terminal
		said = append(said, s.Text())
		if strings.HasSuffix(s.Text(), "ready") {
			_, err := master.WriteString("\x03")
			require.NoError(t, err)
		}
	}
	require.Equal(t, 9, exitCode(t, c.Wait()), "%q", said)
	require.Contains(t, strings.Join(said, "\n"), "interrupts: 1")
	w.requireStopped(t)
}
