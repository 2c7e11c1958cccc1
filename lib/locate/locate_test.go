package locate

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

const mark = "SECRET-VALUE"

// hides is a scanner that knows the mark.
func hides(name []byte) bool { return bytes.Contains(name, []byte(mark)) }

func rangeOf(t *testing.T, text string) Range {
	t.Helper()
	i := strings.Index(text, mark)
	require.GreaterOrEqual(t, i, 0, text)
	return Range{int64(i), int64(i + len(mark))}
}

const multi = "multipart/form-data; boundary=XX"

func lines(s ...string) string { return strings.Join(s, "\r\n") }

// bodies have a mark, or are asked about at their end.
var bodies = []struct{ contentType, body, want string }{
	{"text/plain", "SECRET-VALUE", "body"},
	{"", "", "body"},
	{"application/json", `{"messages":[{"role":"user"},{"content":"x SECRET-VALUE"}]}`, "body json path messages[1].content"},
	{"application/json; charset=utf-8", `{"a":{"b":[[1,2],[3,"SECRET-VALUE"]]}}`, "body json path a.b[1][1]"},
	{"application/vnd.x+json", `{"a":"SECRET-VALUE"}`, "body json path a"},
	{"text/plain", "\n {\"a\":1,\"b\":\"SECRET-VALUE\"}", "body json path b"},
	{"application/json", `"SECRET-VALUE"`, "body json"},
	{"application/json", `["SECRET-VALUE"]`, "body json path [0]"},
	{"application/json", `{"SECRET-VALUE":1}`, "body json, in a name"},
	{"application/json", `{"a":{"SECRET-VALUE":1}}`, "body json path a, in a name"},
	{"application/json", `{"x":"}{\"","a b":"SECRET-VALUE"}`, `body json path "a b"`},
	{"application/json", `{"a\u0062":"SECRET-VALUE"}`, "body json path ab"},
	{"application/json", `{"\u202e\n\u001b[31m":"SECRET-VALUE"}`, "body json path \"\ufffd\\n\\x1b[31m\""},
	{"application/json", `{"` + strings.Repeat("n", 60) + `":"SECRET-VALUE"}`, "body json path " + strings.Repeat("n", 40) + "…"},
	{"application/x-ndjson", "{\"a\":1}\n{\"b\":\"SECRET-VALUE\"}\n", "body json text 2 path b"},
	{"application/json", `{"a":[1,2`, "body json path a[1]"},
	{"application/json", `}"SECRET-VALUE`, "body"},
	{"application/json", strings.Repeat("[", 100) + `"SECRET-VALUE"`, "body json path " + strings.Repeat("[0]", 32) + "…"},
	{"application/x-www-form-urlencoded", "a=1&key=SECRET-VALUE&b=2", "body form field key"},
	{"application/x-www-form-urlencoded", "a=1&k%20y=SECRET-VALUE", `body form field "k y"`},
	{"application/x-www-form-urlencoded", "a=1&SECRET-VALUE=2", "body form field …"},
	{"application/x-www-form-urlencoded", "a=1&SECRET-VALUE", "body form field …"},
	{multi, lines("--XX", `Content-Disposition: form-data; name="a"`, "", "1", "--XX", `Content-Disposition: form-data; name="file"; filename="f.txt"`, "", "SECRET-VALUE", "--XX--"), `body multipart part "file"`},
	{multi, lines("--XX", `Content-Disposition: form-data; name="meta"`, "Content-Type: application/json", "", `{"a":["SECRET-VALUE"]}`, "--XX--"), `body multipart part "meta" json path a[0]`},
	{multi, lines("--XX", "", "1", "--XX", "", "SECRET-VALUE", "--XX--"), "body multipart part 2"},
	{multi, lines("--XX", `Content-Disposition: form-data; name="a"; filename="SECRET-VALUE"`, "", "1", "--XX--"), "body multipart part …, in its head"},
	{multi, lines("--XX", `Content-Disposition: form-data; name="a"`, "Content-Transfer-Encoding: base64", "", "SECRET-VALUE", "--XX--"), `body multipart part "a"`},
	{multi, lines("SECRET-VALUE", "--XX", "", "1", "--XX--"), "body multipart, before its parts"},
	{multi, "SECRET-VALUE", "body multipart, before its parts"},
	{"multipart/mixed", "SECRET-VALUE", "body multipart"},
	{"garbage;;;", "SECRET-VALUE", "body"},

	{"application/json", `{"a":1,"SECRET-VALUE":2}`, "body json, in a name"},
	{"application/json", `{"x":[{"a":1},{"b":2,"SECRET-VALUE":2}]}`, "body json path x[1], in a name"},
	{"application/json", `{"a":[1,{"b":2},[3,[4]]],"c":{"d":[0,0,"SECRET-VALUE"]}}`, "body json path c.d[2]"},
	{"application/json", `{"a":{"b":1},"c":2,"k":SECRET-VALUE}`, "body json path k"},
	{"application/json", `{"a\\":1,"b\\\"":"\\","c":"\\\"SECRET-VALUE"}`, "body json path c"},
	{"application/json", `{"b\\\"":"SECRET-VALUE"}`, `body json path "b\\\""`},
	{"application/json", `{"a` + "\n" + `":"SECRET-VALUE"}`, "body json path …"}, // no string of JSON
	{"application/json", `{"` + strings.Repeat("n", mostName) + `":"SECRET-VALUE"}`, "body json path " + strings.Repeat("n", 40) + "…"},
	{"application/json", `{"` + strings.Repeat("n", mostName+1) + `":{"b":"SECRET-VALUE"}}`, "body json path ….b"},
	{"application/json", `{"a":[[{"` + strings.Repeat("n", mostName+1) + `":["SECRET-VALUE"`, "body json path a[0][0].…[0]"},
	{"application/json", `{"a":` + strings.Repeat("[", 31) + `{"b":"SECRET-VALUE"`, "body json path a" + strings.Repeat("[0]", 31) + "…"},
	{"application/json", strings.Repeat(`{"a":`, 40) + "{}" + strings.Repeat("}", 39) + `,"b":"SECRET-VALUE"`, "body json path b"},
	{"application/json", strings.Repeat("[", 1000) + `"SECRET-VALUE"`, "body json path " + strings.Repeat("[0]", 32) + "…"},
	{"application/json", strings.Repeat("[", 1001) + `"SECRET-VALUE"`, "body json"},
	{"application/json", `{"a":[}"SECRET-VALUE"`, "body"},
	{"", "\ufeff[\"SECRET-VALUE\"]", "body json path [0]"},
	{"", "\xef\xbb[\"SECRET-VALUE\"]", "body"},
	{"", "  x[\"SECRET-VALUE\"]", "body"},
	{"application/x-ndjson", "{\"a\":[1]}\n[1]\n{\"b\":{\"c\":\"SECRET-VALUE\"}}\n{", "body json text 3 path b.c"},

	{"application/x-www-form-urlencoded", `{"a":"SECRET-VALUE"}`, "body form field …"},
	{"application/x-www-form-urlencoded", "a=&SECRET-VALUE=x", "body form field …"},
	{"application/x-www-form-urlencoded", strings.Repeat("n", mostName+1) + "=SECRET-VALUE", "body form field …"},
	{"application/x-www-form-urlencoded", "a=1&=SECRET-VALUE", `body form field ""`},

	{multi, lines("--XX", `Content-Disposition: form-data; name="a"`, "X-Note: SECRET-VALUE", "", "1"), "body multipart part …, in its head"},
	{multi, lines("--XX", "X-Note: SECRET-VALUE", "", "1"), "body multipart part …, in its head"},
	{multi, lines("--XX", "no blank line: 1", "SECRET-VALUE", "--XX--"), "body multipart part …, in its head"},
	{multi, "--XX\nX-Note: a\n\r\nX-More: SECRET-VALUE\n\n1", "body multipart part …, in its head"},
	{multi, "--XX\r\nX-Note: a\r\n\nSECRET-VALUE", "body multipart part 1"},
	{multi, "--XX\r\n\r\n\n--XX\n\r\nSECRET-VALUE", "body multipart part 2"},
	{multi, lines("--XX SECRET-VALUE", "", "1"), "body multipart, in a boundary"},
	{multi, "--XX\nContent-Disposition: form-data; name=\"a\"\n\n1\n--XX\n\n--X SECRET-VALUE", "body multipart part 2"},
	{multi, lines("--XX", "", " --XX", "--X", "--", `{"SECRET-VALUE"`), "body multipart part 1"},
	{multi, lines("--XX", "", `{"a":`, "--XX", "", `{"b":"SECRET-VALUE"`), "body multipart part 2 json path b"},
	{multi, lines("--XX", `Content-Disposition: form-data; name="f"`, "Content-Type: application/x-www-form-urlencoded", "", "a=1&b=SECRET-VALUE", "--XX--"), `body multipart part "f" form field b`},
	{multi, lines("--XX", "Content-Type: multipart/mixed; boundary=YY", "", "--YY", "Content-Type: application/json", "", `{"a":"SECRET-VALUE"}`, "--YY--", "--XX--"), "body multipart part 1 multipart part 1 json path a"},
	{multi, lines("--XX", "Content-Type: multipart/mixed; boundary=YY", "", "--YY", "Content-Type: multipart/mixed; boundary=ZZ", "", "--ZZ", "", `{"a":"SECRET-VALUE"}`), "body multipart part 1 multipart part 1"},
	{multi, lines("--XX", "X-Long: "+strings.Repeat("x", mostHead), `Content-Disposition: form-data; name="a"`, "", `{"a":"SECRET-VALUE"}`), "body multipart part 1"},
	{multi, strings.Repeat("--XX\n\n{}\n", mostParts-1) + "--XX\n\n{\"a\":\"SECRET-VALUE\"", "body multipart part 1000 json path a"},
	{multi, strings.Repeat("--XX\n\n{}\n", mostParts) + "--XX\n\n{\"a\":\"SECRET-VALUE\"", "body multipart part 1001"},
	{"multipart/form-data; boundary=\"a\nb\"", "--a\nb\n\nSECRET-VALUE", "body"},
}

// rangeIn is the range in a body of the table.
func rangeIn(t *testing.T, body string) Range {
	if strings.Contains(body, mark) {
		return rangeOf(t, body)
	}
	return Range{int64(len(body)), int64(len(body))}
}

func TestBody(t *testing.T) {
	for _, c := range bodies {
		require.Equal(t, c.want, Body(c.contentType, []byte(c.body), rangeIn(t, c.body), hides), c.body)
	}
}

func TestNamesThatHoldASecretAreNotShown(t *testing.T) {
	body := `{"SECRET-VALUE":{"b":"here"}}`
	at := Range{int64(strings.Index(body, "here")), int64(len(body))}
	require.Equal(t, "body json path ….b", Body("application/json", []byte(body), at, hides))
	query := "SECRET-VALUE=here"
	at = Range{int64(strings.Index(query, "here")), int64(len(query))}
	require.Equal(t, "query parameter …", Query([]byte(query), at, hides))
	require.Equal(t, "…", Name("X-SECRET-VALUE", hides))
}

func TestQueryAndCookie(t *testing.T) {
	for text, want := range map[string]string{
		"key=SECRET-VALUE":       "query parameter key",
		"a=1&key=SECRET-VALUE&b": "query parameter key",
		"a=1&key=x&SECRET-VALUE": "query parameter …",
		"a=1&SECRET-VALUE":       "query parameter …",
	} {
		require.Equal(t, want, Query([]byte(text), rangeOf(t, text), hides), text)
	}
	for text, want := range map[string]string{
		"a=1; session=SECRET-VALUE; b=2": "cookie session",
		"session=SECRET-VALUE":           "cookie session",
		"a=1; SECRET-VALUE":              "cookie …",
	} {
		require.Equal(t, want, Cookie([]byte(text), rangeOf(t, text), hides), text)
	}
}

func FuzzBody(f *testing.F) {
	for _, s := range []string{`{"a":[1,"SECRET-VALUE"]}`, "a=SECRET-VALUE&b", "--XX\r\nContent-Disposition: form-data; name=x\r\n\r\nSECRET-VALUE\r\n--XX--", "{\"\\", "[[[[", "--XX", "--XX--XX\n"} {
		for kind := range 4 {
			f.Add(kind, s, int64(len(s)/2))
		}
	}
	types := []string{"application/json", "application/x-www-form-urlencoded", multi, ""}
	f.Fuzz(func(t *testing.T, kind int, text string, start int64) {
		if i := strings.Index(text, mark); i >= 0 {
			start = int64(i)
		}
		got := Body(types[uint(kind)%4], []byte(text), Range{start, start + int64(len(mark))}, hides)
		require.True(t, strings.HasPrefix(got, "body"), got)
		require.NotContains(t, got, mark)
		require.True(t, utf8.ValidString(got))
		require.Less(t, len(got), 40*longest*4)
		require.False(t, strings.ContainsAny(got, "\r\n\x1b"), got)
	})
}
