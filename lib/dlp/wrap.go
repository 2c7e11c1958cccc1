package dlp

import "bytes"

// wrap is what a value over lines shows of how its lines were made. Behind a general name only what was wrapped is put together: text
// in which a key stands behind its name and something else in the next line is common, but hardly ever do the lines then have the lengths that
// wrapping at a column gives them.
type wrap struct {
	line   int // how long the first line is, as far as it is looked at
	named  int // and how long from where the name begins
	indent int // of the second line
	begin  int // how much of the value is in the first
}

const (
	// beginLine is how much of a value the first of two lines has, and twoLines how long the value is: their lengths tell little.
	beginLine = 8
	twoLines  = 24
)

// wrapAt looks at the line of win that ends at, with a keyword at start. The next begins behind joint.
func wrapAt(win []byte, start, at int, joint []byte) wrap {
	from := lineBegin(win, start)
	named := start
	for named > from && nameChar[win[named-1]] {
		named--
	}
	if named > 0 && named < start && isBinary(win[named-1]) { // the length of a string
		named++
	}
	return wrap{line: at - from, named: at - named, indent: len(joint) - len(bytes.TrimRight(joint, " \t>#*|;%/+-"))}
}

// lineBegin returns where the line of win[start] begins, as far as it is looked at.
func lineBegin(win []byte, start int) int {
	from := start
	for from > 0 && start-from < mostName && win[from-1] != '\n' && !endsEscape(win, from-1) {
		from--
	}
	return from
}

// beginsLike reports whether the line of win[start] begins with the mark of signs.
func beginsLike(win []byte, start int, signs uint32) bool {
	g := joint{text: win[lineBegin(win, start):start], whole: true}
	g.space()
	g.mark()
	return g.signs == signs
}

// plain reports whether piece can be a line of a value: nothing makes a name, an address or code of it, and it is no longer than
// the first.
func (w *wrap) plain(piece []byte) bool {
	for _, c := range piece {
		if unwrapped[c] {
			return false
		}
	}
	return len(piece) <= w.line
}

// unwrapped are the bytes that make a name, an address or code of a line.
var unwrapped = set(".:=~")

// goesOn reports whether the candidate whose step breaks off at rest may go on behind the line's end that rest may begin with. It is a
// look ahead, so that most candidates need not be put together. seen is how many bytes of rest tell.
func (p *pattern) goesOn(step int, rest []byte) (v verdict, seen int) {
	if quotes[rest[0]] {
		g := joint{text: rest[:min(len(rest), maxJoint)], dotted: p.dotted}
		n := g.length()
		switch seen = min(g.seen, len(g.text)); {
		case g.more && len(g.text) < maxJoint:
			return more, seen
		case g.more:
			return no, seen
		}
		return verdictOf(n > 0 && g.strings), seen
	}
	at := 0
	for ; at < len(rest) && lineStart[rest[at]] && (rest[at] != '=' || at == 0); at++ {
		if rest[at] == '\\' {
			if at+1 == len(rest) {
				return more, at + 1
			}
			if isShortEscape(rest[at+1]) {
				at++
			}
		}
		if at > maxJoint {
			return no, at + 1
		}
	}
	if at == len(rest) {
		return more, at
	}
	least := 0
	if at > 0 && lineSigns[rest[at]] {
		g := joint{text: rest[at:min(len(rest), at+maxJoint)]}
		g.mark()
		switch least = at + min(g.seen, len(g.text)); {
		case g.more && len(g.text) == maxJoint:
			return no, least
		case g.more:
			return more, least
		}
		at += g.at
	}
	v, seen = p.goesOnAt(step, rest, at)
	return v, max(seen, least)
}

// goesOnAt is goesOn for what begins at rest[at], of which there is a byte.
func (p *pattern) goesOnAt(step int, rest []byte, at int) (v verdict, seen int) {
	switch {
	case step < p.unknown:
		s, last := &p.steps[step], &p.steps[max(0, step-1)] // which may have more of it, as a break between two words has
		return verdictOf(s.class[rest[at]] || last.min < last.max && last.class[rest[at]]), at + 1
	case p.joins != joinWrapped:
		return yes, at + 1
	}
	last := &p.steps[len(p.steps)-1]
	for from := at; at-from <= last.max; at++ {
		switch {
		case at == len(rest):
			return more, at
		case !last.class[rest[at]]:
			return verdictOf(lineEnd[rest[at]] || lineStart[rest[at]]), at + 1
		case !unwrapped[rest[at]]:
		case rest[at] != '=':
			return no, at + 1
		case at+1 == len(rest):
			return more, at + 1
		default:
			return verdictOf(rest[at+1] == '=' || !last.class[rest[at+1]]), at + 2 // it fills base64 up
		}
	}
	return no, at
}

func verdictOf(ok bool) verdict {
	if ok {
		return yes
	}
	return no
}

// wrapped reports whether the pieces that were put together are the lines of one value.
func (j *join) wrapped(assembled []byte) bool {
	last := assembled[j.piece:]
	if !bytes.ContainsAny(assembled[:j.value], ":=>") || !j.wrap.plain(bytes.TrimRight(last, "=")) {
		return false
	}
	if j.joints == 1 {
		begin := assembled[j.value:j.piece]
		return len(begin) >= beginLine && len(assembled)-j.value >= twoLines && alike(begin, last) && !isRecord(begin) // which is whole
	}
	return len(last) <= j.middle && (j.strings && j.wrap.begin == j.middle || j.wrap.named == j.middle || j.wrap.line == j.middle || j.wrap.line == j.middle+j.wrap.indent)
}

// alike reports whether two pieces that are not short have letters of the same cases, as random text of one alphabet has.
func alike(a, b []byte) bool {
	return len(b) < beginLine || hasAll(a, lower) == hasAll(b, lower) && hasAll(a, upperLetter) == hasAll(b, upperLetter)
}

// endsLine reports whether what follows the assembled candidate may: it does not make a name of the last piece, but for
// a port behind a host.
func (e *engine) endsLine(p *pattern, win []byte, eof bool) verdict {
	j := &e.cand.join
	if j.strings { // a string is whole, and no name of a member
		g := joint{text: win[j.at:min(len(win), j.at+maxJoint)]}
		closed := g.quote()
		g.space()
		next := g.peek()
		switch {
		case e.tooFar(e.cand.start, j.at+min(g.seen, len(g.text))-1):
			return no
		case g.more && len(g.text) < maxJoint && !eof:
			return more
		case !closed, next == ':', next == '=':
			return no
		}
		return yes
	}
	switch {
	case j.at == len(win):
		if eof {
			return yes
		}
		return more
	case p.joins == joinWrapped:
		if !lineEnd[win[j.at]] {
			return no
		}
	case p.hosted && win[j.at] == ':' && bytes.IndexByte(e.assembled[j.value:], '@') >= 0:
		if j.at+1 == len(win) && !eof {
			return more
		}
		if j.at+1 == len(win) || !digit[win[j.at+1]] {
			return no
		}
	case win[j.at] == ':', win[j.at] == '=':
		return no
	}
	return yes
}

// lineEnd are the bytes that follow the last line of what was wrapped: a line's end, what ends a string or a field, and what is no text.
var lineEnd = func() *class {
	c := set("\r\n\\\"'`&<,;)]}")
	for b := range c {
		c[b] = c[b] || b >= 0x80 || isBinary(byte(b))
	}
	return c
}()
