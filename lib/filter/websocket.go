package filter

import (
	"errors"
	"io"
	"net/http"

	"bottle/lib/forward"
	"bottle/lib/locate"
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
	r := w.f.ruling(res.Request, x)
	res.Body = wsframe.Guard(upstream, wsframe.Options{
		Reserve: func(total int64) bool {
			if total == 0 {
				claim.keep(0)
			}
			return claim.grow(res.Request.Context(), total)
		},
		Inspector:     newMessages(r),
		Deflate:       deflate,
		Hold:          w.f.bounds.whole,
		MaxCompressed: w.f.bounds.coded,
		MaxInflated:   w.f.bounds.decoded,
		Refused:       func(err error) []byte { return refuseMessage(x, err) },
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

// messages judges what the agent sends on a WebSocket. It is a
// wsframe.Rewriter.
type messages struct {
	r       *ruling
	flow    *flow
	patches []wsframe.Patch
}

func newMessages(r *ruling) *messages {
	p := place{where: "body", location: "WebSocket message", part: message, offsets: true}
	return &messages{r: r, flow: newFlow(r, p, asText{r.rules.all}, locate.NewMessage(), 0)}
}

func (m *messages) Start(wsframe.Opcode) {
	m.flow.reset()
	m.r.located = 0 // a connection has no end
}

func (m *messages) Write(p []byte) (clean int64, err error) {
	clean, m.patches, err = m.flow.scan(p)
	return clean, err
}

func (m *messages) Finish() (err error) {
	m.patches, err = m.flow.finish()
	return err
}

// Patches implements wsframe.Rewriter.
func (m *messages) Patches() []wsframe.Patch { return m.patches }

func (m *messages) Control(op wsframe.Opcode, payload []byte) error {
	p := place{where: "body", location: "WebSocket control frame", part: message, fixed: true}
	_, err := m.r.filter.judgeFindings(m.r, m.flow.rules.Scan(payload), p)
	return err
}
