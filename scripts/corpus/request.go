package corpus

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// Request is what a client sends: one HTTP request, or a WebSocket's messages.
type Request struct {
	Method  string
	Host    string // the name that is connected to
	Target  string // path and query, as they stand on the wire
	Header  []Field
	Body    []byte // before Coding
	Coding  string // Content-Encoding: gzip, deflate, br, zstd, or none
	Chunked bool   // the length is not announced
	Trailer []Field
	// Messages make the request a WebSocket upgrade, after which they are sent.
	Messages []Message
}

// Field is a header line.
type Field struct{ Name, Value string }

// Message is a WebSocket message of the client.
type Message struct {
	Data   []byte
	Binary bool
	Frames int // it is sent in so many frames, at least 1
	// Deflate compresses it (RFC 7692).
	Deflate bool
}

// Texts are the parts of the request that a scanner of bytes can be given, each
// by itself, with no coding around them: what the best arranged use of a
// library that knows no HTTP would look at.
func (r *Request) Texts() [][]byte {
	texts := [][]byte{[]byte("https://" + r.Host + r.Target)}
	for _, f := range append(append([]Field(nil), r.Header...), r.Trailer...) {
		texts = append(texts, []byte(f.Name+": "+f.Value))
	}
	if len(r.Body) > 0 {
		texts = append(texts, r.Body)
	}
	for _, m := range r.Messages {
		texts = append(texts, m.Data)
	}
	return texts
}

// coded is the body as it is sent.
func (r *Request) coded() ([]byte, error) {
	switch r.Coding {
	case "":
		return r.Body, nil
	case "gzip":
		return gzipped(r.Body), nil
	case "deflate":
		var b bytes.Buffer
		w := zlib.NewWriter(&b)
		w.Write(r.Body)
		w.Close()
		return b.Bytes(), nil
	case "br":
		var b bytes.Buffer
		w := brotli.NewWriterLevel(&b, 4)
		w.Write(r.Body)
		w.Close()
		return b.Bytes(), nil
	case "zstd":
		w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		return w.EncodeAll(r.Body, nil), nil
	}
	return nil, fmt.Errorf("no coding %q", r.Coding)
}

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(b) // a bytes.Buffer takes everything
	w.Close()
	return out.Bytes()
}

// frames are the bytes of a client's message (RFC 6455 §5.2).
func (m *Message) frames(mk maker) []byte {
	data := m.Data
	if m.Deflate {
		var b bytes.Buffer
		w, err := flate.NewWriter(&b, flate.DefaultCompression)
		if err != nil {
			panic(err) // the level is a constant
		}
		w.Write(data)
		w.Flush()
		data = bytes.TrimSuffix(b.Bytes(), []byte("\x00\x00\xff\xff")) // RFC 7692 §7.2.1
	}
	first := byte(1)
	if m.Binary {
		first = 2
	}
	if m.Deflate {
		first |= 0x40
	}
	var out []byte
	n := max(m.Frames, 1)
	for i := range n {
		piece := data[len(data)*i/n : len(data)*(i+1)/n]
		head := first
		if i > 0 {
			head = 0
		}
		if i == n-1 {
			head |= 0x80
		}
		out = append(out, frame(mk, head, piece)...)
	}
	return out
}

func frame(mk maker, head byte, payload []byte) []byte {
	out := []byte{head}
	switch n := len(payload); {
	case n < 126:
		out = append(out, 0x80|byte(n))
	case n < 1<<16:
		out = append(out, 0x80|126, byte(n>>8), byte(n))
	default:
		out = append(out, 0x80|127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	mask := mk.bytes(4)
	out = append(out, mask...)
	for i, c := range payload {
		out = append(out, c^mask[i%4])
	}
	return out
}
