package decode

import (
	"encoding/binary"
	"io"
)

// StoredZstd codes what is written to it as one frame of Zstandard (RFC 8878) without compressing it, for the same reason as
// [StoredBrotli]. It keeps nothing back. It is for one goroutine.
type StoredZstd struct {
	w     io.Writer
	begun bool
}

// storedZstdBlock is the window that the frame declares, 128 KiB, and so the size of the largest block (section 3.1.1.2.3).
const storedZstdBlock = 1 << 17

const rawBlock, lastBlock = 0 << 1, 1 // of a block's header, section 3.1.1.2

// NewStoredZstd returns a writer whose code goes to w. It needs Close.
func NewStoredZstd(w io.Writer) *StoredZstd { return &StoredZstd{w: w} }

// head returns a block's header, behind the frame's if that is still to come: neither content size nor checksum nor
// dictionary, and a window of 2^(10+7) bytes (section 3.1.1.1).
func (s *StoredZstd) head(size uint32, last uint32) []byte {
	var b []byte
	if !s.begun {
		s.begun = true
		b = append(binary.LittleEndian.AppendUint32(b, 0xFD2FB528), 0, 7<<3)
	}
	h := size<<3 | rawBlock | last
	return append(b, byte(h), byte(h>>8), byte(h>>16))
}

// Write takes the next bytes of the content.
func (s *StoredZstd) Write(p []byte) (int, error) {
	for at := 0; at < len(p); {
		n := min(len(p)-at, storedZstdBlock)
		if _, err := s.w.Write(s.head(uint32(n), 0)); err != nil {
			return at, err
		}
		m, err := s.w.Write(p[at : at+n])
		if at += m; err != nil {
			return at, err
		}
	}
	return len(p), nil
}

// Flush does nothing: all that was written has gone out.
func (s *StoredZstd) Flush() error { return nil }

// Close writes the last, empty block.
func (s *StoredZstd) Close() error {
	_, err := s.w.Write(s.head(0, lastBlock))
	return err
}
