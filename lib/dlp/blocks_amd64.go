//go:build !purego

package dlp

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// hasAVX2 reports whether the processor can look at 32 bytes at once. Where it cannot, and on others, the same is done byte after byte: the
// functions whose names end in Wide ask, and nobody else calls those that are assembly.
var hasAVX2 = cpu.X86.HasAVX2

// lanes is a table of 16 bytes, by half a byte, for each half of a register.
type lanes [32]byte

func lanesOf(by func(half byte) byte) (l lanes) {
	for i := range l {
		l[i] = by(byte(i % 16))
	}
	return l
}

func filled(c byte) lanes { return lanesOf(func(byte) byte { return c }) }

// highBit is one of eight by the high half of a byte, for those from 0 or 8 on.
func highBit(from byte) lanes {
	return lanesOf(func(half byte) byte { return byte(1 << (half - from)) })
}

// inClass has by the low half of a byte the bits of the high halves with which it is one of c.
func inClass(c *class, from byte) lanes {
	return lanesOf(func(half byte) (bits byte) {
		for high := range byte(8) {
			if c[(from+high)<<4|half] {
				bits |= 1 << high
			}
		}
		return bits
	})
}

// markTables is what marksAVX2 looks up, in the order in which it does.
type markTables struct{ low, high, runs, letters, leadsLow, leadsHigh, half, backslash lanes }

var marksLooked = markTables{
	low: highBit(0), high: highBit(8),
	runs: inClass(&runChars, 0), letters: inClass(hidden, 0), leadsLow: inClass(&leadChars, 0), leadsHigh: inClass(&leadChars, 8),
	half: filled(0x0F), backslash: filled('\\'),
}

// marksWide is marksPlain, for 32 bytes at once.
func marksWide(c *[blockLen]byte, m *marks) {
	if !hasAVX2 {
		marksPlain(c, m)
		return
	}
	marksAVX2(&marksLooked, c, m)
}

//go:noescape
func marksAVX2(t *markTables, b *[blockLen]byte, m *marks)

// sweepTables is what sweepAVX2 looks up, in the order of its text.
type sweepTables struct{ bit, runs, toValue, none, noneAt, highs, half, zero, underscore, groups, others lanes }

// What speaks against a reading other than base64, in bits that base64's do not need: letters of the case that base32 does not have there, and
// letters that no digit of hex is.
const (
	hasLower = 1 << 0
	hasUpper = 1 << 2
	hasPToZ  = 1 << 4
)

// The bits of a value that must be clear in a group of base64 that stands for text: of the first character, the second and the third.
const (
	inFirst  = 1 << 5
	inSecond = 1 << 3
	inThird  = 1 << 1
)

var sweepLooked = sweepTables{
	bit: highBit(0), runs: inClass(&runChars, 0),
	toValue: lanesOf(func(high byte) byte {
		return [16]byte{3: 52 - '0', 4: 256 - 'A', 5: 256 - 'A', 6: 256 + 26 - 'a', 7: 256 + 26 - 'a'}[high]
	}),
	none: lanesOf(func(high byte) byte {
		return [16]byte{2: hasLower | hasUpper | hasPToZ, 4: hasUpper, 5: hasUpper | hasPToZ, 6: hasLower, 7: hasLower | hasPToZ}[high]
	}),
	// Base32 may begin amid the sample: only its last eight characters count.
	noneAt: lanesOf(func(i byte) byte {
		if i < 8 {
			return hasPToZ
		}
		return hasLower | hasUpper | hasPToZ
	}),
	// Of the first group those of the group before it do not count.
	highs: lanesOf(func(i byte) byte {
		switch i {
		case 0:
			return inFirst
		case 1:
			return inFirst | inSecond
		}
		return inFirst | inSecond | inThird
	}),
	half: filled(0x0F), zero: filled('0'), underscore: filled('_'),
	groups: lanesOf(func(i byte) byte {
		phase, at := i/4, i%4
		return [4]byte{inFirst, inSecond, inThird, 0}[(at-phase)%4]
	}),
	others: lanesOf(func(i byte) byte { return [4]byte{hasLower, hasUpper, hasPToZ, hasPToZ}[i/4] }),
}

// sweepWide returns how much of b need not be looked at: samples of runs that cannot be text. The first is in the first sampleChars of b.
func sweepWide(b []byte) int {
	if !hasAVX2 {
		return 0
	}
	return sweepAVX2(&sweepLooked, unsafe.SliceData(b), len(b))
}

//go:noescape
func sweepAVX2(t *sweepTables, b *byte, n int) int

// pairsWide returns the first of b's blocks of blockLen bytes in which a keyword may begin as s knows pairs, and where; at is the length of those
// in which none does. Of the last of b's bytes nothing is said.
func (s *skimmer) pairsWide(b []byte) (at int, marks uint64) {
	if !hasAVX2 {
		return 0, 0
	}
	return pairsAVX2(&s.pairs, unsafe.SliceData(b), len(b))
}

//go:noescape
func pairsAVX2(known *[1 << 16]uint16, b *byte, n int) (at int, marks uint64)
