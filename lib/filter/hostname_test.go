package filter_test

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// raw sends a request as no client of this language would write it.
func (w *world) raw(request string) (*http.Response, string) {
	w.t.Helper()
	c, err := net.Dial("tcp", w.proxy)
	require.NoError(w.t, err)
	defer c.Close()
	io.WriteString(c, request)
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: "CONNECT"})
	require.NoError(w.t, err)
	b := []byte{}
	if res.StatusCode != 200 {
		b, _ = io.ReadAll(io.LimitReader(res.Body, 4096))
	}
	fmt.Fprintf(&w.answers, "%v %s\n", res.Header, b)
	return res, string(b)
}

func TestSecretInAHostName(t *testing.T) {
	dir := folder(t, map[string]string{"key": "knowledge-4711"})
	w := newWorldIn(t, dir, allowed+"[[known_secrets]]\nname = \"k\"\nfile = \"key\"\n", nil)
	s := w.secret("")
	w.mustKeep(strings.ToLower(s))
	asHex := hex.EncodeToString([]byte(s))
	cut := asHex[:30] + "." + asHex[30:]
	n := 0
	for _, name := range []string{s, "a." + s, s + ".b.c", asHex, "x." + cut, "knowledge-4711", hex.EncodeToString([]byte("is knowledge-4711"))} {
		for _, request := range []string{
			"CONNECT " + name + ".wild.test:443 HTTP/1.1\r\nHost: x\r\n\r\n",
			"GET http://" + name + ".wild80.test/ HTTP/1.1\r\nHost: " + name + ".wild80.test\r\n\r\n",
		} {
			if strings.Contains(request, "wild80") {
				request = strings.ReplaceAll(request, ".wild80.test", ".wild.test:443")
			}
			res, _ := w.raw(request)
			require.Equal(t, 403, res.StatusCode, name)
			n++
		}
	}
	for _, r := range w.records(n, isRefused) {
		require.Equal(t, "secret_in_request", r.Code)
		require.Equal(t, "*.wild.test", r.Host, "not the name")
		require.Equal(t, "host name", r.Location)
	}
	require.Zero(t, w.accepts.Load())
	for _, name := range []string{"a", "d41d8cd98f00b204e9800998ecf8427e", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "bucket-with-a-long-name.s3"} {
		res, _ := w.raw("CONNECT " + name + ".wild.test:443 HTTP/1.1\r\nHost: x\r\n\r\n")
		require.Equal(t, 200, res.StatusCode, name)
	}
}
