package dlp

import (
	"math/bits"
	"unicode/utf8"
)

// cue is a place in the raw stream at which something may be encoded: what is to be decoded begins at from, and is known
// to be worth it once at has been read. Both are indices into the window.
type cue struct {
	from, at int
	broke    int  // where a candidate broke off that has the cue; 0: it is none's
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
		s.cues[i].broke -= n
	}
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

// hidden are the letters of escapes that stand for what may be of a token.
var hidden = set("ux/U01")

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
		if i < 4 && (rest[i] == '0' || rest[i] == '1' || rest[i] == 'U') { // often a zero byte, and the begin of a Windows path
			u, more := backslash(rest[i-1 : min(len(rest), i+9)])
			return u.taken > 0 && u.bytes[0] >= ' ', more
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
