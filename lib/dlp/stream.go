package dlp

import (
	"cmp"
	"slices"
	"unsafe"
)

const (
	// MaxMatch is how many bytes of the stream a match can take.
	MaxMatch = 16 << 10
	// MaxHeld is the most that a [Stream] holds back: a match, before it one in decoded text, and what the views may have
	// in hand beside it.
	MaxHeld = 2*MaxMatch + 8<<10
)

// lookBehind is how much of the window is kept before what is held: for precededBy, and for the begin of what an escape
// that comes next may hide.
const lookBehind = cueBack + escapeLen + blockBefore

// contextLen is how much before it a view knows: what an escape before a value can take, and words that a rule does not want there.
const contextLen = 18

// window is the size of a Stream's memory: what may be held, what is looked at before it, and room for new bytes, so that
// moving the held bytes to the front stays a small part of the work.
const window = MaxHeld + MaxMatch + lookBehind

// keptFindings bounds the memory for findings that a Stream keeps over Reset.
const keptFindings = 64

// Stream scans one stream of bytes that arrives in pieces. Any division into pieces gives the same findings. Its memory
// is constant, apart from the findings of one call. It is for one goroutine at a time; the zero value is not usable, see
// [Rules.NewStream].
type Stream struct {
	engine engine // over the bytes as they are
	sniff  sniffer
	buf    []byte
	fed    int64

	// view is the stream with its escapes and encodings undone, where there are any. It follows the engine and the
	// sniffer, so that what it is given depends on the bytes alone.
	view     *view
	probe    engine // tells what was held at a cue
	undone   [1 + cueBack]byte
	undoneAt [1 + cueBack]int
	active   bool
	viewed   int // the window is in view up to here
	until    int // and will be up to here

	queued  []Finding // not yet known to be the first at their place
	found   []Finding // what the last call returned
	end     int64     // of the last finding returned
	first   int64     // Start of the first finding, -1 before it
	settled int64
}

// Scan takes the next bytes of the stream; it does not keep p.
//
// clean is how many bytes, counted from the start of the stream, may be released: none of them is part of a finding or
// of anything that could still become one. It never decreases, and after the first finding it stays at its Start: a
// caller that refuses needs to look at nothing else. At most [MaxHeld] bytes are held while nothing was found: those of
// candidates that are open, and otherwise a few.
//
// found are the findings that these bytes decided, ascending, not overlapping; valid until the next call on s.
func (s *Stream) Scan(p []byte) (clean int64, found []Finding) {
	s.found = s.found[:0]
	s.fed += int64(len(p))
	for len(p) > 0 {
		if len(s.buf) == cap(s.buf) {
			if s.slide(); len(s.buf) == cap(s.buf) {
				panic("dlp: a match holds more than a window has room for") // rather than wait for ever
			}
		}
		n := copy(s.buf[len(s.buf):cap(s.buf)], p)
		s.buf, p = s.buf[:len(s.buf)+n], p[n:]
		s.advance(false)
		s.settle()
	}
	if s.first >= 0 {
		return s.first, s.found
	}
	clean = s.settled
	for i := range s.queued {
		clean = min(clean, s.queued[i].Start)
	}
	return clean, s.found
}

// Finish says that the stream has ended, and returns the findings that the end decided. If there are none and there were
// none before, all of the stream is clean. Afterwards only Reset and Settled may be called.
func (s *Stream) Finish() []Finding {
	s.found = s.found[:0]
	s.advance(true)
	if s.active {
		s.view.finish()
		s.active = false
	}
	s.settled = s.fed
	s.emit()
	return s.found
}

// Settled returns how many bytes of the stream are decided for good: every finding that overlaps them has been returned.
// Unlike Scan's clean it goes on past findings, for callers that only report, or that replace what was found.
func (s *Stream) Settled() int64 { return s.settled }

// Reset makes s ready for another stream, at offset 0.
func (s *Stream) Reset() {
	for _, list := range []*[]Finding{&s.engine.found, &s.queued, &s.found} {
		if cap(*list) > keptFindings {
			*list = nil
		}
		*list = (*list)[:0]
	}
	s.engine.reset()
	s.sniff = sniffer{cues: s.sniff.cues[:0], silent: -1, quiet: s.engine.rules.quiets}
	s.view.begin(nil)
	s.active, s.viewed, s.until = false, 0, 0
	s.buf, s.fed, s.end, s.first, s.settled = s.buf[:0], 0, 0, -1, 0
}

// Release gives the memory of s to streams to come. Neither s nor what it returned may be used afterwards. It need not be called.
func (s *Stream) Release() {
	s.view.shed(keptViews) // or one text of encodings would make all streams to come as large
	s.engine.rules.idle.Put(s)
}

// keptViews is how many bytes of views a Stream that is not used keeps.
const keptViews = 128 << 10

// Size is about how many bytes of memory s takes.
func (s *Stream) Size() int {
	return streamSize + cap(s.buf) + s.engine.size() + s.view.size() + (cap(s.queued)+cap(s.found))*findingSize
}

const (
	streamSize  = int(unsafe.Sizeof(Stream{}))
	findingSize = int(unsafe.Sizeof(Finding{}))
	trailSize   = int(unsafe.Sizeof(trail{}))
)

func (s *Stream) depth() int { return s.engine.rules.depth }

func (s *Stream) queue(f Finding) { s.queued = append(s.queued, f) }

// advance searches what is new in the window.
func (s *Stream) advance(eof bool) {
	s.engine.found = s.engine.found[:0]
	s.engine.run(s.buf, eof)
	s.queued = append(s.queued, s.engine.found...)
	if s.depth() <= 0 {
		return
	}
	s.sniff.seek(s.buf, eof)
	s.sniff.cues = append(s.sniff.cues, s.engine.broken...)
	s.engine.broken = s.engine.broken[:0]
	if len(s.sniff.cues) > 0 || s.active {
		s.look(eof)
	}
}

// look feeds the view what the cues point at.
func (s *Stream) look(eof bool) {
	limit := min(s.engine.pos, s.sniffed())
	if eof {
		limit = len(s.buf)
	}
	cues := s.sniff.cues
	for i := 1; i < len(cues); i++ {
		if cues[i].at <= cues[i-1].at { // seldom
			slices.SortStableFunc(cues, func(a, b cue) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.from, b.from)) })
			break
		}
	}
	for {
		if !s.active {
			if len(cues) == 0 || cues[0].at > limit {
				break
			}
			s.activate(cues[0])
			cues = cues[1:]
		}
		for len(cues) > 0 && cues[0].at <= limit && cues[0].at <= s.until {
			s.until = max(s.until, cues[0].to+cueReach)
			cues = cues[1:]
		}
		stop := min(s.until, limit)
		if s.viewed < stop {
			s.view.feed(s.buf[s.viewed:stop], s.engine.base+int64(s.viewed))
			s.viewed = stop
		}
		if s.until > limit {
			break
		}
		if s.view.idle() {
			s.view.finish()
			s.active = false
		} else {
			s.until += cueReach
		}
	}
	s.sniff.cues = s.sniff.cues[:copy(s.sniff.cues, cues)]
}

// sniffed is how much of the window all cues are known of: where a sample is due, it is taken with the next byte.
func (s *Stream) sniffed() int {
	if n := s.sniff.n; n >= sampleChars && n == s.sniff.due {
		return s.sniff.pos - 1
	}
	return s.sniff.pos
}

// activate begins to view the window at a cue.
func (s *Stream) activate(c cue) {
	switch {
	case c.escape:
		c.from = s.behind(c)
	case c.broke > 0: // other keywords may have begun there, and end in the escape
		c.from = min(c.from, s.probe.begunFrom(s.buf[:c.at], max(0, c.at-cueBack)), s.probe.heldFrom(s.buf[:c.broke], max(0, c.broke-cueBack)))
	}
	var context [contextLen]symbol
	n := min(contextLen, c.from)
	for i := range n {
		at := spotOf(s.engine.base + int64(c.from-n+i))
		context[i] = symbol{c: s.buf[c.from-n+i], start: at, end: at + 1}
	}
	s.view.begin(context[:n])
	s.active, s.viewed, s.until = true, c.from, c.to+cueReach
}

// behind returns where viewing for the escape at a cue begins: at what was held when the escape came. What is before that may
// have been released.
func (s *Stream) behind(c cue) int {
	lead := c.at - 1
	for at := max(c.from, lead-maxEscape); at < lead; at++ {
		if _, more := unescape(s.buf[at:lead]); more { // an escape that is in an escape itself
			lead = at
			break
		}
	}
	from := s.probe.heldFrom(s.buf[:lead], c.from)
	if !c.silent {
		return from
	}
	from = min(from, s.undoneFrom(c.from, lead))
	if c.since > c.from && c.since < lead { // until then it was held as it stands
		from = max(from, s.probe.heldFrom(s.buf[:c.since], c.from))
	}
	return from
}

// undoneFrom returns what held would for the window's bytes [from, to) if their escapes were undone.
func (s *Stream) undoneFrom(from, to int) int {
	begin := max(0, from-1) // what stands before says whether a word begins
	text, at := s.undone[:to-begin], s.undoneAt[:to-begin]
	for i := range text {
		text[i], at[i] = s.buf[begin+i], begin+i
	}
	for range escapeDepth {
		n := 0
		for i := 0; i < len(text); {
			u, more := unescape(text[i:min(len(text), i+maxEscape)])
			if more {
				to = at[i]
				break
			}
			if u.taken == 0 {
				text[n], at[n] = text[i], at[i]
				i, n = i+1, n+1
				continue
			}
			for _, c := range u.bytes[:u.n] {
				text[n], at[n] = c, at[i]
				n++
			}
			i += u.taken
		}
		text, at = text[:n], at[:n]
	}
	first := 0
	for first < len(at) && at[first] < from {
		first++
	}
	if n := s.probe.heldFrom(text, first); n < len(text) {
		return at[n]
	}
	return to
}

// held returns the index of the first byte that may still be part of a finding to come.
func (s *Stream) held() int {
	at := s.engine.held(s.buf)
	if s.depth() <= 0 {
		return at
	}
	at = min(at, s.sniff.held(len(s.buf)))
	if from := max(0, len(s.buf)-cueBack); s.sniff.silent >= from { // what an escape that comes shows may begin there
		at = min(at, from)
	}
	for _, c := range s.sniff.cues {
		at = min(at, c.from)
	}
	if s.active {
		at = min(at, s.viewed)
		if h := s.view.held(); h < s.engine.base+int64(at) {
			at = int(h - s.engine.base)
		}
	}
	return max(at, 0)
}

// settle computes what is decided, and returns the findings there.
func (s *Stream) settle() {
	s.settled = max(s.settled, s.engine.base+int64(s.held()))
	s.emit()
}

// emit moves the queued findings that are decided to found, without those that overlap an earlier one.
func (s *Stream) emit() {
	if len(s.queued) == 0 {
		return
	}
	slices.SortStableFunc(s.queued, func(a, b Finding) int { // as in form.go: each kind of sort of them is ten kilobytes of program
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(b.End, a.End), compareBool(a.general, b.general), cmp.Compare(len(a.Encoding), len(b.Encoding)), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Encoding, b.Encoding))
	})
	n := 0
	for ; n < len(s.queued) && s.queued[n].Start < s.settled; n++ {
		f := s.queued[n]
		if f.Start < s.end {
			if !f.covers || f.End <= s.end {
				continue
			}
			f.Start = s.end // what is known is covered to its end
		}
		s.found, s.end = append(s.found, f), f.End
		if s.first < 0 {
			s.first = f.Start
		}
	}
	s.queued = s.queued[:copy(s.queued, s.queued[n:])]
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// slide drops what is settled from the front of the window, but for the bytes that may be asked for.
func (s *Stream) slide() {
	n := s.held()
	if s.active {
		n = min(n, s.viewed)
	}
	n = max(0, n-lookBehind)
	s.buf = s.buf[:copy(s.buf, s.buf[n:])]
	s.engine.slide(n)
	s.sniff.slide(n)
	s.viewed -= n
	s.until -= n
}
