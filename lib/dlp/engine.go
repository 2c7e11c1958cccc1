package dlp

import "slices"

// engine scans a window of a stream, leftmost keyword end first. All positions are indices into the window that run was
// last given; slide moves them when the window's beginning is dropped.
//
// What it finds is a function of the bytes alone: a candidate is judged only when complete, by bytes that are the same
// however they arrived, and meanwhile the automaton waits at the candidate's keyword.
type engine struct {
	rules *Rules
	base  int64     // stream offset of window index 0
	pos   int       // the automaton has read the window up to here
	state uint32    // the automaton's
	found []Finding // what run found

	cand candidate
	open bool // cand waits for more bytes

	assembled      []byte // cand without its joints
	brokeAt, tries int    // where candidates broke off last, and how many
	spent, spentAt int    // bytes read to put candidates together, beyond what is afforded at spentAt

	block   int // expressions were matched up to here
	lowered []byte
	wanted  []bool

	loose, exact hunt // for known values
	phrase       phrase

	first int // where the bytes begin that it was given, behind those that are known but may have been released

	// origins are those of each byte of a decoded window; nil in the raw stream itself.
	origins []origin
	// broken are the keywords whose candidate ended at what may be an escape, if report is set.
	broken []cue
	report bool

	// How far the last runs of some classes reach. Candidates that start inside them (eyJeyJeyJ…) need not walk them
	// again, or a hostile body could make the scan quadratic.
	reached [8]reach
	oldest  int
}

// reach is a run of class bytes that was walked.
type reach struct {
	class     *class
	from, end int
}

// candidate is a keyword hit on its way through its pattern. hit indexes the hits of the automaton's state.
type candidate struct {
	hit   int
	begun bool
	start int // of the keyword
	tail  int // how much of the value stands before it
	step  int
	from  int // where the running step began

	exempt int  // end of what was exempted here; 0: nothing was
	framed bool // what stands before must be its length
	record bool // one of the pattern's records stands before
	cut    bool // more of the tail may stand before
	join   join
}

type verdict int

const (
	no verdict = iota
	yes
	more // the window ends before this can be told
)

// run searches win on from where it stopped and appends to e.found. eof says that nothing follows win.
func (e *engine) run(win []byte, eof bool) {
	e.match(win, eof)
	if len(e.rules.expressions.all) > 0 {
		e.blocks(win, eof)
	}
	if e.rules.known != nil {
		e.hunt(&e.loose, &e.rules.known.loose, win)
		e.hunt(&e.exact, &e.rules.known.exact, win)
	}
	if e.rules.words != nil {
		e.phrases(win, eof)
	}
}

// match scans win on from where it stopped and appends to e.found. eof says that nothing follows win.
func (e *engine) match(win []byte, eof bool) {
	for {
		if e.open && !e.judge(win, eof) {
			return
		}
		if e.pos, e.state, e.open = e.rules.auto.seek(win, e.pos, e.state); !e.open {
			return
		}
		e.cand = candidate{}
	}
}

// held returns the index of the first byte that may still belong to a finding to come. An open candidate starts within
// the automaton's depth, as its keyword is a suffix of what the state stands for.
func (e *engine) held(win []byte) int {
	at := e.heldTails(win, e.pos-int(e.rules.auto.depth[e.state]))
	if len(e.rules.expressions.all) > 0 {
		at = min(at, e.block)
	}
	if k := e.rules.known; k != nil {
		at = min(at, e.heldKnown(&e.loose, &k.loose, win), e.heldKnown(&e.exact, &k.exact, win))
	}
	if e.rules.words != nil {
		at = min(at, e.heldPhrase())
	}
	return at
}

// heldFrom returns what held would after a run over win that began at from: where a finding may begin that what follows win
// completes. Whatever is before it may have been released. e is free for it.
func (e *engine) heldFrom(win []byte, from int) int {
	e.readFrom(win, from)
	if k := e.rules.known; k != nil {
		e.hunt(&e.loose, &k.loose, win)
		e.hunt(&e.exact, &k.exact, win)
	}
	if e.rules.words != nil {
		e.phrases(win, false)
		e.phrase.marked.n = 0 // it may have begun amid a tag
	}
	return max(from, e.held(win))
}

// begunFrom is heldFrom for what begins with a keyword alone. Only that is held while a candidate waits; what else is looked for goes on.
func (e *engine) begunFrom(win []byte, from int) int {
	e.readFrom(win, from)
	return max(from, e.heldTails(win, e.pos-int(e.rules.auto.depth[e.state])))
}

// readFrom brings the automaton to win's end, from its begin at from.
func (e *engine) readFrom(win []byte, from int) {
	e.reset()
	e.skip(win, from)
	a := &e.rules.auto
	for _, c := range win[from:] {
		e.state = a.step(e.state, c)
	}
	e.pos, e.block = len(win), len(win)
}

// slide drops the first n bytes of the window.
func (e *engine) slide(n int) {
	e.base += int64(n)
	e.first -= n
	e.pos -= n
	e.cand.start -= n
	e.cand.from -= n
	e.cand.join.at -= n
	e.cand.exempt = max(e.cand.exempt-n, 0)
	e.brokeAt -= n
	e.spentAt -= n
	for i := range e.reached {
		e.reached[i].from -= n
		e.reached[i].end -= n
	}
	e.block -= n
	e.loose.slide(n)
	e.exact.slide(n)
	if e.rules.words != nil {
		e.phrase.slide(n)
	}
	for i := range e.broken {
		e.broken[i].from -= n
		e.broken[i].at -= n
		e.broken[i].to -= n
		e.broken[i].broke -= n
	}
}

func (e *engine) reset() {
	*e = engine{rules: e.rules, assembled: e.assembled[:0], found: e.found[:0], broken: e.broken[:0], report: e.report, lowered: e.lowered[:0], wanted: e.wanted,
		loose: hunt{trails: e.loose.trails[:0]}, exact: hunt{trails: e.exact.trails[:0]}, phrase: phrase{plain: e.phrase.plain, marked: e.phrase.marked}}
	if e.rules.words != nil {
		e.phrase.skip(nil, 0)
	}
}

// size is about how many bytes of memory e takes beside itself.
func (e *engine) size() int {
	return cap(e.assembled) + cap(e.lowered) + cap(e.found)*findingSize + (cap(e.loose.trails)+cap(e.exact.trails))*trailSize
}

// judge decides the hits of the automaton's state in order; false: not yet. After a match the automaton starts afresh
// behind it, so that findings do not overlap.
func (e *engine) judge(win []byte, eof bool) bool {
	hits := e.rules.auto.hits[e.state]
	for ; e.cand.hit < len(hits); e.cand.hit, e.cand.begun, e.cand.join = e.cand.hit+1, false, (join{}) {
		k := &hits[e.cand.hit]
		switch other := k.otherwise(win[e.pos:]); {
		case other == yes: // most often
			continue
		case !k.pattern.fold && string(win[e.pos-len(k.text):e.pos]) != k.text:
			continue
		case other == more && !eof: // what is looked at before it counts as work
			return false
		}
		if !e.cand.join.on {
			switch e.whole(k, win, eof) {
			case more:
				return false
			case yes:
				return true
			}
		}
		switch e.joined(k, win, eof) {
		case more:
			return false
		case yes:
			from := e.cand.join.from
			value := e.assembled[from:]
			if e.cand.tail > 0 {
				value = slices.Concat(win[e.cand.start-e.cand.tail:e.cand.start], e.assembled)
			}
			if from > 0 {
				from += e.cand.join.shift
			}
			if e.conclude(k, value, from, e.cand.join.at-e.cand.start, "split") {
				return true
			}
		}
	}
	if e.cand.exempt > 0 { // what is inert has nothing in it
		e.pos, e.state = max(e.pos, e.cand.exempt), 0
	}
	return true
}

// otherwise reports whether what follows k is not what must, and nothing of it can be hidden.
func (k *keyword) otherwise(rest []byte) verdict {
	for i, c := range k.next {
		switch {
		case i == len(rest):
			return more
		case beginsOf[rest[i]]&k.instead[i] != 0:
			return no
		case !c[rest[i]]:
			return yes
		}
	}
	return no
}

// whole decides the hit k as it stands in the window.
func (e *engine) whole(k *keyword, win []byte, eof bool) verdict {
	switch e.advance(k, win, eof) {
	case more:
		if e.tooLong(len(win) - 1) {
			e.cand.begun = false // nor in pieces
			return no
		}
		return more
	case no:
		return no
	}
	if e.tooLong(e.cand.from - 1) {
		e.cand.begun = false
		return no
	}
	// The last step ended at cand.from.
	match := win[e.cand.start:e.cand.from]
	from, to := 0, len(match)
	if k.pattern.check != nil {
		var ok bool
		if from, to, ok = k.pattern.check(match); !ok || e.cand.record && isRecord(match[from:to]) {
			return e.breaks(win, e.cand.from, eof, nil)
		}
	}
	switch e.setAside(k.pattern, match[:from], match[from:to], win, e.cand.start+to, eof) {
	case more:
		return more
	case yes:
		e.cand.begun = false
		return no
	}
	if !e.conclude(k, win[e.cand.start+from-e.cand.tail:e.cand.start+to], from, to, "") {
		e.cand.begun = false
		return no
	}
	return yes
}

// setAside reports whether p's value, which ends at win[end] and has before before it, is none after all.
func (e *engine) setAside(p *pattern, before, value, win []byte, end int, eof bool) verdict {
	if p.aside == nil {
		return no
	}
	next := win[end:min(end+asideMax, len(win))]
	for len(next) > 0 && e.tooLong(end+len(next)-1) {
		next = next[:len(next)-1]
	}
	if len(next) < asideMax && end+len(next) == len(win) && !eof {
		return more
	}
	return verdictOf(p.aside(before, value, next))
}

// conclude reports value, which takes [from, to) behind the candidate's start, and its tail before, unless it is exempt.
func (e *engine) conclude(k *keyword, value []byte, from, to int, encoding string) bool {
	name := e.rules.names[k.rule]
	if name == e.rules.without {
		return false
	}
	if e.rules.exempt != nil && e.rules.exempt(name, value) {
		e.cand.exempt = max(e.cand.exempt, e.cand.start+to)
		return false
	}
	start := e.base + int64(e.cand.start+from-e.cand.tail)
	e.found = append(e.found, Finding{Rule: name, Start: start, End: e.base + int64(e.cand.start+to), Encoding: encoding, Sample: sample(value), Label: e.rules.labelOf(name, value),
		Begins: e.rules.begins[k.rule], Cut: e.cand.cut, general: e.rules.vague[k.rule], covers: e.cand.tail > 0})
	if e.rules.vague[k.rule] && encoding == "" {
		// Of the same value another rule may know the issuer, by a mark amid it.
		e.pos = e.cand.start + from
	} else {
		e.pos = max(e.pos, e.cand.start+to)
	}
	e.state = 0
	return true
}

// tooLong reports whether a decoded candidate that reaches to last takes more of the raw stream than may be held.
func (e *engine) tooLong(last int) bool {
	return e.tooFar(e.cand.start-e.cand.tail, last)
}

// tooFar reports whether the bytes of a decoded window from first to last take more of the raw stream than may be held.
func (e *engine) tooFar(first, last int) bool {
	return e.origins != nil && last > first && e.origins[first].start.to(e.origins[last].start) > MaxMatch-maxMargin
}

// maxMargin is how many bytes of the stream one escape takes at most, however many are inside each other, and what may
// stand between two bytes of decoded text without being one: invisible characters, the space between two lines of a run.
// Without it, what is held could grow for ever.
const maxMargin = 256

// breaks says no to the candidate that ended at win[at], and notes it if its rest may be escaped. What ordinary JSON
// escapes, \n and \", ends a word as well, unless
// a line's end was wanted there.
func (e *engine) breaks(win []byte, at int, eof bool, wanted *class) verdict {
	if !e.report || at >= len(win) || at-e.cand.start < skimMost || !mayEscape[win[at]] && !e.brokeEscape(win, at) { // a shorter begin is not seen where more is known
		return no
	}
	if n := backslashesOf(win[at:]); n > 0 && n <= rawBackslashes {
		deep := n + backslashesBefore(win, at)
		if at+n == len(win) {
			if !eof {
				return more
			}
			return no
		}
		switch win[at+n] {
		case 'n', 'r', 't':
			if deep <= rawBackslashes && (wanted == nil || !wanted['\n']) {
				return no
			}
		case 'b', 'f', '"', '\'':
			if deep == 1 {
				return no
			}
		}
	}
	e.broken = append(e.broken, cue{from: e.cand.start, at: e.pos, to: e.pos, broke: at})
	return no
}

// rawBackslashes is how many may stand in a row before a line's end that need not be undone: strings of JSON in strings of JSON.
const rawBackslashes = 3

func backslashesBefore(win []byte, at int) (n int) {
	for n <= rawBackslashes && n < at && win[at-1-n] == '\\' {
		n++
	}
	return n
}

// brokeEscape reports whether the step that ended at win[at], or the one before it, took the begin of an escape for itself.
func (e *engine) brokeEscape(win []byte, at int) bool {
	from := max(e.cand.start, e.cand.from-2)
	for i := from; i < min(at, e.cand.from+4); i++ {
		if win[i] == '%' || isLongEscape(win[i:]) {
			return true
		}
	}
	return false
}

// advance takes the candidate through the steps of its pattern.
func (e *engine) advance(k *keyword, win []byte, eof bool) verdict {
	p, c := k.pattern, &e.cand
	if !c.begun {
		start := e.pos - len(k.text)
		if p.within != nil && (start == 0 || !p.within[win[start-1]]) || p.joins != joinNever && p.excluded(win, start) {
			return no
		}
		c.tail, c.cut, c.record = 0, false, p.records != nil && endsIn(win, start, p.records)
		if p.behind != nil {
			var ok bool
			if c.tail, c.cut, ok = p.follows(e, win, start); !ok {
				return no
			}
		}
		c.framed = p.before != nil && precededBy(win, start, p.before) && !e.shifted(win, start) && !e.parted(start)
		if c.framed && !p.mayBeFramed(win[start-1]) {
			return no
		}
		c.begun, c.start, c.step, c.from = true, start, 0, e.pos
	}
	for ; c.step < len(p.steps); c.step++ {
		s := &p.steps[c.step]
		if s.gap != nil {
			n, short := s.gap(win[c.from:min(c.from+s.max, len(win))])
			if short && len(win)-c.from < s.max && !eof {
				return more
			}
			if n < s.min {
				return e.breaks(win, c.from+n, eof, nil)
			}
			c.from += n
			continue
		}
		end := e.runEnd(s.class, c.from, min(c.from+s.max, len(win)), win)
		if end == len(win) && end-c.from < s.max && !eof {
			return more
		}
		if end-c.from < s.min || s.check != nil && !s.check(win[c.start:end]) {
			return e.breaks(win, end, eof, s.class)
		}
		c.from = end
	}
	if p.after != nil {
		if c.from == len(win) && !eof {
			return more
		}
		if c.from < len(win) && p.after[win[c.from]] && !isFramed(win, c.start-c.tail, c.from) && !e.parted(c.from) {
			return no
		}
	}
	if c.framed && !isFramed(win, c.start, c.from) && !beginsField(win, c.start, c.from) || p.joins == joinNever && p.excluded(win, c.start) { // the latter costs most
		return no
	}
	return yes
}

// runEnd returns the end of the run of class bytes at from, at most limit.
func (e *engine) runEnd(c *class, from, limit int, win []byte) int {
	at := from
	if limit-from <= 1 { // a literal: not worth remembering, and it must not push out what is
		if at < limit && c[win[at]] {
			at++
		}
		return at
	}
	var r *reach
	for i := range e.reached {
		if e.reached[i].class == c {
			r = &e.reached[i]
			break
		}
	}
	switch {
	case r == nil:
		r = &e.reached[e.oldest]
		e.oldest = (e.oldest + 1) % len(e.reached)
		*r = reach{c, from, from}
	case r.from <= from && from < r.end:
		at = min(r.end, limit)
	default:
		r.from, r.end = from, from
	}
	for at < limit && c[win[at]] {
		at++
	}
	r.end = max(r.end, at)
	return at
}

// skip goes on at win[at] as at the begin of a stream, but for what stands before it.
func (e *engine) skip(win []byte, at int) {
	e.state, e.pos, e.open, e.block, e.first = 0, at, false, at, at
	e.loose.skip(at)
	e.exact.skip(at)
	if e.rules.words != nil {
		e.phrase.skip(win, at)
	}
}

// waits reports whether a match has begun in win.
func (e *engine) waits(win []byte) bool {
	return e.open || e.inTail(win) || e.phrase.waits() || len(e.loose.trails)+len(e.exact.trails) > 0
}
