package dlp

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

// llmJSON is a conversation as a coding agent sends it: prose, code, tool output, ids.
func llmJSON(size int) []byte {
	m := newMaker(51)
	code := `func (s *Server) handle(w http.ResponseWriter, r *http.Request) {\n\tif err := s.check(r); err != nil {\n\t\thttp.Error(w, \"bad request\", 400)\n\t\treturn\n\t}\n}\n`
	prose := `Please read the failing test, explain why the scheduler drops the last job, and propose a small fix. Then run the tests again. `
	var b strings.Builder
	b.WriteString(`{"model":"gpt-5","stream":true,"input":[`)
	for b.Len() < size {
		fmt.Fprintf(&b, `{"type":"message","id":"msg_%s","role":"user","content":[{"type":"input_text","text":"%s"}]},`, m.text(hexChars, 32), prose)
		fmt.Fprintf(&b, `{"type":"function_call_output","call_id":"call_%s","output":"commit %s\n-----\n%s%s"},`, m.text(alnumChars, 24), m.text(hexChars, 40), code, code)
	}
	return []byte(b.String()[:size])
}

// sourceCode is a Go file with comments, paths and literals.
func sourceCode(size int) []byte {
	const text = "// serve accepts connections on l until ctx is done; it returns the first error that is not net.ErrClosed.\n" +
		"func (s *Server) serve(ctx context.Context, l net.Listener) error {\n\tfor {\n\t\tconn, err := l.Accept()\n\t\tif err != nil {\n" +
		"\t\t\treturn fmt.Errorf(\"accept on %s: %w\", l.Addr(), err)\n\t\t}\n\t\tgo s.handle(ctx, &session{conn: conn, id: newSessionIdentifier()})\n\t}\n}\n\n" +
		"import \"github.com/rogpeppe/go-internal/testscript\" // see https://pkg.go.dev/github.com/rogpeppe/go-internal\n"
	return []byte(strings.Repeat(text, size/len(text)+1)[:size])
}

// imageJSON is a turn with a screenshot in base64.
func imageJSON(size int) []byte {
	return []byte(`{"type":"input_image","image_url":"data:image/png;base64,` + newMaker(54).text(stdChars, size-100) + `"}`)
}

// writing is a megabyte of text.
func writing(text string) []byte { return []byte(strings.Repeat(text, 1<<20/len(text))) }

func BenchmarkScan(b *testing.B) {
	m := newMaker(52)
	r := builtin(b)
	for name, text := range map[string][]byte{
		"llm-json-1MB":    llmJSON(1 << 20),
		"llm-json-8KB":    llmJSON(8 << 10),
		"base64-1MB":      []byte(m.text(stdChars, 1<<20)),
		"image-1MB":       imageJSON(1 << 20),
		"source-1MB":      sourceCode(1 << 20),
		"base64-text-1MB": []byte(base64.StdEncoding.EncodeToString(sourceCode(3 << 18))),
		"russian-1MB":     writing("Прочитай упавший тест, объясни, почему планировщик теряет последнее задание, и предложи небольшое исправление. "),
		"chinese-1MB":     writing("请阅读失败的测试（见下），解释为什么调度程序丢失了最后一个作业；然后再次运行测试，并显示命令的输出！"),
		"typography-1MB":  writing("Here’s the plan — first we’ll read the “failing” test… then fix it – and run everything ✅ ⚠️ again. "),
		"percent-1MB":     []byte(percentAll(string(sourceCode(1 << 20 / 3)))),
		"base64url-1MB":   []byte(m.text(urlChars, 1<<20)),
		"hostile-eyJ-1MB": []byte(strings.Repeat("eyJ", 1<<20/3)),
		"hostile-jwt-1MB": []byte(strings.Repeat("eyJhIjp7ImEi", 1<<20/12)),
		"hostile-hdr-1MB": []byte(strings.Repeat("eyJhbGciOiJIUzI1NiJ9.", 1<<20/21)),
		"hostile-pad-1MB": []byte(strings.Repeat(strings.Repeat("eyJ", 600)+".", 1<<20/1801)),
	} {
		b.Run("buffer/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if len(r.Scan(text)) != 0 {
					b.Fatal("a benign text has findings")
				}
			}
		})
		b.Run("stream-32KB/"+name, func(b *testing.B) {
			s := r.NewStream()
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				s.Reset()
				for rest := text; len(rest) > 0; {
					n := min(32<<10, len(rest))
					if _, found := s.Scan(rest[:n]); len(found) != 0 {
						b.Fatal("a benign text has findings")
					}
					rest = rest[n:]
				}
				s.Finish()
			}
		})
	}
}

// The worst case for the held candidate: it grows by one byte a call.
func BenchmarkByteWrites(b *testing.B) {
	s := builtin(b).NewStream()
	jwt := []byte(newMaker(53).jwt(`{"alg":"HS256"}`, 8000))
	b.SetBytes(int64(len(jwt)))
	for b.Loop() {
		s.Reset()
		for i := range jwt {
			s.Scan(jwt[i : i+1])
		}
		s.Finish()
	}
}
