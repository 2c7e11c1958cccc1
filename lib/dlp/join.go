package dlp

import "bytes"

// A secret can be written in pieces that stand in order: in two parameters (a=ghp_xx&b=yy), two strings
// ("ghp_xx", "yy" and "a":"ghp_xx","b":"yy"), a concatenation ("ghp_xx" + "yy"), two labels of a host name, two segments of a
// path, two lines. What stands between two pieces is a joint. A candidate whose pattern breaks off at one is tried once more
// without its joints. Where they are of JSON they may have strings in them that can be no piece, those of
// {"role":"user","content":"ghp_xx"},{"role":"user","content":"yy"}; if that is no match, each string is taken for a piece.

// joining says how a pattern may be put together from pieces.
type joining uint8

const (
	// joinNever is for patterns that ordinary text could complete.
	joinNever joining = iota
	// joinRandom asks for a digit behind the keyword, or mixed case: words of a list have neither.
	joinRandom
	// joinChecked is for patterns whose check is enough.
	joinChecked
	// joinLines is for what only a name before it gives away: over lines alone, no piece a word.
	joinLines
	// joinWrapped is for what only a general name gives away: over lines alone, as something that wraps them makes them.
	joinWrapped
)

const (
	// maxJoints is how many joints a secret can have: three pieces. A line's end may come oftener, where lines are as long as
	// each other.
	maxJoints = 2
	maxLines  = 64
	// maxJoint is how many bytes one takes.
	maxJoint = 96
	// maxSkipping is how many a joint takes with other strings in it, maxSkipped how long one of those is.
	maxSkipping = 400
	maxSkipped  = 80
	// minWord is how long the shortest word is that is skipped: user, text, tool.
	minWord = 4
	// maxTries is how many candidates that break off at one place are put together. In sk-sk-sk-… each is one, and takes all
	// that follows.
	maxTries = 8
	// piecesWork is how many bytes are read to put candidates together for each byte of the stream, piecesAtOnce how many more if there
	// were few before.
	piecesWork   = 6
	piecesAtOnce = 8 << 10
	// maxName is how long the name of a parameter or member is.
	maxName = 48
	// minLine is how long the first piece of a value over lines is, that of joinLines.
	minLine = 1
	// shortWord is how long a word is that the first piece can be: random letters of one case.
	shortWord = 6
	// minPiece is how many characters the first piece has behind what the automaton knows of a name, minBegin how many it has in all where
	// nothing but a form is looked for, unless the pattern is joinChecked.
	minPiece = 2
	minBegin = 5
)

// joiningOf says how the rows with prefix may be in pieces: the longer the prefix and the form, and the more exact the form,
// the less can ordinary text complete it.
func joiningOf(prefix string, steps []step) joining {
	length, exact := 0, true
	for _, s := range steps {
		length += s.min
		exact = exact && s.max-s.min <= 8
	}
	switch n := len(prefix); {
	case exact && n >= 3 && length >= 20 && n+length >= 24, n >= 4 && length >= 30, n >= 5 && length >= 16,
		exact && n >= 2 && length >= 32, n >= 3 && length >= 50:
		return joinRandom
	case length >= 20:
		return joinLines
	}
	return joinNever
}

// join is how far the candidate was put together.
type join struct {
	on       bool
	at       int // the window was read up to here
	step, n  int // the step, and how many bytes it has
	previous int // how many the step before has
	joints   int
	lines    int // of the joints, those that are a line's end alone
	value    int // where what may be in pieces begins in the assembled text
	from     int // where the value begins in the assembled text, before its first joint
	piece    int // where the running piece begins in the assembled text
	middle   int // how long a piece between two line ends is
	shift    int // how many bytes of joints are before the value
	wrap     wrap
	signs    uint32 // of the mark before each line
	strings  bool   // the last joint is between two strings
	quoted   bool   // a joint begins with a quotation mark
	skipping bool   // joints may have other strings in them
}

// jointStart are the bytes that a joint begins with, lineStart those that a line's end does.
var (
	jointStart = set("&;./=\"'`\\ \t\r\n")
	lineStart  = set("=\\ \t\r\n")
	quotes     = set("\"'`")
)

// What may stand amid a keyword, or between it and what must be next: an escape, a line's end, or another joint that is not as often
// something else.
const (
	anEscape = 1 << iota
	aLineEnd
	aJoint
)

// beginsOf has for each byte the bits of what it may begin.
var beginsOf = func() (all [256]uint8) {
	for bit, c := range map[uint8]*class{anEscape: &mayEscape, aLineEnd: set("\r\n"), aJoint: set("\"'`&;./")} {
		for _, b := range c.bytes() {
			all[b] |= bit
		}
	}
	return all
}()

// linesOnly reports whether the pattern's step may be in pieces over lines alone: one of a secret that only a name gives away, of
// a keyword that so far may be a word (github_pat_), or of what comes before the pattern's other pieces.
func (p *pattern) linesOnly(step int) bool {
	return p.joins >= joinLines || step < p.joinFrom && (step < p.partFrom || step >= p.unknown)
}

// partsFrom returns from which step on a pattern may be in pieces anywhere: one of its keyword's, of which the automaton knows as many bytes,
// or the first behind it.
func (p *pattern) partsFrom(keyword string, known int) int {
	if p.joins == joinNever || p.joins >= joinLines || p.dotted || known < minBegin {
		return p.unknown + 1
	}
	n := 0
	for n < len(keyword) && letter[keyword[n]] {
		n++
	}
	return max(n+1-known, 0)
}

// mayBreak reports whether the pattern's step may break off at a joint that begins with c.
func (p *pattern) mayBreak(step int, c byte) bool {
	switch {
	case !p.linesOnly(step):
		return jointStart[c] && !(p.dotted && c == '.')
	case step < p.joinFrom:
		return (step < p.unknown || p.lined) && p.joins != joinWrapped && (c == '\n' || c == '\r' || c == '\\')
	}
	return lineStart[c] || quotes[c]
}

// joined tries the candidate of k, which has no match as it stands, in pieces. The whole of it is then e.assembled.
func (e *engine) joined(k *keyword, win []byte, eof bool) verdict {
	p, c := k.pattern, &e.cand
	j := &c.join
	if p.joins == joinNever || !c.begun || c.framed && !amidBinary(win, c.start) {
		return no
	}
	if !j.on {
		at, v := e.breaksOff(k, win, eof)
		if v != yes {
			return v
		}
		if e.brokeAt != at {
			e.brokeAt, e.tries = at, 0
		}
		if e.tries++; e.tries > maxTries || !e.affords(c.start) {
			return no
		}
		*j = join{on: true, at: e.pos, skipping: p.joins < joinLines}
		e.assembled = append(e.assembled[:0], win[c.start:e.pos]...)
	}
	v := e.assemble(k, win, eof)
	if v == no && j.quoted && j.skipping {
		e.spent += j.at - e.pos
		*j = join{on: true, at: e.pos}
		e.assembled = append(e.assembled[:0], win[c.start:e.pos]...)
		v = e.assemble(k, win, eof)
	}
	if v != more {
		e.spent += j.at - e.pos
	}
	return v
}

// breaksOff returns where the candidate of k breaks off, and whether a joint may be there. It changes nothing, so that what it says is
// the same once more is known.
func (e *engine) breaksOff(k *keyword, win []byte, eof bool) (at int, v verdict) {
	p, c := k.pattern, &e.cand
	if at = c.from; c.step < len(p.steps) && p.steps[c.step].gap == nil {
		s := &p.steps[c.step]
		at = e.runEnd(s.class, c.from, min(c.from+s.max, len(win)), win)
	}
	switch {
	case at == len(win) && eof:
		return at, no
	case at == len(win):
		return at, more
	case !p.mayBreak(c.step, win[at]) || at-c.start < skimMost: // so much of it is known to stand there where a short keyword does
		return at, no
	case !p.linesOnly(c.step):
		return at, yes
	}
	v, seen := p.goesOn(c.step, win[at:])
	switch {
	case e.tooFar(c.start, at+seen-1):
		return at, no
	case v == more && eof:
		return at, yes // nothing more is no other line
	}
	return at, v
}

// affords reports whether another candidate, at start, is put together: those that were take a bounded part of the work, also
// where each line of a text begins another.
func (e *engine) affords(start int) bool {
	e.spent = max(0, e.spent-piecesWork*(start-e.spentAt))
	e.spentAt = start
	return e.spent <= piecesAtOnce
}

// assemble goes on putting the candidate together.
func (e *engine) assemble(k *keyword, win []byte, eof bool) verdict {
	p, c := k.pattern, &e.cand
	j := &c.join
	for {
		if j.at-c.start > MaxMatch-2*maxMargin || e.tooFar(c.start, j.at-1) {
			return no
		}
		if j.step == len(p.steps) {
			switch v := e.complete(k, win, eof); {
			case v != no:
				return v
			}
			// More of the last step may follow behind a joint.
			if v := e.overJoint(p, win, eof); v != yes {
				return v
			}
			continue
		}
		s := &p.steps[j.step]
		if j.step == p.joinFrom && j.n == 0 && j.value == 0 {
			j.value = len(e.assembled)
			j.shift = j.at - c.start - j.value
		}
		if s.gap != nil {
			n, short := s.gap(win[j.at:min(j.at+s.max, len(win))])
			switch {
			case short && len(win)-j.at < s.max && !eof:
				return more
			case n < s.min:
				return no
			}
			e.assembled = append(e.assembled, win[j.at:j.at+n]...)
			j.at, j.step, j.previous = j.at+n, j.step+1, s.max
			continue
		}
		for j.n < s.max && j.at < len(win) && s.class[win[j.at]] {
			e.assembled = append(e.assembled, win[j.at])
			j.at, j.n = j.at+1, j.n+1
		}
		if e.tooFar(c.start, j.at-1) {
			return no
		}
		switch {
		case j.n < s.max && j.at == len(win) && !eof:
			return more
		case j.n >= s.min:
			if s.check != nil && !s.check(e.assembled) {
				return no
			}
			j.step, j.previous, j.n = j.step+1, j.n, 0
		default:
			if v := e.overJoint(p, win, eof); v != yes {
				return v
			}
		}
	}
}

// complete judges the assembled candidate.
func (e *engine) complete(k *keyword, win []byte, eof bool) verdict {
	p, j := k.pattern, &e.cand.join
	if j.joints == 0 {
		return no
	}
	if p.after != nil {
		if j.at == len(win) && !eof {
			return more
		}
		if j.at < len(win) && p.after[win[j.at]] && !(e.cand.framed && isFramed(win, e.cand.start, j.at)) {
			return no
		}
	}
	body := e.assembled[len(k.text):]
	if p.joins >= joinLines {
		switch v := e.endsLine(p, win, eof); {
		case v != yes:
			return v
		case isWord(e.inLine(p)), p.joins == joinWrapped && !j.wrapped(e.assembled):
			return no
		}
	}
	if p.joins == joinRandom && !hasDigit(body) && !(mixed(body) && mixedCase(body)) {
		return no
	}
	to := len(e.assembled)
	if p.check != nil {
		var ok bool
		if j.from, to, ok = p.check(e.assembled); !ok || e.cand.record && isRecord(e.assembled[j.from:to]) {
			return no
		}
	}
	switch e.setAside(p, e.assembled[:j.from], e.assembled[j.from:to], win, j.at-(len(e.assembled)-to), eof) {
	case more:
		return more
	case yes:
		return no
	}
	j.at = max(j.at-(len(e.assembled)-to), e.cand.start+1)
	if e.cand.framed && !isFramed(win, e.cand.start, j.at) {
		return no
	}
	e.assembled = e.assembled[:to]
	return yes
}

// overJoint moves on behind the joint that is next; no: there is none. What follows belongs to the step that broke off, or
// to the one before it if that may be longer.
func (e *engine) overJoint(p *pattern, win []byte, eof bool) verdict {
	j := &e.cand.join
	switch {
	case j.at == len(win):
		if eof {
			return no
		}
		return more
	case !p.mayBreak(j.step, win[j.at]), j.joints == 0 && j.step >= p.joinFrom && !p.begins(j.at-e.cand.start, j.at-e.pos):
		return no
	}
	most := maxJoint
	if j.skipping {
		most = maxSkipping
	}
	g := joint{text: win[j.at:min(len(win), j.at+most)], cut: j.at+most <= len(win) || eof, dotted: p.dotted}
	var end int
	if g.quote(); g.at > 0 && !g.more {
		j.quoted = true
	}
	if g.at = 0; j.skipping {
		end = g.skipping()
	} else {
		end = g.length()
	}
	switch {
	case e.tooFar(e.cand.start, min(j.at+g.seen, len(win))-1):
		return no
	case g.more && !g.cut:
		return more
	}
	e.spent += g.seen
	switch {
	case end <= 0, g.more, p.linesOnly(j.step) && !g.line:
		return no
	case j.joints == 0 && g.signs != 0 && p.linesOnly(j.step) && !beginsLike(win, e.cand.start, g.signs), j.joints > 0 && g.signs != j.signs:
		return no
	}
	j.signs, j.strings = g.signs, g.strings
	if j.joints == 0 && p.joins == joinWrapped {
		j.wrap = wrapAt(win, e.cand.start, j.at, win[j.at:j.at+end])
		j.wrap.begin = len(e.assembled) - j.value
	}
	if !e.mayJoin(p, g.line) {
		return no
	}
	j.at += end
	j.piece = len(e.assembled)
	if j.n == 0 && j.step > 0 && p.steps[j.step-1].gap == nil {
		if s := &p.steps[j.step-1]; j.previous < s.max && s.class[win[j.at]] {
			j.step, j.n, j.previous = j.step-1, j.previous, 0
		}
	}
	if j.step == len(p.steps) {
		return no
	}
	return yes
}

// begins reports whether a first piece is long enough that has so many bytes, and so many of them behind what the automaton knows.
func (p *pattern) begins(length, behind int) bool {
	switch {
	case p.joins == joinChecked:
		return true
	case p.joins == joinRandom:
		return length >= minBegin
	}
	return behind >= minPiece
}

// mayJoin reports whether another joint may stand behind the running piece, and counts it.
func (e *engine) mayJoin(p *pattern, line bool) bool {
	j := &e.cand.join
	piece := e.assembled[j.piece:]
	if p.joins >= joinLines && j.step >= p.joinFrom {
		value := e.inLine(p)
		switch begins := j.piece <= j.value; {
		case begins && p.hosted && (len(value) < minLine || isPort(piece)), isWord(value) && !(begins && len(value) < shortWord),
			p.joins == joinWrapped && !j.wrap.plain(value):
			return false
		}
	}
	if line {
		if j.lines++; j.lines > 1 && j.middle == 0 {
			j.middle = len(piece)
		}
	}
	if j.joints++; j.joints <= maxJoints {
		return true
	}
	return line && j.lines == j.joints && j.lines <= maxLines && len(piece) == j.middle
}

// inLine returns what of the value is in the running piece: without the name before it, or the host behind it.
func (e *engine) inLine(p *pattern) []byte {
	j := &e.cand.join
	value := e.assembled[max(j.value, j.piece):]
	if !p.hosted {
		return value
	}
	if bytes.IndexByte(e.assembled[j.value:max(j.value, j.piece)], '@') >= 0 {
		return nil
	}
	if at := bytes.IndexByte(value, '@'); at > 0 || at == 0 && j.piece > j.value { // the first is the password's
		return value[:at]
	}
	return value
}

// isWord reports whether piece may be a word, as names are: letters of one case but for the first.
func isWord(piece []byte) bool {
	return len(piece) >= minWord && !hasDigit(piece) && !mixed(piece[1:])
}

// isPort reports whether piece ends in a port's number.
func isPort(piece []byte) bool {
	digits := len(piece) - len(bytes.TrimRight(piece, "0123456789"))
	return digits > 1 && digits < 6 && digits < len(piece) && piece[len(piece)-1-digits] == ':'
}
