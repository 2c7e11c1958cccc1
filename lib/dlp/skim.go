package dlp

import (
	"encoding/binary"
	"math/bits"
)

// skimmer tells where no keyword begins that a match could, for much less than the automaton needs. It knows the begins of all of them, by
// hashes, so that it looks at many places at once: none depends on the one before.
type skimmer struct {
	three [1 << skimBits]uint8 // by hash of the first three bytes: none, longer or whole
	four  [1 << fourBits]uint8 // by hash of the first four, of those that have as many: 1
}

const (
	// skimLen is how many bytes of a keyword are looked at first, and how many of a text at least.
	skimLen = 3
	// skimBits makes tables that stay in the processor's nearest cache and are sparse with hundreds of keywords.
	skimBits = 14
	// fourBits makes one that is looked at seldom, so that it may be larger.
	fourBits = 16
	// skimAt is how many places are looked at at once, and skimOver how many bytes are read behind them.
	skimAt, skimOver = 8, 3

	longer = 1 // a keyword that has more than three bytes may begin
	whole  = 3 // one that has no more
)

// The hashes of a text's first three and four bytes, little endian, regardless of ASCII's case. What follows them has no part in it.
func skimHash3(text uint32) uint32 {
	return (text | foldBits) * (skimFactor << 8 & (1<<32 - 1)) >> (32 - skimBits)
}
func skimHash4(text uint32) uint32 { return (text | foldBits) * skimFactor >> (32 - fourBits) }

const (
	foldBits   = 0x20202020
	skimFactor = 0x9E3779B1
)

// add makes a keyword known.
func (s *skimmer) add(k keyword) {
	s.begin(k.text, k.follows())
}

// follows is what must stand behind k, for one byte or two; none: anything may.
func (k *keyword) follows() (all []*class) {
	p := k.pattern
	if p == nil {
		return nil
	}
	for _, s := range p.steps {
		if s.min == 0 || s.gap != nil {
			break
		}
		if all = append(all, s.class); s.max > 1 || len(all) == 2 {
			break
		}
	}
	return all
}

// begin makes the begin of a keyword known. Behind text there are bytes of follows; where there are none of those: any, or none.
func (s *skimmer) begin(text string, follows []*class) {
	if len(text) < skimLen || len(text) == skimLen && len(follows) > 0 {
		for c := range 256 {
			if len(follows) == 0 || follows[0][c] {
				s.begin(text+string([]byte{byte(c)}), follows[min(1, len(follows)):])
			}
		}
		return
	}
	first := uint32(text[0]) | uint32(text[1])<<8 | uint32(text[2])<<16
	if len(text) == skimLen {
		s.three[skimHash3(first)] = whole
		return
	}
	s.three[skimHash3(first)] |= longer
	s.four[skimHash4(first|uint32(text[3])<<24)] = 1
}

// next returns the first place at or after from at which a keyword may begin, and where fewer than skimLen bytes are left
// the first of those.
func (s *skimmer) next(text []byte, from int) int {
	at := from
	for ; at+skimAt+skimOver <= len(text); at += skimAt {
		b := (*[skimAt + skimOver]byte)(text[at:])
		marks := uint32(s.three[skimHash3(start(b, 7))])
		marks = marks*4 + uint32(s.three[skimHash3(start(b, 6))])
		marks = marks*4 + uint32(s.three[skimHash3(start(b, 5))])
		marks = marks*4 + uint32(s.three[skimHash3(start(b, 4))])
		marks = marks*4 + uint32(s.three[skimHash3(start(b, 3))])
		marks = marks*4 + uint32(s.three[skimHash3(start(b, 2))])
		marks = marks*4 + uint32(s.three[skimHash3(start(b, 1))])
		marks = marks*4 + uint32(s.three[skimHash3(start(b, 0))])
		for marks != 0 {
			i := bits.TrailingZeros32(marks) &^ 1
			if marks>>i&whole == whole || s.four[skimHash4(binary.LittleEndian.Uint32(text[at+i/2:]))] != 0 {
				return at + i/2
			}
			marks &^= whole << i
		}
	}
	for ; at+skimLen <= len(text); at++ {
		if s.three[skimHash3(uint32(text[at])|uint32(text[at+1])<<8|uint32(text[at+2])<<16)] != 0 {
			return at
		}
	}
	return max(at, from)
}

func start(b *[skimAt + skimOver]byte, i int) uint32 { return binary.LittleEndian.Uint32(b[i:]) }
