package providertest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/coder/websocket"
	"github.com/klauspost/compress/zstd"
)

// refusedOnce takes one of the 401s that the options ask for.
func (s *Server) refusedOnce() bool {
	for {
		left := s.unauthorized.Load()
		if left == 0 {
			return false
		}
		if left < 0 || s.unauthorized.CompareAndSwap(left, left-1) {
			return true
		}
	}
}

// model does what both transports of the model endpoint begin with.
func (s *Server) model(w http.ResponseWriter, rec Record) bool {
	if !s.authorized(w, rec) {
		return false
	}
	if s.refusedOnce() {
		s.answer(w, rec, http.StatusUnauthorized, errorBody("token_expired", "Provided authentication token is expired."))
		return false
	}
	return true
}

// upgrade serves the WebSocket transport: each text message is a request, each
// event of its answer a text message.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request) {
	rec := s.describe(r)
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		s.answer(w, rec, http.StatusMethodNotAllowed, errorBody("method_not_allowed", "POST, or upgrade."))
		return
	}
	rec.Transport = "websocket"
	if !s.model(w, rec) {
		return
	}
	if s.opts.Mode == SSE {
		// 426 makes the client fall back to POST at once, and for good.
		s.answer(w, rec, http.StatusUpgradeRequired, errorBody("upgrade_required", "Use the event stream."))
		return
	}
	compression := websocket.CompressionDisabled
	if s.opts.Mode == WebSocketDeflate && strings.Contains(r.Header.Get("Sec-Websocket-Extensions"), "permessage-deflate") {
		compression = websocket.CompressionContextTakeover
		rec.Transport = "websocket-deflate"
	}
	rec.Status = http.StatusSwitchingProtocols
	s.rec.add(rec)
	// Counted from before the 101: the client's first message may have arrived,
	// and been read, before Accept returns.
	counted := wireBytes(r)
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		CompressionMode: compression, CompressionThreshold: 1, InsecureSkipVerify: true, // of the Origin header
	})
	if err != nil {
		return
	}
	defer conn.CloseNow()
	conn.SetReadLimit(maxRequest)
	for {
		_, data, err := conn.Read(r.Context())
		if err != nil {
			return
		}
		frame := rec
		frame.Kind, frame.Status, frame.Headers = "frame", 0, nil
		frame.BodyBytes, frame.DecodedBytes = wireBytes(r)-counted, int64(len(data))
		counted += frame.BodyBytes
		if compression != websocket.CompressionDisabled {
			frame.Coding = "permessage-deflate"
		}
		events, err := s.ask(&frame, data)
		s.rec.add(frame)
		if err != nil {
			events = []event{{"type": "error", "status": 400, "error": errorBody("bad_request", err.Error())["error"]}}
		}
		for _, e := range events {
			text, err := json.Marshal(e)
			if err != nil {
				return
			}
			if conn.Write(r.Context(), websocket.MessageText, text) != nil {
				return
			}
		}
	}
}

// post serves the fallback: one request, its answer as an event stream.
func (s *Server) post(w http.ResponseWriter, r *http.Request) {
	rec := s.describe(r)
	if !s.model(w, rec) {
		return
	}
	data, err := decodeBody(&rec, r.Body)
	var events []event
	if err == nil {
		events, err = s.ask(&rec, data)
	}
	if err != nil {
		s.answer(w, rec, http.StatusBadRequest, errorBody("bad_request", err.Error()))
		return
	}
	rec.Status = http.StatusOK
	s.rec.add(rec)
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w)
	for _, e := range events {
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

// ask notes in rec what the model request data is and returns its answer.
func (s *Server) ask(rec *Record, data []byte) ([]event, error) {
	m, err := parseModelRequest(data)
	if err != nil {
		return nil, err
	}
	rec.Asked, rec.ToolOutput = m.asked(), m.toolOutput()
	return s.answerEvents(m)
}

// decodeBody reads a model request's body, which the client sends zstd-coded
// to the provider, and counts it in rec before and after decoding.
func decodeBody(rec *Record, body io.Reader) ([]byte, error) {
	sent := &countingReader{r: body}
	decoded := io.Reader(sent)
	switch rec.Coding {
	case "":
	case "zstd":
		d, err := zstd.NewReader(sent, zstd.WithDecoderMaxMemory(maxRequest), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, fmt.Errorf("decode zstd: %w", err)
		}
		defer d.Close()
		decoded = d
	default:
		return nil, fmt.Errorf("content-encoding %q is not one the service takes", rec.Coding)
	}
	data, err := io.ReadAll(io.LimitReader(decoded, maxRequest+1))
	rec.BodyBytes, rec.DecodedBytes = sent.n, int64(len(data))
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	if len(data) > maxRequest {
		return nil, fmt.Errorf("body is more than %d bytes", maxRequest)
	}
	return data, nil
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}
