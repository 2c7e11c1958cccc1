package providertest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Record is one request, or one WebSocket message, as it arrived. It holds no
// credential: those are fingerprints.
type Record struct {
	Seq  int       `json:"seq"` // from 1, in the order of the answers
	Time time.Time `json:"time"`
	// Kind is "request", or "frame" for a message on an accepted WebSocket;
	// a frame repeats host, path, bearer and account of its request.
	Kind      string `json:"kind"`
	Host      string `json:"host"` // as in the Host header or :authority
	Method    string `json:"method"`
	Path      string `json:"path"`      // without the query
	Proto     string `json:"proto"`     // "HTTP/1.1" or "HTTP/2.0"
	Transport string `json:"transport"` // "http", "websocket" or "websocket-deflate" (as negotiated)
	Status    int    `json:"status"`    // of the answer; 0 for a frame
	// Bearer is the fingerprint of the bearer token, "" if there was none;
	// BearerIs is "real", "none" or "other".
	Bearer   string `json:"bearer"`
	BearerIs string `json:"bearer_is"`
	// KeyIs says the same of x-api-key, of which the real one is Claude's.
	KeyIs string `json:"key_is"`
	// bearerEnds is when a real bearer expires.
	bearerEnds time.Time
	Account    string `json:"account"` // chatgpt-account-id, not a secret
	// Coding is the Content-Encoding of the body, "" if it had none, or
	// "permessage-deflate". BodyBytes counts the body as it was sent; for a
	// frame it is what the connection carried, TLS included. DecodedBytes
	// counts it after decoding, and is 0 if the stand-in did not look.
	Coding       string `json:"coding"`
	BodyBytes    int64  `json:"body_bytes"`
	DecodedBytes int64  `json:"decoded_bytes"`
	// Asked is what a model request was: "prewarm", "turn" or "tool-result"; of
	// a token refresh what its token was: "real-refresh", "used-refresh" (good
	// once, before) or "other-refresh".
	Asked string `json:"asked,omitempty"`
	// ToolOutput is the start of what the client's tool printed.
	ToolOutput string `json:"tool_output,omitempty"`
	// Headers are the request's, names in lower case, values of credential
	// headers as fingerprints.
	Headers map[string]string `json:"headers,omitempty"`
}

// Fingerprint names a secret without telling it: "sha256:" and the first 16
// hex digits of its SHA-256.
func Fingerprint(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(sum[:8])
}

// credentialHeaders are recorded as fingerprints.
var credentialHeaders = []string{
	"authorization", "cookie", "proxy-authorization", "x-api-key", "api-key", "x-openai-actor-authorization",
}

// headerSummary returns h for a record.
func headerSummary(h http.Header) map[string]string {
	out := make(map[string]string, len(h))
	for name, values := range h {
		name, value := strings.ToLower(name), strings.Join(values, ", ")
		if slices.Contains(credentialHeaders, name) {
			value = Fingerprint(value)
		}
		out[name] = value
	}
	return out
}

// recorder keeps the records and writes them to w as JSON lines. It is safe
// for concurrent use.
type recorder struct {
	mu      sync.Mutex
	w       io.Writer // nil: nowhere
	err     error     // the first write error
	records []Record
}

// add keeps r. Callers add before they answer, so that a client that has an
// answer can rely on its record being there.
func (rec *recorder) add(r Record) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	r.Seq, r.Time = len(rec.records)+1, time.Now()
	rec.records = append(rec.records, r)
	if rec.w == nil || rec.err != nil {
		return
	}
	line, err := json.Marshal(r)
	if err == nil {
		_, err = rec.w.Write(append(line, '\n'))
	}
	if err != nil {
		rec.err = fmt.Errorf("write record: %w", err)
	}
}

func (rec *recorder) all() []Record {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return slices.Clone(rec.records)
}

func (rec *recorder) failure() error {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return rec.err
}
