package dlp

import "math/bits"

// blockLen is how many bytes skim reads at once.
const blockLen = 64

// marks has a bit for each byte of a block, the first one's the lowest.
type marks struct {
	runs    uint64 // characters of runs
	leads   uint64 // what may begin an escape, but for backslashes
	slashes uint64 // backslashes
	letters uint64 // what hides wants to see behind a backslash
}

// The classes of which there are marks.
var (
	runChars = func() (c class) {
		for b := range c {
			c[b] = runChar[b] != noValue
		}
		return c
	}()
	leadChars = func() class { c := mayEscape; c['\\'] = false; return c }()
)

// marksBy has for each byte a bit in each of four lanes of 16, in the order of marks.
var marksBy = func() (m [256]uint64) {
	for c := range m {
		for i, in := range [...]bool{runChars[c], leadChars[c], c == '\\', hidden[c]} {
			if in {
				m[c] |= 1 << (16 * i)
			}
		}
	}
	return m
}()

// marksOf marks the first bytes of b. Behind b's end nothing is marked.
func marksOf(b []byte) (m marks) {
	if len(b) < blockLen {
		var block [blockLen]byte
		for i := copy(block[:], b); i < blockLen; i++ {
			block[i] = ' '
		}
		b = block[:]
	}
	c := (*[blockLen]byte)(b)
	marksWide(c, &m)
	return m
}

// marksPlain marks c's bytes with the look-up of one after the other.
func marksPlain(c *[blockLen]byte, m *marks) {
	for at := 0; at < blockLen; at += 16 {
		c := (*[16]byte)(c[at:])
		four := marksBy[c[0]] | marksBy[c[1]]<<1 | marksBy[c[2]]<<2 | marksBy[c[3]]<<3 | marksBy[c[4]]<<4 | marksBy[c[5]]<<5 | marksBy[c[6]]<<6 | marksBy[c[7]]<<7 |
			marksBy[c[8]]<<8 | marksBy[c[9]]<<9 | marksBy[c[10]]<<10 | marksBy[c[11]]<<11 | marksBy[c[12]]<<12 | marksBy[c[13]]<<13 | marksBy[c[14]]<<14 | marksBy[c[15]]<<15
		m.runs |= four & 0xFFFF << at
		m.leads |= four >> 16 & 0xFFFF << at
		m.slashes |= four >> 32 & 0xFFFF << at
		m.letters |= four >> 48 << at
	}
}

// backslashes marks those of the first n bytes of which hides may say yes: four, or fewer and what it wants to see. behind is what
// stands behind the n; where it ends, anything may follow.
func (m *marks) backslashes(n int, behind []byte) uint64 {
	if m.slashes == 0 {
		return 0
	}
	// What stands behind, as three bits.
	var slashes, letters uint64
	if m.slashes>>max(0, n-3) != 0 {
		for i := range 3 {
			bits := uint64(1<<32 | 1<<48)
			if i < len(behind) {
				bits = marksBy[behind[i]]
			}
			slashes |= bits >> 32 & 1 << i
			letters |= bits >> 48 & 1 << i
		}
	}
	second := m.slashes & further(m.slashes, slashes, n, 1)
	third := second & further(m.slashes, slashes, n, 2)
	return m.slashes&further(m.letters, letters, n, 1) | second&further(m.letters, letters, n, 2) |
		third&(further(m.letters, letters, n, 3)|further(m.slashes, slashes, n, 3))
}

// further moves n bits, behind which there are those of behind, by places down.
func further(bits, behind uint64, n, places int) uint64 {
	if places > n {
		return bits>>places | behind>>(places-n)
	}
	return bits>>places | behind<<(n-places)
}

// hasSample reports whether as many bits as a sample has characters follow each other.
func hasSample(runs uint64) bool {
	for i := range 4 {
		runs &= runs << (1 << i)
	}
	return runs != 0
}

// plainLen returns how many bytes b begins with that no escape begins with.
func plainLen(b []byte) (n int) {
	for n < len(b) && n < blockLen/4 { // most are near
		if mayEscape[b[n]] {
			return n
		}
		n++
	}
	for len(b)-n >= blockLen {
		m := marksOf(b[n:])
		if found := m.leads | m.slashes; found != 0 {
			return n + bits.TrailingZeros64(found)
		}
		n += blockLen
	}
	for n < len(b) && !mayEscape[b[n]] {
		n++
	}
	return n
}
