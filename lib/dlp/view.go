package dlp

import (
	"slices"
	"strings"
	"unsafe"
)

// symbol is a byte of a view and where it comes from.
type symbol struct {
	c          byte
	undone     escapes
	start, end spot
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
	begun   spot    // where that begins, if there is no byte yet

	decoded     []byte // what a reading has decoded for it
	decodedFrom []origin

	engine   engine
	searched int // bytes of buf that the engine was given
	ran      int // and runs
	full     int // bytes of buf from which on it is looked whether all are still needed
	buf      []byte
	origins  []origin // of each byte of buf

	runs runs
}

// origin is where a byte of a view comes from, and what was undone to see it.
type origin struct {
	start  spot
	width  uint16
	undone escapes
}

func width(start, end spot) uint16 { return uint16(min(start.to(end), 1<<16-1)) }

func (o *origin) end() spot { return o.start + spot(o.width) }

// spot is an offset in the raw stream, of which it has the lowest bits: each byte of each view has one, and all that are in use at a time are
// of the same window.
type spot uint32

func spotOf(offset int64) spot { return spot(offset & (1<<32 - 1)) }

// to returns how many bytes there are from p to q, which may be before it.
func (p spot) to(q spot) int { return int(int32(q - p)) }

// offset returns where p is in the raw stream.
func (v *view) offset(p spot) int64 {
	base := v.s.engine.base
	return base + int64(spotOf(base).to(p))
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

// size is about how many bytes of memory v takes, with the readings in it.
func (v *view) size() int {
	n := viewSize + v.engine.size() + cap(v.buf) + cap(v.decoded) + (cap(v.origins)+cap(v.decodedFrom))*originSize
	for _, list := range [...][]*kid{v.runs.kids, v.runs.spare} {
		for _, k := range list {
			n += k.view.size()
		}
	}
	return n
}

const (
	viewSize   = int(unsafe.Sizeof(view{}) + unsafe.Sizeof(kid{}))
	originSize = int(unsafe.Sizeof(origin{}))
)

// shed lets go of what v has more than most bytes. v must begin anew before it is used again.
func (v *view) shed(most int) {
	if v.size() > most {
		v.buf, v.origins, v.runs = nil, nil, runs{}
		v.decoded, v.decodedFrom = nil, nil
		v.engine = engine{rules: v.engine.rules}
	}
}

// begin makes v ready for another part of its source. context are symbols before it, which are known but not searched.
func (v *view) begin(context []symbol) {
	v.pending, v.dropped = 0, 0
	for i := range v.stages {
		v.stages[i].n = 0
	}
	v.runs.drop()
	v.engine.reset()
	v.buf, v.origins, v.full = v.buf[:0], v.origins[:0], keptAtOnce
	for _, x := range context {
		v.append(x)
	}
	v.engine.skip(v.buf, len(v.buf))
	v.searched, v.ran = len(v.buf), len(v.buf)
}

// feed takes the next bytes of v's source, which is the raw stream; they are at its offset.
func (v *view) feed(b []byte, offset int64) {
	at := spotOf(offset)
	for len(b) > 0 {
		n := 0
		if v.pending == 0 {
			n = plainLen(b[:min(len(b), workEvery)])
		}
		if n == 0 && v.pending == 0 {
			if taken := v.short(b, origins{at: at}); taken > 0 {
				b, at = b[taken:], at+spot(taken)
				v.mayWork()
				continue
			}
		}
		if n == 0 {
			v.push(symbol{c: b[0], start: at, end: at + 1})
			b, at = b[1:], at+1
			continue
		}
		v.buf = append(v.buf, b[:n]...)
		from := len(v.origins)
		v.origins = slices.Grow(v.origins, n)[:from+n]
		for i := range v.origins[from:] {
			v.origins[from+i] = origin{start: at + spot(i), width: 1}
		}
		v.origins[from].undone, v.dropped = v.dropped, 0
		b, at = b[n:], at+spot(n)
		v.mayWork()
	}
}

// take takes the next bytes of v's source, of which the origins are from.
func (v *view) take(b []byte, from []origin) {
	for len(b) > 0 {
		n := 0
		if v.pending == 0 {
			if n = plainLen(b); n > 0 {
				v.buf = append(v.buf, b[:n]...)
				first := len(v.origins)
				v.origins = append(v.origins, from[:n]...)
				v.origins[first].undone |= v.dropped
				v.dropped = 0
			} else {
				n = v.short(b, origins{of: from})
			}
		}
		if n == 0 {
			v.push(symbol{c: b[0], undone: from[0].undone, start: from[0].start, end: from[0].end()})
			n = 1
		}
		b, from = b[n:], from[n:]
	}
	v.mayWork()
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
		first := st.symbols[0]
		if more && !eof && st.n < maxEscape && first.start.to(st.symbols[st.n-1].end) <= maxMargin {
			return
		}
		if u.taken == 0 || u.n == 0 && v.silent(first.start) {
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

// silent reports whether nothing has come out of v for so long that what is at must.
func (v *view) silent(at spot) bool {
	if n := len(v.origins); n > 0 {
		return v.origins[n-1].end().to(at) > maxMargin
	}
	if v.dropped == 0 {
		v.begun = at
	}
	return v.begun.to(at) > maxMargin
}

// out takes the next byte of v itself.
func (v *view) out(x symbol) {
	v.append(x)
	v.mayWork()
}

// workEvery is how many bytes v collects before it works on them.
const workEvery = 512

func (v *view) mayWork() {
	if len(v.buf)-v.searched >= workEvery {
		v.work(false)
	}
}

func (v *view) append(x symbol) {
	v.buf = append(v.buf, x.c)
	v.origins = append(v.origins, origin{x.start, width(x.start, x.end), x.undone | v.dropped})
	v.dropped = 0
}

// work searches what has come since it did so last.
func (v *view) work(eof bool) {
	v.decode()
	e := &v.engine
	e.found = e.found[:0]
	e.origins = v.origins
	e.run(v.buf, eof)
	for _, f := range e.found {
		from, last := int(f.Start-e.base), int(f.End-e.base)-1
		var undone escapes
		for _, o := range v.origins[from : last+1] {
			undone |= o.undone
		}
		f.Start, f.End = v.offset(v.origins[from].start), v.offset(v.origins[last].end())
		f.Encoding = joinNames(chainOf(v.chain, v.encoding, undone), f.Encoding)
		v.s.queue(f)
	}
	v.searched = len(v.buf)
	if len(v.buf) < v.full {
		return
	}
	// Keep what may be asked for again.
	if n := e.held(v.buf) - lookBehind; n >= len(v.buf)/2 {
		v.buf = v.buf[:copy(v.buf, v.buf[n:])]
		v.origins = v.origins[:copy(v.origins, v.origins[n:])]
		v.ran -= n
		e.slide(n)
		e.origins = v.origins
	}
	v.searched = len(v.buf)
	v.full = len(v.buf) + keptAtOnce
}

// keptAtOnce is how many bytes v collects before it looks what it must keep. Each takes 9 bytes of memory, and a text can be
// written so that a dozen views are open.
const keptAtOnce = 3072

// decode gives what has come since it did so last to runs.
func (v *view) decode() {
	from := v.ran
	v.ran = len(v.buf)
	v.runs.read(v, from)
}

// finish says that nothing follows.
func (v *view) finish() {
	for i := range v.stages {
		v.settle(i, true)
	}
	v.decode()
	v.runs.end()
	v.work(true)
	v.engine.skip(v.buf, len(v.buf))
}

// idle reports whether nothing in v is waiting for more. It searches first.
func (v *view) idle() bool {
	v.decode()
	if v.pending > 0 || len(v.runs.kids) > 0 {
		return false
	}
	v.work(false)
	return !v.engine.waits(v.buf)
}

// held returns the offset in the raw stream of the first byte that may still belong to a finding of v to come.
func (v *view) held() int64 {
	v.work(false)
	least := int64(1<<63 - 1)
	if at := v.engine.held(v.buf); at < len(v.buf) {
		least = v.offset(v.origins[at].start)
	}
	for i := range v.stages {
		if st := &v.stages[i]; st.n > 0 {
			least = min(least, v.offset(st.symbols[0].start))
		}
	}
	return min(least, v.runs.held(v))
}

// chainUpTo names what was undone to see v, but for single escapes.
func (v *view) chainUpTo() string { return chainOf(v.chain, v.encoding, 0) }

// chainOf names what was undone, the outermost first: base64>json.
func chainOf(chain, encoding string, undone escapes) string {
	return joinNames(chain, joinNames((undone >> outerEscapes).names()...), encoding, joinNames(undone.names()...))
}

// joinNames joins the names that are not empty.
func joinNames(names ...string) string {
	return strings.Join(slices.DeleteFunc(names, func(s string) bool { return s == "" }), ">")
}
