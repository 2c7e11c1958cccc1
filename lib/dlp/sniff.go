package dlp

import "unicode/utf8"

// cue is a place in the raw stream at which something may be encoded: what is to be decoded begins at from, and is known
// to be worth it once at has been read. Both are indices into the window.
type cue struct {
	from, at int
	escape   bool // an escape begins before at
	silent   bool // there is a silent one between
}

const (
	// cueBack is how far before an escape the decoding begins: before a keyword's begin, and what of a value may stand before that.
	cueBack = 88
	// cueRun is how many bytes of an encoded run before its sample, or before an escape in it, are decoded.
	cueRun = 48
	// cueReach is how far behind a cue the decoding goes on at least: two samples of a run.
	cueReach = 64
)

// sniffer looks for cues: for escapes that may hide a keyword, and for runs that decode to text. It is what undoing
// encodings costs where there are none.
type sniffer struct {
	pos    int    // it has read the window up to here
	n      int    // characters of the current run of runChar; 0: there is none
	due    int    // how many there are at the next sample
	textTo int    // how many there were at the last sample, if that was text
	high   uint64 // traits of the last characters
	silent int    // where the last escape was that is no cue, but is undone where there is one behind it

	wrapAt  int  // where the last line of a wrapped run began
	line    int  // characters of the run until there
	skipped int  // bytes of line ends and indents in it
	indent  bool // what begins the line is still to be skipped

	cues []cue
}

// seek reads win on. eof says that nothing follows win. Most words are short, so that the loop does not branch at their
// ends: a processor would guess them wrong.
func (s *sniffer) seek(win []byte, eof bool) {
	if s.indent {
		s.skipIndent(win)
	}
	pos, n, high := s.pos, s.n, s.high
	for pos < len(win) {
		t := traits[win[pos]]
		if int64(t) < 0 { // a lead or a line's end
			s.pos, s.n = pos, n
			if !s.special(win, eof) {
				break
			}
			pos, n = s.pos, s.n
			continue
		}
		high = high<<1&(lanes&^carried) | t&lanes
		n = (n + 1) & -int(t>>62)
		pos++
		if n == sampleChars || n > sampleChars && n == s.due {
			s.due = n + sampleStep
			// Where the sample before was text, what costs little is enough.
			if couldBeText(high, win[:pos]) && (s.textTo == n-sampleStep && n > sampleChars || text(win, pos, n)) {
				s.textTo = n
				s.pos, s.n = pos, n
				s.cues = append(s.cues, cue{from: s.back(), at: pos})
			} else {
				s.textTo = 0
			}
		}
	}
	s.pos, s.n, s.high = pos, n, high
}

// special reads a byte that may begin an escape, or a line's end. It returns false if more must be known.
func (s *sniffer) special(win []byte, eof bool) bool {
	c := win[s.pos]
	if c == '\n' || c == '\r' {
		unbroken := s.unbroken()
		if unbroken || s.n >= wrapAfter {
			if !unbroken {
				s.skipped = 0
			}
			s.line, s.indent = s.n, true
			s.skipIndent(win)
			return true
		}
	} else {
		hides, more := hides(win, s.pos)
		if more && !eof {
			return false
		}
		if from := max(0, min(s.pos-cueBack, s.back())); hides {
			s.cues = append(s.cues, cue{from: from, at: s.pos + 1, escape: true, silent: s.silent >= from})
		} else if c == 0 || folds(win[s.pos:]) {
			s.silent = s.pos
		}
	}
	s.pos++
	s.n = 0
	return true
}

// skipIndent skips what stands between two lines of a wrapped run.
func (s *sniffer) skipIndent(win []byte) {
	for s.pos < len(win) {
		switch win[s.pos] {
		case '\n', '\r', ' ', '\t':
			s.pos++
			s.skipped++
			continue
		}
		s.indent = false
		break
	}
	s.wrapAt = s.pos
}

// unbroken reports whether the current run came over a line's end.
func (s *sniffer) unbroken() bool { return s.line > 0 && s.n >= s.line && s.pos-s.wrapAt == s.n-s.line }

// back returns where decoding the current run begins for a cue at s.pos.
func (s *sniffer) back() int {
	begin := s.pos - s.n
	if s.unbroken() {
		begin -= s.skipped
	}
	return max(begin, s.pos-cueRun, 0)
}

// held is the index of the first byte that a cue to come may begin at.
func (s *sniffer) held(end int) int {
	at := end
	if s.pos < end {
		at = max(0, s.pos-cueBack)
	}
	if s.n > 0 {
		at = min(at, s.back())
	}
	return at
}

func (s *sniffer) slide(n int) {
	s.pos -= n
	s.wrapAt -= n
	s.silent -= n
	for i := range s.cues {
		s.cues[i].from -= n
		s.cues[i].at -= n
	}
}

// A byte of text has its highest bit clear. Where the characters of base64 stand in groups of four, that bit is bit 5 of
// the first, bit 3 of the second or bit 1 of the third. The three bits of the last characters are kept in three lanes, so
// that one comparison an alignment tells whether they can be text; a fourth lane says which are no hex digits.
const (
	lane    = 15
	lanes   = 1<<(4*lane) - 1
	carried = 1<<lane | 1<<(2*lane) | 1<<(3*lane) // what a shift takes into the next lane
	hexLane = lanes &^ (1<<(3*lane) - 1)
	inRun   = 1 << 62
	special = 1 << 63
)

// traits says of each byte what it has in the lanes, and whether it belongs to a run or is special.
var traits = func() (t [256]uint64) {
	for c := range t {
		v := uint64(runChar[c])
		switch {
		case mayEscape[c] || c == '\n' || c == '\r':
			t[c] = special
		case v != noValue:
			t[c] = inRun | v>>5&1 | v>>3&1<<lane | v>>1&1<<(2*lane)
			if encodings[2].value[c] == noValue {
				t[c] |= 1 << (3 * lane)
			}
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
func couldBeText(high uint64, before []byte) bool {
	if high&aligned[0] == 0 || high&aligned[1] == 0 || high&aligned[2] == 0 || high&aligned[3] == 0 || high&hexLane == 0 {
		return true
	}
	n := len(before)
	for _, ago := range [...]int{1, 2, 4, 7, 11, 16} {
		if encodings[1].value[before[n-ago]] == noValue {
			return false
		}
	}
	return true
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

// folds reports whether b begins with a character that looks like one of ASCII.
func folds(b []byte) bool {
	if b[0] < utf8.RuneSelf {
		return false
	}
	r, _ := utf8.DecodeRune(b)
	_, ok := foldRune(r)
	return ok
}

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
	if rest[0] == 0 { // UTF-16 has one behind each character of ASCII, or before
		if at == 0 || !tokenChar[win[at-1]] {
			return false, false
		}
		return len(rest) > 1 && tokenChar[rest[1]], len(rest) == 1
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
