package dlp

import "strings"

// symbol is a byte of a view and where it comes from.
type symbol struct {
	c          byte
	undone     escapes
	start, end int64 // in the raw stream
}

// escapeDepth is how many escapes inside each other a view undoes: %2525.. is two, and a look-alike behind \u one more.
const escapeDepth = 4

// view is decoded text of the stream: with its escapes undone, and what encoded runs in it decode to as views of their
// own. It is fed the parts of its source in which something may be found, not all of it.
type view struct {
	s        *Stream
	chain    string // what was undone before its encoding
	encoding string // that its source was decoded from; empty: none
	level    int    // how many encodings were undone

	stages  [escapeDepth]stage
	pending int     // symbols in stages
	dropped escapes // what was undone to nothing since the last byte

	engine   engine
	searched int // bytes of buf that the engine was given
	buf      []byte
	start    []int64 // of each byte of buf
	width    []uint16
	undone   []escapes

	runs runs
}

// stage holds what may be the begin of an escape.
type stage struct {
	symbols [maxEscape]symbol
	n       int
}

func (s *stage) drop(n int) {
	s.n = copy(s.symbols[:], s.symbols[n:s.n])
}

func newView(s *Stream) *view { return &view{s: s, engine: engine{rules: s.engine.rules}} }

// begin makes v ready for another part of its source. context are symbols before it, which are known but not searched.
func (v *view) begin(context []symbol) {
	v.pending, v.dropped = 0, 0
	for i := range v.stages {
		v.stages[i].n = 0
	}
	v.runs.drop(v)
	v.engine.reset()
	v.buf, v.start, v.width, v.undone = v.buf[:0], v.start[:0], v.width[:0], v.undone[:0]
	for _, x := range context {
		v.append(x)
	}
	v.engine.pos, v.engine.block, v.searched = len(v.buf), len(v.buf), len(v.buf)
}

// push takes the next byte of v's source.
func (v *view) push(x symbol) {
	if v.pending == 0 && !mayEscape[x.c] {
		v.out(x)
		return
	}
	v.stage(0, x)
}

func (v *view) stage(i int, x symbol) {
	if i == escapeDepth {
		v.out(x)
		return
	}
	st := &v.stages[i]
	if st.n == 0 && !mayEscape[x.c] {
		v.stage(i+1, x)
		return
	}
	st.symbols[st.n] = x
	st.n++
	v.pending++
	v.settle(i, false)
}

// settle moves on what is known to be an escape, or to be none.
func (v *view) settle(i int, eof bool) {
	st := &v.stages[i]
	for st.n > 0 {
		var text [maxEscape]byte
		for j := range st.n {
			text[j] = st.symbols[j].c
		}
		u, more := unescape(text[:st.n])
		if more && !eof && st.n < maxEscape {
			return
		}
		first := st.symbols[0]
		if u.taken == 0 {
			st.drop(1)
			v.pending--
			v.stage(i+1, first)
			continue
		}
		x := symbol{undone: u.kind, start: first.start, end: st.symbols[u.taken-1].end}
		for j := range u.taken {
			x.undone |= st.symbols[j].undone
		}
		st.drop(u.taken)
		v.pending -= u.taken
		if u.n == 0 {
			v.dropped |= x.undone
		}
		for _, c := range u.bytes[:u.n] {
			x.c = c
			v.stage(i+1, x)
		}
	}
}

// out takes the next byte of v itself.
func (v *view) out(x symbol) {
	v.append(x)
	v.runs.push(v, x)
	if len(v.buf)-v.searched >= 512 {
		v.work(false)
	}
}

func (v *view) append(x symbol) {
	v.buf = append(v.buf, x.c)
	v.start = append(v.start, x.start)
	v.width = append(v.width, uint16(min(x.end-x.start, 1<<16-1)))
	v.undone = append(v.undone, x.undone|v.dropped)
	v.dropped = 0
}

// work searches what has come since it did so last.
func (v *view) work(eof bool) {
	e := &v.engine
	e.found = e.found[:0]
	e.start = v.start
	e.run(v.buf, eof)
	for _, f := range e.found {
		from, last := int(f.Start-e.base), int(f.End-e.base)-1
		var undone escapes
		for _, u := range v.undone[from : last+1] {
			undone |= u
		}
		f.Start, f.End = v.start[from], v.start[last]+int64(v.width[last])
		f.Encoding = chainOf(v.chain, v.encoding, undone)
		v.s.queue(f)
	}
	// Keep what may be asked for again.
	if n := e.held() - lookBehind; n >= 4096 && n >= len(v.buf)/2 {
		v.buf = v.buf[:copy(v.buf, v.buf[n:])]
		v.start = v.start[:copy(v.start, v.start[n:])]
		v.width = v.width[:copy(v.width, v.width[n:])]
		v.undone = v.undone[:copy(v.undone, v.undone[n:])]
		e.slide(n)
	}
	v.searched = len(v.buf)
}

// finish says that nothing follows.
func (v *view) finish() {
	for i := range v.stages {
		v.settle(i, true)
	}
	v.runs.end(v)
	v.work(true)
	v.engine.state, v.engine.pos, v.engine.open = 0, len(v.buf), false
	v.engine.block = len(v.buf)
}

// idle reports whether nothing in v is waiting for more. It searches first.
func (v *view) idle() bool {
	if v.pending > 0 || len(v.runs.kids) > 0 {
		return false
	}
	v.work(false)
	return !v.engine.open
}

// held returns the offset in the raw stream of the first byte that may still belong to a finding of v to come.
func (v *view) held() int64 {
	v.work(false)
	least := int64(1<<63 - 1)
	if at := v.engine.held(); at < len(v.buf) {
		least = v.start[at]
	}
	for i := range v.stages {
		if st := &v.stages[i]; st.n > 0 {
			least = min(least, st.symbols[0].start)
		}
	}
	return min(least, v.runs.held())
}

// chainUpTo names what was undone to see v, but for single escapes.
func (v *view) chainUpTo() string { return chainOf(v.chain, v.encoding, 0) }

// chainOf names what was undone, the outermost first: base64>json.
func chainOf(chain, encoding string, undone escapes) string {
	var names []string
	if chain != "" {
		names = append(names, chain)
	}
	names = append(names, (undone >> outerEscapes).names()...)
	if encoding != "" {
		names = append(names, encoding)
	}
	return strings.Join(append(names, undone.names()...), ">")
}
