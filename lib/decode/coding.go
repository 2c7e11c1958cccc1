package decode

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// decoder undoes one coding. Its Read returns io.EOF only at the end of the coded data and of its source.
type decoder interface {
	io.Reader
	release()
}

// opener starts a decoder on r. It may read the beginning of the coded data. io.EOF is for no data at all.
type opener func(r io.Reader, l Limits) (decoder, error)

// openers are the codings that are known.
var openers = map[string]opener{
	"gzip":    openGzip,
	"deflate": openDeflate,
	"br":      openBrotli,
	"zstd":    openZstd,
}

// gzipDecoder reads all members up to the end of the source (RFC 1952 §2.2); other bytes after a member are an error.
type gzipDecoder struct{ *gzip.Reader }

func openGzip(r io.Reader, _ Limits) (decoder, error) {
	z, err := gzip.NewReader(r)
	return gzipDecoder{z}, err
}

func (gzipDecoder) release() {}

// deflateDecoder reads zlib or bare deflate data.
type deflateDecoder struct {
	data io.Reader
	src  *bufio.Reader
}

var (
	errTrailing  = errors.New("bytes follow the end of the coded data")
	errAmbiguous = errors.New("the data can be read as zlib and as bare deflate")
)

// openDeflate tells the zlib format (which "deflate" names, RFC 9110 §8.4.1.2) from bare deflate data by its header.
func openDeflate(r io.Reader, _ Limits) (decoder, error) {
	src := bufio.NewReader(r)
	head, err := src.Peek(5)
	if len(head) == 0 {
		return nil, err
	}
	if !isZlib(head) {
		return &deflateDecoder{flate.NewReader(src), src}, nil
	}
	// A zlib header of 0x78 or so can also begin a stored block with odd padding. Two readers of such data would see
	// different things: ours must not be the harmless one.
	if len(head) == 5 && head[1] == ^head[3] && head[2] == ^head[4] {
		return nil, errAmbiguous
	}
	z, err := zlib.NewReader(src)
	if err != nil {
		return nil, err
	}
	return &deflateDecoder{z, src}, nil
}

// isZlib reports whether data has a header of zlib (RFC 1950 §2.2).
func isZlib(data []byte) bool {
	return len(data) >= 2 && data[0]&0x0f == 8 && (int(data[0])<<8|int(data[1]))%31 == 0
}

func (d *deflateDecoder) Read(p []byte) (int, error) {
	n, err := d.data.Read(p)
	if err == io.EOF {
		if _, more := d.src.ReadByte(); more == nil {
			err = errTrailing
		} else if more != io.EOF {
			err = more
		}
	}
	return n, err
}

func (*deflateDecoder) release() {}

// zstdDecoder reads all frames up to the end of the source (RFC 8878 §3).
type zstdDecoder struct{ *zstd.Decoder }

func openZstd(r io.Reader, l Limits) (decoder, error) {
	// Concurrency 1 decodes in Read, without goroutines.
	z, err := zstd.NewReader(struct{ io.Reader }{r}, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(l.MaxWindow))
	if err != nil {
		return nil, err
	}
	return zstdDecoder{z}, nil
}

func (z zstdDecoder) release() { z.Close() }

// brotliDecoder reads one stream (RFC 7932); bytes behind it are an error.
type brotliDecoder struct{ *brotli.Reader }

var errBrotliWindow = errors.New("the window is too large")

// openBrotli looks at the window's size first: the decoder allocates up to it.
func openBrotli(r io.Reader, l Limits) (decoder, error) {
	src := bufio.NewReader(r)
	head, err := src.Peek(1)
	if len(head) == 0 {
		return nil, err
	}
	if uint64(1)<<brotliWindowBits(head[0]) > l.MaxWindow {
		return nil, errBrotliWindow
	}
	return brotliDecoder{brotli.NewReader(src)}, nil
}

// brotliWindowBits reads WBITS from the first byte of a stream (RFC 7932, section 9.1).
func brotliWindowBits(head byte) uint {
	switch {
	case head&1 == 0:
		return 16
	case head>>1&7 != 0:
		return 17 + uint(head>>1&7)
	case head>>4&7 == 0:
		return 17
	}
	return 8 + uint(head>>4&7)
}

func (brotliDecoder) release() {}

func isWindowError(err error) bool {
	return errors.Is(err, errBrotliWindow) || errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded)
}
