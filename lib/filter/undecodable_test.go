package filter_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/audit"
	"bottle/lib/refusal"
)

// What is not what it says is searched as it was sent, and decoded as far as
// that goes; what becomes of it then is a setting.
func TestUndecodableBodies(t *testing.T) {
	bomb := encode(t, strings.Repeat("\x00", 8<<20), "gzip")
	for setting, passes := range map[string]map[string]bool{
		"":                            {"application/json": true, "text/plain; charset=utf-8": true, "application/x-www-form-urlencoded": true, "application/octet-stream": false, "": false},
		`on_undecodable = "block"`:    {"application/json": false, "application/octet-stream": false},
		`on_undecodable = "scan-raw"`: {"application/json": true, "application/octet-stream": true, "": true},
	} {
		t.Run(setting, func(t *testing.T) {
			w := newWorld(t, allowed+"[dlp]\n"+setting+"\n", nil)
			c := w.client(true)
			n := 0
			bodies := func(text string) map[string][]byte {
				whole := encode(t, filler+text+" "+filler, "gzip")
				return map[string][]byte{
					"gzip":  whole[:len(whole)-5],
					"GZIP":  append(encode(t, text, "gzip"), " and more"...),
					"zstd":  []byte("not compressed at all: " + text),
					"x-own": []byte(text),
					"br":    {0x11, 0xff, 0xfe},
				}
			}
			for kind, pass := range passes {
				ask := func(coding string, body []byte) (*http.Response, string) {
					req := request(t, "POST", "https://origin.test/", bytes.NewReader(body), "Content-Encoding", coding)
					if kind != "" {
						req.Header.Set("Content-Type", kind)
					}
					return w.do(c, req)
				}
				for coding, body := range bodies("harmless") {
					res, answer := ask(coding, body)
					if pass {
						require.Equal(t, 200, res.StatusCode, "%s %s: %s", kind, coding, answer)
						require.Equal(t, string(body), answer)
					} else {
						require.Equal(t, 403, res.StatusCode, "%s %s", kind, coding)
						require.Contains(t, answer, `"code":"undecodable_body"`)
					}
				}
				for coding, body := range bodies(w.secret(fmt.Sprint(n))) {
					if coding == "br" {
						continue
					}
					res, answer := ask(coding, body)
					require.Equal(t, 403, res.StatusCode, "%s %s", kind, coding)
					if pass || coding != "x-own" {
						require.Contains(t, answer, `"code":"secret_in_request"`, "%s %s", kind, coding)
					}
				}
				n++
				res, answer := ask("gzip", bomb)
				require.Equal(t, 403, res.StatusCode, kind)
				require.Contains(t, answer, `"code":"decompression_bomb"`)
			}
			w.works()
			passed := 0
			for _, pass := range passes {
				if pass {
					passed += len(bodies(""))
				}
			}
			for _, r := range w.records(passed, func(r audit.Record) bool { return r.Event == audit.EventUndecoded }) {
				require.EqualValues(t, refusal.UndecodableBody, r.Code)
				require.Equal(t, audit.Allow, r.Decision)
			}
		})
	}
	_, err := parse("[dlp]\non_undecodable = \"raw\"")
	require.ErrorContains(t, err, `pipelock.toml:2: dlp.on_undecodable: "raw" is not known`)
}

func TestBrotliIsRead(t *testing.T) {
	w := newWorld(t, allowed, nil)
	c := w.client(true)
	for _, codings := range []string{"br", "gzip, br", "br, zstd"} {
		body := encode(t, `{"a":["`+w.secret(codings)+`"]}`+filler, strings.Split(codings, ", ")...)
		e := w.refused(c, request(t, "POST", "https://origin.test/", bytes.NewReader(body), "Content-Encoding", codings), 403, refusal.SecretInRequest)
		require.Equal(t, "body json path a[0]", e.Location)
		require.Equal(t, codings, e.Encoding)
		harmless := encode(t, filler, strings.Split(codings, ", ")...)
		res, answer := w.do(c, request(t, "POST", "https://origin.test/", bytes.NewReader(harmless), "Content-Encoding", codings))
		require.Equal(t, 200, res.StatusCode, answer)
		require.Equal(t, string(harmless), answer, "forwarded as it was sent")
	}
}

// More codings than are undone are a limit: what they hide was not seen, whatever type it is said to be.
func TestTooManyCodingsNeverPass(t *testing.T) {
	for _, setting := range []string{"", `on_undecodable = "block"`, `on_undecodable = "scan-raw"`} {
		w := newWorld(t, allowed+"[dlp]\n"+setting+"\n", nil)
		c := w.client(true)
		body := []byte("see " + w.secret("codings"))
		for n := range 4 {
			body = encode(t, string(body), "gzip")
			req := request(t, "POST", "https://origin.test/", bytes.NewReader(body), "Content-Type", "text/plain", "Content-Encoding", "gzip"+strings.Repeat(", gzip", n))
			code := refusal.SecretInRequest
			if n == 3 {
				code = refusal.UndecodableBody
			}
			w.refused(c, req, 403, code)
		}
		require.Zero(t, w.requests.Load())
		w.works()
	}
}
