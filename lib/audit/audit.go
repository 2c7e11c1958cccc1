// Package audit writes one JSON line per decision, append-only, so that two
// stages can share a file.
//
// A record says what was asked, what was decided and why. It holds no header,
// no path, no query and no body: an agent can put a secret into any of them.
package audit

import (
	"encoding/json"
	"errors"
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
	EventMatch       = "match"        // the scanner found something, and the request goes on
	EventUndecoded   = "undecoded"    // a body goes on that could not be decoded, as the setting allows
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
	// HopIn and HopOut name the tunnel from the stage before and to the next one,
	// and the request in it: "TUNNEL.3", or the tunnel alone. Both stages have the
	// same text. "" without such a stage.
	HopIn  string `json:"hop_in,omitempty"`
	HopOut string `json:"hop_out,omitempty"`
	// Code is the reason code of a refusal or failure.
	Code string `json:"code,omitempty"`
	Host string `json:"host"`
	// Method is the request's method; CONNECT for tunnels.
	Method string `json:"method,omitempty"`
	// Protocol is the agent's side: HTTP/1.1, HTTP/2.0, websocket or tunnel.
	Protocol string `json:"protocol,omitempty"`
	// Route is the pattern that decided.
	Route string `json:"route,omitempty"`
	// Credential says what became of it: "real" (put on), "none", "dummy" (the
	// stage answered with a new one) or "".
	Credential string `json:"credential,omitempty"`
	// Echoed says where the origin repeated a real credential, which was replaced.
	Echoed []Echo `json:"echoed,omitempty"`
	// Source says where a real credential came from, and Expires when it ends, if
	// it says.
	Source  string     `json:"credential_source,omitempty"`
	Expires *time.Time `json:"credential_expires,omitempty"`
	// Replayed says that the origin was asked twice, the second time with a
	// credential that had changed meanwhile.
	Replayed bool `json:"replayed,omitempty"`
	// Rule and Location say what the scanner found, never the value. Sample is
	// its first characters, masked; Action what became of it: "block" in the
	// record of a refusal, "redact" or "log" in one of event "match". Count is
	// how many there are of a rule in one place.
	Rule     string `json:"rule,omitempty"`
	Location string `json:"location,omitempty"`
	Sample   string `json:"sample,omitempty"`
	Action   string `json:"action,omitempty"`
	Count    int    `json:"count,omitempty"`
	// Status is what the agent got; 0 where there was no answer.
	Status int `json:"status,omitempty"`
	// Up and Down are body bytes from and to the agent.
	Up   int64 `json:"bytes_up"`
	Down int64 `json:"bytes_down"`
	// Millis is how long it took.
	Millis int64 `json:"duration_ms"`
}

// Echo counts the replacements of one source's credential in one part of an
// answer.
type Echo struct {
	// Where is header, body, trailer or websocket.
	Where string `json:"where"`
	// Source is where the credential comes from, never its value.
	Source string `json:"source"`
	Count  int    `json:"count"`
}

// flushAfter bounds how long an allowed request's record may wait in memory.
// Refusals never wait.
const flushAfter = 100 * time.Millisecond

// Log appends records to a file, whole lines at a time. The zero Log and a nil
// one drop them. It is safe for concurrent use.
type Log struct {
	mu    sync.Mutex
	path  string
	f     *os.File
	lines []byte      // not yet written
	timer *time.Timer // writes them
	err   error       // of a write that nobody waited for; told to the next caller
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
		err = l.flush()
		l.f.Close()
	}
	l.f = f
	return err
}

// Write appends r: at once if it is anything but an allowed request's ordinary end,
// else within a tenth of a second. The error is of this record, or of earlier
// ones that were written meanwhile.
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
	l.lines = append(append(l.lines, line...), '\n')
	if r.Decision != Allow || r.Event != EventRequest || r.Echoed != nil || len(l.lines) > 32<<10 {
		return l.flush()
	}
	if l.timer == nil {
		l.timer = time.AfterFunc(flushAfter, l.flushLate)
	} else if len(l.lines) == len(line)+1 {
		l.timer.Reset(flushAfter)
	}
	err, l.err = l.err, nil
	return err
}

func (l *Log) flushLate() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = l.flush()
}

// flush writes the waiting lines in one call, so that lines of two processes
// do not mix.
func (l *Log) flush() error {
	err := l.err
	l.err = nil
	if len(l.lines) == 0 || l.f == nil {
		return err
	}
	_, werr := l.f.Write(l.lines)
	if l.lines = l.lines[:0]; cap(l.lines) > 64<<10 {
		l.lines = nil
	}
	if werr != nil {
		return fmt.Errorf("write audit log: %w", werr)
	}
	return err
}

// Close writes what waits and closes the file.
func (l *Log) Close() error {
	if l == nil || l.f == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
	}
	err := l.flush()
	return errors.Join(err, l.f.Close())
}
