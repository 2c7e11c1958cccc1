package dlp

import (
	"encoding/binary"
	"math/bits"
)

// skimmer tells where no keyword begins, for much less than the automaton needs. It knows the begins of all of them, by
// hashes, so that it looks at many places at once: none depends on the one before.
type skimmer struct {
	three [1 << skimBits]uint8 // by hash of the first three bytes: 1 if a keyword begins so
	four  [1 << skimBits]uint8 // by hash of the first four, as are those of three and less in short
	short [1 << skimBits]uint8
}

const (
	// skimLen is how many bytes of a keyword are looked at first, and how many of a text at least.
	skimLen = 3
	// skimBits makes tables that stay in the processor's nearest cache and are sparse with hundreds of keywords.
	skimBits = 14
	// skimAt is how many places are looked at at once.
	skimAt = 8
)

// skimHash hashes text, which is little endian, regardless of ASCII's case.
func skimHash(text uint32) uint32 { return text * 0x9E3779B1 >> (32 - skimBits) }

const foldBits = 0x20202020

func skimHash3(text uint32) uint32 { return skimHash((text | foldBits) << 8) }
func skimHash4(text uint32) uint32 { return skimHash(text | foldBits) }

// add makes a keyword known.
func (s *skimmer) add(text string) {
	switch {
	case len(text) < skimLen:
		for c := range 256 { // whatever follows
			s.add(text + string([]byte{byte(c)}))
		}
	case len(text) == skimLen:
		h := skimHash3(binary.LittleEndian.Uint32([]byte(text + "\x00")))
		s.three[h], s.short[h] = 1, 1
	default:
		start := binary.LittleEndian.Uint32([]byte(text[:skimLen+1]))
		s.three[skimHash3(start)], s.four[skimHash4(start)] = 1, 1
	}
}

// next returns the first place at or after from at which a keyword may begin, and where fewer than skimLen bytes are left
// the first of those.
func (s *skimmer) next(win []byte, from int) int {
	at := from
	for ; at+skimAt+4 <= len(win); at += skimAt {
		b := win[at : at+skimAt+4]
		low, high := binary.LittleEndian.Uint64(b)|foldBits<<32|foldBits, binary.LittleEndian.Uint64(b[4:])|foldBits<<32|foldBits
		any := s.three[skimHash(uint32(low)<<8)] | s.three[skimHash(uint32(low>>8)<<8)]<<1 |
			s.three[skimHash(uint32(low>>16)<<8)]<<2 | s.three[skimHash(uint32(low>>24)<<8)]<<3 |
			s.three[skimHash(uint32(high)<<8)]<<4 | s.three[skimHash(uint32(high>>8)<<8)]<<5 |
			s.three[skimHash(uint32(high>>16)<<8)]<<6 | s.three[skimHash(uint32(high>>24)<<8)]<<7
		for ; any != 0; any &= any - 1 {
			i := bits.TrailingZeros8(any)
			if text := binary.LittleEndian.Uint32(b[i:]); s.four[skimHash4(text)]|s.short[skimHash3(text)] != 0 {
				return at + i
			}
		}
	}
	for ; at+skimLen <= len(win); at++ {
		var b [4]byte
		copy(b[:skimLen], win[at:])
		if s.three[skimHash3(binary.LittleEndian.Uint32(b[:]))] != 0 {
			return at
		}
	}
	return max(at, from)
}
