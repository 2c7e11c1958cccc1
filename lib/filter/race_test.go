package filter_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Many agents at once, on both protocols, some of them with a secret: each
// gets its own verdict, and the sum of the budget is kept.
func TestVerdictsDoNotMixUnderLoad(t *testing.T) {
	const clients, each = 8, 12
	w := newWorld(t, limited(clients*each), nil)
	secrets := make([]string, clients)
	for i := range secrets {
		secrets[i] = w.secret(fmt.Sprint(i))
	}
	var all sync.WaitGroup
	for i := range clients {
		c := w.client(i%2 == 0)
		all.Go(func() {
			for j := range each {
				text, want := fmt.Sprintf("client %d, request %d", i, j), 200
				if j%3 == 2 {
					text, want = text+" "+secrets[i], 403
				}
				req, err := http.NewRequest("POST", "https://origin.test/", strings.NewReader(text))
				if err != nil {
					t.Error(err)
					return
				}
				if j%2 == 1 {
					req.Body, req.ContentLength = http.NoBody, 0
					req.Header.Set("X-Text", text)
				}
				res, err := c.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				res.Body.Close()
				if res.StatusCode != want {
					t.Errorf("%q: status %d, want %d", text[:20], res.StatusCode, want)
				}
			}
		})
	}
	all.Wait()
	require.EqualValues(t, clients*each*2/3, w.requests.Load())
	w.records(clients*each/3, isRefused)
	// All that counted towards the limit; meanwhile a few may have been given back.
	c, status := w.client(false), 0
	for n := 0; status != 429 && n < clients*each; n++ {
		res, _ := w.do(c, request(t, "GET", "https://origin.test/", nil))
		status = res.StatusCode
	}
	require.Equal(t, 429, status)
}
