package corpus

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// goSources are files of Go's own tree, as code that somebody really wrote.
// They come with every installation that can build this.
var goSources = sync.OnceValue(func() []string {
	// A program that is built with -trimpath does not know where that was.
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		panic("corpus: go env GOROOT: " + err.Error())
	}
	var all []string
	for _, dir := range []string{"net/http", "go/types", "encoding/json", "crypto/tls", "html/template", "database/sql", "cmd/go/internal/load", "net/url", "encoding/base64", "regexp/syntax"} {
		files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(root)), "src", dir, "*.go"))
		if err != nil {
			panic(err) // the pattern is a constant
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil || strings.HasSuffix(file, "_test.go") {
				continue
			}
			all = append(all, string(b))
		}
	}
	if len(all) == 0 {
		panic("corpus: Go's own sources are not where it was installed")
	}
	return all
})

// golang is some lines of Go.
func (m maker) golang(lines int) string {
	files := goSources()
	file := files[m.IntN(len(files))]
	all := strings.SplitAfter(file, "\n")
	at := m.IntN(max(1, len(all)-lines))
	return strings.Join(all[at:min(len(all), at+lines)], "")
}

func (m maker) python(lines int) string {
	return m.repeat(lines, func(i int) string {
		return fmt.Sprintf(m.pick(
			"import %s\nfrom os import environ\n%s = %d\n",
			"def load_%s(path):\n    with open(path) as %s:\n        return json.load(f)[%d]\n",
			"class %s:\n    def __init__(self, %s=None):\n        self.n = %d\n",
			"assert resp.json()['%s'] == {'%s': %d}, \"it's wrong\"\n",
		), m.word(), m.word(), i)
	})
}

func (m maker) accessLog(lines int) string {
	return m.repeat(lines, func(i int) string {
		return fmt.Sprintf("10.0.%d.%d - - [25/Nov/2026:10:%02d:%02d +0000] \"GET /v1/%s/%s?page=%d HTTP/1.1\" 200 %d \"-\" \"Mozilla/5.0 (X11; Linux x86_64)\"\n",
			m.IntN(256), m.IntN(256), i/60%60, i%60, m.word(), m.hex(8), m.IntN(50), m.IntN(90000))
	})
}

func object(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // made of strings, maps and slices
	}
	return string(b)
}

type obj = map[string]any

// hole is where spliced text goes in what object wrote.
const hole = "@@HERE@@"

// turn is a request to a chat model of about size bytes, with text, as it
// stands in a JSON string, in the last message.
func (m maker) turn(text string, size int) string {
	messages := []obj{{"role": "user", "content": m.prose(3)}}
	for n := 0; n < size; {
		code := m.golang(20)
		messages = append(messages,
			obj{"role": "assistant", "content": []obj{{"type": "text", "text": m.prose(2)}, {"type": "tool_use", "id": "toolu_01" + m.text(alnums, 22), "name": "Read", "input": obj{"file_path": "/work/" + m.word() + ".go"}}}},
			obj{"role": "user", "content": []obj{{"type": "tool_result", "tool_use_id": "toolu_01" + m.text(alnums, 22), "content": code}}})
		n += len(code) + 400
	}
	messages = append(messages, obj{"role": "user", "content": []obj{{"type": "text", "text": m.sentence() + hole + " " + m.sentence()}}})
	return strings.Replace(object(obj{
		"model": "claude-sonnet-4-5", "max_tokens": 32000, "stream": true, "system": m.prose(10), "messages": messages,
		"metadata": obj{"user_id": "user_" + m.hex(64) + "_account__session_" + m.uuid()},
	}), hole, text, 1)
}

// responses is a request of the Responses API, the way Codex sends it.
func (m maker) responses(text string, size int) string {
	input := []obj{{"type": "message", "role": "user", "content": []obj{{"type": "input_text", "text": m.prose(2)}}}}
	for n := 0; n < size; {
		id, code := "call_"+m.text(alnums, 24), m.golang(40)
		input = append(input,
			obj{"type": "reasoning", "id": "rs_" + m.hex(48), "summary": []any{}, "encrypted_content": "gAAAAAB" + m.form("[u1200]") + "=="},
			obj{"type": "function_call", "name": "shell", "call_id": id, "arguments": object(obj{"command": []string{"bash", "-lc", "sed -n '1,40p' " + m.word() + ".go"}})},
			obj{"type": "function_call_output", "call_id": id, "output": object(obj{"output": code, "metadata": obj{"exit_code": 0, "duration_seconds": 0.1}})})
		n += len(code) + 1800
	}
	input = append(input, obj{"type": "function_call_output", "call_id": "call_" + m.text(alnums, 24), "output": m.sentence() + hole + " " + m.sentence()})
	return strings.Replace(object(obj{
		"model": "gpt-5.1-codex", "instructions": m.prose(20), "input": input, "stream": true, "store": false,
		"prompt_cache_key": m.uuid(), "include": []string{"reasoning.encrypted_content"},
	}), hole, text, 1)
}
