package filter_test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bottle/lib/audit"
	"bottle/lib/refusal"
)

// tunnel opens a TLS connection through the filter to origin.test.
func (w *world) tunnel() *tls.Conn {
	w.t.Helper()
	c, err := net.Dial("tcp", w.proxy)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { c.Close() })
	require.NoError(w.t, c.SetDeadline(time.Now().Add(patience)))
	fmt.Fprint(c, "CONNECT origin.test:443 HTTP/1.1\r\nHost: origin.test:443\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: "CONNECT"})
	require.NoError(w.t, err)
	require.Equal(w.t, 200, res.StatusCode)
	return tls.Client(c, &tls.Config{ServerName: "origin.test", RootCAs: w.roots})
}

// beginnings are heads of requests with a body, and the beginning
// of one.
var beginnings = map[string]string{
	"sized":            "Content-Length: 1000\r\n\r\nabc",
	"coded":            "Content-Length: 1000\r\nContent-Encoding: gzip\r\n\r\nabc",
	"coded in chunks":  "Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n3\r\nabc\r\n",
	"large":            "Content-Length: 1000000\r\n\r\nabc",
	"flowing":          "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
	"flowing, sized":   "Content-Length: 10000000\r\n\r\nabc",
	"waiting for 100":  "Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n",
	"identity, coded ": "Content-Length: 1000\r\nContent-Encoding: identity\r\n\r\nabc",
}

// An agent that goes away amid its body has not met a failure of the filter.
func TestClientGoesAwayAmidItsBody(t *testing.T) {
	w := newWorld(t, allowed, nil)
	for _, head := range beginnings {
		c := w.tunnel()
		io.WriteString(c, "POST / HTTP/1.1\r\nHost: origin.test\r\n"+head)
		c.NetConn().Close()
	}
	w.works()
	for _, r := range w.records(len(beginnings)+1, func(r audit.Record) bool { return r.Event == audit.EventRequest }) {
		require.NotEqual(t, string(refusal.InternalError), r.Code)
	}
}

func TestBadChunkInABodyThatIsJudgedWhole(t *testing.T) {
	for _, coding := range []string{"", "Content-Encoding: gzip\r\n"} {
		w := newWorld(t, allowed, nil)
		c := w.tunnel()
		io.WriteString(c, "POST / HTTP/1.1\r\nHost: origin.test\r\n"+coding+"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n")
		res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: "POST"})
		require.NoError(t, err)
		b, _ := io.ReadAll(res.Body)
		var p refusal.Payload
		require.NoError(t, json.Unmarshal(b, &p), "%s", b)
		require.Equal(t, refusal.BadChunk, p.Error.Code)
		require.Equal(t, 400, res.StatusCode)
	}
}
