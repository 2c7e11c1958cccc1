// Package decode undoes the content codings of a body (RFC 9110 §8.4) for somebody who wants to look inside: streaming,
// with bounded memory, and with a limit on what a small body may become.
//
//	r, err := decode.Body(header.Get("Content-Encoding"), body, decode.Limits{})
//
// gzip, deflate (in the zlib format, and bare as some clients send it), zstd and br are known, alone or stacked. [Encode]
// applies them again.
//
// # Limits
//
// What a decoder skips is not in its output: names and comments in gzip headers, skippable zstd frames, metadata blocks of
// brotli. Who looks for something hidden has to look at the coded bytes as well.
package decode

import (
	"errors"
	"io"
	"strings"
)

// Limits bound the work that a body can cause. The zero value means the defaults.
type Limits struct {
	MaxBytes  int64  // decoded bytes, at every layer of a stack; 0 means 64 MiB, a negative value no limit
	MaxRatio  int64  // decoded bytes per coded byte, from 1 MiB of decoded bytes on; 0 means 200, negative no limit
	MaxWindow uint64 // bytes of a zstd or brotli window, and so the decoder's memory; 0 means 8 MiB, what RFC 9659 lets a sender use
}

const (
	defaultMaxBytes  = 64 << 20
	defaultMaxRatio  = 200
	defaultMaxWindow = 8 << 20

	// ratioFloor is how much may be decoded before the ratio counts: a few kB of zeros are no bomb.
	ratioFloor = 1 << 20

	// maxCodings bounds a stack. Each layer takes memory, and nobody sends more than two.
	maxCodings = 3
)

func (l Limits) withDefaults() Limits {
	if l.MaxBytes == 0 {
		l.MaxBytes = defaultMaxBytes
	}
	if l.MaxRatio == 0 {
		l.MaxRatio = defaultMaxRatio
	}
	if l.MaxWindow == 0 {
		l.MaxWindow = defaultMaxWindow
	}
	return l
}

// Body returns a reader of r's content with all codings of encoding undone. encoding is the value of a Content-Encoding
// field, several field lines joined by commas; the last coding of a list was applied last. Names are matched in any case,
// x-gzip is gzip, and identity is no coding. Without a coding the reader yields r's bytes and no limit applies.
//
// An unknown coding is an [*UnsupportedError], and more than three a [*LimitError], here, before anything is read. Errors of Read are a
// [*LimitError] where a limit was passed, a [*CorruptError] where the coded data is wrong, incomplete or followed by
// other bytes, and r's own error, as it is, where r fails. An error stays: each later Read returns it.
//
// Reading needs no goroutine. Read may wait for more of r than the bytes that it returns would need, at most one block
// of the coding. Close lets go of the decoders' memory; it does not close r, and Read fails afterwards. The reader is
// for one goroutine at a time.
func Body(encoding string, r io.Reader, limits Limits) (io.ReadCloser, error) {
	codings, err := parse(encoding)
	if err != nil {
		return nil, err
	}
	raw := &counter{r: r}
	b := &body{top: raw}
	for i := len(codings) - 1; i >= 0; i-- {
		b.top = &layer{coding: codings[i], open: openers[codings[i]], src: b.top, raw: raw, limits: limits.withDefaults()}
	}
	return b, nil
}

// parse splits an encoding into the codings that have to be undone, in the order in which they were applied.
func parse(encoding string) ([]string, error) {
	var codings []string
	for name := range strings.SplitSeq(encoding, ",") {
		name = strings.ToLower(strings.Trim(name, " \t"))
		switch name {
		case "", "identity": // RFC 9110 §5.6.1 has empty list elements ignored
			continue
		case "x-gzip": // RFC 9110 §8.4.1.3
			name = "gzip"
		}
		if openers[name] == nil {
			return nil, &UnsupportedError{Coding: name}
		}
		if codings = append(codings, name); len(codings) > maxCodings {
			return nil, &LimitError{Coding: strings.Join(codings, ", "), Limit: "codings", Max: maxCodings}
		}
	}
	return codings, nil
}

// source is what a layer reads from.
type source interface {
	io.Reader
	fault() error // the error that ended it, nil for none or io.EOF
}

// counter counts the coded bytes.
type counter struct {
	r   io.Reader
	n   int64
	err error
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

func (c *counter) fault() error { return c.err }

// layer undoes one coding.
type layer struct {
	coding string
	open   opener
	src    source
	raw    *counter // of the whole body: the ratio is that of all layers together
	limits Limits

	dec decoder
	n   int64
	err error
}

func (l *layer) Read(p []byte) (int, error) {
	if l.err != nil || len(p) == 0 {
		return 0, l.err
	}
	n, err := l.decode(p)
	l.n += int64(n)
	switch {
	case l.limits.MaxBytes >= 0 && l.n > l.limits.MaxBytes:
		l.err = &LimitError{Coding: l.coding, Limit: "size", Max: l.limits.MaxBytes}
	case l.limits.MaxRatio >= 0 && l.n > ratioFloor && l.n/l.limits.MaxRatio > l.raw.n:
		l.err = &LimitError{Coding: l.coding, Limit: "ratio", Max: l.limits.MaxRatio}
	case err == nil || err == io.EOF:
		l.err = err
	case l.src.fault() != nil: // whatever the decoder made of it
		l.err = l.src.fault()
	case isWindowError(err):
		l.err = &LimitError{Coding: l.coding, Limit: "window", Max: int64(l.limits.MaxWindow)}
	default:
		l.err = &CorruptError{Coding: l.coding, Err: err}
	}
	return n, l.err
}

// decode reads from the decoder. Opening it reads the beginning of the coded data, which is why that waits for the first
// Read.
func (l *layer) decode(p []byte) (int, error) {
	if l.dec == nil {
		dec, err := l.open(l.src, l.limits)
		if err != nil {
			return 0, err
		}
		l.dec = dec
	}
	return l.dec.Read(p)
}

func (l *layer) fault() error {
	if l.err == io.EOF {
		return nil
	}
	return l.err
}

// body is what Body returns.
type body struct {
	top    source
	closed bool
}

var errClosed = errors.New("read decoded body: it is closed")

func (b *body) Read(p []byte) (int, error) {
	if b.closed {
		return 0, errClosed
	}
	return b.top.Read(p)
}

func (b *body) Close() error {
	for s := b.top; s != nil; {
		l, ok := s.(*layer)
		if !ok {
			break
		}
		if l.dec != nil {
			l.dec.release()
		}
		s = l.src
	}
	b.top, b.closed = nil, true
	return nil
}
