package providertest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const anthropicAPI = "api.anthropic.com"

// messagesRequest is what the stand-in reads of a POST /v1/messages.
type messagesRequest struct {
	Model    string `json:"model"`
	Stream   bool   `json:"stream"`
	Messages []struct {
		Role    string          `json:"role"`
		Content json.RawMessage `json:"content"` // text, or a list of blocks
	} `json:"messages"`
	Tools []struct {
		Name string `json:"name"`
	} `json:"tools"`
}

// toolOutput is the start of the newest tool result in the request.
func (m *messagesRequest) toolOutput() string {
	out := ""
	for _, message := range m.Messages {
		var blocks []struct {
			Type    string          `json:"type"`
			Content json.RawMessage `json:"content"`
		}
		if json.Unmarshal(message.Content, &blocks) != nil {
			continue
		}
		for _, b := range blocks {
			if b.Type != "tool_result" {
				continue
			}
			var text string
			if json.Unmarshal(b.Content, &text) != nil {
				text = string(b.Content)
			}
			out = text
		}
	}
	return out[:min(len(out), 500)]
}

func (m *messagesRequest) offers(tool string) bool {
	for _, t := range m.Tools {
		if t.Name == tool {
			return true
		}
	}
	return false
}

// claudeError is an error in the shape of the service.
func claudeError(kind, message string) map[string]any {
	return map[string]any{"type": "error", "error": map[string]any{"type": kind, "message": message}}
}

// knowsClaude refuses a request that has neither the login's bearer, with the
// beta that makes the service take one, nor its key.
func (s *Server) knowsClaude(w http.ResponseWriter, rec Record) bool {
	switch {
	case rec.BearerIs == "real" && rec.KeyIs == "none":
		if time.Now().After(rec.bearerEnds) {
			s.answer(w, rec, http.StatusUnauthorized, claudeError("authentication_error", "OAuth token has expired."))
			return false
		}
		if !strings.Contains(rec.Headers["anthropic-beta"], "oauth-2025-04-20") {
			s.answer(w, rec, http.StatusUnauthorized, claudeError("authentication_error", "OAuth authentication is currently not supported."))
			return false
		}
		return true
	case rec.KeyIs == "real" && rec.BearerIs == "none":
		return true
	}
	s.answer(w, rec, http.StatusUnauthorized, claudeError("authentication_error", "invalid credentials"))
	return false
}

// messages serves POST /v1/messages: the fixed answer, with a call of the Bash
// tool before it if the options name a command and the request offers the tool.
func (s *Server) messages(w http.ResponseWriter, r *http.Request) {
	rec := s.describe(r)
	if !s.knowsClaude(w, rec) {
		return
	}
	if s.refusedOnce() {
		s.answer(w, rec, http.StatusUnauthorized, claudeError("authentication_error", "invalid bearer token"))
		return
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	var m messagesRequest
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	rec.BodyBytes, rec.DecodedBytes = int64(len(data)), int64(len(data))
	if err != nil {
		s.answer(w, rec, http.StatusBadRequest, claudeError("invalid_request_error", "the body is not a JSON object"))
		return
	}
	rec.Asked, rec.ToolOutput = "turn", m.toolOutput()
	if rec.ToolOutput != "" {
		rec.Asked = "tool-result"
	}
	if s.opts.ModelStatus != 0 {
		s.answer(w, rec, s.opts.ModelStatus, claudeError("invalid_request_error", "the stand-in was told to refuse"))
		return
	}
	block, stop := event{"type": "text", "text": s.opts.Answer}, "end_turn"
	if rec.Asked == "turn" && s.opts.ToolCommand != "" && m.offers("Bash") {
		block = event{
			"type": "tool_use", "id": "toolu_" + rand.Text(), "name": "Bash",
			"input": event{"command": s.opts.ToolCommand, "description": "run it"},
		}
		stop = "tool_use"
	}
	message := event{
		"id": "msg_" + rand.Text(), "type": "message", "role": "assistant", "model": m.Model, "content": []any{},
		"stop_reason": nil, "stop_sequence": nil, "usage": event{"input_tokens": 7, "output_tokens": 1},
	}
	if !m.Stream {
		message["content"], message["stop_reason"] = []any{block}, stop
		s.answer(w, rec, http.StatusOK, message)
		return
	}
	rec.Status = http.StatusOK
	s.rec.add(rec)
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	flush := http.NewResponseController(w)
	for _, e := range messageEvents(message, block, stop) {
		text, err := json.Marshal(e)
		if err != nil {
			return
		}
		if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", e["type"], text); err != nil {
			return
		}
		if flush.Flush() != nil {
			return
		}
	}
}

// messageEvents is the event stream of a message with one block.
func messageEvents(message, block event, stop string) []event {
	events := []event{{"type": "message_start", "message": message}, {"type": "ping"}}
	start, deltas := event{"type": "text", "text": ""}, []event{}
	if text, ok := block["text"].(string); ok {
		for word := range strings.SplitAfterSeq(text, " ") {
			deltas = append(deltas, event{"type": "text_delta", "text": word})
		}
	} else {
		start = event{"type": "tool_use", "id": block["id"], "name": block["name"], "input": event{}}
		input, err := json.Marshal(block["input"])
		if err != nil { // text only
			panic(err)
		}
		half := len(input) / 2
		for _, part := range []string{"", string(input[:half]), string(input[half:])} {
			deltas = append(deltas, event{"type": "input_json_delta", "partial_json": part})
		}
	}
	events = append(events, event{"type": "content_block_start", "index": 0, "content_block": start})
	for _, d := range deltas {
		events = append(events, event{"type": "content_block_delta", "index": 0, "delta": d})
	}
	return append(events,
		event{"type": "content_block_stop", "index": 0},
		event{"type": "message_delta", "delta": event{"stop_reason": stop, "stop_sequence": nil}, "usage": event{"output_tokens": 5}},
		event{"type": "message_stop"},
	)
}
