package clienttest

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	gitHost = "git.example.org"
	gitUser = "x-access-token"
	// packSize is what a clone or a push carries, and memoryLimit what a stage
	// may hold meanwhile: far less.
	packSize    = 200 << 20
	memoryLimit = 100 << 20
)

// gitPath returns the path of git, or skips.
func gitPath(t *testing.T) string {
	t.Helper()
	program(t, "bottle-egress") // or skip
	path, err := exec.LookPath("git")
	require.NoError(t, err, "scripts/e2e needs git")
	return path
}

// gitIn runs git in dir, with an environment that knows no configuration but
// what env adds.
func gitIn(t *testing.T, dir string, env []string, args ...string) finished {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), gitPath(t), args...)
	cmd.Dir = dir
	cmd.Env = append([]string{
		"PATH=/usr/bin:/bin", "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org",
	}, env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		require.ErrorAs(t, err, new(*exec.ExitError))
	}
	return finished{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	f := gitIn(t, dir, nil, args...)
	require.Zero(t, f.exit, "git %s: %s", args, f.stderr)
	return strings.TrimSpace(f.stdout)
}

// commit adds n commits to a branch of a bare repository.
func commit(t *testing.T, dir, branch string, n int) {
	t.Helper()
	var stream strings.Builder
	for i := range n {
		fmt.Fprintf(&stream, "commit refs/heads/%s\ncommitter a <a@example.org> %d +0000\ndata %d\n%s\n", branch, 1900000000+i, len(branch), branch)
		if i == 0 {
			fmt.Fprintln(&stream, "from refs/heads/main^0")
		}
		fmt.Fprintln(&stream)
	}
	cmd := exec.CommandContext(t.Context(), gitPath(t), "-C", dir, "fast-import", "--quiet")
	cmd.Stdin = strings.NewReader(stream.String())
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// repositories is the origin's folder: large.git, with size bytes of random
// content, and empty.git.
func repositories(t *testing.T, size int) string {
	t.Helper()
	root := t.TempDir()
	work := filepath.Join(root, "work")
	git(t, root, "init", "-q", "-b", "main", work)
	configure(t, work, asItIs...)
	random := rand.NewChaCha8([32]byte([]byte("the content of the repository...")))
	for i := range 4 {
		f, err := os.Create(filepath.Join(work, "file"+strconv.Itoa(i)))
		require.NoError(t, err)
		_, err = io.CopyN(f, random, int64(size/4))
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	git(t, work, "add", ".")
	git(t, work, "commit", "-q", "-m", "content")
	git(t, root, "clone", "-q", "--bare", work, "large.git")
	git(t, root, "init", "-q", "--bare", "-b", "main", "empty.git")
	for _, name := range []string{"large.git", "empty.git"} {
		configure(t, filepath.Join(root, name), asItIs...)
		configure(t, filepath.Join(root, name), "http.receivepack=true")
	}
	return root
}

// asItIs are settings by which git neither compresses random content nor looks
// for likenesses in it, and keeps the packs that it gets.
var asItIs = []string{"core.compression=0", "core.bigFileThreshold=1m", "pack.window=0", "receive.unpackLimit=1", "gc.auto=0", "core.fsync=none"}

func configure(t *testing.T, repository string, settings ...string) {
	t.Helper()
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting, "=")
		git(t, repository, "config", name, value)
	}
}

// httpBackend serves the repositories below root as a CGI server does, with
// git http-backend, to whoever has the token. Package net/http/cgi takes no
// chunked bodies.
func httpBackend(t *testing.T, root, token string) http.HandlerFunc {
	git := gitPath(t)
	return func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); !ok || user != gitUser || password != token {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		cmd := exec.CommandContext(r.Context(), git, "http-backend")
		cmd.Env = []string{
			"PATH=/usr/bin:/bin", "GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=" + gitUser, "REMOTE_ADDR=127.0.0.1",
			"REQUEST_METHOD=" + r.Method, "PATH_INFO=" + r.URL.Path, "QUERY_STRING=" + r.URL.RawQuery,
			"CONTENT_TYPE=" + r.Header.Get("Content-Type"), "HTTP_CONTENT_ENCODING=" + r.Header.Get("Content-Encoding"),
			"GIT_PROTOCOL=" + r.Header.Get("Git-Protocol"), "GIT_CONFIG_NOSYSTEM=1", "HOME=" + root,
		}
		if r.ContentLength >= 0 {
			cmd.Env = append(cmd.Env, "CONTENT_LENGTH="+strconv.FormatInt(r.ContentLength, 10))
		}
		cmd.Stdin = r.Body
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		in := bufio.NewReaderSize(out, 64<<10)
		head, err := textproto.NewReader(in).ReadMIMEHeader()
		if err == nil {
			status := http.StatusOK
			if text, _, _ := strings.Cut(head.Get("Status"), " "); text != "" {
				status, _ = strconv.Atoi(text)
			}
			head.Del("Status")
			for name, values := range head {
				w.Header()[name] = values
			}
			w.WriteHeader(status)
			io.Copy(w, in)
		}
		io.Copy(io.Discard, in)
		cmd.Wait()
	}
}

// gitChain is an origin with repositories, a chain to it, and an agent's git.
type gitChain struct {
	*chain
	origin *origin
	root   string // of the origin's repositories
	home   string
	env    []string
	token  string
}

func newGitChain(t *testing.T, root string, order []string, http2 bool, access string) *gitChain {
	t.Helper()
	token := githubToken() // which the filter would find in any other place
	o := newOrigin(t, gitHost, http2, httpBackend(t, root, token))
	basic := base64.StdEncoding.EncodeToString([]byte(gitUser + ":" + token))
	sum := sha256.Sum256([]byte(token))
	c := startChain(t, chainSpec{
		order: order, hosts: []string{gitHost}, origin: o.addr(), originCA: o.ca,
		egress:   fmt.Sprintf("[[route]]\nhost = %q\ngit = %q\nauth = { user = %q, token_env = \"EGRESS_TOKEN_0\" }\n", gitHost, access, gitUser),
		env:      map[string]string{"EGRESS_TOKEN_0": token},
		pipelock: fmt.Sprintf("[[expected]]\nhost = %q\nsha256 = [%q]\n", gitHost, hex.EncodeToString(sum[:])),
	})
	c.secrets = newTokens(map[string]string{"token": token, "Basic": basic})
	return &gitChain{chain: c, origin: o, root: root, home: t.TempDir(), token: token, env: []string{
		"HTTPS_PROXY=http://" + c.entry, "GIT_SSL_CAINFO=" + c.agentCA,
	}}
}

// git runs git as the agent.
func (g *gitChain) git(t *testing.T, dir string, args ...string) finished {
	t.Helper()
	start := time.Now()
	f := gitIn(t, dir, g.env, args...)
	t.Logf("git %s: exit %d after %v", args[0], f.exit, time.Since(start).Round(10*time.Millisecond))
	g.requireNoSecret(t, []string{f.stdout, f.stderr})
	return f
}

// story is what went wrong, for messages.
func (g *gitChain) story(t *testing.T, f finished) string {
	t.Helper()
	s := f.stderr
	for _, a := range g.origin.arrivals() {
		s += fmt.Sprintf("\norigin: %s %s %s %d, %d bytes", a.proto, a.method, a.target, a.status, a.read)
	}
	for name := range g.stages {
		s += "\n" + readFile(t, filepath.Join(g.dir, "run", name+".log"))
	}
	return s
}

const remote = "https://" + gitHost + "/"

// TestGit clones, fetches and pushes a repository that no stage can hold.
func TestGit(t *testing.T) {
	t.Parallel()
	gitPath(t)
	large := repositories(t, packSize)
	small := repositories(t, packSize/20)
	for i, tt := range []struct {
		name  string
		root  string
		size  int64
		order []string
		http2 bool // of the origin
	}{
		{"egress first, HTTP1", large, packSize, egressFirst, false},
		{"egress alone, HTTP2", small, packSize / 20, []string{"egress"}, true},
		{"egress first, HTTP2", small, packSize / 20, egressFirst, true},
		{"pipelock first, HTTP1", small, packSize / 20, pipelockFirst, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := tt.root
			want := git(t, root, "-C", "large.git", "rev-parse", "main")
			g := newGitChain(t, root, tt.order, tt.http2, "write")
			// A working tree would cost time and show nothing.
			f := g.git(t, g.home, "clone", "-q", "--bare", remote+"large.git", "clone")
			require.Zero(t, f.exit, "%s", g.story(t, f))
			clone := filepath.Join(g.home, "clone")
			require.Equal(t, want, git(t, clone, "rev-parse", "main"))

			// The client has commits that the origin lacks, and says so at length.
			commit(t, clone, "mine", 100)
			next := "next-" + strconv.Itoa(i)
			commit(t, filepath.Join(root, "large.git"), next, 1)
			f = g.git(t, clone, "fetch", "-q", "origin", next)
			require.Zero(t, f.exit, "%s", g.story(t, f))
			require.Equal(t, git(t, root, "-C", "large.git", "rev-parse", next), git(t, clone, "rev-parse", "FETCH_HEAD"))

			target := "pushed-" + strconv.Itoa(i) + ".git"
			git(t, root, "clone", "-q", "--bare", "empty.git", target)
			configure(t, filepath.Join(root, target), append(asItIs, "http.receivepack=true")...)
			configure(t, clone, asItIs...)
			f = g.git(t, clone, "push", "-q", remote+target, "main")
			require.Zero(t, f.exit, "%s", g.story(t, f))
			require.Equal(t, want, git(t, filepath.Join(root, target), "rev-parse", "main"))

			arrived := g.origin.arrivals()
			for _, a := range arrived {
				require.NotEmpty(t, a.authorization, "%+v", a)
				require.Equal(t, map[bool]string{true: "HTTP/2.0", false: "HTTP/1.1"}[tt.http2], a.proto)
			}
			require.True(t, slices.ContainsFunc(arrived, func(a arrival) bool { return a.coding == "gzip" && a.method == "POST" }),
				"no gzipped negotiation: %+v", arrived)
			require.True(t, slices.ContainsFunc(arrived, func(a arrival) bool { return a.chunked && a.read > tt.size }),
				"no chunked pack: %+v", arrived)
			require.True(t, slices.ContainsFunc(arrived, func(a arrival) bool { return a.read == 4 && strings.HasSuffix(a.target, "receive-pack") }),
				"no probe: %+v", arrived)
			for name := range g.stages {
				peak := g.peakMemory(t, name)
				t.Logf("%s: at most %d MiB in memory", name, peak>>20)
				require.Less(t, peak, int64(memoryLimit), name)
			}
		})
	}
}

// TestGitAccess: what the route does not allow is refused, the origin sees
// nothing of it, and git shows why.
func TestGitAccess(t *testing.T) {
	t.Parallel()
	gitPath(t)
	root := repositories(t, 1<<20)
	for _, tt := range []struct {
		access, why string
		order       []string
	}{
		{"read", "remote: bottle-egress: the route to git.example.org:443 lets git clone and fetch, not push", egressFirst},
		{"read", "remote: bottle-egress: the route to git.example.org:443 lets git clone and fetch, not push", pipelockFirst},
		{"off", "remote: bottle-egress: the route to git.example.org:443 is not for git", []string{"egress"}},
	} {
		t.Run(tt.access+" "+tt.order[0], func(t *testing.T) {
			g := newGitChain(t, root, tt.order, true, tt.access)
			f := g.git(t, g.home, "clone", "-q", remote+"large.git", "clone")
			clone := filepath.Join(g.home, "clone")
			if tt.access == "off" {
				require.NotZero(t, f.exit)
				require.Contains(t, f.stderr, tt.why, "%s", g.story(t, f))
				require.Empty(t, g.origin.arrivals())
				git(t, root, "clone", "-q", "large.git", clone)
				git(t, clone, "remote", "set-url", "origin", remote+"large.git")
			} else {
				require.Zero(t, f.exit, "%s", g.story(t, f))
			}
			git(t, clone, "commit", "-q", "--allow-empty", "-m", "mine")
			before := len(g.origin.arrivals())
			for _, version := range []string{"HTTP/1.1", "HTTP/2"} {
				f = g.git(t, clone, "-c", "http.version="+version, "push", "origin", "HEAD:mine")
				require.NotZero(t, f.exit)
				require.Contains(t, f.stderr, tt.why, "%s", g.story(t, f))
				require.Contains(t, f.stderr, "ask the operator")
			}
			require.Len(t, g.origin.arrivals(), before, "%s", g.story(t, f))
		})
	}
}
