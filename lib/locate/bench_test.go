package locate

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

const (
	hexChars   = "0123456789abcdef"
	alnumChars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	stdChars   = alnumChars + "+/"
)

func chars(r *rand.Rand, chars string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = chars[r.IntN(len(chars))]
	}
	return string(b)
}

// llmJSON is the text of that name in dlp's BenchmarkScan: a conversation as a
// coding agent sends it.
func llmJSON(size int) []byte {
	m := rand.New(rand.NewPCG(51, 1))
	code := `func (s *Server) handle(w http.ResponseWriter, r *http.Request) {\n\tif err := s.check(r); err != nil {\n\t\thttp.Error(w, \"bad request\", 400)\n\t\treturn\n\t}\n}\n`
	prose := `Please read the failing test, explain why the scheduler drops the last job, and propose a small fix. Then run the tests again. `
	var b strings.Builder
	b.WriteString(`{"model":"gpt-5","stream":true,"input":[`)
	for b.Len() < size {
		fmt.Fprintf(&b, `{"type":"message","id":"msg_%s","role":"user","content":[{"type":"input_text","text":"%s"}]},`, chars(m, hexChars, 32), prose)
		fmt.Fprintf(&b, `{"type":"function_call_output","call_id":"call_%s","output":"commit %s\n-----\n%s%s"},`, chars(m, alnumChars, 24), chars(m, hexChars, 40), code, code)
	}
	return []byte(b.String()[:size])
}

// manifold repeats text up to a size.
func manifold(text string, size int) []byte {
	return bytes.Repeat([]byte(text), size/len(text)+1)[:size]
}

func BenchmarkLocate(b *testing.B) {
	const size = 1 << 20
	part := "--XX\r\nContent-Disposition: form-data; name=\"f\"\r\nContent-Type: application/json\r\n\r\n%s\r\n"
	for _, c := range []struct {
		name, contentType string
		text              []byte
	}{
		{"llm-json", "application/json", llmJSON(size)},
		{"image", "application/json", []byte(`{"type":"input_image","image_url":"data:image/png;base64,` + chars(rand.New(rand.NewPCG(54, 1)), stdChars, size-100) + `"}`)},
		{"members", "application/json", manifold(`{"id":12345,"name":"some","tags":["a","bc","def"],"at":{"x":1.25,"y":-7}},`, size)},
		{"numbers", "application/json", append([]byte("["), manifold("0.0123,-0.456,", size)...)},
		{"brackets", "application/json", manifold("[[{}],[]],", size)},
		{"json-in-json", "application/json", append([]byte(`["`), manifold(`{\"id\":12345,\"name\":\"some\",\"tags\":[\"a\",\"def\"]}`, size)...)},
		{"quotes", "application/json", append([]byte(`["`), manifold(`\"`, size)...)},
		{"backslashes", "application/json", append([]byte(`["`), manifold(`\\`, size)...)},
		{"form", "application/x-www-form-urlencoded", manifold("name=value+of+it&other=1&", size)},
		{"multipart", multi, fmt.Appendf(nil, part, llmJSON(size))},
		{"multipart-lines", multi, fmt.Appendf(nil, part, manifold("a line\n-- of text\n", size))},
		{"many-parts", multi, manifold("--XX\nContent-Type:a/b\n\n", size)},
		{"text", "text/plain", manifold("some words. ", size)},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := NewBody(c.contentType)
			b.SetBytes(int64(len(c.text)))
			b.ReportAllocs()
			for b.Loop() {
				s.Reset()
				for at := 0; at < len(c.text); at += 32 << 10 {
					p := c.text[at:min(len(c.text), at+32<<10)]
					s.Feed(p)
					s.Settle(int64(at + len(p) - 48)) // what a scanner holds back
				}
			}
		})
	}
}
