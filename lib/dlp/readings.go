package dlp

// What a character of a run says against its being of encoded text. A byte of text has its highest bit clear. Where the characters of base64
// stand in groups of four, that bit is bit 5 of the first, bit 3 of the second or bit 1 of the third.
const (
	highFirst  = 1 << 0 // of base64's first
	highSecond = 1 << 1
	highThird  = 1 << 2
	notHex     = 1 << 3
	notBase32  = 1 << 4
	notLower   = 1 << 5 // base32 in lower case
	notRun     = 1 << 7

	// inEach has a bit for each of four characters.
	inEach = 0x01010101
)

// against has the bits above for each character.
var against = func() (t [256]uint8) {
	for c := range t {
		v := runChar[c]
		if v == noValue {
			t[c] = notRun
			continue
		}
		t[c] = v>>5&1*highFirst | v>>3&1*highSecond | v>>1&1*highThird
		for i, bit := range [...]uint8{1: notBase32, 2: notHex, 3: notLower} {
			if encodings[i].value[c] == noValue {
				t[c] |= bit
			}
		}
	}
	return t
}()

// againstFour has those bits of four characters, the first one's lowest.
func againstFour(c *[4]byte) uint32 {
	return uint32(against[c[0]]) | uint32(against[c[1]])<<8 | uint32(against[c[2]])<<16 | uint32(against[c[3]])<<24
}

// The bits that must be clear in four characters of base64, by which of them a group begins with, and those of it that are of the group
// before.
const (
	highs0  = highFirst | highSecond<<8 | highThird<<16
	highs1  = highs0 << 8
	highs2  = highs0 << 16 & (1<<32 - 1)
	before2 = highs0 >> 16
	highs3  = highs0 << 24 & (1<<32 - 1)
	before3 = highs0 >> 8
)

// readings is a set of encodings: a bit for each, by its index.
type readings uint8

// couldBe returns the encodings in which a sample may be text; most often there are none. first is what speaks against it in its first four
// characters, rest the same of the others, put together, and late that of the last eight and the first. Where text begins amid the sample, the
// next one tells, but base32 has groups so long that this would come late.
func couldBe(first, rest, late uint32) (in readings) {
	all := first | rest
	if all&highs0 == 0 || all&highs1 == 0 || all&highs2|rest&before2 == 0 || all&highs3|rest&before3 == 0 {
		in = 1
	}
	if late&(notBase32*inEach) == 0 {
		in |= 1 << 1
	}
	if all&(notHex*inEach) == 0 {
		in |= 1 << 2
	}
	if late&(notLower*inEach) == 0 {
		in |= 1 << 3
	}
	return in
}

// sampled returns the encodings in which a sample may be text.
func sampled(c *[sampleChars]byte) readings {
	first, second, third, last := againstFour((*[4]byte)(c[0:])), againstFour((*[4]byte)(c[4:])), againstFour((*[4]byte)(c[8:])), againstFour((*[4]byte)(c[12:]))
	return couldBe(first, second|third|last, third|last|first&0xFF)
}
