// Package audit writes one JSON line per decision, append-only, so that two
// stages can share a file.
//
// A record says what was asked, what was decided and why. It holds no header,
// no path, no query and no body: an agent can put a secret into any of them.
package audit

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"
)

// Events of a record.
const (
	EventRequest     = "request"      // an HTTP exchange ended, or was refused
	EventTunnelOpen  = "tunnel_open"  // a passthrough tunnel or WebSocket was opened
	EventTunnelClose = "tunnel_close" // it ended
	EventConnect     = "connect"      // a CONNECT was judged
)

// Decisions of a record.
const (
	Allow  = "allow"
	Refuse = "refuse"
)

// Record is one decision. The JSON names are the format; fields are only added.
type Record struct {
	Time      time.Time `json:"time"`
	Stage     string    `json:"stage"`
	RequestID string    `json:"request_id"`
	Event     string    `json:"event"`
	Decision  string    `json:"decision"`
	// Code is the reason code of a refusal or failure.
	Code string `json:"code,omitempty"`
	Host string `json:"host"`
	// Method is the request's method; CONNECT for tunnels.
	Method string `json:"method,omitempty"`
	// Protocol is the agent's side: HTTP/1.1, HTTP/2.0, websocket or tunnel.
	Protocol string `json:"protocol,omitempty"`
	// Route is the pattern that decided.
	Route string `json:"route,omitempty"`
	// Credential says what became of it: "real" (put on), "none" or "".
	Credential string `json:"credential,omitempty"`
	// Rule and Location say what the scanner found, never the value.
	Rule     string `json:"rule,omitempty"`
	Location string `json:"location,omitempty"`
	// Status is what the agent got; 0 where there was no answer.
	Status int `json:"status,omitempty"`
	// Up and Down are body bytes from and to the agent.
	Up   int64 `json:"bytes_up"`
	Down int64 `json:"bytes_down"`
	// Millis is how long it took.
	Millis int64 `json:"duration_ms"`
}

// Log appends records to a file. The zero Log and a nil one drop them. It is
// safe for concurrent use.
type Log struct {
	mu   sync.Mutex
	path string
	f    *os.File
}

// Open opens or creates the file at path with mode 0600. An empty path gives
// a Log that drops records.
func Open(path string) (*Log, error) {
	l := &Log{path: path}
	return l, l.Reopen()
}

// Reopen opens the file by its name again, as after a log rotation. On error
// the old file stays in use.
func (l *Log) Reopen() error {
	if l == nil || l.path == "" {
		return nil
	}
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open audit log: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f != nil {
		l.f.Close()
	}
	l.f = f
	return nil
}

// Write appends r in one write call, so that lines of two processes do not mix.
func (l *Log) Write(r Record) error {
	if l == nil || l.path == "" {
		return nil
	}
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write audit log: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.f.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write audit log: %w", err)
	}
	return nil
}

// Close closes the file.
func (l *Log) Close() error {
	if l == nil || l.f == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.f.Close()
}
