package dlp

import (
	"encoding/binary"
	"math/bits"
)

// skimmer tells where no keyword begins that a match could, for much less than the automaton needs. It knows which pairs of bytes the begins
// of all of them are made of, and what it asks for a place does not depend on the place before.
type skimmer struct {
	pairs [1 << 16]uint8       // by two bytes, little endian: of which kinds of keywords they are the first two (low bits), or the two behind those
	three [1 << skimBits]uint8 // by hash of the first three bytes: none, longer or whole
	four  [1 << fourBits]uint8 // by hash of the first four, of those that have as many: 1
}

const (
	// skimKinds is into how many kinds keywords are divided, so that few texts have the first pair of one and the second of another that
	// is of the same kind.
	skimKinds = 4
	// firstPairs has the low bits of eight pairs.
	firstPairs = 0x0F0F0F0F0F0F0F0F
	// skimAt is how many pairs there are in one number.
	skimAt = 8

	// skimLen is how many bytes of a keyword are looked at at least, and skimMost at most.
	skimLen, skimMost = 3, 4
	// skimBits makes a table that is sparse with hundreds of keywords.
	skimBits = 14
	// fourBits is for thousands: there are as many begins of four bytes.
	fourBits = 16

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

// anyByte is what may stand behind a keyword of which nothing is known.
var anyByte = set("\x00-\xff").bytes()

// newSkimmer returns one that knows keywords.
func newSkimmer(keywords []keyword) *skimmer {
	s := &skimmer{}
	type begin struct {
		text    string
		folds   bool
		follows [2]*class
	}
	known := map[begin]bool{} // most names are those of many rules
	for i := range keywords {
		k := &keywords[i]
		follows := k.follows()
		b := begin{text: k.text, folds: k.folds()}
		copy(b.follows[:], follows)
		if !known[b] {
			known[b] = true
			s.add(k, follows)
		}
	}
	return s
}

// folds reports whether k is one in any case.
func (k *keyword) folds() bool { return k.pattern == nil || k.pattern.fold }

// add makes a keyword known, behind which there must be follows.
func (s *skimmer) add(k *keyword, follows []*class) {
	s.begin(k.text, follows)
	var begin [skimMost][]byte
	for i := range begin {
		switch behind := i - len(k.text); {
		case behind >= len(follows):
			begin[i] = anyByte
		case behind >= 0:
			begin[i] = follows[behind].bytes()
		default:
			begin[i] = k.bytesAt(i)
		}
	}
	s.pair(begin[0], begin[1], 1<<k.kind())
	s.pair(begin[2], begin[3], 1<<k.kind()<<skimKinds)
}

// kind divides keywords: the short ones, behind which nearly anything may stand, from the rest, and that evenly.
func (k *keyword) kind() int {
	if len(k.text) <= skimLen {
		return skimKinds - 1
	}
	return int(k.text[0]+k.text[1]) % (skimKinds - 1)
}

// bytesAt returns what k's byte i may be.
func (k *keyword) bytesAt(i int) []byte {
	if c := k.text[i]; k.folds() && fold(c) != upper(c) {
		return []byte{fold(c), upper(c)}
	}
	return []byte{k.text[i]}
}

// pair adds kinds to each pair of a byte of first and one of second.
func (s *skimmer) pair(first, second []byte, kinds uint8) {
	for _, one := range first {
		for _, two := range second {
			s.pairs[uint16(one)|uint16(two)<<8] |= kinds
		}
	}
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
	known, pairs, at := &s.pairs, uint64(0), from-skimAt
	for ; at+2*skimAt < len(text); at += skimAt {
		b := (*[skimAt + 1]byte)(text[at+skimAt:])
		after := uint64(known[two(b, 0)]) | uint64(known[two(b, 1)])<<8 | uint64(known[two(b, 2)])<<16 | uint64(known[two(b, 3)])<<24 |
			uint64(known[two(b, 4)])<<32 | uint64(known[two(b, 5)])<<40 | uint64(known[two(b, 6)])<<48 | uint64(known[two(b, 7)])<<56
		second := pairs>>16 | after<<48 // for each pair the one two bytes behind it
		marks := pairs & (second >> skimKinds) & firstPairs
		pairs = after
		for ; marks != 0; marks &= marks - 1 {
			i := at + bits.TrailingZeros64(marks)/8
			if s.begins(binary.LittleEndian.Uint32(text[i:])) {
				return i
			}
		}
	}
	at = max(at, from)
	for ; at+skimLen <= len(text); at++ {
		if s.three[skimHash3(uint32(text[at])|uint32(text[at+1])<<8|uint32(text[at+2])<<16)] != 0 {
			return at
		}
	}
	return at
}

func two(text *[skimAt + 1]byte, i int) uint16 { return binary.LittleEndian.Uint16(text[i:]) }

// begins reports whether a keyword may begin with these four bytes.
func (s *skimmer) begins(text uint32) bool {
	three := s.three[skimHash3(text)]
	return three == whole || three != 0 && s.four[skimHash4(text)] != 0
}
