package dlp

import (
	"math/bits"
	"unicode/utf8"
)

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
	pos    int // it has read the window up to here
	n      int // characters of the current run of runChar; 0: there is none
	due    int // how many there are at the next sample
	textTo int // how many there were at the last sample, if that was text
	silent int // where the last escape was that is no cue, but is undone where there is one behind it

	wrapAt  int  // where the last line of a wrapped run began
	line    int  // characters of the run until there
	skipped int  // bytes of line ends and indents in it
	indent  bool // what begins the line is still to be skipped

	quiet *class // what hides nothing where it is escaped; nil: all may
	cues  []cue
}

// seek reads win on. eof says that nothing follows win.
func (s *sniffer) seek(win []byte, eof bool) {
	for s.pos < len(win) {
		read := s.skim
		if s.n >= sampleChars {
			read = s.follow
		}
		if !read(win, eof) {
			return
		}
	}
}

// skim reads what is in no run that is long enough for a sample, up to the first that is. It returns false if more must be
// known. Most words are short, so that it does not look at where they end, but at blockLen bytes at once.
func (s *sniffer) skim(win []byte, eof bool) bool {
	begin := s.pos - s.n // of a word that may go on
	before := uint32(0)
	for at := begin; at < len(win); at += blockLen {
		m := marksOf(win[at:])
		long := uint64(m.runs)<<blockLen | uint64(before) // a bit stays where as many before it are of the run as
		long &= long << 1                                 // 2
		long &= long << 2                                 // 4
		long &= long << 4                                 // 8
		long &= long << 8                                 // 16: sampleChars
		whole := uint32(long >> blockLen)
		before = m.runs
		for todo := m.leads | m.backslashes(min(blockLen, len(win)-at)) | whole; todo != 0; todo &= todo - 1 {
			i := bits.TrailingZeros32(todo)
			s.pos, s.n = at+i, 0
			if whole>>i&1 == 1 {
				s.pos, s.n, s.due = s.pos+1, sampleChars, sampleChars
				return true
			}
			if !s.special(win, eof) {
				return false
			}
		}
	}
	s.pos, s.n = len(win), 0
	for s.pos-s.n > begin && runChar[win[s.pos-s.n-1]] != noValue {
		s.n++
	}
	return true
}

// follow reads the run on, of which a sample's characters are known, up to its end. It returns false if more must be known.
func (s *sniffer) follow(win []byte, eof bool) bool {
	if s.indent {
		s.skipIndent(win)
	}
	for {
		if s.n == s.due {
			s.sample(win)
			for len(win)-s.pos >= sampleStep && inRun((*[sampleStep]byte)(win[s.pos:])) {
				s.pos, s.n = s.pos+sampleStep, s.n+sampleStep
				s.sample(win)
			}
		}
		for s.pos < len(win) && s.n < s.due && runChar[win[s.pos]] != noValue {
			s.pos, s.n = s.pos+1, s.n+1
		}
		switch {
		case s.n == s.due:
			continue
		case s.pos == len(win):
			return true
		}
		switch c := win[s.pos]; {
		case c == '\n' || c == '\r':
			s.wrap(win)
		case mayEscape[c]:
			return s.special(win, eof)
		default:
			s.pos, s.n = s.pos+1, 0
			return true
		}
	}
}

// inRun reports whether all of chars are of a run.
func inRun(c *[sampleStep]byte) bool {
	v := runChar
	return (v[c[0]]|v[c[1]]|v[c[2]]|v[c[3]]|v[c[4]]|v[c[5]]|v[c[6]]|v[c[7]]|v[c[8]]|v[c[9]]|v[c[10]]|v[c[11]])&0x80 == 0
}

// sample looks whether the run's last characters are text, and sets when it is to do so again.
func (s *sniffer) sample(win []byte) {
	s.due = s.n + sampleStep
	if s.contiguous() && !couldBeText((*[sampleChars]byte)(win[s.pos-sampleChars:])) {
		s.textTo = 0
		return
	}
	var chars [sampleChars]byte
	s.last(win, &chars)
	// Where the sample before was text, what costs little is enough.
	if !couldBeText(&chars) || (s.textTo != s.n-sampleStep || s.n == sampleChars) && !text(&chars, s.n) {
		s.textTo = 0
		return
	}
	s.textTo = s.n
	s.cues = append(s.cues, cue{from: s.back(), at: s.pos})
}

// contiguous reports whether no line's end is amid the run's last sample.
func (s *sniffer) contiguous() bool {
	return s.line == 0 || s.n-s.line >= sampleChars || !s.unbroken()
}

// last copies the last characters of the run.
func (s *sniffer) last(win []byte, chars *[sampleChars]byte) {
	if s.contiguous() {
		copy(chars[:], win[s.pos-sampleChars:])
		return
	}
	for i, at := sampleChars-1, s.pos; i >= 0; {
		at--
		if runChar[win[at]] != noValue {
			chars[i] = win[at]
			i--
		}
	}
}

// wrap ends a line of the run.
func (s *sniffer) wrap(win []byte) {
	if !s.unbroken() {
		s.skipped = 0
	}
	s.line, s.indent = s.n, true
	s.skipIndent(win)
}

// special reads a byte that may begin an escape. It returns false if more must be known.
func (s *sniffer) special(win []byte, eof bool) bool {
	hides, more := s.hides(win, s.pos)
	if more && !eof {
		return false
	}
	if from := max(0, min(s.pos-cueBack, s.back())); hides {
		s.cues = append(s.cues, cue{from: from, at: s.pos + 1, escape: true, silent: s.silent >= from})
	} else if win[s.pos] == 0 || folds(win[s.pos:]) {
		s.silent = s.pos
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

// backslashes marks those of the first n bytes of which hides may say yes: four, or fewer and what it wants to see. Of the last
// ones it cannot know.
func (m *marks) backslashes(n int) uint32 {
	if m.slashes == 0 {
		return 0
	}
	last := uint32(1)<<n - 1<<max(0, n-3)
	second := m.slashes & (m.slashes >> 1)
	third := second & (m.slashes >> 2)
	return m.slashes&(m.letters>>1) | second&(m.letters>>2) | third&(m.letters>>3) | third&(m.slashes>>3) | m.slashes&last
}

// A byte of text has its highest bit clear. Where the characters of base64 stand in groups of four, that bit is bit 5 of
// the first, bit 3 of the second or bit 1 of the third. The three bits of eight characters are kept in three lanes, so
// that one comparison an alignment tells whether they can be text; two more lanes say which are no hex digits, and which none
// of base32.
const (
	lane    = 8
	hexLane = (1<<lane - 1) << (3 * lane)
	b32Lane = (1<<lane - 1) << (4 * lane)
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
	return fits(high | before&^b32Lane | traits[c[0]]&b32Lane)
}

// fits reports whether characters with these bits in the lanes can be text in any encoding.
func fits(high uint64) bool {
	return high&aligned[0] == 0 || high&aligned[1] == 0 || high&aligned[2] == 0 || high&aligned[3] == 0 || high&hexLane == 0 || high&b32Lane == 0
}

// text reports whether chars, the last of n in a run, decode to text in any way.
func text(chars *[sampleChars]byte, n int) bool {
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

// quietChars are no part of an encoding, of a run or of most keywords. Encoders of JSON write them as \u003c all the same, for HTML, and
// terminals use the last. Where they are part of a value whose name or begin stands before, the candidate breaks off there, which is a
// cue as well.
const quietChars = "<>'\x1b"

// quiet returns those of quietChars that hide nothing with the rules r; nil where it is not known what they look for.
func (r *Rules) quiet() *class {
	if len(r.expressions.all) > 0 {
		return nil
	}
	var c class
	for i := range len(quietChars) {
		b := quietChars[i]
		c[b] = r.auto.column[b] == 0 && (r.known == nil || !r.known.bytes[b])
	}
	return &c
}

// silences reports whether an escape that goes on with b, from its u on, is of a quiet character, or of an & behind which stands nothing
// that is a character reference or a name.
func (s *sniffer) silences(b []byte) (quiet, short bool) {
	for {
		c, ok, short := hexDigits(b[1:], 4)
		switch {
		case short || !ok:
			return false, short
		case c < utf8.RuneSelf && s.quiet[c]:
			return true, false
		case c != '&':
			return false, false
		}
		if b = b[5:]; len(b) == 0 {
			return false, true
		}
		if b[0] == ' ' || b[0] == '&' { // as in most code
			return b[0] == ' ', false
		}
		i := 0
		for i < len(b) && i < 4 && b[i] == '\\' {
			i++
		}
		switch {
		case i == len(b):
			return false, true
		case i == 0 || b[i] != 'u':
			return false, false
		}
		b = b[i:]
	}
}

// hidden are the letters of JSON's escapes that stand for what may be of a token.
var hidden = set("ux/")

// hides reports whether an escape at win[at] can stand for a part of a keyword or a value. Those of ordinary JSON, \n and
// \", cannot; they separate words in a way that the patterns know.
func (s *sniffer) hides(win []byte, at int) (yes, more bool) {
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
		if i < 4 && rest[i] == 'u' && s.quiet != nil {
			quiet, short := s.silences(rest[i:])
			return !quiet && !short, short
		}
		return i == 4 || hidden[rest[i]], false
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
