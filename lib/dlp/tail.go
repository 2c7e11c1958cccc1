package dlp

import "bytes"

// tail is what a value has before the mark that gives it away: a run of class bytes, at least min and at most max of them.
type tail struct {
	class    *class
	segment  *class // class without the slash, which may be a joint instead
	min, max int

	shortest, longest int   // that what is behind can be; set by addTail, as is marks
	marks             class // what it can begin with
}

// framed reports whether c can be the length of a tail and of what is behind, which is at least shortest and at most longest.
func (t *tail) framed(c byte, shortest, longest int) bool {
	return int(c) >= t.max+shortest && int(c) <= t.max+longest
}

const (
	// partOfTail is how much of a long tail must be seen where the rest of it may be hidden.
	partOfTail = 6
	// longTail is from when on a tail's part is enough.
	longTail = 24
	// tailReach is how many bytes of the raw stream a decoded tail takes at most.
	tailReach = 2 << 10
	// frame is how many bytes of a binary notation before it may look like more of it: a field's number and its length.
	frame = 2
	// tailLook is how far before a mark the pieces of its tail are looked for: less than is kept of a window.
	tailLook = lookBehind - escapeLen
	// tailWord is how long a piece of a tail is if it is none because it is a word.
	tailWord = 8
	// parseWork is how many bytes are read in the time that one is parsed as a joint's.
	parseWork = 4
	// waitForTail is how much of a tail a view waits for the mark behind.
	waitForTail = 16
)

// run returns how many bytes of the class stand before win[at], counting no more than tell whether it is a tail.
func (t *tail) run(e *engine, win []byte, at int) int {
	n, most := 0, t.max+escapeLen+1
	for n < most && n < at && t.class[win[at-1-n]] && (e.origins == nil || e.origins[at-1-n].start.to(e.origins[at-1].start) <= tailReach) {
		n++
	}
	return n
}

// follows returns how much of p's tail stands before the keyword at win[at], as a word of its own: longer runs are none, unless
// what is too much is the length of it and the match. Of a long tail a part is enough behind what may be an invisible character,
// and where a decoded window begins; cut says that it is a part.
func (p *pattern) follows(e *engine, win []byte, at int) (length int, cut, ok bool) {
	t := p.behind
	n := t.run(e, win, at)
	length = min(n, t.max)
	switch {
	case n < t.min:
		ok = t.enough() <= n && (n == at && e.origins != nil || n < at && (win[at-1-n] >= 0x80 || t.class[win[at-1-n]]))
		cut = true
		if !ok {
			if length = e.tailInPieces(t, t.class, win, at, n); length < t.enough() && !t.class[win[at]] {
				length = min(length, 0) // it may have been released
			}
			if ok = length >= 0; !ok {
				return 0, false, false
			}
		}
	case n <= t.max:
		ok = true
	case win[at-t.max-1] == '/' || !precededBy(win, at-t.max, t.class) || e.shifted(win, at-t.max): // of a path
		ok = true
	case n <= t.max+frame:
		ok = p.behind.framed(win[at-t.max-1], p.shortest, p.longest)
	}
	if !ok && n > t.max && t.segment != t.class {
		n = 0
		for n < t.max && t.segment[win[at-1-n]] {
			n++
		}
		if length, cut = e.tailInPieces(t, t.segment, win, at, n), true; length < 0 {
			return 0, false, false
		}
		ok = true
	}
	if seen := at - e.first; length > seen {
		length, cut = max(seen, 0), true
	}
	return length, cut, ok
}

// tailInPieces returns how long the last piece is of a tail that has n bytes before win[at] and goes on before a joint, or as many as a
// value can have, to its full length, all of it of class; less than 0: it is none. What stands before that piece may have been released.
func (e *engine) tailInPieces(t *tail, class *class, win []byte, at, n int) (last int) {
	least, to, from := max(0, at-tailLook), at, at-n
	if n > 0 && endsEscape(win, from) {
		n, from = n-1, from+1
	}
	if last = n; !e.affords(at) {
		return -1
	}
	for joints, middle := 0, 0; n < t.min; joints++ {
		if isWord(win[from:to]) && to-from >= tailWord {
			return -1
		}
		var line bool
		if to, line = e.jointBefore(win[:at+1], least, from, class); to < 0 {
			return -1
		}
		for from = to; from > least && to-from <= t.max && class[win[from-1]]; {
			from--
		}
		if endsEscape(win, from) {
			from++
		}
		if middle == 0 {
			middle = to - from
		}
		if joints >= maxJoints && !(line && middle == to-from) {
			return -1
		}
		n += to - from
	}
	if n > t.max || from == least && from > 0 || precededBy(win, from, class) || isWord(win[from:to]) {
		return -1
	}
	return last
}

// endsEscape reports whether win[at] ends the escape of white space.
func endsEscape(win []byte, at int) bool {
	return at > 0 && at < len(win) && win[at-1] == '\\' && isShortEscape(win[at])
}

// jointBefore returns where the joint begins that ends at win[end], behind a byte of class and not before least, and whether it is a
// line's end; -1: there is none.
func (e *engine) jointBefore(win []byte, least, end int, class *class) (from int, line bool) {
	if end == 0 || !jointEnd[win[end-1]] && !endsEscape(win, end-1) {
		return -1, false
	}
	e.spent += maxJoint
	for from := end - 1; from > max(least, end-maxJoint); from-- {
		if !jointStart[win[from]] || !class[win[from-1]] || endsEscape(win, from-1) {
			continue
		}
		g := joint{text: win[from : end+1], whole: true}
		if g.quote() {
			if g.space(); g.peek() == ':' {
				continue // behind the name of a member
			}
			g.at = 0
		}
		n := g.length()
		if e.spent += parseWork * g.seen; n == end-from && (g.line && !g.strings || !isAside(win[least:from])) {
			return from, g.line
		}
		g = joint{text: win[from : end+1], whole: true}
		n = g.skipping()
		if e.spent += parseWork * g.seen; n == end-from && !isAside(win[least:from]) {
			return from, false
		}
	}
	return -1, false
}

// isAside reports whether what text ends in is skipped in a joint of JSON, as role's values are.
func isAside(text []byte) bool {
	n := 0
	for n < len(text) && (lower[text[len(text)-1-n]] || text[len(text)-1-n] == '_') {
		n++
	}
	return n >= minWord && n < len(text) && !tokenChar[text[len(text)-1-n]]
}

// jointEnd are the bytes that a joint ends with, but for escapes.
var jointEnd = set("=\"'`./ \t\r\n>")

// heldTails returns the first byte that may be part of a tail whose mark begins at win[at] or behind it.
func (e *engine) heldTails(win []byte, at int) int {
	least := at
	if at == 0 || !e.rules.inTails[win[at-1]] {
		return at
	}
	for i := range e.rules.tails {
		t := &e.rules.tails[i]
		n := t.run(e, win, at)
		switch {
		case at < len(win) && !t.class[win[at]] && (!t.marks[win[at]] || n < t.enough()): // the run has ended
		case n <= t.max:
			least = min(least, at-n)
		default: // what is too much may be a path, an escape's end or a frame
			for from := at - t.max; from < least; from++ {
				if n > t.max+frame && from > at-n+escapeLen { // amid the run, with no escape before
					if i := bytes.IndexByte(win[from-1:least-1], '/'); i >= 0 && t.class['/'] {
						least = from + i
					}
					break
				}
				if win[from-1] == '/' || !precededBy(win, from, t.class) || e.shifted(win, from) || n <= t.max+frame && t.framed(win[from-1], t.shortest, t.longest) {
					least = from
				}
			}
		}
	}
	return max(least, min(at, e.first))
}

// inTail reports whether so much of a tail stands at win's end that its mark is worth waiting for.
func (e *engine) inTail(win []byte) bool {
	return len(win)-e.heldTails(win, len(win)) >= waitForTail
}

// enough is how many bytes of it must be seen at least.
func (t *tail) enough() int {
	if t.min > longTail {
		return partOfTail
	}
	return t.min
}

// addTail adds p's tail to those that a mark is looked for behind; it begins with the byte mark.
func (r *Rules) addTail(p *pattern, mark byte) {
	r.inTails = *union(&r.inTails, p.behind.class)
	for i := range r.tails {
		if t := &r.tails[i]; *t.class == *p.behind.class && t.max == p.behind.max {
			t.shortest, t.longest = min(t.shortest, p.shortest), max(t.longest, p.longest)
			t.marks[mark] = true
			return
		}
	}
	t := tail{class: p.behind.class, min: p.behind.min, max: p.behind.max, shortest: p.shortest, longest: p.longest}
	t.marks[mark] = true
	r.tails = append(r.tails, t)
}
