package inject_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bottle/lib/hostauth/throwaway"
	"bottle/lib/refusal"
	"bottle/lib/secret"
)

// hostLogin is the login of a host as its own client keeps it.
type hostLogin struct {
	t      *testing.T
	path   string
	expiry time.Time // in the tokens: login n is the same whenever it is asked for
}

func newHostLogin(t *testing.T) hostLogin {
	h := hostLogin{t, filepath.Join(t.TempDir(), "auth.json"), time.Now().Add(24 * time.Hour)}
	h.rotate(0)
	return h
}

func (h hostLogin) login(n int) throwaway.Codex {
	return throwaway.Codex{Seed: fmt.Sprint("login ", n), Account: fmt.Sprint("account-", n), Expiry: h.expiry}
}

// rotate replaces the login as Codex does: in place is the worse case, but it
// is by renaming that nothing half written is ever seen.
func (h hostLogin) rotate(n int) string {
	login := h.login(n)
	require.NoError(h.t, secret.WriteFile(h.path, login.JSON(), 0o600))
	return login.AccessToken()
}

func (h hostLogin) route(host string) string {
	return fmt.Sprintf(`
[[login]]
name = "codex"
kind = "codex"
file = %q
refresh = "follow"
[[route]]
host = %q
auth = [
  { scheme = "Bearer", login = "codex" },
  { header = "ChatGPT-Account-ID", value = "{account_id}", login = "codex" },
]
`, h.path, host)
}

func TestARotatedLoginIsUsedForTheNextRequest(t *testing.T) {
	h := newHostLogin(t)
	w := newWorld(t, h.route("always.test"), nil)
	for n := 1; n < 5; n++ {
		start := time.Now()
		token := h.rotate(n)
		require.Eventually(t, func() bool {
			req := w.passed(w.ask("GET", "https://always.test/", "chatgpt-account-id: theirs"), "")
			return req.Header.Get("Authorization") == "Bearer "+token && req.Header.Get("Chatgpt-Account-Id") == fmt.Sprint("account-", n)
		}, time.Second, time.Millisecond)
		t.Logf("seen after %v", time.Since(start))
	}
}

// seenWithin is the promise: a request that is made this long after the login
// has changed goes out with the new one.
func seenWithin() time.Duration {
	if raceEnabled {
		return patience // the detector takes the processor that the promise is about
	}
	return time.Second
}

// rotations are those of a login so far, by number.
type rotations struct {
	mu      sync.Mutex
	login   hostLogin
	numbers map[string]int // by Authorization
	changed []time.Time
}

// next makes the next login, which has not been put in place yet.
func (r *rotations) next() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n = len(r.changed)
	r.numbers["Bearer "+r.login.login(n).AccessToken()] = n
	r.changed = append(r.changed, time.Now().Add(time.Hour))
	return n
}

// inPlace says that login n has been put in place.
func (r *rotations) inPlace(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changed[n] = time.Now()
}

// least is the oldest login with which a request may go out now.
func (r *rotations) least() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.changed) - 1
	for n > 0 && time.Since(r.changed[n]) < seenWithin() {
		n--
	}
	return n
}

// number tells which login a request came with.
func (r *rotations) number(req *http.Request) (n int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, ok = r.numbers[req.Header.Get("Authorization")]
	return n, ok && req.Header.Get("Chatgpt-Account-Id") == fmt.Sprint("account-", n)
}

// A thousand rotations, as fast as they are seen, while four clients ask
// without a pause: every request comes to the origin with a credential that is
// in force, or was until a second before the request, and its own account.
func TestNoRequestFailsWhileTheLoginRotates(t *testing.T) {
	count := 1000
	if testing.Short() || raceEnabled {
		count = 100
	}
	h := newHostLogin(t)
	logins := &rotations{login: h, numbers: map[string]int{}}
	logins.inPlace(logins.next())
	var newest, wrong, late atomic.Int64
	var w *world
	w = newWorld(t, h.route("always.test"), func(rw http.ResponseWriter, req *http.Request) {
		<-w.seen
		n, ok := logins.number(req)
		if !ok {
			wrong.Add(1)
		}
		if least, err := strconv.Atoi(req.Header.Get("X-Least")); err != nil || n < least {
			late.Add(1)
		}
		for {
			if old := newest.Load(); old >= int64(n) || newest.CompareAndSwap(old, int64(n)) {
				return
			}
		}
	})
	stop := make(chan struct{})
	var clients sync.WaitGroup
	var asked atomic.Int64
	failures := make(chan string, 16)
	failed := func(format string, args ...any) {
		select {
		case failures <- fmt.Sprintf(format, args...):
		default:
		}
	}
	for range 4 {
		clients.Go(func() {
			tr := &http.Transport{Proxy: w.proxyURL, TLSClientConfig: &tls.Config{RootCAs: w.roots}}
			defer tr.CloseIdleConnections()
			client := &http.Client{Transport: tr, Timeout: patience}
			for {
				select {
				case <-stop:
					return
				default:
				}
				req, err := http.NewRequest("GET", "https://always.test/", nil)
				if err != nil {
					panic(err)
				}
				req.Header.Set("X-Least", strconv.Itoa(logins.least()))
				res, err := client.Do(req)
				if asked.Add(1); err != nil {
					failed("%v", err)
					continue
				}
				text, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err != nil || res.StatusCode != 200 {
					failed("%d %s %v", res.StatusCode, text, err)
				}
			}
		})
	}
	end := sync.OnceFunc(func() { close(stop); clients.Wait() })
	defer end()
	var took []time.Duration
	for range count {
		n := logins.next()
		start := time.Now()
		h.rotate(n)
		logins.inPlace(n)
		for newest.Load() < int64(n) {
			if time.Since(start) > patience {
				t.Fatalf("rotation %d was not seen", n)
			}
			time.Sleep(100 * time.Microsecond)
		}
		took = append(took, time.Since(start))
	}
	end()
	slices.Sort(took)
	t.Logf("%d rotations under %d requests, at the origin within: half %v, 99%% %v, all %v",
		count, asked.Load(), took[len(took)/2], took[len(took)*99/100], took[len(took)-1])
	close(failures)
	for f := range failures {
		t.Error(f)
	}
	require.Zero(t, wrong.Load(), "requests with what was never in force")
	require.Zero(t, late.Load(), "requests with what had rotated long before")
}

func TestSourceAndExpiryAreRecorded(t *testing.T) {
	h := newHostLogin(t)
	w := newWorld(t, h.route("always.test"), nil)
	w.passed(w.ask("GET", "https://always.test/"), "")
	r := w.records(1)[0]
	require.Equal(t, "codex login "+h.path, r.Source)
	require.NotNil(t, r.Expires)
	require.WithinDuration(t, time.Now().Add(24*time.Hour), *r.Expires, time.Minute)
}

func TestALoginThatIsGoneAndEndedRefuses(t *testing.T) {
	h := newHostLogin(t)
	ended := throwaway.Codex{Seed: "ended", Expiry: time.Now().Add(-time.Minute)}
	require.NoError(t, os.WriteFile(h.path, ended.JSON(), 0o600))
	w := newWorld(t, h.route("always.test"), nil)
	w.passed(w.ask("GET", "https://always.test/"), "an ended login is the origin's to judge")
	require.NoError(t, os.Remove(h.path))
	var res *http.Response
	require.Eventually(t, func() bool {
		if res = w.ask("GET", "https://always.test/"); res.StatusCode == 200 {
			<-w.seen
			return false
		}
		return true
	}, time.Second, time.Millisecond)
	w.refused(res, 403, refusal.CredentialUnavailable, "")
	require.Contains(t, w.leaks.String(), "no such file", "the log has the cause")
	token := h.rotate(1)
	require.Eventually(t, func() bool {
		res := w.ask("GET", "https://always.test/")
		return res.StatusCode == 200 && (<-w.seen).Header.Get("Authorization") == "Bearer "+token
	}, time.Second, time.Millisecond)
}

func TestEverySourceFeedsARoute(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	plain, jsonFile := file("plain", realToken+"\n"), file("x.json", `{"a":{"b":"`+realToken+`"}}`)
	claude := file("claude", string(throwaway.Claude{Seed: "c"}.JSON()))
	w := newWorld(t, fmt.Sprintf(`
[[login]]
name = "c"
kind = "claude"
file = %q
[[route]]
host = "always.test"
auth = [{ scheme = "Bearer", login = "c" }, { header = "anthropic-beta", value = "oauth-2025-04-20", append = true }]
`, claude), nil)
	req := w.passed(w.ask("GET", "https://always.test/", "anthropic-beta: a"), "")
	require.Equal(t, "Bearer "+throwaway.Claude{Seed: "c"}.AccessToken(), req.Header.Get("Authorization"))
	require.Equal(t, "a,oauth-2025-04-20", req.Header.Get("Anthropic-Beta"))
	for _, source := range []string{
		`token_env = "EGRESS_TOKEN_0"`, fmt.Sprintf("token_file = %q", plain), fmt.Sprintf("token_file = %q, field = \"a.b\"", jsonFile),
		fmt.Sprintf("token_command = [\"cat\", %q], ttl = \"1m\", timeout = \"5s\"", plain), `token_credential = "plain"`,
	} {
		r, err := parse("[[route]]\nhost = \"always.test\"\nauth = { scheme = \"Bearer\", "+source+" }\n", func(name string) (string, bool) {
			if name == "CREDENTIALS_DIRECTORY" {
				return dir, true
			}
			return lookup(name)
		})
		require.NoError(t, err, source)
		c := w.config
		c.Policy = r.Policy()
		w.engine.Swap(c)
		require.Equal(t, "Bearer "+realToken, w.passed(w.ask("GET", "https://always.test/"), source).Header.Get("Authorization"))
	}
}
