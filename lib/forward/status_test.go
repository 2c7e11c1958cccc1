package forward_test

import (
	"bufio"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// net/http reads a status below 100 and panics where it should write it.
func TestAStatusThatIsNone(t *testing.T) {
	for _, status := range []string{"000", "099"} {
		w := newWorld(t, allowAll(), http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			c, _, err := rw.(http.Hijacker).Hijack()
			if err == nil {
				io.WriteString(c, "HTTP/1.1 "+status+" What\r\nContent-Length: 0\r\n\r\n")
				c.Close()
			}
		}))
		c := w.tunnel()
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err, status)
		require.Equal(t, http.StatusBadGateway, res.StatusCode)
		require.Contains(t, res.Header.Get("Proxy-Status"), "origin_closed")
		w.records(1)
	}
}
