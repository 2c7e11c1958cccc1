package renew

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// net/http quotes what it cannot read, and an endpoint may have the new tokens there.
func TestAnAnswerThatIsNotHTTPIsNotQuoted(t *testing.T) {
	for name, format := range map[string]string{
		"no status line": "{\"refresh_token\":%q}\r\n\r\n",
		"a bad field":    "HTTP/1.1 200 OK\r\n{\"refresh_token\":%q\r\n\r\n",
		"a bad length":   "HTTP/1.1 200 OK\r\nContent-Length: %q\r\n\r\n",
		"a bad coding":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: %q\r\n\r\n",
		"a bad chunk":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%q\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t)
			path := p.codexFile(t, 5*time.Minute)
			next := p.login(7, time.Hour).RefreshToken()
			p.instead = func(rw http.ResponseWriter, _ *http.Request) {
				conn, buf, err := rw.(http.Hijacker).Hijack()
				if err != nil {
					panic(err)
				}
				fmt.Fprintf(buf, format, next)
				buf.Flush()
				conn.Close()
			}
			r, log := p.renewer(t, Codex, path)
			_, err := r.renew(t.Context(), mustRead(t, r).access, false)
			require.Error(t, err)
			require.NotContains(t, err.Error(), next[:20])
			require.NotContains(t, log.String(), next[:20])
		})
	}
}
