package forward_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// An origin that repeats the credential where its answer cannot be parsed must
// not get it into the operator's log: the errors of net/http quote such lines.
func TestWhatAnOriginSendsDoesNotReachTheLog(t *testing.T) {
	const real = "real-credential-0123456789"
	for name, answer := range map[string]string{
		"status line":       "HTTP/1.1 " + real + "\r\n\r\n",
		"no HTTP":           real + "\r\n\r\n",
		"header line":       "HTTP/1.1 200 OK\r\n" + real + "\r\n\r\n",
		"Content-Length":    "HTTP/1.1 200 OK\r\nContent-Length: " + real + "\r\n\r\n",
		"Transfer-Encoding": "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + real + "\r\n\r\n",
		"Upgrade":           "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + real + "\r\n\r\n",
		"chunk":             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + real + "\r\n",
		"unasked":           "HTTP/1.1 204 No Content\r\n\r\n" + real + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, allowAll(), http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
				c, _, err := rw.(http.Hijacker).Hijack()
				if err == nil {
					io.WriteString(c, answer)
					c.Close()
				}
			}))
			c := w.tunnel()
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: origin.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n")
			if res, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil {
				io.Copy(io.Discard, res.Body)
			}
			for _, r := range w.records(1) { // the exchange is over
				require.NotContains(t, fmt.Sprint(r), real)
			}
			require.NotContains(t, w.log.String(), real)
		})
	}
}
