package forward

import (
	"context"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"
)

// hopHeader carries, on a CONNECT to the next hop, the id of the tunnel that is
// asked for. Both stages put that id and the number of the request in the
// tunnel into their records, by which the two records of one request are found.
// Inside a tunnel nothing is added: what is relayed there unread would reach the
// origin. On a request in absolute form the field is hop-by-hop by way of
// Connection (RFC 9110, section 7.6.1).
const hopHeader = "Bottle-Hop"

// hopConn is a tunnel through the next hop.
type hopConn struct {
	net.Conn
	id       string
	requests atomic.Int64
}

func (c *hopConn) CloseWrite() error { return closeWrite(c.Conn) }

// hopOf finds the tunnel below c.
func hopOf(c net.Conn) *hopConn {
	for {
		switch w := c.(type) {
		case *hopConn:
			return w
		case interface{ NetConn() net.Conn }:
			c = w.NetConn()
		default:
			return nil
		}
	}
}

// isID reports whether s looks like what newID makes. Whoever connects can send
// a hopHeader; nothing but such an id gets into a record.
func isID(s string) bool {
	if len(s) != idLength {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

// hopIn takes the id that the stage before gave, if it is one.
func hopIn(h http.Header) string {
	if v := h.Get(hopHeader); isID(v) {
		return v
	}
	return ""
}

func numbered(id string, n int64) string {
	if id == "" {
		return ""
	}
	return id + "." + strconv.FormatInt(n, 10)
}

// noteHop has x know the tunnel that its request leaves through. Requests of
// one HTTP/2 connection overtake each other, so there it is the tunnel alone.
func noteHop(ctx context.Context, x *Exchange, http2 bool) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		hop := hopOf(info.Conn)
		if hop == nil {
			return
		}
		out := hop.id
		if n := hop.requests.Add(1); !http2 {
			out = numbered(out, n)
		}
		x.setHopOut(out)
	}})
}

// announceHop adds x's id to a request in absolute form.
func announceHop(h http.Header, x *Exchange) {
	h.Set(hopHeader, x.ID)
	h["Connection"] = []string{strings.TrimPrefix(strings.Join(h["Connection"], ", ")+", "+hopHeader, ", ")}
	x.setHopOut(x.ID)
}

func (x *Exchange) setHopOut(id string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.hopOut = id
}
