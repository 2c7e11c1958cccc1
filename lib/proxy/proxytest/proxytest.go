// Package proxytest runs scripts about the two proxies: commands for package
// testscript that start one, wait until it serves, send it signals and ask
// through it for an origin that the test runs.
//
//	func TestScripts(t *testing.T) { testscript.Run(t, proxytest.Params("testdata/script")) }
//
// The commands are:
//
//	code N PROGRAM ARGS...         run it to its end; the exit code must be N
//	up NAME [VAR=X...] PROGRAM ARGS...
//	                               start it; wait for its ready file NAME.addr; its log is NAME.log
//	signal NAME HUP|TERM|KILL      send a signal
//	log NAME REGEXP                wait until its log matches
//	down NAME N                    wait for its end; the exit code must be N
//	ask NAME METHOD URL STATUS [HEADER...]
//	                               a request through NAME; the body goes to stdout
//	hold NAME URL                  begin one whose answer does not end by itself
//	release                        let the origin end it; its rest goes to stdout
//
// Scripts find ca.pem and ca-key.pem of a CA that the asking side trusts,
// origin-ca.pem, and $ORIGIN, the origin's address for connect_to.
package proxytest

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"bottle/lib/mintca"
)

// patience is how long a command waits for what must come.
const patience = 20 * time.Second

// hosts are those that both CAs vouch for.
var hosts = []string{"origin.test", "other.test"}

// Params returns the parameters of a script test in dir.
func Params(dir string) testscript.Params {
	return testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		Setup:               setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": code, "up": up, "signal": signal, "log": log, "down": down, "ask": ask, "hold": hold, "release": release,
		},
	}
}

type worldKey struct{}

// world is what one script has running.
type world struct {
	processes map[string]*process
	origin    *origin
	held      *bufio.Reader
}

type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed after Wait
}

func worldOf(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

func setup(e *testscript.Env) error {
	ca, err := mintca.New(mintca.Options{Hosts: hosts})
	if err != nil {
		return err
	}
	originCA, err := mintca.New(mintca.Options{Hosts: hosts})
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{"ca.pem": ca.CertPEM(), "ca-key.pem": ca.ExposeKeyPEM(), "origin-ca.pem": originCA.CertPEM()} {
		if err := os.WriteFile(filepath.Join(e.WorkDir, name), text, 0o600); err != nil {
			return err
		}
	}
	o := newOrigin(originCA)
	e.Defer(o.close)
	e.Setenv("ORIGIN", o.addr())
	e.Setenv("HOME", e.WorkDir)
	w := &world{processes: map[string]*process{}, origin: o}
	e.Values[worldKey{}] = w
	e.Defer(func() {
		for _, p := range w.processes {
			p.cmd.Process.Kill()
			<-p.done
		}
	})
	return nil
}

func need(ts *testscript.TestScript, neg bool, args []string, n int, usage string) {
	if neg || len(args) < n {
		ts.Fatalf("usage: %s", usage)
	}
}

func exitCode(err error) int {
	var ee *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &ee):
		return ee.ExitCode()
	}
	return -1
}

func code(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "code N PROGRAM ARGS...")
	err := ts.Exec(args[1], args[2:]...)
	if got := exitCode(err); strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit code %d (%v), want %s", got, err, args[0])
	}
}

func up(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "up NAME [VAR=X...] PROGRAM ARGS...")
	name, args := args[0], args[1:]
	env := []string{"PATH=" + ts.Getenv("PATH"), "HOME=" + ts.Getenv("HOME")}
	for len(args) > 0 && strings.Contains(args[0], "=") {
		env, args = append(env, args[0]), args[1:]
	}
	ready := ts.MkAbs(name + ".addr")
	logFile, err := os.Create(ts.MkAbs(name + ".log"))
	ts.Check(err)
	defer logFile.Close()
	cmd := exec.Command(args[0], append([]string{"--ready-file", ready}, args[1:]...)...)
	cmd.Env, cmd.Dir, cmd.Stderr = env, ts.MkAbs("."), logFile
	ts.Check(cmd.Start())
	p := &process{cmd, make(chan struct{})}
	go func() { cmd.Wait(); close(p.done) }()
	worldOf(ts).processes[name] = p
	wait(ts, name+" to be ready", func() bool {
		select {
		case <-p.done:
			ts.Fatalf("%s ended: %s", name, ts.ReadFile(name+".log"))
		default:
		}
		_, err := os.Stat(ready)
		return err == nil
	})
}

// wait looks again and again until done.
func wait(ts *testscript.TestScript, what string, done func() bool) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !done() {
		select {
		case <-tick.C:
		case <-late:
			ts.Fatalf("waited too long for %s", what)
		}
	}
}

func (w *world) process(ts *testscript.TestScript, name string) *process {
	p, ok := w.processes[name]
	if !ok {
		ts.Fatalf("nothing is up as %s", name)
	}
	return p
}

func signal(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "signal NAME HUP|TERM|KILL")
	s, ok := map[string]os.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL}[args[1]]
	if !ok {
		ts.Fatalf("unknown signal %s", args[1])
	}
	ts.Check(worldOf(ts).process(ts, args[0]).cmd.Process.Signal(s))
}

func log(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "log NAME REGEXP")
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	wait(ts, fmt.Sprintf("%s.log to match %q", args[0], args[1]), func() bool { return re.MatchString(ts.ReadFile(args[0] + ".log")) })
}

func down(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "down NAME N")
	w := worldOf(ts)
	p := w.process(ts, args[0])
	select {
	case <-p.done:
	case <-time.After(patience):
		ts.Fatalf("%s does not end", args[0])
	}
	delete(w.processes, args[0])
	if got := p.cmd.ProcessState.ExitCode(); strconv.Itoa(got) != args[1] {
		ts.Fatalf("exit code %d, want %s; log:\n%s", got, args[1], ts.ReadFile(args[0]+".log"))
	}
}

// send opens a connection through the proxy NAME, writes a request for text and
// reads the head of the answer.
func send(ts *testscript.TestScript, name, method, text string, headers []string) (*http.Response, net.Conn) {
	u, err := url.Parse(text)
	ts.Check(err)
	network, address := "tcp", strings.TrimSpace(ts.ReadFile(name+".addr"))
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", ts.MkAbs(path)
	}
	var c net.Conn
	c, err = net.Dial(network, address)
	ts.Check(err)
	ts.Defer(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	target := u.RequestURI()
	if u.Scheme == "http" {
		target = text
	} else {
		fmt.Fprintf(c, "CONNECT %[1]s:443 HTTP/1.1\r\nHost: %[1]s:443\r\n\r\n", u.Host)
		res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: http.MethodConnect})
		ts.Check(err)
		if res.StatusCode != 200 {
			return res, c
		}
		roots := x509.NewCertPool()
		for _, file := range []string{"ca.pem", "origin-ca.pem"} { // of the proxy, and for passthrough
			roots.AppendCertsFromPEM([]byte(ts.ReadFile(ts.Getenv("WORK") + "/" + file)))
		}
		c = tls.Client(c, &tls.Config{ServerName: u.Host, RootCAs: roots})
	}
	_, err = fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", method, target, u.Host, strings.Join(append(headers, ""), "\r\n"))
	ts.Check(err)
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	ts.Check(err)
	return res, c
}

func ask(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 4, "ask NAME METHOD URL STATUS [HEADER...]")
	res, c := send(ts, args[0], args[1], args[2], args[4:])
	b, err := io.ReadAll(res.Body)
	ts.Check(err)
	c.Close()
	fmt.Fprintf(ts.Stdout(), "%s\n", b)
	if strconv.Itoa(res.StatusCode) != args[3] {
		ts.Fatalf("status %d, want %s: %s", res.StatusCode, args[3], b)
	}
}

func hold(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "hold NAME URL")
	res, _ := send(ts, args[0], "GET", args[1], []string{"X-Hold: yes"})
	br := bufio.NewReader(res.Body)
	line, err := br.ReadString('\n')
	ts.Check(err)
	fmt.Fprint(ts.Stdout(), line)
	worldOf(ts).held = br
}

func release(ts *testscript.TestScript, _ bool, _ []string) {
	w := worldOf(ts)
	close(w.origin.goOn)
	b, err := io.ReadAll(w.held)
	if err != nil {
		fmt.Fprintf(ts.Stdout(), "cut off: ")
	}
	fmt.Fprintf(ts.Stdout(), "%s\n", b)
}
