package dlp

// A secret can be written in pieces that stand in order: in two parameters (a=ghp_xx&b=yy), two strings
// ("ghp_xx", "yy" and "a":"ghp_xx","b":"yy"), a concatenation ("ghp_xx" + "yy"), two labels of a host name, two lines. What
// stands between two pieces is a joint. A candidate whose pattern breaks off at one is tried once more without its joints.

// joining says how a pattern may be put together from pieces.
type joining uint8

const (
	// joinNever is for patterns that ordinary text could complete.
	joinNever joining = iota
	// joinRandom asks for a digit behind the keyword, or mixed case: words of a list have neither.
	joinRandom
	// joinChecked is for patterns whose check is enough.
	joinChecked
)

const (
	// maxJoints is how many joints a secret can have: three pieces.
	maxJoints = 2
	// maxJoint is how many bytes one takes.
	maxJoint = 96
	// maxTries is how many candidates that break off at one place are put together. In sk-sk-sk-… each is one, and takes all
	// that follows.
	maxTries = 8
	// maxName is how long the name of a parameter or member is.
	maxName = 48
	// minPiece is how many characters behind the keyword the first piece has, unless the pattern is joinChecked.
	minPiece = 2
)

// joiningOf says whether the rows with prefix may be in pieces: the prefix is no word and their form exact and long.
func joiningOf(prefix string, steps []step) joining {
	length := 0
	for _, s := range steps {
		if length += s.min; s.max-s.min > 8 {
			return joinNever
		}
	}
	if len(prefix) < 3 || length < 20 || len(prefix)+length < 24 {
		return joinNever
	}
	return joinRandom
}

// join is how far the candidate was put together.
type join struct {
	on       bool
	at       int // the window was read up to here
	step, n  int // the step, and how many bytes it has
	previous int // how many the step before has
	joints   int
}

// jointStart are the bytes that a joint begins with.
var jointStart = set("&;.=\"'`\\ \t\r\n")

// joined tries the candidate of k, which has no match as it stands, in pieces. The whole of it is then e.assembled.
func (e *engine) joined(k *keyword, win []byte, eof bool) verdict {
	p, c := k.pattern, &e.cand
	j := &c.join
	if p.joins == joinNever || !c.begun || c.step < p.joinFrom {
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
		if e.tries++; e.tries > maxTries {
			return no
		}
		*j = join{on: true, at: e.pos}
		e.assembled = append(e.assembled[:0], win[c.start:e.pos]...)
	}
	for {
		if j.at-c.start > MaxHeld-2*maxMargin || e.tooFar(c.start, j.at-1) {
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
	if p.joins == joinRandom && !hasDigit(body) && !(mixed(body) && mixedCase(body)) {
		return no
	}
	to := len(e.assembled)
	if p.check != nil {
		var ok bool
		if _, to, ok = p.check(e.assembled); !ok {
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
	case j.joints == maxJoints, j.at == len(win) && eof, j.joints == 0 && p.joins != joinChecked && j.at-e.pos < minPiece:
		return no
	}
	g := joint{text: win[j.at:min(len(win), j.at+maxJoint)], cut: j.at+maxJoint <= len(win) || eof, dotted: p.dotted}
	end := g.length()
	switch {
	case e.tooFar(e.cand.start, min(j.at+g.seen, len(win))-1):
		return no
	case g.more && !g.cut:
		return more
	case end <= 0 || g.more:
		return no
	default:
		j.at += end
		j.joints++
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

// joint reads what may stand between two pieces.
type joint struct {
	text   []byte
	at     int
	seen   int  // how far it was looked at
	more   bool // the text ends before this can be told
	dotted bool // a dot is none
	cut    bool // nothing more of the text will be known
}

// nameChar is what names of parameters and members are made of.
var nameChar = set("A-Za-z0-9_.[]-")

// length returns how long the joint is that the text begins with, and 0 if it begins with none. Behind a joint there is a
// byte of the next piece.
func (g *joint) length() int {
	switch c := g.peek(); {
	case c == '&':
		g.at++
		return g.ends(g.name() && g.take("="))
	case c == ';':
		g.at++
		g.space()
		return g.ends(g.name() && g.take("="))
	case c == '=': // a soft line break of quoted-printable (RFC 2045 §6.7)
		g.at++
		return g.ends(g.space())
	case c == '.' && !g.dotted:
		g.at++
		return g.ends(true)
	}
	line := g.space()
	if !g.quote() {
		return g.ends(line)
	}
	g.space()
	if g.take("}") { // the next object of an array
		g.space()
		if !g.take(",") {
			return 0
		}
		g.space()
		if !g.take("{") {
			return 0
		}
		g.space()
		return g.ends(g.quote() && g.member() && g.quote())
	}
	comma := g.take(",")
	if !comma {
		g.take("+.|")
	}
	g.space()
	if !g.quote() {
		return 0
	}
	if comma && g.member() {
		return g.ends(g.quote())
	}
	return g.ends(true)
}

func (g *joint) peek() byte { return g.byteAt(g.at) }

func (g *joint) byteAt(i int) byte {
	g.seen = max(g.seen, i+1)
	if i < len(g.text) {
		return g.text[i]
	}
	g.more = true
	return 0
}

// ends returns the length if the joint is whole and a letter or digit, or what stands amid tokens, follows.
func (g *joint) ends(ok bool) int {
	if c := g.peek(); !ok || g.more || !tokenChar[c] {
		return 0
	}
	return g.at
}

// take reads one of the characters.
func (g *joint) take(any string) bool {
	c := g.peek()
	for i := range len(any) {
		if c == any[i] && !g.more {
			g.at++
			return true
		}
	}
	return false
}

// name reads the name of a parameter.
func (g *joint) name() bool {
	from := g.at
	for nameChar[g.peek()] {
		if g.at++; g.at-from > maxName {
			return false
		}
	}
	return g.at > from
}

// member reads the rest of a member's name with its quote, the colon and the space; it stays where it is if there is none.
func (g *joint) member() bool {
	from := g.at
	if g.name() && g.quote() {
		g.space()
		if g.take(":") {
			g.space()
			return true
		}
	}
	if !g.more {
		g.at = from
	}
	return false
}

// space reads white space, also as strings escape it, and reports whether a line ended in it.
func (g *joint) space() (line bool) {
	for {
		switch c := g.peek(); c {
		case ' ', '\t':
			g.at++
		case '\r', '\n':
			g.at++
			line = true
		case '\\':
			i := g.at
			for g.byteAt(i) == '\\' {
				i++
			}
			switch g.byteAt(i) {
			case 'n', 'r', '\n', '\r':
				line = true
			case 't':
			default:
				return line
			}
			g.at = i + 1
		default:
			return line
		}
	}
}

// quote reads a quotation mark, also an escaped one.
func (g *joint) quote() bool {
	i := g.at
	for g.byteAt(i) == '\\' {
		i++
	}
	switch g.byteAt(i) {
	case '"', '\'', '`':
		g.at = i + 1
		return true
	}
	return false
}
