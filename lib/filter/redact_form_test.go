package filter_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFormsAndMultipartStayWellFormed(t *testing.T) {
	got := make(chan seen, 1)
	w := newWorld(t, redacting, keeper(got))
	form := url.Values{"a": {"1 2"}, "key": {"see " + w.secret("form")}, "z": {"ü"}}
	w.do(w.client(false), request(t, "POST", "https://origin.test/", strings.NewReader(form.Encode()), "Content-Type", "application/x-www-form-urlencoded"))
	o := receive(t, got, "form")
	values, err := url.ParseQuery(string(o.body))
	require.NoError(t, err)
	form["key"] = []string{"see [redacted:" + gitlab + "]"}
	require.Equal(t, form, values)

	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	f, err := m.CreateFormFile("file", "name-"+w.secret("name")+".txt")
	require.NoError(t, err)
	io.WriteString(f, "before "+w.secret("file")+" after")
	require.NoError(t, m.WriteField("more", "harmless"))
	require.NoError(t, m.Close())
	length := b.Len()
	w.do(w.client(false), request(t, "POST", "https://origin.test/", &b, "Content-Type", m.FormDataContentType()))
	o = receive(t, got, "multipart")
	require.Len(t, o.body, length)
	_, params, err := mime.ParseMediaType(o.header.Get("Content-Type"))
	require.NoError(t, err)
	parts, err := multipart.NewReader(bytes.NewReader(o.body), params["boundary"]).ReadForm(1 << 20)
	require.NoError(t, err)
	require.Contains(t, parts.File["file"][0].Filename, "[redacted")
	require.Equal(t, "harmless", parts.Value["more"][0])
}

// What only the coded bytes show is not sent.

func TestPlusIsASpaceInFormsAndQueries(t *testing.T) {
	const formType = "application/x-www-form-urlencoded"
	key, lines := privateKey("form", "\n")
	secrets := map[string]string{
		"private key": key,
		"netrc":       "machine git.acme-internal.net login me password p4" + lines[0][:20],
		"docker":      `{"auths": {"registry.acme-internal.net": {"auth": "` + base64.StdEncoding.EncodeToString([]byte("deploy:p4"+lines[1][:20])) + `"}}}`,
	}
	got := make(chan seen, 1)
	blocking := newWorld(t, strings.Replace(redacting, `"redact"`, `"block"`, 1), keeper(got))
	replacing := newWorld(t, redacting, keeper(got))
	for name, s := range secrets {
		q := "user=me%40acme.example&note=" + url.QueryEscape(s) + "&remember=on"
		for what, make := range map[string]func() *http.Request{
			"form": func() *http.Request {
				return request(t, "POST", "https://origin.test/", strings.NewReader(q), "Content-Type", formType+"; charset=utf-8")
			},
			"form, flowing": func() *http.Request {
				return request(t, "POST", "https://origin.test/", io.MultiReader(strings.NewReader(q)), "Content-Type", formType)
			},
			"query": func() *http.Request { return request(t, "GET", "https://origin.test/x?"+q, nil) },
			"Referer": func() *http.Request {
				return request(t, "GET", "https://origin.test/x", nil, "Referer", "https://a.test/x?"+q)
			},
		} {
			res, err := blocking.client(false).Do(make())
			if err == nil {
				require.Equal(t, 403, res.StatusCode, "%s, %s", name, what)
				res.Body.Close()
			} else {
				require.Contains(t, what, "flowing")
			}
			res, answer := replacing.do(replacing.client(false), make())
			require.Equal(t, 200, res.StatusCode, "%s, %s: %s", name, what, answer)
			o := receive(t, got, "request")
			all := o.uri + o.header.Get("Referer") + string(o.body)
			require.NotContains(t, all, url.QueryEscape(s), "%s, %s", name, what)
			for _, l := range lines {
				require.NotContains(t, all, url.QueryEscape(l)[:16], "%s, %s", name, what)
			}
			query := string(o.body)
			if query == "" {
				_, query, _ = strings.Cut(o.uri+o.header.Get("Referer"), "?")
			}
			form, err := url.ParseQuery(query)
			require.NoError(t, err, query)
			require.Equal(t, "me@acme.example", form.Get("user"))
			require.Equal(t, "on", form.Get("remember"))
			require.Contains(t, form.Get("note"), "redacted")
		}
	}
}
