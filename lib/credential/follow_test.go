package credential_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"bottle/lib/credential"
	"bottle/lib/hostauth"
	"bottle/lib/hostauth/throwaway"
	"bottle/lib/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// seenWithin is what a rotation may take; more under the race detector's and
// other tests' load would be the machine's.
const seenWithin = time.Second

// logged is a log that a test reads while it is written.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// follow follows f until the test's end, and checks then that the log names
// none of the values.
func follow(t *testing.T, f *credential.Followed, values ...string) *logged {
	t.Helper()
	l := &logged{}
	var set credential.Set
	set.Add(f)
	set.Follow(slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug})))
	t.Cleanup(func() {
		require.NoError(t, set.Close())
		for _, v := range values {
			require.NotContains(t, l.String(), v)
		}
	})
	return l
}

func current(t *testing.T, s credential.Source) credential.State {
	t.Helper()
	st, err := s.Current()
	require.NoError(t, err)
	return st
}

func becomes(t *testing.T, s credential.Source, want string) credential.State {
	t.Helper()
	require.Eventually(t, func() bool { return current(t, s).Token.Expose() == want }, seenWithin, time.Millisecond, "the change is seen in time")
	return current(t, s)
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

func replace(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, secret.WriteFile(path, []byte(text), 0o600))
}

// codex is the n-th login of a host.
func codex(n int) throwaway.Codex {
	return throwaway.Codex{Seed: fmt.Sprint("login ", n), Expiry: time.Now().Add(time.Duration(n+1) * time.Hour).Truncate(time.Second)}
}

func TestARotatedLoginIsSeen(t *testing.T) {
	for name, rotate := range map[string]func(t *testing.T, path, text string){
		"replaced by renaming":  replace,
		"written in place":      writeFile,
		"deleted and recreated": func(t *testing.T, path, text string) { require.NoError(t, os.Remove(path)); writeFile(t, path, text) },
		"written half by half": func(t *testing.T, path, text string) {
			writeFile(t, path, text[:len(text)/2])
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			require.NoError(t, err)
			defer f.Close()
			_, err = f.WriteString(text[len(text)/2:])
			require.NoError(t, err)
		},
		"in another directory by that name": func(t *testing.T, path, text string) {
			dir := filepath.Dir(path)
			require.NoError(t, os.Rename(dir, dir+".old"))
			require.NoError(t, os.Mkdir(dir, 0o700))
			writeFile(t, path, text)
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "codex", "auth.json")
			require.NoError(t, os.Mkdir(filepath.Dir(path), 0o700))
			writeFile(t, path, string(codex(0).JSON()))
			s, err := credential.OpenLogin("codex", path)
			require.NoError(t, err)
			require.Equal(t, "codex login "+path, s.String())
			follow(t, s, codex(0).AccessToken(), codex(1).AccessToken())
			version := current(t, s).Version
			for n := 1; n < 4; n++ {
				login := codex(n)
				rotate(t, path, string(login.JSON()))
				st := becomes(t, s, login.AccessToken())
				require.Equal(t, login.Expiry.UTC(), st.Expiry)
				require.Equal(t, login.File()["tokens"].(map[string]any)["account_id"], st.Fields["account_id"].Expose())
				require.NotEqual(t, version, st.Version)
				version = st.Version
				if name == "in another directory by that name" {
					break
				}
			}
		})
	}
}

func TestWhatCannotBeReadLeavesTheLastGoodInForce(t *testing.T) {
	login := codex(0)
	half := string(login.JSON()[:300])
	for name, tc := range map[string]struct {
		spoil func(t *testing.T, path string)
		says  string
	}{
		"half written": {func(t *testing.T, path string) { writeFile(t, path, half) }, "not a JSON object"},
		"empty":        {func(t *testing.T, path string) { writeFile(t, path, "") }, "not a JSON object"},
		"another kind": {func(t *testing.T, path string) { replace(t, path, `{"OPENAI_API_KEY":"sk-x"}`) }, "holds an API key"},
		"gone":         {func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) }, "no such file"},
		"a symbolic link": {func(t *testing.T, path string) {
			require.NoError(t, os.Rename(path, path+".real"))
			require.NoError(t, os.Symlink(path+".real", path))
		}, "is a symbolic link"},
		"readable by others": {func(t *testing.T, path string) { require.NoError(t, os.Chmod(path, 0o644)) }, "mode 0644 lets others at it"},
		"a directory": {func(t *testing.T, path string) {
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.Mkdir(path, 0o700))
		}, "is not a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "auth.json")
			writeFile(t, path, string(login.JSON()))
			s, err := credential.OpenLogin("codex", path)
			require.NoError(t, err)
			log := follow(t, s, login.AccessToken(), codex(1).AccessToken())
			before := current(t, s)
			tc.spoil(t, path)
			require.Eventually(t, func() bool { return strings.Contains(log.String(), tc.says) }, seenWithin, time.Millisecond)
			require.Equal(t, before, current(t, s))
			_, err = s.Refetch(t.Context())
			require.ErrorContains(t, err, tc.says)
			require.Equal(t, before, current(t, s))
			require.Equal(t, 1, strings.Count(log.String(), tc.says), "said once:\n%s", log)
			require.Contains(t, log.String(), "level=ERROR")

			require.NoError(t, os.RemoveAll(path))
			writeFile(t, path, string(codex(1).JSON()))
			becomes(t, s, codex(1).AccessToken())
			require.Eventually(t, func() bool { return strings.Contains(log.String(), "can be read again") }, seenWithin, time.Millisecond)
		})
	}
}

func TestAWriteThatChangesNothingIsNoNewVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "auth.json")
	file := codex(0).File()
	write := func() {
		data, err := json.Marshal(file)
		require.NoError(t, err)
		replace(t, path, string(data))
	}
	write()
	s, err := credential.OpenLogin("codex", path)
	require.NoError(t, err)
	before := current(t, s)
	file["last_refresh"] = time.Now().UTC().Format(time.RFC3339)
	file["unknown"] = true
	write()
	after, err := s.Refetch(t.Context())
	require.NoError(t, err)
	require.Equal(t, before, after)
}

// An ended login that cannot be read has nothing to send; one that can be read
// is the origin's to judge, as this machine's clock may be wrong.
func TestTheLastGoodIsInForceUntilItEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "auth.json")
	ended := throwaway.Codex{Seed: "ended", Expiry: time.Now().Add(-time.Minute)}
	writeFile(t, path, string(ended.JSON()))
	s, err := credential.OpenLogin("codex", path)
	require.NoError(t, err)
	require.Equal(t, ended.AccessToken(), current(t, s).Token.Expose())
	require.NoError(t, os.Remove(path))
	_, err = s.Refetch(t.Context())
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = s.Current()
	require.ErrorIs(t, err, credential.ErrEnded)
	require.ErrorContains(t, err, "no such file")
	writeFile(t, path, string(codex(1).JSON()))
	_, err = s.Refetch(t.Context())
	require.NoError(t, err)
	require.Equal(t, codex(1).AccessToken(), current(t, s).Token.Expose())
}

func TestAFileThatIsStillBeingWrittenIsWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	writeFile(t, path, "the-first-token\n")
	s, err := credential.OpenFile(path)
	require.NoError(t, err)
	require.Equal(t, "the-first-token", current(t, s).Token.Expose())
	follow(t, s)
	f, err := os.OpenFile(path, os.O_TRUNC|os.O_WRONLY, 0)
	require.NoError(t, err)
	defer f.Close()
	for _, c := range "the-second-token\n" {
		_, err := f.WriteString(string(c))
		require.NoError(t, err)
		if got := current(t, s).Token.Expose(); got != "the-first-token" && got != "the-second-token" {
			t.Fatalf("half of a token is in force: %q", got)
		}
	}
	require.Equal(t, uint64(2), becomes(t, s, "the-second-token").Version)
}

func TestCommandIsRunAgain(t *testing.T) {
	dir := t.TempDir()
	out, fail, count := filepath.Join(dir, "out"), filepath.Join(dir, "fail"), filepath.Join(dir, "count")
	writeFile(t, out, "the-first-token\n")
	script := `echo >>count; if [ -e fail ]; then echo "vault is sealed" >&2; exit 1; fi; cat out`
	s, err := credential.OpenCommand(t.Context(), []string{"sh", "-c", script}, credential.CommandOptions{Dir: dir, TTL: 30 * time.Millisecond})
	require.NoError(t, err)
	require.Equal(t, "command sh", s.String(), "no argument is shown")
	require.Equal(t, "the-first-token", current(t, s).Token.Expose())
	data, err := os.ReadFile(count)
	require.NoError(t, err)
	require.Len(t, data, 1, "one run serves all until its time is over")
	log := follow(t, s, "the-first-token", "the-second-token")
	writeFile(t, out, "the-second-token\n")
	becomes(t, s, "the-second-token")
	writeFile(t, fail, "")
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "it said: vault is sealed") }, 5*time.Second, time.Millisecond)
	require.Equal(t, "the-second-token", current(t, s).Token.Expose())
	require.NoError(t, os.Remove(fail))
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "can be read again") }, 5*time.Second, time.Millisecond)
}

func TestACommandIsNotRunForEveryRequestThatWantsAnother(t *testing.T) {
	dir := t.TempDir()
	s, err := credential.OpenCommand(t.Context(), []string{"sh", "-c", "echo >>count; echo the-only-token"}, credential.CommandOptions{Dir: dir})
	require.NoError(t, err)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			_, err := s.Refetch(context.Background())
			require.NoError(t, err)
		})
	}
	all.Wait()
	data, err := os.ReadFile(filepath.Join(dir, "count"))
	require.NoError(t, err)
	require.Len(t, data, 1)
}

func TestCloseEndsACommandThatRuns(t *testing.T) {
	dir := t.TempDir()
	s, err := credential.OpenCommand(t.Context(), []string{"sh", "-c", "if [ -e second ]; then : >running; exec sleep 600; fi; : >second; echo the-only-token"}, credential.CommandOptions{Dir: dir, TTL: time.Millisecond})
	require.NoError(t, err)
	var set credential.Set
	set.Add(s)
	set.Follow(slog.New(slog.DiscardHandler))
	require.Eventually(t, func() bool { _, err := os.Stat(filepath.Join(dir, "running")); return err == nil }, 5*time.Second, time.Millisecond)
	require.NoError(t, set.Close())
	require.Equal(t, "the-only-token", current(t, s).Token.Expose(), "requests under way go on")
}

func TestNothingStaysOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	writeFile(t, path, "the-token")
	open := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		return len(list)
	}
	cycle := func() {
		var set credential.Set
		for range 3 {
			s, err := credential.OpenFile(path)
			require.NoError(t, err)
			set.Add(s)
		}
		set.Follow(slog.New(slog.DiscardHandler))
		require.NoError(t, set.Close())
		require.NoError(t, set.Close(), "twice does no harm")
	}
	cycle()
	before := open()
	for range 50 {
		cycle()
	}
	require.Equal(t, before, open())
}

func TestSourcesThatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		writeFile(t, path, text)
		return path
	}
	const value = "value-of-a-secret"
	field := func(text, path string) error {
		_, err := credential.OpenField(file("field.json", text), path)
		return err
	}
	plain := func(text string) error { _, err := credential.OpenFile(file("plain", text)); return err }
	command := func(words ...string) error {
		_, err := credential.OpenCommand(t.Context(), words, credential.CommandOptions{Timeout: 200 * time.Millisecond})
		return err
	}
	systemd := func(name, dir string) error {
		_, err := credential.OpenSystemd(name, func(string) string { return dir })
		return err
	}
	login := func(kind, text string) error { _, err := credential.OpenLogin(kind, file("login", text)); return err }
	for _, tc := range []struct {
		err  error
		want string
	}{
		{plain(""), "secret is empty"}, {plain("\n"), "secret is empty"}, {plain(value + "\n\n"), "line break"},
		{plain("a\r" + value), "line break"}, {plain(value + "\x00"), "control"}, {plain("\ufeff" + value), "byte order mark"},
		{plain(strings.Repeat("x", 64<<10+1)), "more than the 65536"},
		{field(`{"a":{"b":"`+value+`"}}`, "a"), "no such string"}, {field(`{"a":{"b":"`+value+`"}}`, "a.c"), "no such string"},
		{field(`{"a":{"b":""}}`, "a.b"), "secret is empty"}, {field(`{"a":"`+value+`\n"}`, "a"), "line break"}, {field(`{"a":1}`, "a"), "no such string"},
		{field(`{"a":"`+value+`","a":"x"}`, "a"), "names a key twice"}, {field(value, "a"), "not a JSON object"},
		{command("sh", "-c", "echo "+value+"; echo no >&2; exit 3"), "exit status 3; it said: no"}, {command("sleep", "60"), "no answer within"},
		{command("sh", "-c", "printf '"+value+"\\n\\n'"), "line break"}, {command("true"), "secret is empty"}, {command("no-such-program"), "not found"},
		{systemd("a/b", dir), "is not the name of a credential"}, {systemd("..", dir), "is not the name"}, {systemd("missing", dir), "no such file"},
		{systemd("x", ""), "CREDENTIALS_DIRECTORY is not set"}, {login("codex", "{}"), "access_token"}, {login("claude", "{}"), "claudeAiOauth.accessToken"},
		{login("other", "{}"), "no kind of login"},
	} {
		require.ErrorContains(t, tc.err, tc.want)
		require.NotContains(t, tc.err.Error(), value)
	}
	require.ErrorIs(t, login("codex", "x"), hostauth.ErrNotJSON)
}

func TestSecretsAreNotExpanded(t *testing.T) {
	t.Setenv("EXPANDED", "expanded")
	const odd = `$EXPANDED ${EXPANDED} $(id) {token} {{x}} %s %24 \n "q" 'q' ` + "`id`" + ` é`
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "plain"), odd+"\n")
	writeFile(t, filepath.Join(dir, "crlf"), odd+"\r\n")
	data, err := json.Marshal(map[string]any{"a": map[string]string{"b": odd}})
	require.NoError(t, err)
	writeFile(t, filepath.Join(dir, "json"), string(data))
	for name, open := range map[string]func() (*credential.Followed, error){
		"file":  func() (*credential.Followed, error) { return credential.OpenFile(filepath.Join(dir, "plain")) },
		"crlf":  func() (*credential.Followed, error) { return credential.OpenFile(filepath.Join(dir, "crlf")) },
		"field": func() (*credential.Followed, error) { return credential.OpenField(filepath.Join(dir, "json"), "a.b") },
		"systemd": func() (*credential.Followed, error) {
			return credential.OpenSystemd("plain", func(string) string { return dir })
		},
		"command": func() (*credential.Followed, error) {
			return credential.OpenCommand(t.Context(), []string{"cat", "plain"}, credential.CommandOptions{Dir: dir})
		},
		"argument": func() (*credential.Followed, error) {
			return credential.OpenCommand(t.Context(), []string{"printf", "%s", odd}, credential.CommandOptions{})
		},
	} {
		s, err := open()
		require.NoError(t, err, name)
		require.Equal(t, odd, current(t, s).Token.Expose(), name)
		require.NotContains(t, s.String(), "$(id)")
	}
}
