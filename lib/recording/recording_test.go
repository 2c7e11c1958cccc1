package recording_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/martian/v3/har"
	"github.com/klauspost/compress/gzip"
	"github.com/stretchr/testify/require"

	"bottle/lib/authority"
	"bottle/lib/forward"
	"bottle/lib/recording"
	"bottle/lib/secret"
)

func token(name string) string { return name + "-" + secret.SHA256(name)[:40] }

// exchange is what is told of one exchange.
type exchange struct {
	method, uri, body, answer string
	header, answerHeader      http.Header
	status                    int
	secrets                   []string
}

func record(t *testing.T, r *recording.Recorder, e exchange) {
	t.Helper()
	req, err := http.NewRequest(e.method, e.uri, strings.NewReader(e.body))
	require.NoError(t, err)
	req.Header = e.header
	a, err := authority.Parse("api.test:443")
	require.NoError(t, err)
	rec := r.Begin(&forward.Exchange{ID: "abc", Destination: a, Scheme: "https"}, req)
	for i := 0; i < len(e.body); i += 7 {
		rec.Sent([]byte(e.body[i:min(i+7, len(e.body))]))
	}
	rec.Answer(e.status, e.answerHeader)
	for i := 0; i < len(e.answer); i += 1000 {
		rec.Answered([]byte(e.answer[i:min(i+1000, len(e.answer))]))
	}
	var secrets []secret.Value
	for _, s := range e.secrets {
		v, err := secret.New(s)
		require.NoError(t, err)
		secrets = append(secrets, v)
	}
	rec.End(secrets)
}

// read returns the entries of a HAR file, which must be whole.
func read(t *testing.T, path string) (string, []*har.Entry) {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	var h struct {
		Log struct {
			Version string
			Creator struct{ Name, Version string }
			Entries []*har.Entry
		}
	}
	require.NoError(t, json.Unmarshal(b, &h), "%s", b)
	require.Equal(t, "1.2", h.Log.Version)
	require.Equal(t, "a-stage", h.Log.Creator.Name)
	return string(b), h.Log.Entries
}

func recorded(t *testing.T, o recording.Options, es ...exchange) (string, []*har.Entry) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.har")
	o.Stage = "a-stage"
	r, err := recording.Create(path, o)
	require.NoError(t, err)
	read(t, path) // before the first entry, too
	for _, e := range es {
		record(t, r, e)
	}
	require.NoError(t, r.Close())
	st, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), st.Mode().Perm())
	return read(t, path)
}

func gzipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, s)
	w.Close()
	return b.String()
}

func TestCredentialsAreNotWrittenDown(t *testing.T) {
	real, cookie, injected, refresh := token("real"), token("cookie"), token("injected"), token("refresh")
	key, password := token("key"), token("password")
	aws := "AKIA" + rand.Text()[:16]
	forms := func(v string) string {
		return strings.Join([]string{v, hex.EncodeToString([]byte(v)), base64.StdEncoding.EncodeToString([]byte("x:" + v)), url.QueryEscape(v + "/")}, " ")
	}
	e := exchange{
		method: "POST", uri: "/path/" + cookie + "?api_key=" + key + "&q=hello%20world&code=" + refresh, status: 200,
		header: http.Header{
			"Authorization": {"Bearer " + real}, "Cookie": {"a=" + cookie + "; theme=dark"}, "X-Harmless": {"hello"},
			"X-Basic-Auth": {"Basic " + base64.StdEncoding.EncodeToString([]byte("me:"+password))}, "Content-Type": {"application/json"},
		},
		body:         `{"grant_type":"x","refresh_token":"` + refresh + `","nested":{"client_secret":"` + password + `"},"n":"` + aws + `"}`,
		answerHeader: http.Header{"Content-Encoding": {"gzip"}, "Content-Type": {"text/plain"}, "Set-Cookie": {"sid=" + cookie + "; Path=/"}, "Location": {"/?t=" + real}},
		answer:       gzipped("shown: " + forms(real) + " " + forms(cookie) + " " + forms(injected) + " " + forms(key) + " " + forms(password) + " the end"),
		secrets:      []string{injected},
	}
	text, entries := recorded(t, recording.Options{}, e)
	require.Len(t, entries, 1)
	for name, v := range map[string]string{"real": real, "cookie": cookie, "injected": injected, "refresh": refresh, "key": key, "password": password, "AWS": aws} {
		for _, form := range append(strings.Fields(forms(v)), v) {
			if len(form) > 40 {
				form = form[4 : len(form)-4]
			}
			require.False(t, strings.Contains(text, form), "%s: %s", name, text)
		}
	}
	out := entries[0]
	mark := func(v string) string { return "sha256-" + secret.SHA256(v)[:16] }
	require.Equal(t, "https://api.test/path/"+mark(cookie)+"?api_key="+mark(key)+"&q=hello%20world&code="+mark(refresh), out.Request.URL)
	require.Contains(t, out.Request.Headers, har.Header{Name: "Authorization", Value: "Bearer " + mark(real)})
	require.Contains(t, out.Request.Headers, har.Header{Name: "X-Harmless", Value: "hello"})
	require.Contains(t, out.Request.Cookies, har.Cookie{Name: "a", Value: mark(cookie)})
	require.Contains(t, out.Request.PostData.Text, `"refresh_token":"`+mark(refresh)+`"`)
	require.Contains(t, out.Response.Headers, har.Header{Name: "Set-Cookie", Value: "sid=" + mark(cookie) + "; Path=/"})
	require.Contains(t, string(out.Response.Content.Text), "shown: "+mark(real))
	require.Contains(t, string(out.Response.Content.Text), " the end")
	require.Equal(t, "abc", out.ID)
}

// What HAR 1.2 requires is there, and lists are lists where they are empty.
func TestRequiredMembers(t *testing.T) {
	text, _ := recorded(t, recording.Options{Version: "1"}, exchange{method: "GET", uri: "/", status: 204})
	var h map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &h))
	entry := h["log"].(map[string]any)["entries"].([]any)[0].(map[string]any)
	for path, names := range map[string]string{
		"": "startedDateTime time request response cache timings", "request": "method url httpVersion cookies headers queryString headersSize bodySize",
		"response": "status statusText httpVersion cookies headers content redirectURL headersSize bodySize", "timings": "send wait receive",
	} {
		at := entry
		if path != "" {
			at = entry[path].(map[string]any)
		}
		for name := range strings.FieldsSeq(names) {
			require.NotNil(t, at[name], "%s.%s", path, name)
		}
	}
}

func TestBodiesAreCutAndNoHalfCredentialIsLeft(t *testing.T) {
	real := token("real")
	for _, filler := range []int{2000 - 20, 2000 - len(real) + 1, 2000} {
		body := strings.Repeat("x ", filler/2) + real + " and on, " + strings.Repeat("y", 5000)
		for _, coded := range []bool{false, true} {
			e := exchange{method: "GET", uri: "/", status: 200, header: http.Header{"Authorization": {"Bearer " + real}}, answer: body, answerHeader: http.Header{}}
			if coded {
				e.answer, e.answerHeader = gzipped(body), http.Header{"Content-Encoding": {"gzip"}}
			}
			text, entries := recorded(t, recording.Options{Body: 2000}, e)
			require.NotContains(t, text, real[:8])
			require.LessOrEqual(t, len(entries[0].Response.Content.Text), 2000)
			require.Contains(t, string(entries[0].Response.Content.Text), "x x x")
		}
	}
	text, _ := recorded(t, recording.Options{Body: 100}, exchange{method: "POST", uri: "/", status: 200, body: `{"token":"` + strings.Repeat("z", 200)})
	require.NotContains(t, text, "zzz")
}

func TestAnUnknownCodingIsLeftOut(t *testing.T) {
	text, _ := recorded(t, recording.Options{}, exchange{method: "GET", uri: "/", status: 200, answer: "whatever", answerHeader: http.Header{"Content-Encoding": {"own"}}})
	require.NotContains(t, text, "whatever")
	require.Contains(t, text, "not recorded")
}

func TestTheFileIsBoundedAndWhole(t *testing.T) {
	var es []exchange
	for i := range 50 {
		es = append(es, exchange{method: "GET", uri: fmt.Sprint("/", i), status: 200, answer: strings.Repeat("a ", 500), answerHeader: http.Header{}})
	}
	text, entries := recorded(t, recording.Options{Limit: 20_000}, es...)
	require.LessOrEqual(t, len(text), 20_000)
	require.Greater(t, len(entries), 5)
	require.Less(t, len(entries), 30)
}

func TestWhereTheFileMayNotBe(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "target"), []byte("old"), 0o644))
	require.NoError(t, os.Symlink("target", filepath.Join(dir, "link")))
	for _, path := range []string{filepath.Join(dir, "link"), dir, filepath.Join(dir, "none", "x")} {
		_, err := recording.Create(path, recording.Options{})
		require.Error(t, err, path)
	}
	r, err := recording.Create(filepath.Join(dir, "target"), recording.Options{Stage: "a-stage"})
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.NoError(t, r.Close())
	read(t, filepath.Join(dir, "target"))
}
