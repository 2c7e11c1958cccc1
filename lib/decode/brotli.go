package decode

import (
	"bytes"
	"io"
)

// StoredBrotli codes what is written to it as Brotli (RFC 7932) without compressing it: what was changed on its way is to
// reach a peer in the coding that its header names, and a compressor with its tables would be a twentieth of a program.
// It is for one goroutine.
type StoredBrotli struct {
	w     io.Writer
	block bytes.Buffer
	begun bool
}

// storedBlock is how long a meta-block is whose length has 16 bits.
const storedBlock = 1 << 16

// NewStoredBrotli returns a writer whose code goes to w. It needs Close.
func NewStoredBrotli(w io.Writer) *StoredBrotli { return &StoredBrotli{w: w} }

// Write takes the next bytes of the content.
func (s *StoredBrotli) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := min(len(rest), storedBlock-s.block.Len())
		s.block.Write(rest[:n])
		if rest = rest[n:]; s.block.Len() == storedBlock {
			if err := s.Flush(); err != nil {
				return len(p) - len(rest), err
			}
		}
	}
	return len(p), nil
}

// Flush writes out all that was written, as a meta-block of its own (section 9.2): not the last, four nibbles of length, uncompressed.
// Before the first stands the size of the window: a zero bit, for 64 KiB.
func (s *StoredBrotli) Flush() error {
	if s.block.Len() == 0 {
		return nil
	}
	head := uint32(s.block.Len()-1)<<3 | 1<<19
	if !s.begun {
		head <<= 1
	}
	s.begun = true
	if _, err := s.w.Write([]byte{byte(head), byte(head >> 8), byte(head >> 16)}); err != nil {
		return err
	}
	_, err := s.block.WriteTo(s.w)
	return err
}

// Close writes out what is left and the last, empty meta-block.
func (s *StoredBrotli) Close() error {
	if err := s.Flush(); err != nil {
		return err
	}
	end := []byte{3}
	if !s.begun {
		end[0] <<= 1
	}
	_, err := s.w.Write(end)
	return err
}
