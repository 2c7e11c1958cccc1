package filter_test

import (
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/refusal"
)

// net/http changes the case of names, and HTTP/2 has none: a token that only its checksum or its case gives away is found in one all the
// same.
func TestTokenWhoseCaseIsLostInTheNameOfAField(t *testing.T) {
	const alnum = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	rng := rand.New(rand.NewPCG(91, 1))
	text := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = alnum[rng.IntN(len(alnum))]
		}
		return string(b)
	}
	body := text(30)
	sum := crc32.ChecksumIEEE([]byte(body))
	check := make([]byte, 6)
	for i := range check {
		check[5-i] = alnum[sum%62]
		sum /= 62
	}
	for _, http2 := range []bool{false, true} {
		w := newWorld(t, allowed, nil)
		c := w.client(http2)
		for rule, token := range map[string]string{
			"github-token":      "ghp_" + body + string(check),
			"npm-token":         "npm_" + body + string(check),
			"huggingface-token": "hf_" + strings.Map(func(r rune) rune { return 'a' + r%26 }, text(30)) + "aZbY",
			"google-api-key":    "AIza" + text(35),
		} {
			for where, req := range map[string]*http.Request{
				"header":  request(t, "GET", "https://origin.test/", nil, token, "1"),
				"trailer": request(t, "POST", "https://origin.test/", unsized(strings.NewReader("harmless"))),
			} {
				if where == "trailer" {
					req.Trailer = http.Header{"X-" + token: {"1"}}
				}
				e := w.refused(c, req, 403, refusal.SecretInRequest)
				require.Equal(t, rule, e.Rule, fmt.Sprintf("%s, http2 %v", where, http2))
				require.Equal(t, "the name of a "+where, e.Location)
			}
		}
		require.Zero(t, w.requests.Load())
		w.works()
	}
}

// Known secrets are found there as well, short ones too.
func TestKnownSecretInTheNameOfAField(t *testing.T) {
	dir := folder(t, map[string]string{"long": "q8Wz3LmN" + "0vBt6KyR1pXs", "short": "kq7v" + "tz2m"})
	known := "[[known_secrets]]\nname = \"long\"\nfile = \"long\"\n[[known_secrets]]\nname = \"short\"\nfile = \"short\"\n"
	for _, http2 := range []bool{false, true} {
		w := newWorldIn(t, dir, allowed+known, nil)
		for rule, value := range map[string]string{"known:long": "q8Wz3LmN" + "0vBt6KyR1pXs", "known:short": "kq7v" + "tz2m"} {
			for _, name := range []string{"X-" + value, value} {
				e := w.refused(w.client(http2), request(t, "GET", "https://origin.test/", nil, name, "1"), 403, refusal.SecretInRequest)
				require.Equal(t, rule, e.Rule, name)
				require.Equal(t, "the name of a header", e.Location)
			}
		}
		require.Zero(t, w.requests.Load())
		w.works()
	}
}
