package filter

import (
	"bytes"
	"io"

	"bottle/lib/decode"
	"bottle/lib/locate"
)

// decodedAgain locates in what a body decodes to. It decodes it once more when
// it is asked first, as far as it is asked about: while the body was scanned,
// nothing of it was kept.
type decodedAgain struct {
	r       *ruling
	coding  string
	sent    []byte
	settled int64 // nothing before this offset is asked about any more

	where *locate.Stream // nil before it is asked
	body  io.ReadCloser  // nil if it cannot be decoded
	chunk []byte
	fed   int64
	ended bool
}

// at is the locate of a place.
func (d *decodedAgain) at(at locate.Range) string {
	if d.where == nil {
		d.open()
	}
	for d.fed < at.End && !d.ended {
		n, err := d.body.Read(d.chunk)
		d.where.Feed(d.chunk[:n])
		d.where.Settle(d.settled)
		d.fed += int64(n)
		d.ended = err != nil // it is asked about what comes before that
	}
	return d.where.At(at, d.r.hides)
}

func (d *decodedAgain) open() {
	d.where = locate.NewBody(d.r.req.Header.Get("Content-Type"))
	body, err := decode.Body(d.coding, bytes.NewReader(d.sent), d.r.filter.decodeLimits())
	if err != nil {
		d.ended = true
		return
	}
	d.body, d.chunk = body, make([]byte, 32<<10)
}

func (d *decodedAgain) close() {
	if d.body != nil {
		d.body.Close()
	}
}
