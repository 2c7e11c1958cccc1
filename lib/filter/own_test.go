package filter_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// An answer may go on for long after the body was sent, which takes little or no part of the budget then.
func TestLongAnswersTakeNoPartOfTheBudget(t *testing.T) {
	for _, sized := range []bool{true, false} {
		for _, http2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("sized %v, HTTP/2 %v", sized, http2), func(t *testing.T) {
				end := make(chan bool)
				held := 1 << 20
				if sized && http2 {
					held = 4 << 20 // net/http may not have sent all of a body yet
				}
				w := newWorld(t, fmt.Sprintf("%s\n[dlp]\nheld_bytes = %d\nmax_coded_body_bytes = 65536\n", allowed, held), func(rw http.ResponseWriter, req *http.Request) {
					io.Copy(io.Discard, req.Body)
					io.WriteString(rw, "event")
					http.NewResponseController(rw).Flush()
					<-end
				})
				defer close(end)
				c := w.client(http2)
				for i := range 8 {
					var body io.Reader = strings.NewReader(strings.Repeat("words and ", 40_000))
					if !sized {
						body = unsized(body)
					}
					res, err := c.Do(request(t, "POST", "https://origin.test/", body))
					require.NoError(t, err)
					defer res.Body.Close()
					require.Equal(t, 200, res.StatusCode, "with %d answers open", i)
				}
			})
		}
	}
}

// What a request is authorized with itself is no secret to whom it speaks, wherever in its head it stands. In its body it is.
func TestARequestsOwnAuthorization(t *testing.T) {
	w := newWorld(t, allowed, nil)
	const token = "mY4kQ8zR2vN7pL5xW9cT3bJ6"
	for _, http2 := range []bool{false, true} {
		c := w.client(http2)
		for name, value := range map[string]string{
			"Authorization": "Bearer " + token, "Proxy-Authorization": "Bearer " + token, "X-Upstream": "Authorization: Bearer " + token,
			"Cookie": "Authorization=Bearer%20" + token + `; auth="Bearer ` + token + `"`,
		} {
			req := request(t, "GET", "https://origin.test/?authorization=Bearer%20"+token, nil)
			req.Header.Set(name, value)
			res, answer := w.do(c, req)
			require.Equal(t, 200, res.StatusCode, "%s: %s", name, answer)
		}
		w.refused(c, request(t, "POST", "https://origin.test/", strings.NewReader("Authorization: Bearer "+token)), 403, "secret_in_request")
		known := "Basic " + base64.StdEncoding.EncodeToString([]byte("me:"+w.secret("own")))
		w.refused(c, request(t, "GET", "https://origin.test/", nil, "Authorization", known), 403, "secret_in_request")
		w.refused(c, request(t, "GET", "https://origin.test/", nil, "X-Upstream", "Authorization: "+known), 403, "secret_in_request")
	}
}
