package filter_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime/multipart"
	"mime/quotedprintable"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/refusal"
)

// wrapped is text in lines of 76 characters, as MIME has them.
func wrapped(text string) string {
	var b strings.Builder
	for len(text) > 76 {
		b.WriteString(text[:76] + "\r\n")
		text = text[76:]
	}
	return b.String() + text
}

// part is a multipart body with a harmless part and one of this head.
func part(t *testing.T, head map[string]string, text string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	require.NoError(t, w.WriteField("note", "harmless"))
	h := textproto.MIMEHeader{}
	for k, v := range head {
		h.Set(k, v)
	}
	p, err := w.CreatePart(h)
	require.NoError(t, err)
	io.WriteString(p, text)
	require.NoError(t, w.Close())
	return b.String(), w.FormDataContentType()
}

func quotedPrintable(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := quotedprintable.NewWriter(&b)
	w.Binary = true
	io.WriteString(w, text)
	require.NoError(t, w.Close())
	return b.String()
}

func TestPlacesInBodies(t *testing.T) {
	const file = `form-data; name="file"; filename="notes.txt"`
	for _, tc := range []struct {
		name, location string
		make           func(s string) (body, contentType string)
	}{
		{"form", "body form field token", func(s string) (string, string) {
			return url.Values{"a": {"1"}, "token": {"is " + s}}.Encode(), "application/x-www-form-urlencoded"
		}},
		{"form, name", "body form field …", func(s string) (string, string) {
			return url.Values{s: {"1"}}.Encode(), "application/x-www-form-urlencoded"
		}},
		{"part", `body multipart part "file"`, func(s string) (string, string) {
			return part(t, map[string]string{"Content-Disposition": file}, "notes: "+s)
		}},
		{"part of JSON", `body multipart part "file" json path a[1]`, func(s string) (string, string) {
			return part(t, map[string]string{"Content-Disposition": file, "Content-Type": "application/json"}, `{"a":[0,"`+s+`"]}`)
		}},
		{"part's file name", `body multipart part …, in its head`, func(s string) (string, string) {
			return part(t, map[string]string{"Content-Disposition": `form-data; name="file"; filename="` + s + `"`}, "notes")
		}},
		{"part in base64", `body multipart part "file"`, func(s string) (string, string) {
			return part(t, map[string]string{"Content-Disposition": file, "Content-Transfer-Encoding": "base64"},
				wrapped(base64.StdEncoding.EncodeToString([]byte(strings.Repeat("harmless words, ", 20)+s+strings.Repeat(" and more words", 20)))))
		}},
		{"part in quoted-printable", `body multipart part "file"`, func(s string) (string, string) {
			return part(t, map[string]string{"Content-Disposition": file, "Content-Transfer-Encoding": "quoted-printable"}, quotedPrintable(t, strings.Repeat("ä", 8)+" words "+s))
		}},
		{"part in quoted-printable, cut by a line's end", `body multipart part "file"`, func(s string) (string, string) {
			return part(t, map[string]string{"Content-Disposition": file, "Content-Transfer-Encoding": "quoted-printable"}, quotedPrintable(t, strings.Repeat("x ", 30)+s))
		}},
		{"part in quoted-printable, every byte", `body multipart part "file"`, func(s string) (string, string) {
			var b strings.Builder
			for _, c := range []byte(s) {
				b.WriteString("=" + strings.ToUpper(strconv.FormatInt(int64(c), 16)))
			}
			return part(t, map[string]string{"Content-Disposition": file, "Content-Transfer-Encoding": "quoted-printable"}, b.String())
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, allowed, nil)
			for _, http2 := range []bool{false, true} {
				body, kind := tc.make(w.secret(strconv.FormatBool(http2)))
				e := w.refused(w.client(http2), request(t, "POST", "https://origin.test/", strings.NewReader(body), "Content-Type", kind), 403, refusal.SecretInRequest)
				require.Equal(t, tc.location, e.Location)
				if strings.Contains(tc.name, "quoted-printable") {
					continue // undone in bodies at hand alone
				}
				// In a body whose length is not known, too.
				e = w.refused(w.client(http2), request(t, "POST", "https://origin.test/", unsized(strings.NewReader(body)), "Content-Type", kind), 403, refusal.SecretInRequest)
				require.Equal(t, tc.location, e.Location)
				// And compressed.
				e = w.refused(w.client(http2), request(t, "POST", "https://origin.test/", bytes.NewReader(encode(t, body, "zstd")), "Content-Type", kind, "Content-Encoding", "zstd"), 403, refusal.SecretInRequest)
				require.Equal(t, tc.location, e.Location)
			}
		})
	}
}
