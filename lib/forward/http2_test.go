package forward_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"bottle/lib/forward"
	"bottle/lib/refusal"
)

// frames is a client that writes HTTP/2 frame by frame, so that it can send
// what no library would.
type frames struct {
	t      *testing.T
	f      *http2.Framer
	stream uint32
	table  bytes.Buffer
	enc    *hpack.Encoder
}

func newFrames(t *testing.T, c net.Conn) *frames {
	t.Helper()
	_, err := io.WriteString(c, http2.ClientPreface)
	require.NoError(t, err)
	h := &frames{t: t, f: http2.NewFramer(c, c), stream: 1}
	h.f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	h.enc = hpack.NewEncoder(&h.table)
	require.NoError(t, h.f.WriteSettings())
	return h
}

// ask sends a request of header fields alone, "name: value" each.
func (h *frames) ask(fields ...string) {
	h.t.Helper()
	h.table.Reset()
	for _, field := range fields {
		name, value, _ := strings.Cut(field, "= ")
		require.NoError(h.t, h.enc.WriteField(hpack.HeaderField{Name: name, Value: value}))
	}
	require.NoError(h.t, h.f.WriteHeaders(http2.HeadersFrameParam{StreamID: h.stream, BlockFragment: h.table.Bytes(), EndStream: true, EndHeaders: true}))
	h.stream += 2
}

// answer reads one response; nil if the stream was reset instead.
func (h *frames) answer() *http.Response {
	h.t.Helper()
	var res *http.Response
	var body bytes.Buffer
	for {
		frame, err := h.f.ReadFrame()
		require.NoError(h.t, err)
		var end bool
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				require.NoError(h.t, h.f.WriteSettingsAck())
			}
		case *http2.MetaHeadersFrame:
			end = frame.StreamEnded()
			if res != nil {
				break
			}
			res = &http.Response{Header: http.Header{}}
			for _, f := range frame.Fields {
				if f.Name == ":status" {
					res.StatusCode, err = strconv.Atoi(f.Value)
					require.NoError(h.t, err)
				} else {
					res.Header.Add(f.Name, f.Value)
				}
			}
		case *http2.DataFrame:
			body.Write(frame.Data())
			end = frame.StreamEnded()
		case *http2.RSTStreamFrame:
			return nil
		case *http2.GoAwayFrame:
			require.Fail(h.t, "connection ended", fmt.Sprint(frame))
		}
		if end {
			res.Body = io.NopCloser(&body)
			return res
		}
	}
}

func TestHTTP2TunnelRefusesWhatIsNotItsOwnDestination(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(echo))
	for _, tc := range []struct {
		name   string
		fields []string
		status int
		code   refusal.Code
	}{
		{"another authority", []string{":method= GET", ":scheme= https", ":path= /", ":authority= other.test"}, 421, refusal.AuthorityMismatch},
		{"another port", []string{":method= GET", ":scheme= https", ":path= /", ":authority= origin.test:444"}, 421, refusal.AuthorityMismatch},
		{"no authority", []string{":method= GET", ":scheme= https", ":path= /"}, 421, refusal.AuthorityMismatch},
		{"another host field", []string{":method= GET", ":scheme= https", ":path= /", ":authority= origin.test", "host= other.test"}, 421, refusal.AuthorityMismatch},
		{"two host fields", []string{":method= GET", ":scheme= https", ":path= /", ":authority= origin.test", "host= origin.test", "host= other.test"}, 421, refusal.AuthorityMismatch},
		{"another host field alone", []string{":method= GET", ":scheme= https", ":path= /", "host= other.test"}, 421, refusal.AuthorityMismatch},
		{"a path that is a URL without TLS", []string{":method= GET", ":scheme= https", ":path= http://origin.test/", ":authority= origin.test"}, 400, refusal.MalformedRequest},
		{"a path that is a URL of another host", []string{":method= GET", ":scheme= https", ":path= https://other.test/", ":authority= origin.test"}, 400, refusal.MalformedRequest},
		{"a path that is opaque", []string{":method= GET", ":scheme= https", ":path= x:http://other.test/", ":authority= origin.test"}, 400, refusal.MalformedRequest},
		{"CONNECT", []string{":method= CONNECT", ":authority= origin.test:443"}, 400, refusal.ProxyMethodForbidden},
	} {
		t.Run(tc.name, func(t *testing.T) {
			accepts := w.accepts.Load()
			h := newFrames(t, w.tunnel("h2"))
			h.ask(tc.fields...)
			res := h.answer()
			require.NotNil(t, res)
			refusalIn(t, res, tc.status, tc.code)
			require.Equal(t, accepts, w.accepts.Load(), "connections to the origin")
			// One stream's fault is not the others'.
			h.ask(":method= GET", ":scheme= https", ":path= /next", ":authority= origin.test")
			require.Equal(t, "GET origin.test /next HTTP/2.0|", readAll(t, h.answer()))
			w.works()
		})
	}
}

func TestHTTP2HostFieldThatAgreesIsDropped(t *testing.T) {
	w := newWorld(t, allowAll(), http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		fmt.Fprintf(rw, "%s %q", req.Host, req.Header["Host"])
	}))
	h := newFrames(t, w.tunnel("h2"))
	h.ask(":method= GET", ":scheme= https", ":path= /", ":authority= origin.test", "host= Origin.test:443")
	require.Equal(t, "origin.test []", readAll(t, h.answer()))
}

// A request is refused before its body has come, and its client goes on to send
// that and the trailers: this costs one stream, not the connection.
func TestHTTP2TrailersBehindARefusal(t *testing.T) {
	w := newWorld(t, &forward.Policy{
		Tunnel: allowAll().Tunnel,
		Judge: requestFunc(func(req *http.Request) error {
			if req.URL.Path == "/no" {
				return refusal.New(refusal.MethodNotAllowed, "no")
			}
			return nil
		}),
	}, http.HandlerFunc(echo))
	h := newFrames(t, w.tunnel("h2"))
	block := func(fields ...string) []byte {
		h.table.Reset()
		for i := 0; i < len(fields); i += 2 {
			require.NoError(t, h.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}))
		}
		return h.table.Bytes()
	}
	for range 3 {
		id := h.stream
		h.stream += 2
		head := block(":method", "POST", ":scheme", "https", ":path", "/no", ":authority", "origin.test", "trailer", "x-sum")
		require.NoError(t, h.f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: head, EndHeaders: true}))
		for answered, length := 0, -1; answered != length; {
			frame, err := h.f.ReadFrame()
			require.NoError(t, err)
			switch frame := frame.(type) {
			case *http2.MetaHeadersFrame:
				for _, f := range frame.Fields {
					if f.Name == "content-length" {
						length, err = strconv.Atoi(f.Value)
						require.NoError(t, err)
					}
				}
			case *http2.DataFrame:
				answered += len(frame.Data())
			}
		}
		require.NoError(t, h.f.WriteData(id, false, []byte("body")))
		require.NoError(t, h.f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block("x-sum", "1"), EndStream: true, EndHeaders: true}))
		h.ask(":method= GET", ":scheme= https", ":path= /next", ":authority= origin.test")
		for {
			frame, err := h.f.ReadFrame()
			require.NoError(t, err)
			_, ended := frame.(*http2.GoAwayFrame)
			require.False(t, ended, "the connection was ended: %v", frame)
			if data, ok := frame.(*http2.DataFrame); ok && frame.Header().StreamID == h.stream-2 {
				require.Equal(t, "GET origin.test /next HTTP/2.0|", string(data.Data()))
				break
			}
		}
	}
}
