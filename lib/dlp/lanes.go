package dlp

// A byte of text has its highest bit clear. Where the characters of base64 stand in groups of four, that bit is bit 5 of
// the first, bit 3 of the second or bit 1 of the third. The three bits of eight characters are kept in three lanes, so
// that one comparison an alignment tells whether they can be text; three more lanes say which are no hex digits, and which none
// of base32 in capitals and in lower case.
const (
	lane    = 8
	hexLane = (1<<lane - 1) << (3 * lane)
	b32Lane = (1<<lane - 1) << (4 * lane)
	lowLane = (1<<lane - 1) << (5 * lane) // of base32 in lower case
)

// traits says of each character what it has in the lanes.
var traits = func() (t [256]uint64) {
	for c := range t {
		v := uint64(runChar[c])
		if v == noValue {
			continue
		}
		t[c] = v>>5&1 | v>>3&1<<lane | v>>1&1<<(2*lane)
		if encodings[2].value[c] == noValue {
			t[c] |= 1 << (3 * lane)
		}
		if encodings[1].value[c] == noValue {
			t[c] |= 1 << (4 * lane)
		}
		if encodings[3].value[c] == noValue {
			t[c] |= 1 << (5 * lane)
		}
	}
	return t
}()

// aligned are the bits that must be clear, for each alignment of the last character, which is the lowest in each lane.
var aligned = func() (masks [4]uint64) {
	for first := range masks {
		for ago := range lane { // how many characters ago
			switch (first - ago + lane) % 4 { // which of its group it is
			case 0:
				masks[first] |= 1 << ago
			case 1:
				masks[first] |= 1 << (lane + ago)
			case 2:
				masks[first] |= 1 << (2*lane + ago)
			}
		}
	}
	return masks
}()

// couldBeText is the part of text that costs little and is false nearly always.
func couldBeText(c *[sampleChars]byte) bool {
	high := traits[c[8]]<<7 | traits[c[9]]<<6 | traits[c[10]]<<5 | traits[c[11]]<<4 | traits[c[12]]<<3 | traits[c[13]]<<2 | traits[c[14]]<<1 | traits[c[15]]
	if !fits(high) {
		return false
	}
	// Those before as well. Where text begins amid them, the next sample tells; base32 has groups so long that it would come late.
	before := traits[c[1]]<<6 | traits[c[2]]<<5 | traits[c[3]]<<4 | traits[c[4]]<<3 | traits[c[5]]<<2 | traits[c[6]]<<1 | traits[c[7]]
	return fits(high | before&^(b32Lane|lowLane) | traits[c[0]]&(b32Lane|lowLane))
}

// fits reports whether characters with these bits in the lanes can be text in any encoding.
func fits(high uint64) bool {
	return high&aligned[0] == 0 || high&aligned[1] == 0 || high&aligned[2] == 0 || high&aligned[3] == 0 || high&hexLane == 0 || high&b32Lane == 0 || high&lowLane == 0
}
