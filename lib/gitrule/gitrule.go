// Package gitrule says what git may do on a route: nothing, fetch, or push as
// well. It knows git's requests by their form, wherever a server keeps its
// repositories.
//
// Of git's smart protocol (gitprotocol-http) every push ends in a POST to
// …/git-receive-pack, and begins with …/info/refs?service=git-receive-pack;
// both are refused unless the access is [Write]. Of git-lfs, an upload is the
// batch request with the operation "upload", and all that is neither GET nor
// HEAD beside it (locks, verification). Of the older way to push, over WebDAV,
// it is LOCK and its like anywhere, and whatever changes a path with a
// segment that ends in ".git".
//
// Paths and queries that two servers could read in two ways are refused where
// one of the readings may be git's.
//
// Limits: a server that keeps repositories under names without ".git" and
// takes plain PUTs into them; an interface of the server's own that changes
// repositories, such as a forge's "edit this file". Name methods and paths in
// the route for those.
package gitrule

import (
	"bytes"
	"fmt"
	"io"
	"net/http"

	"bottle/lib/refusal"
)

// Access is what git may do. The empty one is no rule at all.
type Access string

const (
	Off   Access = "off"   // neither fetch nor push
	Read  Access = "read"  // clone and fetch
	Write Access = "write" // push as well
)

// Parse returns the access that s names; "" is no rule.
func Parse(s string) (Access, error) {
	switch a := Access(s); a {
	case "", Off, Read, Write:
		return a, nil
	}
	return "", fmt.Errorf("%q is not known", s)
}

// Restricts reports whether the access refuses anything.
func (a Access) Restricts() bool { return a == Off || a == Read }

// Judge returns nil for a request that the access allows, and a
// [*refusal.Refusal] for another; to names the destination in its message. Of
// a git-lfs batch request, see [Access.Reads], it reads the body, up to 128 KiB,
// and puts it back; any other error is one in doing that.
func (a Access) Judge(req *http.Request, to string) error {
	if !a.Restricts() {
		return nil
	}
	kind := classify(req.Method, req.URL.EscapedPath(), req.URL.RawQuery)
	if a == Off && kind != other && kind != unclear {
		return refusal.New(refusal.GitNotAllowed, `the route to %s is not for git (git = "off"); ask the operator for git = "read" in bottle.toml, or do without`, to)
	}
	switch kind {
	case batch:
		return judgeBatch(req, to)
	case push:
		return noPush(to)
	case unclear:
		return refusal.New(refusal.AmbiguousPath, "the URL can be read in two ways, one of them a git request, and the route to %s has a rule about git; send it in its plain form", to)
	}
	return nil
}

// Reads reports whether Judge reads the body of req.
func (a Access) Reads(req *http.Request) bool {
	return a == Read && classify(req.Method, req.URL.EscapedPath(), req.URL.RawQuery) == batch
}

func noPush(to string) error {
	return refusal.New(refusal.GitNotAllowed, `the route to %s lets git clone and fetch, not push (git = "read"); nothing was sent, so keep the commits and ask the operator for git = "write" in bottle.toml`, to)
}

// longestBatch is far above git-lfs's batches of 100 objects.
const longestBatch = 128 << 10

// judgeBatch lets a batch request through that asks for a download, and for
// nothing else in any reading.
func judgeBatch(req *http.Request, to string) error {
	if req.Header.Get("Content-Encoding") != "" {
		return refusal.New(refusal.GitNotAllowed, "the git-lfs request to %s is compressed, and the route has a rule about what it asks for; send it uncompressed", to)
	}
	var data []byte
	if req.Body != nil {
		var err error
		if data, err = io.ReadAll(io.LimitReader(req.Body, longestBatch+1)); err != nil {
			return fmt.Errorf("read git-lfs batch request: %w", err)
		}
		req.Body = &putBack{io.MultiReader(bytes.NewReader(data), req.Body), req.Body}
	}
	if len(data) > longestBatch {
		return refusal.New(refusal.GitNotAllowed, "the git-lfs batch request to %s is longer than %d bytes; ask for fewer objects at a time", to, longestBatch)
	}
	operation, err := batchOperation(req.Header.Get("Content-Type"), data)
	switch {
	case err != nil:
		return refusal.New(refusal.GitNotAllowed, "the git-lfs batch request to %s does not say plainly what it asks for, and the route has a rule about that: %s", to, err)
	case operation != "download":
		return noPush(to)
	}
	return nil
}

// putBack is a body whose beginning was read.
type putBack struct {
	io.Reader
	io.Closer
}
