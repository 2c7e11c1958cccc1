package dlp

import (
	"math/bits"
	"unicode/utf8"
)

// cue is a place in the raw stream at which something may be encoded: what is to be decoded begins at from, and is known
// to be worth it once at has been read. Both are indices into the window.
type cue struct {
	from, at int
	to       int  // at of the last of those that follow so closely that they are one
	broke    int  // where a candidate broke off that has the cue; 0: it is none's
	escape   bool // an escape begins before at
	silent   bool // there is a silent one between
	since    int  // sniffer.since then
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
	since  int // where the first of those was of which none is more than cueBack behind the one before

	wrapAt  int  // where the last line of a wrapped run began
	line    int  // characters of the run until there
	skipped int  // bytes of line ends and indents in it
	indent  bool // what begins the line is still to be skipped

	quiet *quiet // what hides nothing; nil: all may
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
	var before [4]uint64 // of the block before, how many characters of the run end there: 1, 2, 4, 8 or more
	for at := begin; at < len(win); at += blockLen {
		m := marksOf(win[at:])
		whole := m.runs // a bit stays where sampleChars are of the run up to there
		for i := range before {
			before[i], whole = whole, whole&(whole<<(1<<i)|before[i]>>(blockLen-1<<i))
		}
		end := min(at+blockLen, len(win))
		for todo := m.leads | m.backslashes(end-at, win[end:]) | whole; todo != 0; todo &= todo - 1 {
			i := bits.TrailingZeros64(todo)
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
			if s.contiguous() {
				s.sweep(win)
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

// sweep reads the run on, sample after sample, as far as it goes on for another one. It is what most of an image costs.
func (s *sniffer) sweep(win []byte) {
	pos, n := s.pos, s.n
	last := againstFour((*[4]byte)(win[pos-4:]))
	for len(win)-pos >= sampleStep {
		if s.textTo == 0 {
			if skip := sweepWide(win[pos-(sampleChars-sampleStep):]); skip > 0 {
				pos, n = pos+skip, n+skip
				last = againstFour((*[4]byte)(win[pos-4:]))
				if len(win)-pos < sampleStep {
					break
				}
			}
		}
		c := (*[sampleStep]byte)(win[pos:])
		second, third, fourth := againstFour((*[4]byte)(c[0:])), againstFour((*[4]byte)(c[4:])), againstFour((*[4]byte)(c[8:]))
		if (second|third|fourth)&(notRun*inEach) != 0 {
			break
		}
		pos, n = pos+sampleStep, n+sampleStep
		if couldBe(last, second|third|fourth, third|fourth|last&0xFF) == 0 {
			s.textTo = 0
		} else {
			s.pos, s.n = pos, n
			s.sample(win)
		}
		last = fourth
	}
	s.pos, s.n, s.due = pos, n, n+sampleStep
}

// sample looks whether the run's last characters are text, and sets when it is to do so again.
func (s *sniffer) sample(win []byte) {
	s.due = s.n + sampleStep
	var chars [sampleChars]byte
	s.last(win, &chars)
	in := sampled(&chars)
	// Where the sample before was text, what costs little is enough.
	if in == 0 || (s.textTo != s.n-sampleStep || s.n == sampleChars) && !text(&chars, s.n, in) {
		s.textTo = 0
		return
	}
	s.textTo = s.n
	s.add(cue{from: s.back(), at: s.pos})
}

// add notes a cue. One that the view which the last one begins comes to in any case is a part of that.
func (s *sniffer) add(c cue) {
	c.to = c.at
	if n := len(s.cues); n > 0 {
		if last := &s.cues[n-1]; last.broke == 0 && c.at >= last.at && c.at <= last.to+cueReach && c.from >= last.from {
			last.to = c.at
			return
		}
	}
	s.cues = append(s.cues, c)
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
	var hides, more, folds bool
	if rest := win[s.pos:]; rest[0] < utf8.RuneSelf {
		hides, more = s.hides(win, s.pos)
		folds = rest[0] == 0
	} else if r, n := firstRune(rest); n > 0 {
		var as rune
		if as, folds = foldRune(r); folds { // in most languages' texts it does not
			hides, more = s.hidesAs(as, win, s.pos, s.pos+n)
		}
	} else {
		more = true
	}
	if more && !eof {
		return false
	}
	if hides {
		from := max(0, min(s.pos-cueBack, s.back()))
		s.add(cue{from: from, at: s.pos + 1, escape: true, silent: s.silent >= from, since: s.since})
	} else if folds {
		if s.silent < max(0, s.pos-cueBack) {
			s.since = s.pos
		}
		s.silent = s.pos
	}
	s.pos++
	s.n = 0
	return true
}

// firstRune returns the character that b begins with, and how many bytes it takes; 0: b ends amid it.
func firstRune(b []byte) (r rune, n int) {
	if len(b) > 1 && b[0]&0xE0 == 0xC0 && b[0] >= 0xC2 && b[1]&0xC0 == 0x80 { // most letters
		return rune(b[0]&0x1F)<<6 | rune(b[1]&0x3F), 2
	}
	if !utf8.FullRune(b) {
		return 0, 0
	}
	return utf8.DecodeRune(b)
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
	s.since -= n
	for i := range s.cues {
		s.cues[i].from -= n
		s.cues[i].at -= n
		s.cues[i].to -= n
		s.cues[i].broke -= n
		s.cues[i].since -= n
	}
}

// text reports whether chars, the last of n in a run, decode to text in any way of in.
func text(chars *[sampleChars]byte, n int, in readings) bool {
	for i, e := range encodings {
		if in>>i&1 == 0 || e.value[chars[0]] == noValue || e.value[chars[sampleChars-1]] == noValue {
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
		i := backslashesOf(rest)
		switch {
		case i > mostBackslashes:
			return true, false
		case i == len(rest):
			return false, true
		case rest[i] == 'u' && s.quiet != nil:
			quiet, short := s.silences(rest[i:])
			return !quiet && !short, short
		case rest[i] == '0' || rest[i] == '1' || rest[i] == 'U': // often a zero byte, and the begin of a Windows path
			u, more := backslash(rest[i-1 : min(len(rest), i+9)])
			return u.taken > 0 && u.bytes[0] >= ' ', more
		}
		return hidden[rest[i]], false
	case '&':
		u, more := entity(rest[:min(len(rest), maxEscape)])
		return u.taken > 0, more && len(rest) < maxEscape
	case 0: // UTF-16 has one behind each character of ASCII, or before
		if at > 0 && tokenChar[win[at-1]] {
			return len(rest) > 1 && tokenChar[rest[1]], len(rest) == 1
		}
	}
	return false, false
}

// backslashesOf returns how many b begins with, and no more than one more than can all be of one escape.
func backslashesOf(b []byte) (n int) {
	for n < len(b) && n <= mostBackslashes && b[n] == '\\' {
		n++
	}
	return n
}

// hidesAs is hides for the character in win[at:end], which looks like as.
func (s *sniffer) hidesAs(as rune, win []byte, at, end int) (yes, more bool) {
	switch {
	case as == 0 || as == '-' && end-at == 3 && win[at] == 0xE2: // in emoji, and between words
		before, _ := utf8.DecodeLastRune(win[:at])
		if ofToken(before) {
			return true, false
		}
		after, n := firstRune(win[end:])
		return n > 0 && ofToken(after), n == 0
	case end-at == 2: // letters, which are among themselves where they are a language's
		if at > 0 && tokenChar[win[at-1]] {
			return true, false
		}
		if end < len(win) && win[end] == '.' { // at a sentence's end
			end++
		}
		return end < len(win) && tokenChar[win[end]], end == len(win)
	}
	return s.quiet == nil || !s.quiet.wide[as], false
}

// ofToken reports whether r is what a token is made of, or looks like it.
func ofToken(r rune) bool {
	if r < utf8.RuneSelf {
		return tokenChar[r]
	}
	_, ok := foldRune(r)
	return ok
}
