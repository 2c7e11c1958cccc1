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
	minLine = 2
	// minPiece is how many characters behind the keyword the first piece has, unless the pattern is joinChecked.
	minPiece = 2
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
	lines    int  // of the joints, those that are a line's end alone
	value    int  // where what may be in pieces begins in the assembled text
	from     int  // where the value begins in the assembled text, before its first joint
	piece    int  // where the running piece begins in the assembled text
	middle   int  // how long a piece between two line ends is
	quoted   bool // a joint begins with a quotation mark
	skipping bool // joints may have other strings in them
}

// jointStart are the bytes that a joint begins with.
var jointStart = set("&;./=\"'`\\ \t\r\n")

// joined tries the candidate of k, which has no match as it stands, in pieces. The whole of it is then e.assembled.
func (e *engine) joined(k *keyword, win []byte, eof bool) verdict {
	p, c := k.pattern, &e.cand
	j := &c.join
	if p.joins == joinNever || !c.begun || c.framed || c.step < p.joinFrom {
		return no
	}
	if !j.on {
		at := c.from
		if c.step < len(p.steps) {
			s := &p.steps[c.step]
			at = e.runEnd(s.class, c.from, min(c.from+s.max, len(win)), win)
		}
		if at < len(win) && (!jointStart[win[at]] || p.dotted && win[at] == '.') {
			return no
		}
		if e.brokeAt != at {
			e.brokeAt, e.tries = at, 0
		}
		if e.tries++; e.tries > maxTries || !e.affords(c.start) {
			return no
		}
		*j = join{on: true, at: e.pos, skipping: true}
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
		if j.step == p.joinFrom && j.joints == 0 && j.n == 0 {
			j.value = len(e.assembled)
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
		case j.step < p.joinFrom:
			return no
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
		if j.at < len(win) && p.after[win[j.at]] {
			return no
		}
	}
	body := e.assembled[len(k.text):]
	if p.joins == joinLines && (isWord(e.assembled[j.piece:]) || j.at < len(win) && (win[j.at] == ':' || win[j.at] == '=')) {
		return no
	}
	if p.joins == joinRandom && !hasDigit(body) && !(mixed(body) && mixedCase(body)) {
		return no
	}
	to := len(e.assembled)
	if p.check != nil {
		var ok bool
		if j.from, to, ok = p.check(e.assembled); !ok {
			return no
		}
	}
	j.at = max(j.at-(len(e.assembled)-to), e.cand.start+1)
	e.assembled = e.assembled[:to]
	return yes
}

// overJoint moves on behind the joint that is next; no: there is none. What follows belongs to the step that broke off, or
// to the one before it if that may be longer.
func (e *engine) overJoint(p *pattern, win []byte, eof bool) verdict {
	j := &e.cand.join
	switch {
	case j.at == len(win) && eof, j.joints == 0 && p.joins != joinChecked && j.at-e.pos < minPiece:
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
	case end <= 0 || g.more || !j.may(p.joins, g.line, e.assembled[j.piece:]):
		return no
	default:
		j.at += end
		j.piece = len(e.assembled)
	}
	if j.n == 0 && j.step > 0 {
		if s := &p.steps[j.step-1]; j.previous < s.max && s.class[win[j.at]] {
			j.step, j.n, j.previous = j.step-1, j.previous, 0
		}
	}
	if j.step == len(p.steps) {
		return no
	}
	return yes
}

// may reports whether another joint may stand behind piece, and counts it.
func (j *join) may(how joining, line bool, piece []byte) bool {
	if how == joinLines && (!line || j.joints == 0 && (len(piece)-j.value < minLine || isPort(piece)) || isWord(piece)) {
		return false
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

// isWord reports whether piece may be a word, as names are: letters of one case but for the first.
func isWord(piece []byte) bool {
	return len(piece) >= minWord && !hasDigit(piece) && !mixed(piece[1:])
}

// isPort reports whether piece ends in a port's number.
func isPort(piece []byte) bool {
	digits := len(piece) - len(bytes.TrimRight(piece, "0123456789"))
	return digits > 0 && digits < 6 && digits < len(piece) && piece[len(piece)-1-digits] == ':'
}
