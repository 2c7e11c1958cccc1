package dlp

import (
	"encoding/binary"
	"math/bits"
)

// skimmer tells where no keyword begins that a match could, for much less than the automaton needs. It knows which pairs of bytes the begins
// of all of them are made of, and what it asks for a place does not depend on the place before.
type skimmer struct {
	pairs [1 << 16]uint16      // by two bytes, little endian: of which kinds of keywords they are the first two (low bits), the second and the third, or the third and the fourth
	three [1 << skimBits]uint8 // by hash of the first three bytes: none, longer or whole
	four  [1 << fourBits]uint8 // by hash of the first four, of those that have as many: 1
}

const (
	// skimKinds is into how many kinds keywords are divided, so that few texts have the first pair of one and the others of another that
	// is of the same kind.
	skimKinds = 5
	// firstPairs has the low bits of four pairs.
	firstPairs = 0x001F001F001F001F
	// skimAt is how many pairs there are in one number.
	skimAt = 4

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
	for i := range skimMost - 1 {
		s.pair(begin[i], begin[i+1], 1<<(k.kind()+i*skimKinds))
	}
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
func (s *skimmer) pair(first, second []byte, kinds uint16) {
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

// skimmed is what was found out of a block of a text: where in it a keyword may begin, and that is still to be looked at. The zero value
// is of none.
type skimmed struct {
	end   int // of the block
	marks uint64
}

// next returns the first place at or after from at which a keyword may begin, and where fewer than skimLen bytes are left
// the first of those. What it found out before, of the same text and from before from, is in last.
func (s *skimmer) next(text []byte, from int, last *skimmed) int {
	for {
		if from < last.end {
			begin := last.end - blockLen
			last.marks &= ^uint64(0) << (from - begin)
			for last.marks != 0 {
				i := begin + bits.TrailingZeros64(last.marks)
				last.marks &= last.marks - 1
				if s.begins(binary.LittleEndian.Uint32(text[i:])) {
					return i
				}
			}
			from = last.end
		}
		at, marks := s.pairsWide(text[from:])
		from += at
		if marks == 0 {
			return s.nextPlain(text, from)
		}
		*last = skimmed{end: from + blockLen, marks: marks}
	}
}

// nextPlain is next, with the look-up of eight places after the other.
func (s *skimmer) nextPlain(text []byte, from int) int {
	known, pairs, at := &s.pairs, uint64(0), from-skimAt
	for ; at+3*skimAt < len(text); at += 2 * skimAt {
		b := (*[2*skimAt + 1]byte)(text[at+skimAt:])
		next := uint64(known[two(b, 0)]) | uint64(known[two(b, 1)])<<16 | uint64(known[two(b, 2)])<<32 | uint64(known[two(b, 3)])<<48
		last := uint64(known[two(b, 4)]) | uint64(known[two(b, 5)])<<16 | uint64(known[two(b, 6)])<<32 | uint64(known[two(b, 7)])<<48
		marks, more := begun(pairs, next), begun(next, last)
		pairs = last
		for at := at; marks|more != 0; marks, more, at = more, 0, at+skimAt {
			for ; marks != 0; marks &= marks - 1 {
				i := at + bits.TrailingZeros64(marks)/16
				if s.begins(binary.LittleEndian.Uint32(text[i:])) {
					return i
				}
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

// begun marks those of pairs with which a keyword of some kind may begin, as next are the pairs behind them.
func begun(pairs, next uint64) uint64 {
	return pairs & ((pairs>>16 | next<<48) >> skimKinds) & ((pairs>>32 | next<<32) >> (2 * skimKinds)) & firstPairs
}

func two(text *[2*skimAt + 1]byte, i int) uint16 { return binary.LittleEndian.Uint16(text[i:]) }

// begins reports whether a keyword may begin with these four bytes.
func (s *skimmer) begins(text uint32) bool {
	three := s.three[skimHash3(text)]
	return three == whole || three != 0 && s.four[skimHash4(text)] != 0
}
