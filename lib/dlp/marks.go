package dlp

// blockLen is how many bytes skim reads at once.
const blockLen = 32

// marks has a bit for each byte of a block, the first one's the lowest.
type marks struct {
	runs    uint32 // characters of runs
	leads   uint32 // what may begin an escape, but for backslashes
	slashes uint32 // backslashes
	letters uint32 // what hides wants to see behind a backslash
}

// marksBy has for each byte a bit in each of four lanes of 16, in the order of marks.
var marksBy = func() (m [256]uint64) {
	for c := range m {
		if runChar[c] != noValue {
			m[c] |= 1
		}
		switch {
		case c == '\\':
			m[c] |= 1 << 32
		case mayEscape[c]:
			m[c] |= 1 << 16
		}
		if hidden[c] {
			m[c] |= 1 << 48
		}
	}
	return m
}()

// marksOf marks the first bytes of b. Behind b's end nothing is marked.
func marksOf(b []byte) marks {
	if len(b) < blockLen {
		var block [blockLen]byte
		for i := copy(block[:], b); i < blockLen; i++ {
			block[i] = ' '
		}
		b = block[:]
	}
	c := (*[blockLen]byte)(b)
	low := marksBy[c[0]] | marksBy[c[1]]<<1 | marksBy[c[2]]<<2 | marksBy[c[3]]<<3 | marksBy[c[4]]<<4 | marksBy[c[5]]<<5 | marksBy[c[6]]<<6 | marksBy[c[7]]<<7 |
		marksBy[c[8]]<<8 | marksBy[c[9]]<<9 | marksBy[c[10]]<<10 | marksBy[c[11]]<<11 | marksBy[c[12]]<<12 | marksBy[c[13]]<<13 | marksBy[c[14]]<<14 | marksBy[c[15]]<<15
	high := marksBy[c[16]] | marksBy[c[17]]<<1 | marksBy[c[18]]<<2 | marksBy[c[19]]<<3 | marksBy[c[20]]<<4 | marksBy[c[21]]<<5 | marksBy[c[22]]<<6 | marksBy[c[23]]<<7 |
		marksBy[c[24]]<<8 | marksBy[c[25]]<<9 | marksBy[c[26]]<<10 | marksBy[c[27]]<<11 | marksBy[c[28]]<<12 | marksBy[c[29]]<<13 | marksBy[c[30]]<<14 | marksBy[c[31]]<<15
	return marks{
		runs:    uint32(low)&0xFFFF | uint32(high)<<16,
		leads:   uint32(low>>16)&0xFFFF | uint32(high>>16)<<16,
		slashes: uint32(low>>32)&0xFFFF | uint32(high>>32)<<16,
		letters: uint32(low>>48)&0xFFFF | uint32(high>>48)<<16,
	}
}

// backslashes marks those of the first n bytes of which hides may say yes: four, or fewer and what it wants to see. behind is what
// stands behind the n; where it ends, anything may follow.
func (m *marks) backslashes(n int, behind []byte) uint32 {
	if m.slashes == 0 {
		return 0
	}
	slashes, letters := uint64(m.slashes), uint64(m.letters)
	if slashes>>max(0, n-3) != 0 {
		for i := range 3 {
			bits := uint64(1<<32 | 1<<48)
			if i < len(behind) {
				bits = marksBy[behind[i]]
			}
			slashes |= bits >> 32 & 1 << (n + i)
			letters |= bits >> 48 & 1 << (n + i)
		}
	}
	second := slashes & (slashes >> 1)
	third := second & (slashes >> 2)
	return uint32(slashes&(letters>>1)|second&(letters>>2)|third&(letters>>3)|third&(slashes>>3)) & (1<<n - 1)
}
