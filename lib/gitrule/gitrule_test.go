package gitrule

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/refusal"
)

// The requests that git makes, and what each access lets through.
func TestWhatGitAsks(t *testing.T) {
	for _, tt := range []struct {
		method, target string
		read, off      bool
	}{
		{"GET", "/acme/x.git/info/refs?service=git-upload-pack", true, false},
		{"POST", "/acme/x.git/git-upload-pack", true, false},
		{"GET", "/acme/x.git/info/refs?service=git-receive-pack", false, false},
		{"POST", "/acme/x.git/git-receive-pack", false, false},
		{"POST", "/acme/x.git/git-upload-archive", true, false},
		{"GET", "/acme/x/info/refs?service=git-upload-pack", true, false}, // no ".git"
		{"POST", "/acme/x/git-receive-pack", false, false},
		{"POST", "/git-receive-pack", false, false},

		// The older protocol.
		{"GET", "/x.git/info/refs", true, false},
		{"GET", "/x.git/HEAD", true, false},
		{"GET", "/x.git/objects/info/packs", true, false},
		{"PROPFIND", "/x.git/refs/", true, false},
		{"LOCK", "/x/refs/heads/main", false, false},
		{"MKCOL", "/x.git/objects/ab/", false, false},
		{"MOVE", "/x/objects/ab/cd_1", false, false},
		{"PUT", "/x.git/objects/ab/cd", false, false},
		{"DELETE", "/x.git/refs/heads/main", false, false},
		{"POST", "/x.git/anything", false, false},
		{"POST", "/x.git/info/refs", false, false},

		// git-lfs.
		{"GET", "/x.git/info/lfs/locks", true, false},
		{"POST", "/x.git/info/lfs/locks", false, false},
		{"POST", "/x.git/info/lfs/locks/verify", false, false},
		{"PUT", "/x/info/lfs/objects/abc", false, false},
		{"GET", "/x/info/lfs/objects/abc", true, false},

		// What is not git's is not this rule's business.
		{"GET", "/", true, true},
		{"POST", "/api/v4/projects", true, true},
		{"DELETE", "/api/v4/projects/acme%2Fx", true, true},
		{"POST", "/graphql", true, true},
		{"PUT", "/objects/abc", true, true},
		{"GET", "/acme/x/info", true, true},
		{"GET", "/a//b/../c", true, true},
		{"GET", "/search?q=git-receive-pack", true, true},
		{"OPTIONS", "*", true, true},
	} {
		about := tt.method + " " + tt.target
		require.Equal(t, tt.read, judged(t, Read, tt.method, tt.target) == nil, "read: "+about)
		require.Equal(t, tt.off, judged(t, Off, tt.method, tt.target) == nil, "off: "+about)
		require.NoError(t, judged(t, Write, tt.method, tt.target), "write: "+about)
		require.NoError(t, judged(t, "", tt.method, tt.target), "no rule: "+about)
	}
}

// Spellings that some server may take for a push do not get past "read".
func TestDisguisedPush(t *testing.T) {
	for _, target := range []string{
		"POST /x.git/git%2Dreceive%2Dpack", "POST /x.git/%67it-receive-pack", "POST /x.git/git-receive-pack/",
		"POST /x.git//git-receive-pack", "POST /x.git/./git-receive-pack", "POST /x.git/y/../git-receive-pack",
		"POST /x.git/git-receive-pack/..;/git-receive-pack", "POST /x.git/git-receive-pack;a=b", "POST /x.git/git-receive-pack.json",
		"POST /x.git/GIT-Receive-Pack", "POST /x.git%2Fgit-receive-pack", "POST /x.git%5Cgit-receive-pack", "POST /x.git\\git-receive-pack",
		"POST /x.git%252Fgit-receive-pack", "POST /x.git/git%252Dreceive%252Dpack", "POST /x.git/git-receive-pack%00", "POST /x.git/git-receive%00-pack",
		"POST /x.git/git-receive-pack%0a", "POST /x.git/git-receive-pac%E2%84%AA", "POST /x.git/git-rec%C1%A5ive-pack",
		"POST /x.git/git-receive-pack?service=git-upload-pack", "POST /x.git/git-receive-pack/git-upload-pack", "POST /x.git/git-upload-pack/git-receive-pack",
		"POST /x.git/git-upload-pack/../git-receive-pack", "POST /x.git/git-upload-pack?service=git-receive-pack",
		"post /x.git/git-receive-pack", "PUT /x.git/git-receive-pack", "GET /x.git/git-receive-pack", "PATCH /x/git-receive-pack",
		"GET /x.git/info/refs?service=git%2Dreceive%2Dpack", "GET /x.git/info/refs?service=git-receive-pack&service=git-upload-pack",
		"GET /x.git/info/refs?service=git-upload-pack&service=git-receive-pack", "GET /x.git/info/refs?service=git-upload-pack;service=git-receive-pack",
		"GET /x.git/info/refs?%73ervice=git-receive-pack", "GET /x.git/info/refs?service[]=git-receive-pack", "GET /x.git/info/refs?SERVICE=git-receive-pack",
		"GET /x.git/info/refs?service=git%252Dreceive-pack", "GET /x.git/info/refs?x&service=git-receive-pack", "GET /x.git/info/refs?service=Git-Receive-Pack",
		"GET /x.git/info/refs?service=git-rec%00eive-pack", "GET /x.git/info/refs?service=git-rec%C1%A5ive-pack", "GET /x.git/info/refs?service=receive-pack",
		"GET /x.git/info%2Frefs?service=git-receive-pack", "GET /x.git/info/./refs?service=git-receive-pack", "GET /x.git/info/refs/?service=git-receive-pack",
		"GET /x.git/Info/Refs?service=git-receive-pack", "HEAD /x.git/info/refs?service=git-receive-pack", "GET /x.git/info/refs?service=git-upload-pack&service=git-upload-pack",
		"GET /x.git/info/refs?service=something-new",
	} {
		method, rest, _ := strings.Cut(target, " ")
		for _, access := range []Access{Read, Off} {
			var r *refusal.Refusal
			require.ErrorAs(t, judged(t, access, method, rest), &r, "%s: %s", access, target)
			require.Contains(t, []refusal.Code{refusal.GitNotAllowed, refusal.AmbiguousPath}, r.Code)
			require.Contains(t, r.Message, "host.test")
		}
	}
}

// judged asks for a target as net/http would have read it off the wire.
func judged(t *testing.T, a Access, method, target string) error {
	t.Helper()
	u, err := url.ParseRequestURI(target)
	if target == "*" {
		u, err = &url.URL{Path: "*"}, nil
	}
	require.NoError(t, err, target)
	return a.Judge(&http.Request{Method: method, URL: u, Header: http.Header{}, Body: http.NoBody}, "host.test:443")
}

func TestBatchNeedsADownload(t *testing.T) {
	const lfs = "application/vnd.git-lfs+json"
	for _, tt := range []struct {
		contentType, body string
		ok                bool
	}{
		{lfs, `{"operation":"download","transfers":["basic"],"objects":[{"oid":"a","size":1}]}`, true},
		{lfs + "; charset=utf-8", ` {"objects":[],"operation":"download"} `, true},
		{"", `{"operation":"download","x":{"operation":"upload"}}`, true},
		{lfs, `{"operation":"upload","objects":[]}`, false},
		{lfs, `{"operation":"download","operation":"upload"}`, false},
		{lfs, `{"operation":"download","Operation":"upload"}`, false},
		{lfs, `{"Operation":"download"}`, false},
		{lfs, `{"operation":"DOWNLOAD"}`, false},
		{lfs, `{"oper\u0061tion":"upload"}`, false},
		{lfs, `{"operation":["download"]}`, false},
		{lfs, `{"operation":"download"}{"operation":"upload"}`, false},
		{lfs, `{"operation":"download"`, false},
		{lfs, `[{"operation":"download"}]`, false},
		{lfs, `{}`, false},
		{lfs, ``, false},
		{lfs + "; charset=utf-16", `{"operation":"download"}`, false},
		{"application/x-www-form-urlencoded; charset=", `{"operation":"download"}`, false},
		{lfs, "{\"operation\":\"download\",\"\xff\":1}", false},
		{lfs, `{"operation":"download","pad":"` + strings.Repeat("x", longestBatch) + `"}`, false},
	} {
		u, _ := url.Parse("https://host.test/x.git/info/lfs/objects/batch")
		req := &http.Request{Method: "POST", URL: u, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(tt.body))}
		if tt.contentType != "" {
			req.Header.Set("Content-Type", tt.contentType)
		}
		err := Read.Judge(req, "host.test:443")
		require.Equal(t, tt.ok, err == nil, "%.80s: %v", tt.body, err)
		if tt.ok {
			got, err := io.ReadAll(req.Body)
			require.NoError(t, err)
			require.Equal(t, tt.body, string(got), "the body goes on whole")
		}
		require.Error(t, Off.Judge(req, "host.test:443"))
	}
	u, _ := url.Parse("https://host.test/x.git/info/lfs/objects/batch")
	req := &http.Request{Method: "POST", URL: u, Header: http.Header{"Content-Encoding": {"gzip"}}, Body: http.NoBody}
	require.Error(t, Read.Judge(req, "host.test:443"))
	broken := errors.New("gone")
	req = &http.Request{Method: "POST", URL: u, Header: http.Header{}, Body: io.NopCloser(io.MultiReader(strings.NewReader("{"), failing{broken}))}
	err := Read.Judge(req, "host.test:443")
	require.ErrorIs(t, err, broken)
	require.False(t, errors.As(err, new(*refusal.Refusal)))
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestParse(t *testing.T) {
	for _, s := range []string{"", "off", "read", "write"} {
		a, err := Parse(s)
		require.NoError(t, err)
		require.Equal(t, Access(s), a)
	}
	for _, s := range []string{"Read", "rw", "push", " read"} {
		_, err := Parse(s)
		require.Error(t, err, s)
	}
}

// FuzzPush holds the rule to its promise: no target whose most liberal reading
// ends in the path of a push gets past "read", and nothing panics.
func FuzzPush(f *testing.F) {
	for _, s := range []string{
		"/x.git/git-receive-pack", "/x.git/info/refs?service=git-receive-pack", "/x/%67it-receive%2dpack", "/a/..;/git-receive-pack",
		"/x.git/info/lfs/objects/batch", "/%c1%a7it-receive-pack", "/x.git/git-upload-pack?service[]=git-receive-pack", "/a%252fgit-receive-pack",
	} {
		f.Add(s, "POST")
	}
	f.Fuzz(func(t *testing.T, target, method string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || !strings.HasPrefix(target, "/") {
			return
		}
		req := &http.Request{Method: method, URL: u, Header: http.Header{}, Body: http.NoBody}
		err = Read.Judge(req, "host.test:443")
		if Off.Judge(req, "host.test:443") == nil && err != nil {
			t.Errorf("off lets through what read does not: %q", target)
		}
		once := strings.ToLower(u.Path)
		if method == "POST" && (strings.HasSuffix(once, "/git-receive-pack") || strings.HasSuffix(once, "/git-receive-pack/")) && err == nil {
			t.Errorf("a push got through: %q", target)
		}
		if method == "GET" && strings.HasSuffix(once, "/info/refs") && strings.Contains(u.Query().Get("service"), "receive-pack") && err == nil {
			t.Errorf("a push began: %q", target)
		}
	})
}
