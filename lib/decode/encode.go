package decode

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
)

// encoder starts a coding of w. like is data in the same coding, whose variant is taken.
type encoder func(w io.Writer, like []byte) (io.WriteCloser, error)

var encoders = map[string]encoder{
	"gzip": func(w io.Writer, _ []byte) (io.WriteCloser, error) { return gzip.NewWriter(w), nil },
	"deflate": func(w io.Writer, like []byte) (io.WriteCloser, error) {
		if len(like) > 0 && !isZlib(like) {
			return flate.NewWriter(w, flate.DefaultCompression)
		}
		return zlib.NewWriter(w), nil
	},
	"zstd": func(w io.Writer, _ []byte) (io.WriteCloser, error) { return NewStoredZstd(w), nil },
	"br":   func(w io.Writer, _ []byte) (io.WriteCloser, error) { return NewStoredBrotli(w), nil },
}

// Encode applies the codings of encoding to data, in the order of the list, so that [Body] undoes them. like is the body
// that data came from by Body: where a coding has variants, its own is used. It is one member or frame for each coding,
// without names, comments and skippable frames. An unknown coding is an [*UnsupportedError].
func Encode(encoding string, data, like []byte) ([]byte, error) {
	codings, err := parse(encoding)
	if err != nil {
		return nil, err
	}
	for i, coding := range codings {
		start := encoders[coding]
		if start == nil {
			return nil, &UnsupportedError{Coding: coding}
		}
		var variant []byte // of the inner ones nothing is known
		if i == len(codings)-1 {
			variant = like
		}
		var b bytes.Buffer
		w, err := start(&b, variant)
		if err != nil {
			return nil, fmt.Errorf("encode %s body: %w", coding, err)
		}
		if _, err := w.Write(data); err != nil {
			return nil, fmt.Errorf("encode %s body: %w", coding, err)
		}
		if err := w.Close(); err != nil {
			return nil, fmt.Errorf("encode %s body: %w", coding, err)
		}
		data = b.Bytes()
	}
	return data, nil
}
