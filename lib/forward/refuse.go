package forward

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"bottle/lib/audit"
	"bottle/lib/refusal"
	"bottle/lib/wsframe"
)

// refuse answers a request with why it was not forwarded, and logs it.
func (e *Engine) refuse(w *responseWriter, req *http.Request, x *Exchange, err error) {
	r := e.complete(refusal.From(err), x)
	entry := refusal.Lookup(r.Code)
	if entry.Policy && x.RefusalStatus != 0 {
		r.Status = x.RefusalStatus
	}
	r.Form = refusal.FormFor(req.UserAgent())
	x.Cut(r)
	x.logged = true
	e.log.LogAttrs(req.Context(), levelOf(r), "refused", logRefusal(r, x.method)...)
	if w.wroteHeader {
		// Half an answer is out: only cutting the connection says that it is not
		// the whole one.
		panic(http.ErrAbortHandler)
	}
	if x.Upgrade == "websocket" && entry.Policy && x.RefusalStatus != 0 {
		if e.refuseWebSocket(w, req, r) == nil {
			return
		}
	}
	if req.ProtoMajor == 1 && unreadable(r.Code) {
		w.Header().Set("Connection", "close")
	}
	w.refuse(r)
}

// complete fills in what only the engine knows. The message, host and stage of
// a refusal that another stage made are kept.
func (e *Engine) complete(r *refusal.Refusal, x *Exchange) *refusal.Refusal {
	if r.Stage == "" {
		r.Stage = e.stage
	}
	if r.Host == "" && !x.Destination.IsZero() {
		r.Host = x.Destination.String()
	}
	r.RequestID = x.ID
	return r
}

// refuseWebSocket accepts the upgrade only to say no in the provider's own
// error message, then closes: a client that is refused the upgrade itself
// retries it, and one that sees a bare close sends the same content again by
// POST (measured with Codex CLI 0.135 and 0.169).
func (e *Engine) refuseWebSocket(w *responseWriter, req *http.Request, r *refusal.Refusal) error {
	key := req.Header.Get("Sec-Websocket-Key")
	if key == "" {
		return errors.New("upgrade without Sec-WebSocket-Key")
	}
	w.status = r.HTTPStatus()
	conn, buf, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return err
	}
	defer conn.Close()
	w.wroteHeader = true
	conn.SetDeadline(time.Now().Add(e.limits.Handshake))
	buf.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		wsframe.Accept(key) + "\r\nProxy-Status: " + r.ProxyStatus() + "\r\n\r\n")
	if err := buf.Flush(); err != nil {
		return nil // the client is gone, and it was answered as far as possible
	}
	// An error that comes before the client has asked anything races with its
	// first frame: Codex 0.135 then reconnects, up to 6 times. In answer to the
	// frame it is final. One that only listens is told in the end.
	if _, err := buf.Reader.Peek(1); err != nil && !isTimeout(err) {
		return nil
	}
	conn.SetDeadline(time.Now().Add(e.limits.Handshake))
	frames := wsframe.AppendText(nil, r.Frame())
	buf.Write(wsframe.AppendClose(frames, 1008, string(r.Code)))
	if err := buf.Flush(); err != nil {
		return nil // the client is gone, and it was answered as far as possible
	}
	// The client reads the error before it sees the end; closing with its
	// frames unread would reset the connection and lose the answer.
	closeWrite(conn)
	io.Copy(io.Discard, io.LimitReader(conn, 1<<20))
	return nil
}

// unreadable codes leave an HTTP/1 connection in a state where no next request
// can be found.
func unreadable(c refusal.Code) bool {
	switch c {
	case refusal.MalformedRequest, refusal.FramingConflict, refusal.DuplicateHost, refusal.HeaderTooLarge, refusal.HeaderTimeout, refusal.BadChunk, refusal.BodyTimeout:
		return true
	}
	return false
}

// finish writes the audit record of an exchange. It runs while a panic of the
// relay (the client or the origin went away midway) passes through.
func (e *Engine) finish(x *Exchange, w *responseWriter) {
	if x.rec != nil {
		x.rec.End(x.Secrets)
	}
	rec := audit.Record{
		Event: audit.EventRequest, Decision: audit.Allow, RequestID: x.ID, Method: x.method, Protocol: x.proto,
		Route: x.Route, Credential: x.Credential, Source: x.CredentialSource, Replayed: x.Replayed, HopIn: x.hopIn,
		Status: w.status, Up: x.up.Load(), Down: w.written + x.down.Load(), Millis: time.Since(x.start).Milliseconds(),
	}
	if !x.CredentialExpiry.IsZero() {
		ends := x.CredentialExpiry.UTC()
		rec.Expires = &ends
	}
	if !x.Destination.IsZero() {
		rec.Host = x.Destination.String()
	}
	x.mu.Lock()
	rec.HopOut = x.hopOut
	x.mu.Unlock()
	if rec.Echoed = x.Echoes(); rec.Echoed != nil {
		e.log.Warn("the origin repeated a credential; it was replaced", "request_id", x.ID, "host", rec.Host, "echoed", rec.Echoed)
	}
	if r := x.Refused(); r != nil {
		rec.Decision, rec.Code, rec.Rule, rec.Location, rec.Sample = audit.Refuse, string(r.Code), r.Rule, r.Location, r.Sample
		if r.Rule != "" {
			rec.Action = "block"
			if r.Host != "" { // less than the destination, where that is the secret
				rec.Host = r.Host
			}
		}
		if !x.logged { // cut off after the answer had begun
			r = e.complete(refusal.From(r), x)
			e.log.LogAttrs(e.ctx, levelOf(r), "refused", logRefusal(r, x.method)...)
		}
	}
	e.record(rec)
}

// matched records what a policy found in a request that goes on.
func (e *Engine) matched(x *Exchange, m Match) {
	e.log.LogAttrs(e.ctx, slog.LevelInfo, "secret in request",
		slog.String("action", m.Action), slog.String("rule", m.Rule), slog.String("location", m.Location),
		slog.String("host", x.Destination.String()), slog.String("request_id", x.ID), slog.Int("count", m.Count))
	e.record(audit.Record{
		Event: audit.EventMatch, Decision: audit.Allow, RequestID: x.ID, Host: x.Destination.String(),
		Method: x.method, Protocol: x.proto, Route: x.Route,
		Rule: m.Rule, Location: m.Location, Sample: m.Sample, Action: m.Action, Count: m.Count,
	})
}

// undecoded records that a body goes on that the policy could not decode.
func (e *Engine) undecoded(x *Exchange, code string) {
	e.log.LogAttrs(e.ctx, slog.LevelWarn, "body not decoded, passed as it is",
		slog.String("code", code), slog.String("host", x.Destination.String()), slog.String("request_id", x.ID))
	e.record(audit.Record{
		Event: audit.EventUndecoded, Decision: audit.Allow, Code: code, RequestID: x.ID, Host: x.Destination.String(),
		Method: x.method, Protocol: x.proto, Route: x.Route, Location: "body",
	})
}

func (e *Engine) record(rec audit.Record) {
	rec.Time, rec.Stage = time.Now().UTC(), e.stage
	if err := e.audit.Write(rec); err != nil {
		e.log.Error("audit record lost", "err", err, "request_id", rec.RequestID)
	}
}
