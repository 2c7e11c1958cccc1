// Package recording writes what a stage saw into a HAR file (HTTP Archive 1.2),
// which the network view of a browser's developer tools opens, with credentials
// replaced by fingerprints.
//
//	r, err := recording.Create("debug.har", recording.Options{Stage: "bottle-egress"})
//	engine := forward.New(forward.Options{Recorder: r, …}, config)
//	defer r.Close()
//
// The file is a whole HAR after every entry: each is written over the end of
// the one before, in one call. A process that is killed amid such a call leaves
// a file whose last entry is cut.
//
// What is replaced: the values of cookies, of headers and query parameters whose
// names speak of credentials, and of such members of JSON and form bodies; those
// values and the real credentials that egress put on, wherever else they stand
// in the exchange, in the forms that package echo knows; and whatever the
// scanner's rules recognise.
//
// # Limits
//
// An unknown secret of no known form under a harmless name is written down: the
// file is for the operator, and has mode 0600. WebSocket messages are not
// recorded, nor what passes in tunnels that are relayed unread.
package recording

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/google/martian/v3/har"

	"bottle/lib/dlp"
	"bottle/lib/forward"
	"bottle/lib/secret"
)

// Options have defaults.
type Options struct {
	// Stage and Version stand for the HAR's creator.
	Stage, Version string
	// Limit is how long the file becomes, in bytes; 0 means 64 MiB. What comes
	// after that is not recorded.
	Limit int64
	// Body is how much of a body is kept, in bytes; 0 means 64 KiB.
	Body int
	Log  *slog.Logger
}

// waiting is how many exchanges that have ended may wait to be written.
const waiting = 64

// end closes the entries, the log and the file.
const end = "\n]}}\n"

// Recorder writes a HAR file. It is safe for concurrent use.
type Recorder struct {
	o     Options
	f     *os.File
	at    int64 // where the next entry goes
	any   bool
	rules *dlp.Rules
	queue chan *exchange
	done  chan struct{}

	mu      sync.Mutex
	closed  bool
	lost    int
	full    bool
	failure error
}

// Create makes the file at path, or empties it. It must not be a symbolic link.
func Create(path string, o Options) (*Recorder, error) {
	if o.Limit == 0 {
		o.Limit = 64 << 20
	}
	if o.Body == 0 {
		o.Body = 64 << 10
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	rules, err := dlp.Compile(dlp.Builtin(), dlp.Options{})
	if err != nil {
		return nil, fmt.Errorf("create HAR file: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create HAR file: %w", err)
	}
	r := &Recorder{o: o, f: f, rules: rules, queue: make(chan *exchange, waiting), done: make(chan struct{})}
	if err := r.begin(); err != nil {
		f.Close()
		return nil, fmt.Errorf("create HAR file: %w", err)
	}
	go r.write()
	return r, nil
}

// begin writes a HAR without entries.
func (r *Recorder) begin() error {
	if st, err := r.f.Stat(); err != nil {
		return err
	} else if !st.Mode().IsRegular() {
		return errors.New("it is not a regular file")
	}
	if err := r.f.Chmod(0o600); err != nil { // it may have been there
		return err
	}
	creator, err := json.Marshal(har.Creator{Name: r.o.Stage, Version: r.o.Version})
	if err != nil {
		return err
	}
	head := fmt.Sprintf("{\"log\":{\"version\":\"1.2\",\"creator\":%s,\"entries\":[", creator)
	if _, err := r.f.WriteString(head + end); err != nil {
		return err
	}
	r.at = int64(len(head))
	return nil
}

// write takes the exchanges from the queue.
func (r *Recorder) write() {
	defer close(r.done)
	masks := newMasks(r.rules)
	for x := range r.queue {
		if err := r.append(x.entry(masks)); err != nil {
			r.mu.Lock()
			if r.failure == nil {
				r.o.Log.Error("exchange not recorded", "err", err)
			}
			r.failure = err
			r.mu.Unlock()
		}
	}
}

func (r *Recorder) append(e *har.Entry) error {
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write HAR file: %w", err)
	}
	b := make([]byte, 0, len(text)+len(end)+2)
	if r.any {
		b = append(b, ',')
	}
	b = append(append(append(b, '\n'), text...), end...)
	if r.at+int64(len(b)) > r.o.Limit {
		if !r.full {
			r.o.Log.Warn("the HAR file is full; what follows is not recorded", "limit", r.o.Limit)
		}
		r.full = true
		return nil
	}
	if _, err := r.f.WriteAt(b, r.at); err != nil {
		return fmt.Errorf("write HAR file: %w", err)
	}
	r.at += int64(len(b) - len(end))
	r.any = true
	return nil
}

// Close writes what waits and closes the file.
func (r *Recorder) Close() error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil
	}
	r.closed = true
	close(r.queue)
	r.mu.Unlock()
	<-r.done
	if r.lost > 0 {
		r.o.Log.Warn("exchanges were not recorded: they came faster than they could be written", "count", r.lost)
	}
	return errors.Join(r.failure, r.f.Close())
}

// Begin makes r a [forward.Recorder].
func (r *Recorder) Begin(x *forward.Exchange, req *http.Request) forward.Recording {
	return &exchange{
		recorder: r, x: x, start: time.Now(), method: req.Method, proto: req.Proto, host: req.Host, uri: requestURI(req), header: req.Header.Clone(),
		sent: piece{limit: r.o.Body}, answered: piece{limit: r.o.Body},
	}
}

// requestURI is the path and query, as they were sent.
func requestURI(req *http.Request) string {
	u := *req.URL
	u.Scheme, u.Host, u.User, u.Fragment = "", "", nil, ""
	return u.RequestURI()
}

// exchange collects what is told of one exchange.
type exchange struct {
	recorder *Recorder
	x        *forward.Exchange
	start    time.Time
	method   string
	proto    string
	host     string
	uri      string
	header   http.Header

	mu       sync.Mutex // Sent comes from a goroutine of the transport
	sent     piece
	status   int
	answer   http.Header
	wait     time.Duration // until the answer's header
	whole    time.Duration
	answered piece
	scheme   string
	secrets  []secret.Value
	ended    bool
}

// piece is the beginning of a body.
type piece struct {
	limit int
	data  []byte
	size  int64
}

func (p *piece) add(b []byte) {
	p.size += int64(len(b))
	p.data = append(p.data, b[:min(len(b), p.limit-len(p.data))]...)
}

func (p *piece) isCut() bool { return p.size > int64(len(p.data)) }

func (e *exchange) Sent(p []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.ended {
		e.sent.add(p)
	}
}

func (e *exchange) Answer(status int, h http.Header) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.ended {
		e.status, e.answer, e.wait = status, h.Clone(), time.Since(e.start)
	}
}

func (e *exchange) Answered(p []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.ended {
		e.answered.add(p)
	}
}

// End queues the exchange to be written; it does not wait for that.
func (e *exchange) End(secrets []secret.Value) {
	e.mu.Lock()
	e.ended, e.secrets, e.whole = true, secrets, time.Since(e.start)
	e.scheme = e.x.Scheme
	if !e.x.Destination.IsZero() {
		e.host = e.x.Destination.HostHeader(e.x.Scheme)
	}
	e.mu.Unlock()
	r := e.recorder
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	select {
	case r.queue <- e:
	default:
		r.lost++
	}
}
