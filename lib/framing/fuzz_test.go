package framing

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// parsed is what net/http makes of one request.
type parsed struct{ method, target, host, body string }

// parseAll cuts a stream into requests as net/http does. At the end of the
// stream it returns io.EOF only if something is left over.
func parseAll(stream []byte) (requests []parsed, err error) {
	br := bufio.NewReader(bytes.NewReader(stream))
	for {
		if _, err := br.Peek(1); err == io.EOF {
			return requests, nil
		}
		r, err := http.ReadRequest(br)
		if err != nil {
			return requests, err
		}
		p := parsed{method: r.Method, target: r.RequestURI, host: r.Host}
		body, err := io.ReadAll(r.Body)
		p.body = string(body)
		requests = append(requests, p)
		if err != nil {
			return requests, err
		}
		if r.Method == http.MethodConnect {
			return requests, nil
		}
	}
}

// ownView cuts a stream that the guard let through by the guard's own parser,
// with facts read off the bytes in the plainest way.
func ownView(t *testing.T, stream []byte) (requests []parsed, whole bool) {
	for len(stream) > 0 {
		var h head
		size, v := h.judge(stream, DefaultMaxHeadBytes)
		require.Nil(t, v, "delivered a head that it refuses: %q", stream)
		require.NotZero(t, size, "delivered part of a head: %q", stream)
		lines := bytes.Split(stream[:size-4], []byte("\r\n"))
		words := bytes.Split(lines[0], []byte(" "))
		p := parsed{method: string(words[0]), target: string(words[1])}
		for _, line := range lines[1:] {
			name, value, _ := bytes.Cut(line, []byte(":"))
			if bytes.EqualFold(name, []byte("host")) {
				p.host = string(bytes.Trim(value, " \t"))
			}
		}
		if h.connect {
			p.host = p.target
		} else if p.target[0] != '/' && p.target != "*" {
			_, authority, _ := bytes.Cut(words[1], []byte("://"))
			if i := bytes.IndexAny(authority, "/?"); i >= 0 {
				authority = authority[:i]
			}
			p.host = string(authority[bytes.LastIndexByte(authority, '@')+1:])
		}
		stream = stream[size:]
		switch {
		case h.chunked():
			var k chunks
			n, done, v := k.follow(stream)
			require.Nil(t, v)
			p.body = dechunk(stream[:n])
			stream = stream[n:]
			requests = append(requests, p)
			if !done {
				return requests, false
			}
		default:
			n := min(h.length, int64(len(stream)))
			p.body = string(stream[:n])
			stream = stream[n:]
			requests = append(requests, p)
			if n < h.length {
				return requests, false
			}
		}
		if h.connect {
			break
		}
	}
	return requests, true
}

// dechunk follows a valid chunked body one byte at a time and keeps its data.
func dechunk(b []byte) string {
	var k chunks
	var data []byte
	for i := range b {
		if k.state == chunkData {
			data = append(data, b[i])
		}
		k.follow(b[i : i+1])
	}
	return string(data)
}

// FuzzAgreesWithNetHTTP checks that a stream is judged alike however it is
// cut, and that net/http sees what the guard saw in whatever it lets through.
func FuzzAgreesWithNetHTTP(f *testing.F) {
	for _, tc := range legal {
		f.Add([]byte(tc.stream), uint8(3))
	}
	for _, s := range []string{
		"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n\x16\x03\x01",
		"GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\n\r\n" + good,
		chunkedHead + "5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n",
		chunkedHead + "5 \r\nhello\r\n0\r\n\r\n",
		"GET http://u@b.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n",
		"GET / HTTP/1.1\nHost: a.example\n\n",
		"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"\r\n" + good,
	} {
		f.Add([]byte(s), uint8(1))
	}
	f.Fuzz(func(t *testing.T, input []byte, piece uint8) { agrees(t, input, piece) })
}

// agrees returns the violation that the guard finds in input.
func agrees(t *testing.T, input []byte, piece uint8) *Violation {
	deliver := func(c cut) ([]byte, *Violation, error) {
		guard, out, err := collect(input, Limits{MaxHeadBytes: 8 << 10}, c)
		return out, guard.Violation(), err
	}
	out, v, err := deliver(cut{1 << 20, 1 << 20})
	for _, c := range []cut{{1, 1}, {int(piece) + 1, 64}, {64, int(piece) + 1}} {
		out2, v2, err2 := deliver(c)
		require.Equal(t, out, out2, c)
		require.Equal(t, err, err2, c)
		require.Equal(t, v, v2, c)
	}
	if v != nil && err == io.EOF {
		require.True(t, bytes.HasSuffix(out, []byte(standIn)))
		out = bytes.TrimSuffix(out, []byte(standIn))
	}
	mine, whole := ownView(t, out)
	theirs, err := parseAll(out)
	require.Equal(t, mine, theirs, "%q", out)
	if whole {
		require.NoError(t, err, "%q", out)
	} else {
		require.Error(t, err, "%q", out)
	}
	return v
}

// collect is readAll that stops where the server would have to answer first:
// after a CONNECT or Upgrade the guard waits for the status line.
func collect(input []byte, limits Limits, c cut) (*Conn, []byte, error) {
	guard := NewConn(&script{input: bytes.Clone(input), piece: c.piece}, limits)
	var out []byte
	p := make([]byte, c.read)
	for {
		if guard.phase == inHead && guard.mode.Load() != plain {
			return guard, out, errAsksServer
		}
		n, err := guard.Read(p)
		out = append(out, p[:n]...)
		if err != nil {
			return guard, out, err
		}
	}
}

var errAsksServer = errors.New("the server's answer decides")
