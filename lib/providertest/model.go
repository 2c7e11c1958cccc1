package providertest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
)

// maxRequest bounds one model request after decoding; the client's first turn
// is 40–70 kB.
const maxRequest = 16 << 20

// modelRequest is what the stand-in reads of a model request: of
// response.create on a WebSocket and of the body of a POST alike.
type modelRequest struct {
	Generate *bool `json:"generate"` // false: a prewarm that wants no answer
	Input    []struct {
		Type   string          `json:"type"`
		Output json.RawMessage `json:"output"` // of a tool call
		Tools  []tool          `json:"tools"`  // of an additional_tools item
	} `json:"input"`
	Tools []tool `json:"tools"`
}

type tool struct {
	Type  string `json:"type"`
	Name  string `json:"name"`
	Tools []tool `json:"tools"` // of a namespace
}

// offered is every tool of the request: 0.135 lists them in the request, 0.169
// in an input item and within namespaces.
func (m *modelRequest) offered() []tool {
	var out []tool
	var walk func([]tool)
	walk = func(tools []tool) {
		for _, t := range tools {
			if t.Type == "namespace" {
				walk(t.Tools)
			} else {
				out = append(out, t)
			}
		}
	}
	walk(m.Tools)
	for _, item := range m.Input {
		walk(item.Tools)
	}
	return out
}

func parseModelRequest(data []byte) (*modelRequest, error) {
	var m modelRequest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("read model request: %w", err)
	}
	return &m, nil
}

// asked says what the request is, for the record.
func (m *modelRequest) asked() string {
	switch {
	case m.Generate != nil && !*m.Generate:
		return "prewarm"
	case m.toolOutput() != "":
		return "tool-result"
	}
	return "turn"
}

// toolOutput is the start of the newest tool output in the request.
func (m *modelRequest) toolOutput() string {
	out := ""
	for _, item := range m.Input {
		if !strings.HasSuffix(item.Type, "_call_output") {
			continue
		}
		var text string
		if json.Unmarshal(item.Output, &text) != nil {
			text = string(item.Output) // structured
		}
		out = text
	}
	return out[:min(len(out), 500)]
}

// event is one server event; the same objects go into an event stream and into
// WebSocket messages.
type event map[string]any

// answerEvents is the whole answer to m.
func (s *Server) answerEvents(m *modelRequest) ([]event, error) {
	id := "resp_" + rand.Text()
	var items []event
	switch asked := m.asked(); {
	case asked == "prewarm":
	case asked == "turn" && s.opts.ToolCommand != "":
		call, err := m.callTool(s.opts.ToolCommand)
		if err != nil {
			return nil, err
		}
		items = append(items, call)
	default:
		items = append(items, event{
			"type": "message", "role": "assistant", "id": "msg_" + rand.Text(),
			"content": []any{event{"type": "output_text", "text": s.opts.Answer}},
		})
	}
	events := []event{{"type": "response.created", "response": event{"id": id}}}
	for i, item := range items {
		if item["type"] == "message" {
			started := event{"type": "message", "role": "assistant", "id": item["id"], "content": []any{}}
			events = append(events, event{"type": "response.output_item.added", "output_index": i, "item": started})
			for word := range strings.SplitAfterSeq(s.opts.Answer, " ") {
				events = append(events, event{
					"type": "response.output_text.delta", "item_id": item["id"],
					"output_index": i, "content_index": 0, "delta": word,
				})
			}
		}
		events = append(events, event{"type": "response.output_item.done", "output_index": i, "item": item})
	}
	return append(events, event{"type": "response.completed", "response": event{
		"id": id,
		"usage": event{
			"input_tokens": 7, "input_tokens_details": nil,
			"output_tokens": 5, "output_tokens_details": nil, "total_tokens": 12,
		},
	}}), nil
}

// callTool returns a call that makes the client run command, with whichever
// shell tool the client offers.
func (m *modelRequest) callTool(command string) (event, error) {
	id := "call_" + rand.Text()
	var names []string
	for _, t := range m.offered() {
		names = append(names, t.Type+" "+t.Name)
		var arguments any
		switch t.Type + " " + t.Name {
		case "function exec_command":
			arguments = event{"cmd": command}
		case "function shell_command":
			arguments = event{"command": command}
		case "function shell":
			arguments = event{"command": []string{"sh", "-c", command}}
		case "custom exec":
			// 0.169's model writes a script that calls the tools.
			quoted, err := json.Marshal(command)
			if err != nil {
				return nil, err
			}
			script := "const r = await tools.exec_command({cmd: " + string(quoted) + "}); text(r);"
			return event{"type": "custom_tool_call", "call_id": id, "name": t.Name, "namespace": "functions", "input": script}, nil
		default:
			continue
		}
		text, err := json.Marshal(arguments)
		if err != nil {
			return nil, err
		}
		return event{"type": "function_call", "call_id": id, "name": t.Name, "arguments": string(text)}, nil
	}
	return nil, fmt.Errorf("the client offers no shell tool that the stand-in knows: %s", strings.Join(names, ", "))
}
