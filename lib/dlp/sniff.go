package dlp

import "unicode/utf8"

// cue is a place in the raw stream at which something may be encoded: what is to be decoded begins at from, and is known
// to be worth it once at has been read. Both are indices into the window.
type cue struct{ from, at int }

const (
	// cueBack is how far before an escape the decoding begins: behind a keyword's begin.
	cueBack = 8
	// cueRun is how many bytes of an encoded run before its sample, or before an escape in it, are decoded.
	cueRun = 48
	// cueReach is how far behind a cue the decoding goes on at least: two samples of a run.
	cueReach = 64
)

// sniffer looks for cues: for escapes that may hide a keyword, and for runs that decode to text. It is what undoing
// encodings costs where there are none.
type sniffer struct {
	pos     int    // it has read the window up to here
	run     int    // where the current run of runChar began
	n       int    // its characters; 0: there is none
	line    int    // how many there were when this line began
	due     int    // how many there are at the next sample
	high    uint64 // traits of the last characters
	seen    uint64 // traits of all since the last sample
	wrapped bool
	cues    []cue
}

// seek reads win on. eof says that nothing follows win.
func (s *sniffer) seek(win []byte, eof bool) {
	pos, n, due, high, seen := s.pos, s.n, s.due, s.high, s.seen
	for pos < len(win) {
		t := traits[win[pos]]
		if t < noRunChar {
			high = high<<1&(lanes&^carried) | t&lanes
			seen |= t
			n++
			pos++
			if n < due {
				continue
			}
			if couldBeText(high, seen) && text(win, pos, n) {
				s.cues = append(s.cues, cue{max(s.run, pos-cueRun), pos})
			}
			due, seen = n+sampleStep, 0
			continue
		}
		if t > noRunChar {
			hides, more := hides(win, pos)
			if more && !eof {
				break
			}
			if hides {
				from := pos - cueBack
				if n > 0 {
					from = min(from, max(s.run, pos-cueRun))
				}
				s.cues = append(s.cues, cue{max(from, 0), pos + 1})
			}
		}
		if n > 0 && s.goesOn(win[pos], n) {
			pos++
			continue
		}
		pos++
		n, due, seen, s.run, s.line, s.wrapped = 0, sampleChars, 0, pos, 0, false
	}
	s.pos, s.n, s.due, s.high, s.seen = pos, n, due, high, seen
}

// goesOn reports whether the run of n characters may go on behind c, on another line.
func (s *sniffer) goesOn(c byte, n int) bool {
	switch c {
	case '\n', '\r':
		if n-s.line >= wrapAfter || s.wrapped {
			s.wrapped, s.line = true, n
			return true
		}
	case ' ', '\t':
		return s.wrapped && s.line == n
	}
	return false
}

// A byte of text has its highest bit clear. Where the characters of base64 stand in groups of four, that bit is bit 5 of
// the first, bit 3 of the second or bit 1 of the third. The three bits of the last 16 characters are kept in three lanes,
// so that one comparison an alignment tells whether they can be text.
const (
	lane      = sampleChars
	lanes     = 1<<(3*lane) - 1
	carried   = 1<<lane | 1<<(2*lane) // what a shift takes into the next lane
	noHex     = 1 << 60
	noBase32  = 1 << 61
	noRunChar = 1 << 62
	leads     = 1 << 63
)

// traits says of each byte what it has in the lanes, and what it is not.
var traits = func() (t [256]uint64) {
	for c := range t {
		v := uint64(runChar[c])
		if v == noValue {
			t[c] = noRunChar
			if cueLead[c] {
				t[c] |= leads
			}
			continue
		}
		t[c] = v>>5&1 | v>>3&1<<lane | v>>1&1<<(2*lane)
		if encodings[1].value[c] == noValue {
			t[c] |= noBase32
		}
		if encodings[2].value[c] == noValue {
			t[c] |= noHex
		}
	}
	return t
}()

// aligned are the bits that must be clear, for each alignment of the last character.
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
func couldBeText(high, seen uint64) bool {
	return high&aligned[0] == 0 || high&aligned[1] == 0 || high&aligned[2] == 0 || high&aligned[3] == 0 ||
		seen&noHex == 0 || seen&noBase32 == 0
}

// text reports whether the last characters of the run of n that ends at win[end] decode to text in any way.
func text(win []byte, end, n int) bool {
	var chars [sampleChars]byte
	for i := len(chars) - 1; i >= 0; {
		end--
		if runChar[win[end]] != noValue {
			chars[i] = win[end]
			i--
		}
	}
	for _, e := range encodings {
		if e.value[chars[0]] == noValue || e.value[chars[sampleChars-1]] == noValue {
			continue
		}
		for phase := range e.group {
			if e.textAt(chars[:], n-sampleChars, phase) {
				return true
			}
		}
	}
	return false
}

// held is the index of the first byte that a cue to come may begin at.
func (s *sniffer) held(end int) int {
	at := end
	if s.pos < end {
		at = max(0, s.pos-cueBack)
	}
	if s.n > 0 {
		at = min(at, max(s.run, s.pos-cueRun))
	}
	return at
}

func (s *sniffer) slide(n int) {
	s.pos -= n
	s.run -= n
	for i := range s.cues {
		s.cues[i].from -= n
		s.cues[i].at -= n
	}
}

// cueLead are the bytes that the escapes which can hide a keyword begin with. Of other scripts only those are here that
// have look-alikes of ASCII.
var cueLead = func() (c class) {
	c['%'], c['\\'], c['&'] = true, true, true
	for _, b := range []int{0xC2, 0xCD, 0xCE, 0xCF, 0xD0, 0xD1, 0xD2, 0xD3, 0xD4, 0xD8, 0xE1, 0xE2, 0xEA, 0xEF, 0xF0, 0xF3} {
		c[b] = true
	}
	return c
}()

// tokenChar is what a credential's characters are made of, mostly.
var tokenChar = union(base64URL, set("."))

// hides reports whether an escape at win[at] can stand for a part of a keyword or a value. Those of ordinary JSON, \n and
// \", cannot; they separate words in a way that the patterns know.
func hides(win []byte, at int) (yes, more bool) {
	rest := win[at:]
	switch rest[0] {
	case '%':
		_, ok, short := hexDigits(rest[1:], 2)
		return ok, short
	case '\\':
		i := 1
		for i < len(rest) && i < 4 && rest[i] == '\\' {
			i++
		}
		if i == len(rest) {
			return false, true
		}
		return i == 4 || rest[i] == 'u' || rest[i] == 'x' || rest[i] == '/', false
	case '&':
		u, more := entity(rest[:min(len(rest), maxEscape)])
		return u.taken > 0, more && len(rest) < maxEscape
	}
	if !utf8.FullRune(rest) {
		return false, true
	}
	r, n := utf8.DecodeRune(rest)
	if r < 0x500 && r != 0xAD { // letters, which are among themselves where they are a language's
		if at > 0 && tokenChar[win[at-1]] {
			_, ok := foldRune(r)
			return ok, false
		}
		if n == len(rest) {
			return false, true
		}
		if !tokenChar[rest[n]] {
			return false, false
		}
	}
	_, ok := foldRune(r)
	return ok, false
}
