package filter

import (
	"errors"
	"io"
	"net/http"

	"bottle/lib/dlp"
	"bottle/lib/forward"
	"bottle/lib/refusal"
	"bottle/lib/wsframe"
)

// narrowExtensions leaves only the WebSocket extension whose frames the filter
// can read in the agent's offer: the origin then accepts no other.
type narrowExtensions struct{}

func (narrowExtensions) ModifyRequest(req *http.Request) error {
	wsframe.NarrowExtensions(req.Header)
	return nil
}

// watchWebSocket puts the scanner between the agent and an origin that has
// accepted an upgrade.
type watchWebSocket struct{ f *Filter }

func (w watchWebSocket) ModifyResponse(res *http.Response) error {
	if res.StatusCode != http.StatusSwitchingProtocols {
		return nil
	}
	x := forward.ExchangeOf(res.Request)
	upstream, ok := res.Body.(io.ReadWriteCloser)
	if !ok || x.Upgrade != "websocket" {
		return refusal.New(refusal.UpgradeUnsupported, "the origin changed to a protocol that the filter cannot read")
	}
	deflate, err := wsframe.ParseExtensions(res.Header["Sec-Websocket-Extensions"])
	if err != nil {
		return refusal.New(refusal.UpgradeUnsupported, "the origin accepted a WebSocket extension that the filter cannot read").Because(err)
	}
	claim := w.f.held.claim(res.Request.Context())
	res.Body = wsframe.Guard(upstream, wsframe.Options{
		Reserve: func(total int64) bool {
			if total == 0 {
				claim.keep(0)
			}
			return claim.grow(res.Request.Context(), total)
		},
		Inspector: &messages{rules: w.f.rules().all, stream: w.f.rules().all.NewStream()},
		Deflate:   deflate,
		Refused:   func(err error) []byte { return refuseMessage(x, err) },
	})
	return nil
}

// refuseMessage makes the error message that the agent gets before the
// connection is closed.
func refuseMessage(x *forward.Exchange, err error) []byte {
	r, ok := errors.AsType[*refusal.Refusal](err)
	if !ok {
		r = refusal.New(refusal.UndecodableBody, "the filter cannot read the WebSocket message").Because(err)
		if v, ok := errors.AsType[*wsframe.ViolationError](err); ok && v.Code == 1013 {
			r = busy()
		} else if ok && v.Code == 1009 {
			r = refusal.New(refusal.BodyTooLarge, "the WebSocket message is larger than the filter judges; send it in parts").Because(err)
		}
	}
	r.Stage, r.Host, r.RequestID = Stage, x.Destination.String(), x.ID
	x.Cut(r)
	return r.Frame()
}

// messages scans what the agent sends on a WebSocket.
type messages struct {
	rules  *dlp.Rules
	stream *dlp.Stream
}

func (m *messages) Start(wsframe.Opcode) { m.stream.Reset() }

func (m *messages) Write(p []byte) (int64, error) {
	clean, fs := m.stream.Scan(p)
	return clean, m.verdict(fs, "WebSocket message")
}

func (m *messages) Finish() error { return m.verdict(m.stream.Finish(), "WebSocket message") }

func (m *messages) Control(op wsframe.Opcode, payload []byte) error {
	return m.verdict(m.rules.Scan(payload), "WebSocket control frame")
}

func (m *messages) verdict(fs []dlp.Finding, location string) error {
	if len(fs) == 0 {
		return nil
	}
	return found(fs[0], "body", location)
}
