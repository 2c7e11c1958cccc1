package scriptstest

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// env returns the variables of a listing by name.
func env(listing string) map[string]string {
	vars := map[string]string{}
	for line := range strings.Lines(listing) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		vars[name] = value
	}
	return vars
}

func TestCommandGetsTheBottlesEnvironmentAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `agent.pass_env = ["LANG"]`, `agent.env = { EDITOR = "vi" }`)
	o := w.bottle(t, "run", "--", "env")
	require.Zero(t, o.code, o.stderr)
	got, want := env(o.stdout), env(w.read(t, ".bottle/agent/agent.env"))
	for _, name := range []string{"HTTPS_PROXY", "CODEX_HOME", "CODEX_CA_CERTIFICATE", "LANG", "EDITOR"} {
		require.Contains(t, want, name)
	}
	dir, err := filepath.EvalSymlinks(w.dir)
	require.NoError(t, err)
	want["PATH"], want["TERM"], want["HOME"] = os.Getenv("PATH"), "dumb", filepath.Join(dir, ".bottle/agent/home")
	require.Equal(t, want, got)
	require.NotContains(t, o.stdout, routeToken)
	require.NotContains(t, o.stdout, w.provider.Token())
}

func TestCommandReachesItsRouteWithTheRealCredential(t *testing.T) {
	t.Parallel()
	for name, order := range map[string]string{"egress first": `["egress", "pipelock"]`, "filter first": `["pipelock", "egress"]`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "chain.order = "+order)
			o := w.bottle(t, "run", "--", "curl", "-sSf", "https://api.example.com/v1/a")
			require.Zero(t, o.code, o.stderr)
			records := w.provider.Records()
			require.Len(t, records, 1)
			require.Equal(t, fingerprint(routeToken), records[0].Bearer)
		})
	}
}

func TestStagesGetNoSecretInTheirEnvironmentOrArguments(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	t.Parallel()
	w := newWorld(t)
	require.Zero(t, w.bottle(t, "up").code)
	for _, stage := range []string{"egress", "pipelock"} {
		pid := strings.TrimSpace(w.read(t, ".bottle/run/"+stage+".pid"))
		for _, file := range []string{"environ", "cmdline"} {
			data, err := os.ReadFile(filepath.Join("/proc", pid, file))
			require.NoError(t, err)
			require.Contains(t, string(data), "/bin", "the file must be the stage's")
			for _, secret := range []string{routeToken, w.provider.Token(), "EGRESS_TOKEN", "OPENAI_API_KEY"} {
				require.NotContains(t, string(data), secret, "%s of %s", file, stage)
			}
		}
	}
	require.Zero(t, w.bottle(t, "down").code)
}

func TestFilterLooksForKnownSecrets(t *testing.T) {
	t.Parallel()
	known := `pipelock.known_secrets = [{ name = "database", env = "DATABASE_PASSWORD" }, { name = "vault", command = ["./vault", "read"] }]`
	w := newWorld(t, known)
	password, key := random(t), random(t)
	w.write(t, "vault", "#!/bin/sh\necho "+key+"\n")
	require.NoError(t, os.Chmod(filepath.Join(w.dir, "vault"), 0o700))

	o := w.bottle(t, "run", "--", "true")
	require.Equal(t, 2, o.code, o.stderr)
	require.Contains(t, o.stderr, "environment variable DATABASE_PASSWORD is not set")

	w.env = append(w.env, "DATABASE_PASSWORD="+password)
	send := "curl -s -d pass=%s https://api.example.com/v1/a"
	o = w.bottle(t, "run", "--", "sh", "-c", fmt.Sprintf(send+"; "+send, password, key))
	require.Contains(t, o.stdout, "known:database")
	require.Contains(t, o.stdout, "known:vault")
	require.Empty(t, w.provider.Records())
	o = w.bottle(t, "run", "--", "env")
	require.NotContains(t, o.stdout, password, "the agent does not get it")
}

// random is a secret of no known form.
func random(t *testing.T) string {
	t.Helper()
	return strings.ToLower(rand.Text())
}

func TestStreamsAreTheCommands(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.command(t, "run", "--", "cat")
	c.Stdin = strings.NewReader("one\ntwo\n")
	o := finish(t, c)
	require.Zero(t, o.code)
	require.Equal(t, "one\ntwo\n", o.stdout)
}

func TestExitStatusIsTheCommands(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for script, code := range map[string]int{"exit 0": 0, "exit 7": 7, "exit 255": 255, "kill -KILL $$": 128 + 9, "kill -TERM $$": 128 + 15} {
		o := w.bottle(t, "run", "--", "sh", "-c", script)
		require.Equal(t, code, o.code, "%s: %s", script, o.stderr)
	}
	require.Equal(t, 127, w.bottle(t, "run", "--", "no-such-command").code)
}

func TestFailedCommandIsExplained(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.bottle(t, "run", "--", "curl", "-s", "https://other.example.com/")
	require.NotZero(t, o.code)
	require.Contains(t, o.stderr, "bottle: the command ended with")
	require.Contains(t, o.stderr, ".bottle/run/egress.log")
	require.Contains(t, o.stderr, "no route leads to other.example.com:443")
}

func TestSignalsArePassedOn(t *testing.T) {
	t.Parallel()
	for name, sig := range map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP} {
		t.Run(name+" to a command that handles it", func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := w.start(t, nil, `trap 'echo got `+name+`; exit 5' `+name+`; echo ready; while :; do sleep 0.05; done`)
			require.NoError(t, r.Process.Signal(sig))
			o := r.end(t)
			require.Equal(t, 5, o.code, o.stderr)
			require.Equal(t, "got "+name+"\n", o.stdout)
			w.requireStopped(t)
		})
		t.Run(name+" to one that does not", func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := w.start(t, nil, `echo ready; exec sleep 600`)
			require.NoError(t, r.Process.Signal(sig))
			require.Equal(t, 128+int(sig), r.end(t).code)
			w.requireStopped(t)
		})
	}
}

// requireStopped holds a bottle to having left nothing behind but its logs.
func (w *world) requireStopped(t *testing.T) {
	t.Helper()
	require.Empty(t, processesOf(t, w.dir))
	entries, err := os.ReadDir(filepath.Join(w.dir, ".bottle/run"))
	require.NoError(t, err)
	for _, e := range entries {
		require.Contains(t, []string{".log", ".jsonl"}, filepath.Ext(e.Name()), e.Name())
	}
	o := w.bottle(t, "status")
	require.Equal(t, 1, o.code)
	require.Equal(t, 2, strings.Count(o.stdout, "stopped"), o.stdout)
}

func TestSeveralBottlesRunAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t) // a manifest that names no port
	var bottles []*running
	for _, dir := range []string{"a", "b", "c"} {
		bottles = append(bottles, w.start(t, []string{"--dir", dir}, `echo ready; read line; curl -sSf "https://api.example.com/$line" >/dev/null && echo "$HTTPS_PROXY"`))
	}
	var proxies []string
	for i, b := range bottles {
		_, err := b.stdin.Write([]byte{'a' + byte(i), '\n'})
		require.NoError(t, err)
		o := b.end(t)
		require.Zero(t, o.code, o.stderr)
		proxies = append(proxies, o.stdout)
	}
	slices.Sort(proxies)
	require.Len(t, slices.Compact(proxies), 3, "each has a port of its own")
	require.Len(t, w.provider.Records(), 3)
}

func TestFolderInUseIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start(t, nil, `echo ready; read line; curl -sSf https://api.example.com/v1/a >/dev/null`)
	before := w.read(t, ".bottle/agent/agent.env")
	for _, verb := range [][]string{{"run", "--", "true"}, {"up"}, {"down"}} {
		o := w.bottle(t, verb...)
		require.Equal(t, 1, o.code, "%v", verb)
		require.Contains(t, o.stderr, "in use by")
		require.Contains(t, o.stderr, "hint: ")
	}
	require.Equal(t, before, w.read(t, ".bottle/agent/agent.env"), "the first one's address stands")
	require.NoError(t, r.stdin.Close())
	o := r.end(t)
	require.Zero(t, o.code, "the first one is not disturbed: %s", o.stderr)
	w.requireStopped(t)
}

func TestUpStatusLogsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.bottle(t, "up")
	require.Zero(t, o.code, o.stderr)
	require.Contains(t, o.stderr, ".bottle/agent/agent.env")

	o = w.bottle(t, "status")
	require.Zero(t, o.code)
	for _, stage := range []string{"egress", "pipelock"} {
		require.Regexp(t, `(?m)^`+stage+` +running +pid \d+ +`+strings.TrimSpace(w.read(t, ".bottle/run/"+stage+".addr"))+`$`, o.stdout)
	}
	for _, verb := range [][]string{{"up"}, {"run", "--", "true"}} {
		o = w.bottle(t, verb...)
		require.Equal(t, 1, o.code)
		require.Contains(t, o.stderr, "hint: stop it with: ")
	}
	o = w.bottle(t, "logs")
	require.Zero(t, o.code)
	require.Equal(t, 2, strings.Count(o.stdout, "msg=serving"), o.stdout)

	require.Zero(t, w.bottle(t, "down").code)
	w.requireStopped(t)
	require.Zero(t, w.bottle(t, "down").code, "nothing to stop is no failure")
	require.Zero(t, w.bottle(t, "run", "--", "true").code)
}

func TestWhatAKilledRunLeftCanBeStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start(t, nil, `echo ready; read line`)
	require.NoError(t, r.Process.Kill())
	require.NoError(t, r.stdin.Close())
	r.end(t)
	require.Zero(t, w.bottle(t, "status").code, "the stages are still there")
	require.Zero(t, w.bottle(t, "down").code)
	w.requireStopped(t)
	require.Zero(t, w.bottle(t, "run", "--", "true").code)
}

func TestStageThatDiesIsReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.bottle(t, "run", "--", "sh", "-c", `pid=$(cat .bottle/run/pipelock.pid)
		kill -KILL $pid; while kill -0 $pid 2>/dev/null; do sleep 0.01; done`)
	require.Zero(t, o.code)
	require.Contains(t, o.stderr, "bottle-pipelock ended before the command")
	require.NotContains(t, o.stderr, "Killed")
	w.requireStopped(t)
}

func TestPortOfTheManifestIsKeptAndItsConflictShown(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	w := newWorld(t, `egress.listen = "`+taken.Addr().String()+`"`)
	o := w.bottle(t, "run", "--", "true")
	require.Equal(t, 2, o.code, o.stderr)
	require.Contains(t, o.stderr, "bottle-egress ended before it served")
	require.Contains(t, o.stderr, "address already in use")
	w.requireStopped(t)

	taken.Close()
	o = w.bottle(t, "run", "--", "sh", "-c", "echo $HTTPS_PROXY")
	require.Zero(t, o.code, o.stderr)
	require.Equal(t, "http://"+taken.Addr().String()+"\n", o.stdout)
}

func TestSecondStageMayListenOnASocket(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := filepath.Join(t.TempDir(), "p")
	w.write(t, "bottle.toml", `pipelock.listen = "unix:`+path+"\"\n"+w.read(t, "bottle.toml"))
	o := w.bottle(t, "run", "--", "curl", "-sSf", "https://api.example.com/v1/a")
	require.Zero(t, o.code, o.stderr)

	w.write(t, "bottle.toml", strings.Replace(w.read(t, "bottle.toml"), "pipelock.listen", "egress.listen", 1))
	o = w.bottle(t, "run", "--", "true")
	require.Equal(t, 2, o.code)
	require.Contains(t, o.stderr, "egress.listen a port")
	w.requireStopped(t)
}

func TestBadManifestStartsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `agent.colour = "green"`)
	o := w.bottle(t, "run", "--", "touch", "ran")
	require.Equal(t, 2, o.code)
	require.Contains(t, o.stderr, "bottle.toml:7")
	require.NoFileExists(t, filepath.Join(w.dir, "ran"))
	require.NoDirExists(t, filepath.Join(w.dir, ".bottle"))
}

func TestMisuse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, args := range [][]string{
		{}, {"walk"}, {"run"}, {"run", "--"}, {"run", "--colour", "--", "true"}, {"run", "--dir"}, {"up", "now"}, {"down", "--manifest", "x"}, {"status", "-f"},
	} {
		o := w.bottle(t, args...)
		require.Equal(t, 2, o.code, "%q", args)
		require.Empty(t, o.stdout)
		require.Contains(t, o.stderr, "hint: ", "%q", args)
		require.NoDirExists(t, filepath.Join(w.dir, ".bottle"))
	}
	for _, args := range [][]string{{"--help"}, {"run", "--help"}} {
		o := w.bottle(t, args...)
		require.Zero(t, o.code)
		require.Contains(t, o.stdout, "bottle run [OPTIONS] -- COMMAND...")
		require.Empty(t, o.stderr)
	}
	require.Regexp(t, `^bottle version \S+\n$`, w.bottle(t, "--version").stdout)
}
