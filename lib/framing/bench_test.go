package framing

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"unsafe"
)

// repeat is a connection that sends the same request for ever, one per read.
type repeat struct {
	script
	request string
	cuts    []int // where a request is cut into reads
	i, at   int
}

func (r *repeat) Read(p []byte) (int, error) {
	end := len(r.request)
	if r.i < len(r.cuts) {
		end = r.cuts[r.i]
	}
	n := copy(p, r.request[r.at:end])
	r.at += n
	if r.at == end {
		r.i++
	}
	if r.at == len(r.request) {
		r.i, r.at = 0, 0
	}
	return n, nil
}

// request500 is a request of 500 bytes as a client of an API sends it.
var request500 = func() string {
	const s = "POST /backend-api/codex/responses HTTP/1.1\r\nHost: chatgpt.example\r\nUser-Agent: codex_cli_rs/0.135.0 (Debian 13.0.0; x86_64) xterm\r\n" +
		"Accept: text/event-stream\r\nAccept-Encoding: gzip, br\r\nContent-Type: application/json\r\nOriginator: codex_exec\r\n" +
		"Session-Id: 0199d8f2-7f4e-7d32-9a5a-9b3c1f0a7c11\r\nAuthorization: Bearer X\r\nContent-Length: 0\r\n\r\n"
	return strings.Replace(s, "Bearer X", "Bearer "+strings.Repeat("x", 501-len(s)), 1)
}()

// BenchmarkHead is the cost of a request of 500 bytes in one read, which is
// the usual case; cut, in three; and behind net/http's background read.
func BenchmarkHead(b *testing.B) {
	run := func(b *testing.B, cuts []int, sizes ...int) {
		guard := NewConn(&repeat{request: request500, cuts: cuts}, Limits{})
		p := make([]byte, 4096)
		b.SetBytes(int64(len(request500)))
		b.ReportAllocs()
		for b.Loop() {
			for n, i := 0, 0; n < len(request500); i++ {
				m, err := guard.Read(p[:sizes[min(i, len(sizes)-1)]])
				if err != nil {
					b.Fatal(err)
				}
				n += m
			}
		}
	}
	b.Run("whole", func(b *testing.B) { run(b, nil, 4096) })
	b.Run("cut", func(b *testing.B) { run(b, []int{100, 300}, 4096) })
	b.Run("background", func(b *testing.B) { run(b, nil, 1, 4096) })
}

// endless sends a head and then body for ever, at no cost.
type endless struct {
	script
	head string
}

func (e *endless) Read(p []byte) (int, error) {
	if n := copy(p, e.head); n > 0 {
		e.head = e.head[n:]
		return n, nil
	}
	return len(p), nil
}

func BenchmarkBody(b *testing.B) {
	run := func(b *testing.B, inner *endless) {
		guard := NewConn(inner, Limits{})
		p := make([]byte, 32<<10)
		if _, err := guard.Read(p); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(p)))
		b.ReportAllocs()
		for b.Loop() {
			if n, err := guard.Read(p); err != nil || n != len(p) {
				b.Fatal(n, err)
			}
		}
	}
	b.Run("length", func(b *testing.B) {
		run(b, &endless{head: "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9223372036854775807\r\n\r\n"})
	})
	b.Run("one-chunk", func(b *testing.B) {
		run(b, &endless{head: chunkedHead + "fffffffffffffff\r\n"})
	})
	for _, size := range []string{"400", "8000"} {
		b.Run("chunks-0x"+size, func(b *testing.B) { chunkedBody(b, size) })
	}
}

// chunkedBody streams chunks of one size, copied as the kernel would.
func chunkedBody(b *testing.B, size string) {
	var n int
	for _, c := range []byte(size) {
		n = n<<4 | hexDigit(c)
	}
	chunk := size + "\r\n" + strings.Repeat("x", n) + "\r\n"
	guard := NewConn(&repeat{request: chunk}, Limits{})
	guard.phase = inChunks
	p := make([]byte, 64<<10)
	b.SetBytes(int64(len(chunk)))
	b.ReportAllocs()
	for b.Loop() {
		if n, err := guard.Read(p); err != nil || n != len(chunk) {
			b.Fatal(n, err)
		}
	}
}

func TestNoAllocationPerRequest(t *testing.T) {
	for _, tc := range []struct {
		cuts  []int
		first int
	}{{nil, 4096}, {[]int{100, 300}, 4096}, {nil, 1}} {
		guard := NewConn(&repeat{request: request500, cuts: tc.cuts}, Limits{})
		p := make([]byte, 4096)
		got := testing.AllocsPerRun(1000, func() {
			n, err := guard.Read(p[:tc.first])
			if err == nil && n < len(request500) {
				_, err = io.ReadFull(guard, p[n:len(request500)])
			}
			if err != nil {
				t.Fatal(err)
			}
		})
		// The race detector makes sync.Pool forget now and then.
		if got > 0 && !raceEnabled {
			t.Errorf("%v allocations per request with cuts %v", got, tc.cuts)
		}
	}
}

// BenchmarkServer compares net/http over loopback TCP with and without the
// guard: the whole cost of a keep-alive request, and of a body.
func BenchmarkServer(b *testing.B) {
	for _, guarded := range []bool{false, true} {
		name := "bare"
		if guarded {
			name = "guarded"
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })}
		if guarded {
			go server.Serve(guarding{Listener: l})
		} else {
			go server.Serve(l)
		}
		defer server.Close()
		talk := func(b *testing.B, request []byte) {
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			p := make([]byte, 4096)
			b.SetBytes(int64(len(request)))
			for b.Loop() {
				if _, err := c.Write(request); err != nil {
					b.Fatal(err)
				}
				if _, err := c.Read(p); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.Run("request/"+name, func(b *testing.B) { talk(b, []byte(request500)) })
		b.Run("8MB/"+name, func(b *testing.B) {
			talk(b, fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: %d\r\n\r\n%s", 8<<20, strings.Repeat("x", 8<<20)))
		})
		b.Run("8MB-chunked/"+name, func(b *testing.B) {
			talk(b, []byte(chunkedHead+strings.Repeat("8000\r\n"+strings.Repeat("x", 0x8000)+"\r\n", 256)+"0\r\n\r\n"))
		})
	}
}

func TestIdleConnIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(Conn{}); size > 512 {
		t.Errorf("a Conn takes %d bytes", size)
	}
	guard, out, err := readAll([]byte(posting+good), Limits{}, cut{1, 1})
	if err != io.EOF || string(out) != posting+good || guard.held.buf != nil {
		t.Errorf("after %q, %v the guard still holds a buffer", out, err)
	}
}
