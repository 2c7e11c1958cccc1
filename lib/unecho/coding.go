package unecho

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"strings"

	"github.com/andybalholm/brotli"

	"bottle/lib/decode"
	"bottle/lib/echo"
)

// encoder codes what is written to it. Flush writes out all that was written.
type encoder interface {
	io.WriteCloser
	Flush() error
}

// coding is a content coding (RFC 9110, section 8.4.1; RFC 7932, RFC 8878).
type coding struct {
	name   string
	decode func(io.Reader) (io.Reader, error)
}

// unlimited: the decoded body is not kept, so its size does not matter.
var unlimited = decode.Limits{MaxBytes: -1, MaxRatio: -1}

func decoded(name string) func(io.Reader) (io.Reader, error) {
	return func(r io.Reader) (io.Reader, error) { return decode.Body(name, r, unlimited) }
}

var codings = []coding{
	{"gzip", decoded("gzip")},
	{"deflate", decoded("deflate")},
	{"br", func(r io.Reader) (io.Reader, error) { return &brotliReader{src: r}, nil }},
	{"zstd", decoded("zstd")},
}

// encode codes what is written to it for w. The levels are fast ones: the way to the agent is short. It stands apart from the
// table, so that a program that only decodes is not made of the encoders as well.
func (c *coding) encode(w io.Writer) (encoder, error) {
	switch c.name {
	case "gzip":
		return gzip.NewWriterLevel(w, gzip.BestSpeed)
	case "deflate":
		return zlib.NewWriterLevel(w, zlib.BestSpeed)
	case "br":
		return decode.NewStoredBrotli(w), nil
	default:
		return decode.NewStoredZstd(w), nil
	}
}

// brotliReader does not wait for a whole buffer of its source before it decodes.
type brotliReader struct {
	src io.Reader
	dec *brotli.Reader
}

func (b *brotliReader) Read(p []byte) (int, error) {
	if b.dec == nil {
		// No data at all is no error for the other codings either.
		first := make([]byte, 1)
		if n, err := io.ReadFull(b.src, first); n == 0 {
			return 0, err
		}
		b.dec = brotli.NewReader(io.MultiReader(bytes.NewReader(first), b.src))
	}
	return b.dec.Read(p)
}

// mostCodings bounds a stack of codings, each of which takes memory.
const mostCodings = 3

func find(name string) *coding {
	if name = strings.ToLower(name); name == "x-gzip" {
		name = "gzip"
	}
	for i := range codings {
		if codings[i].name == name {
			return &codings[i]
		}
	}
	return nil
}

// parseCodings reads the values of Content-Encoding, in the order in which the
// codings were applied.
func parseCodings(values []string) ([]*coding, error) {
	var out []*coding
	for name := range strings.SplitSeq(strings.Join(values, ","), ",") {
		name = strings.Trim(name, " \t")
		if name == "" || strings.EqualFold(name, "identity") {
			continue
		}
		c := find(name)
		if c == nil {
			return nil, &UnreadableError{"its content coding is not known"} // the name is the origin's word
		}
		if out = append(out, c); len(out) > mostCodings {
			return nil, &UnreadableError{"it has too many content codings"}
		}
	}
	return out, nil
}

// narrowCodings leaves the known codings in Accept-Encoding.
func narrowCodings(h http.Header) {
	if _, ok := h["Accept-Encoding"]; !ok {
		return
	}
	var kept []string
	for element := range strings.SplitSeq(strings.Join(h["Accept-Encoding"], ","), ",") {
		element = strings.Trim(element, " \t")
		name, _, _ := strings.Cut(element, ";")
		if name = strings.Trim(name, " \t"); find(name) != nil || strings.EqualFold(name, "identity") {
			kept = append(kept, element)
		}
	}
	if len(kept) == 0 {
		kept = []string{"identity"}
	}
	h["Accept-Encoding"] = []string{strings.Join(kept, ", ")}
}

// recoded is a body that is decoded, rewritten and coded again as it is read.
type recoded struct {
	src    io.ReadCloser
	text   *echo.Reader
	encs   []encoder // the first one takes the content
	out    bytes.Buffer
	err    error
	any    bool // something was decoded
	buf    []byte
	closed bool
}

func recode(src io.ReadCloser, list []*coding, w *echo.Rewriter, hit func(string)) (io.ReadCloser, error) {
	b := &recoded{src: src, buf: make([]byte, 32<<10)}
	r, err := undo(list, src)
	if err != nil {
		return nil, err
	}
	b.text = echo.NewReader(io.NopCloser(r), w, hit)
	b.encs = make([]encoder, len(list))
	out := io.Writer(&b.out)
	for i := len(list) - 1; i >= 0; i-- {
		enc, err := list[i].encode(out)
		if err != nil {
			return nil, err
		}
		b.encs[i], out = enc, enc
	}
	return b, nil
}

func (b *recoded) Read(p []byte) (int, error) {
	for b.out.Len() == 0 {
		if b.err != nil {
			return 0, b.err
		}
		if b.closed {
			return 0, errClosed
		}
		b.err = b.more()
	}
	return b.out.Read(p)
}

// more codes the next piece of text. It is flushed, since what comes next may
// be long in coming: an event must not wait for it.
func (b *recoded) more() error {
	n, err := b.text.Read(b.buf)
	if n > 0 {
		b.any = true
		if _, werr := b.encs[0].Write(b.buf[:n]); werr != nil {
			return werr
		}
		for _, enc := range b.encs {
			if ferr := enc.Flush(); ferr != nil {
				return ferr
			}
		}
	}
	if err == io.EOF && b.any {
		for _, enc := range b.encs {
			if cerr := enc.Close(); cerr != nil {
				return cerr
			}
		}
	}
	return err
}

// Close closes the source, which ends a read of it that is under way. What
// decodes and encodes needs no closing: it has no goroutines.
func (b *recoded) Close() error {
	b.closed = true
	return b.src.Close()
}

// Decode returns a reader of r's content with the codings of a Content-Encoding
// undone. The error is an [*UnreadableError].
func Decode(encoding []string, r io.Reader) (io.Reader, error) {
	list, err := parseCodings(encoding)
	if err != nil {
		return nil, err
	}
	return undo(list, r)
}

// undo decodes, the coding that was applied last first.
func undo(list []*coding, r io.Reader) (io.Reader, error) {
	for i := len(list) - 1; i >= 0; i-- {
		var err error
		if r, err = list[i].decode(r); err != nil {
			return nil, &UnreadableError{"its coding cannot be undone"}
		}
	}
	return r, nil
}
