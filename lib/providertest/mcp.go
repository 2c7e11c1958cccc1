package providertest

import (
	"encoding/json"
	"net/http"
)

// models lists no model: the client falls back to those that it was built with.
func (s *Server) models(w http.ResponseWriter, r *http.Request) {
	if rec := s.describe(r); s.authorized(w, rec) {
		s.answer(w, rec, http.StatusOK, map[string]any{"models": []any{}})
	}
}

// mcp is a server of the Model Context Protocol without tools, which the
// client connects to for the account's apps and plugins. It speaks the
// streamable HTTP transport with JSON answers and no session.
func (s *Server) mcp(w http.ResponseWriter, r *http.Request) {
	rec := s.describe(r)
	if !s.authorized(w, rec) {
		return
	}
	if r.Method != http.MethodPost { // no stream of the server's own
		s.answer(w, rec, http.StatusMethodNotAllowed, errorBody("method_not_allowed", "POST."))
		return
	}
	var call struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Params struct {
			ProtocolVersion string `json:"protocolVersion"`
		} `json:"params"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&call); err != nil {
		s.answer(w, rec, http.StatusBadRequest, errorBody("bad_request", "A JSON-RPC message is wanted."))
		return
	}
	if call.ID == nil { // a notification
		rec.Status = http.StatusAccepted
		s.rec.add(rec)
		w.WriteHeader(http.StatusAccepted)
		return
	}
	answer := map[string]any{"jsonrpc": "2.0", "id": call.ID}
	switch call.Method {
	case "initialize":
		answer["result"] = map[string]any{
			"protocolVersion": call.Params.ProtocolVersion, "capabilities": map[string]any{"tools": map[string]any{}},
			"serverInfo": map[string]any{"name": "stand-in", "version": "1"},
		}
	case "ping":
		answer["result"] = map[string]any{}
	case "tools/list":
		answer["result"] = map[string]any{"tools": []any{}}
	default:
		answer["error"] = map[string]any{"code": -32601, "message": "Method not found"}
	}
	s.answer(w, rec, http.StatusOK, answer)
}
