package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// clockTick is the unit of utime and stime in /proc/PID/stat: USER_HZ, which
// is 100 on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// process is a stage, a peer or the origin, running and ready.
type process struct {
	name   string
	addr   string
	ready  time.Duration // exec to ready file
	cmd    *exec.Cmd
	stderr string
	ended  chan struct{}
}

// start runs argv, which must write its bound address to readyFile, and
// returns once it has. The environment is env and nothing else.
func start(name, dir, readyFile string, argv, env []string) (*process, error) {
	p := &process{name: name, stderr: filepath.Join(dir, "stderr"), ended: make(chan struct{})}
	log, err := os.Create(p.stderr)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	p.cmd.Dir = dir
	p.cmd.Stderr = log

	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w (build the stages first, and name their folder with --bin)", name, err)
	}
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	poll := time.NewTicker(100 * time.Microsecond)
	defer poll.Stop()
	timeout := time.After(10 * time.Second)
	for {
		select {
		case <-p.ended:
			return nil, fmt.Errorf("start %s: %s: %s", name, p.cmd.ProcessState, p.lastWords())
		case <-timeout:
			p.stop()
			return nil, fmt.Errorf("start %s: not ready after 10 s: %s", name, p.lastWords())
		case <-poll.C:
			b, err := os.ReadFile(readyFile)
			if errors.Is(err, os.ErrNotExist) || err == nil && !bytes.HasSuffix(b, []byte("\n")) {
				continue
			}
			if err != nil {
				p.stop()
				return nil, fmt.Errorf("start %s: %w", name, err)
			}
			p.ready = time.Since(began)
			p.addr = strings.TrimSpace(string(b))
			return p, nil
		}
	}
}

// stop asks the process to end, insists after three seconds, and waits.
func (p *process) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(3 * time.Second):
		p.cmd.Process.Kill()
		<-p.ended
	}
}

// lastWords is the end of what the process said on stderr.
func (p *process) lastWords() string {
	b, err := os.ReadFile(p.stderr)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(b[max(0, len(b)-500):]))
}

// cpu is the processor time that the process has used.
func (p *process) cpu() (time.Duration, error) {
	b, err := os.ReadFile(p.proc("stat"))
	if err != nil {
		return 0, err
	}
	// The second field is the command in parentheses and may hold anything.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("%s: %d fields", p.proc("stat"), len(fields))
	}
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}

// memory reads a field of /proc/PID/status in MB (10^6 bytes): VmRSS is what
// is resident now, VmHWM the most that was since resetPeak.
func (p *process) memory(field string) (float64, error) {
	b, err := os.ReadFile(p.proc("status"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			kb, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
			return kb * 1024 / 1e6, err
		}
	}
	return 0, fmt.Errorf("%s: no %s", p.proc("status"), field)
}

// resetPeak makes VmHWM start again from VmRSS.
func (p *process) resetPeak() error {
	return os.WriteFile(p.proc("clear_refs"), []byte("5"), 0)
}

func (p *process) proc(file string) string {
	return fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, file)
}
