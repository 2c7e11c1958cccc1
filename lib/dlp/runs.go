package dlp

import "math/bits"

// An encoding writes bytes as characters that carry a few bits each.
type encoding struct {
	name  string
	bits  int        // a character
	group int        // characters after which character and byte boundaries meet again, a power of two
	value [256]uint8 // of a character; noValue: it is none

	alphabet string
}

const noValue = 0xFF

var encodings = [...]*encoding{
	newEncoding("base64", 6, 4, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", "-_"),
	newEncoding("base32", 5, 8, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", ""),
	newEncoding("hex", 4, 2, "0123456789abcdef", ""),
	newEncoding("base32", 5, 8, "abcdefghijklmnopqrstuvwxyz234567", ""), // one of its own: with both cases it would be nearly all of base64
}

// runChar are the characters that any of the encodings has: those of base64.
var runChar = &encodings[0].value

// newEncoding numbers the characters of alphabet; those of also stand for its last ones.
func newEncoding(name string, bits, group int, alphabet, also string) *encoding {
	e := &encoding{name: name, bits: bits, group: group, alphabet: alphabet}
	for i := range e.value {
		e.value[i] = noValue
	}
	for i := range len(alphabet) {
		e.value[alphabet[i]] = uint8(i)
	}
	for i := range len(also) {
		e.value[also[i]] = uint8(len(alphabet) - len(also) + i)
	}
	if name == "hex" {
		for c := byte('A'); c <= 'F'; c++ {
			e.value[c] = c - 'A' + 10
		}
	}
	return e
}

const (
	// A run is decoded from where it decodes to text: what is random does not, so that an image costs a look at every
	// sampleStep characters, and no more. A sample is long enough that random ones pass once in thousands.
	sampleChars = 16
	sampleStep  = 12
	// backUp is how many characters before the end of its first sample the decoding begins: text may have begun since
	// the sample before.
	backUp = sampleChars + sampleStep
	// backUpReach is how many bytes of the raw stream they take at most.
	backUpReach = 2 << 10
	// wrapAfter is the length of the shortest line that a wrapped run can have.
	wrapAfter = 16
)

// isText is what text in ASCII is made of.
var isText = set(" -~\t\r\n")

// textAt reports whether chars, the last of a run, decode to text, also in UTF-16, by e with groups that begin at phase of the run. at is
// the run's index of chars[0].
func (e *encoding) textAt(chars []byte, at, phase int) bool {
	skip := (phase - at) & (e.group - 1)
	var acc uint32
	bits, last := 0, byte(0)
	for _, c := range chars[skip:] {
		v := e.value[c]
		if v == noValue {
			return false
		}
		acc = acc<<e.bits | uint32(v)
		if bits += e.bits; bits >= 8 {
			bits -= 8
			b := byte(acc >> bits)
			if !isText[b] && (b != 0 || last == 0) {
				return false
			}
			last = b
		}
	}
	return true
}

// runs finds the encoded runs of a view, and decodes them.
type runs struct {
	n       int // characters of the current run
	line    int // of them, those on this line
	wrapped bool
	before  [backUp]symbol // the last characters of the lines before; the last of all is last
	kids    []*kid
	spare   []*kid
}

// kid is one reading of a run.
type kid struct {
	encoding *encoding
	phase    int
	acc      uint32
	bits     int
	start    spot // of the character that the next byte begins in
	strange  int  // how far what came lately is from text
	clean    int  // bytes of text since what was none
	view     *view
}

// read takes v.buf[from:], which follows what it was given before.
func (r *runs) read(v *view, from int) {
	if v.level == v.s.depth() {
		return
	}
	buf := v.buf
	for i := from; i < len(buf); {
		if r.n == 0 && len(buf)-i >= blockLen { // words
			if m := marksOf(buf[i:]); !hasSample(m.runs) {
				i += blockLen
				r.n = bits.LeadingZeros64(^m.runs)
				r.line = r.n
				continue
			}
		}
		if runChar[buf[i]] == noValue {
			switch c := buf[i]; {
			case r.n == 0:
			case r.wrapped && r.line == 0 && r.before[backUp-1].end.to(v.origins[i].end()) > maxMargin:
				r.end()
			case (c == '\n' || c == '\r') && (r.line >= wrapAfter || r.wrapped):
				r.wrap(v, i)
			case (c == ' ' || c == '\t') && r.wrapped && r.line == 0:
			default:
				r.end()
			}
			i++
			continue
		}
		if n := r.text(v, i); n > 0 {
			r.n, r.line, i = r.n+n, r.line+n, i+n
			continue
		}
		next := sampleChars // when the next sample is due
		if r.n >= sampleChars {
			next = r.n + sampleStep - (r.n-sampleChars)%sampleStep
		}
		begin, limit := i, min(len(buf), i+next-r.n)
		for i++; i < limit && runChar[buf[i]] != noValue; i++ {
		}
		r.n += i - begin
		r.line += i - begin
		if len(r.kids) > 0 {
			r.feed(v, begin, i)
		}
		if r.n == next {
			r.sample(v, i)
		}
	}
}

// wrap ends a line of the run at v.buf[end].
func (r *runs) wrap(v *view, end int) {
	if r.line > 0 {
		last := r.last(v, end)
		copy(r.before[:], last[:])
	}
	r.wrapped, r.line = true, 0
}

// last returns the last characters of the run, of which the current line's end at v.buf[end]; where the run is shorter,
// or takes too much of the raw stream, the first of them are none.
func (r *runs) last(v *view, end int) (last [backUp]symbol) {
	n := min(r.line, backUp)
	copy(last[:], r.before[n:])
	for i := range n {
		at := end - n + i
		o := &v.origins[at]
		last[backUp-n+i] = symbol{c: v.buf[at], undone: o.undone, start: o.start, end: o.end()}
	}
	for i := backUp - 2; i >= 0; i-- {
		if last[i].start.to(last[backUp-1].end) > backUpReach {
			last[i] = symbol{start: last[i+1].start}
		}
	}
	return last
}

// text decodes what is text in the only reading from v.buf[i] on, and returns how many characters that is. It is the short way of read for
// what comes most: where base64 has been text for a sample's length, no other reading is looked for.
func (r *runs) text(v *view, i int) (n int) {
	if len(r.kids) != 1 {
		return 0
	}
	k := r.kids[0]
	if k.encoding.bits != 6 || k.bits != 0 || !k.isClean() {
		return 0
	}
	w := k.view
	w.decoded, w.decodedFrom = w.decoded[:0], w.decodedFrom[:0]
	for i+n+4 <= len(v.buf) && k.group(v, i+n) {
		n += 4
	}
	w.take(w.decoded, w.decodedFrom)
	return n
}

// sample opens each reading that the last characters are text in. The last of them is before v.buf[end].
func (r *runs) sample(v *view, end int) {
	if r.clean(encodings[0]) {
		return
	}
	var chars [sampleChars]byte
	if r.line >= sampleChars {
		copy(chars[:], v.buf[end-sampleChars:end])
	} else {
		last := r.last(v, end)
		for i := range chars {
			chars[i] = last[backUp-sampleChars+i].c
		}
	}
	at := r.n - sampleChars
	in := sampled(&chars)
	for i, e := range encodings {
		if in>>i&1 == 0 || e.value[chars[0]] == noValue || e.value[chars[sampleChars-1]] == noValue || r.clean(e) {
			continue
		}
		for phase := range e.group {
			if !r.has(e, phase) && e.textAt(chars[:], at, phase) {
				r.open(v, e, phase, end)
			}
		}
	}
}

// clean reports whether a sample's characters are text in a reading by e that is open: they are none in another.
func (r *runs) clean(e *encoding) bool {
	for _, k := range r.kids {
		if k.encoding == e && k.isClean() {
			return true
		}
	}
	return false
}

// isClean reports whether what k read of the last sample is text.
func (k *kid) isClean() bool { return k.clean*8 >= sampleChars*k.encoding.bits }

func (r *runs) has(e *encoding, phase int) bool {
	for _, k := range r.kids {
		if k.encoding == e && k.phase == phase {
			return true
		}
	}
	return false
}

func (r *runs) open(v *view, e *encoding, phase, end int) {
	var k *kid
	if n := len(r.spare); n > 0 {
		k, r.spare = r.spare[n-1], r.spare[:n-1]
	} else {
		k = &kid{view: newView(v.s)}
	}
	*k = kid{encoding: e, phase: phase, view: k.view}
	k.view.level = v.level + 1
	k.view.chain, k.view.encoding = v.chainUpTo(), e.name
	k.view.begin(nil)
	last := r.last(v, end)
	from := max(0, r.n-backUp)
	from += ((phase-from)%e.group + e.group) % e.group
	for ; from < r.n; from++ {
		x := &last[backUp-(r.n-from)]
		if e.value[x.c] == noValue { // only behind it is the run one of e
			k.acc, k.bits = 0, 0
			k.view.begin(nil)
			from += ((phase-from-1)%e.group + e.group) % e.group // to the next group, which may be what follows
			continue
		}
		if b, ok := k.push(x.c, x.start); ok {
			k.view.push(symbol{c: b, undone: x.undone << outerEscapes, start: k.start, end: x.end})
			k.start = x.start
		}
	}
	k.strange = 0
	r.kids = append(r.kids, k)
}

// push takes the next character, which must be one of the encoding's, and returns the byte that it completes, if it does.
// That byte begins at k.start, and the next one where this character does.
func (k *kid) push(c byte, start spot) (b byte, ok bool) {
	if k.bits == 0 {
		k.start = start
	}
	k.acc = k.acc<<k.encoding.bits | uint32(k.encoding.value[c])
	if k.bits += k.encoding.bits; k.bits < 8 {
		return 0, false
	}
	k.bits -= 8
	return byte(k.acc >> k.bits), true
}

// maxStrange is how strange a reading may get before it is dropped; another sample can open it again.
const maxStrange = 40

// feed gives v.buf[from:to], which are of the run, to each reading.
func (r *runs) feed(v *view, from, to int) {
	kept := r.kids[:0]
	for _, k := range r.kids {
		if k.read(v, from, to) {
			kept = append(kept, k)
		} else {
			r.close(k)
		}
	}
	r.kids = kept
}

// read decodes v.buf[from:to] and reports whether the reading goes on.
func (k *kid) read(v *view, from, to int) bool {
	w := k.view
	for i := from; i < to; i++ {
		c, o := v.buf[i], &v.origins[i]
		if k.encoding.value[c] == noValue {
			return false
		}
		b, ok := k.push(c, o.start)
		if !ok {
			continue
		}
		if w.pending == 0 && !mayEscape[b] {
			w.buf = append(w.buf, b)
			w.origins = append(w.origins, origin{k.start, width(k.start, o.end()), o.undone<<outerEscapes | w.dropped})
			w.dropped = 0
		} else {
			w.push(symbol{c: b, undone: o.undone << outerEscapes, start: k.start, end: o.end()})
		}
		k.start = o.start
		if isText[b] {
			k.strange = max(0, k.strange-1)
			k.clean++
			continue
		}
		k.clean = 0
		if k.strange += 4; b == 0 { // every other one of UTF-16 is
			k.strange -= 3
		}
		if k.strange > maxStrange {
			if w.idle() {
				return false
			}
			k.strange = 0
		}
	}
	w.mayWork()
	return true
}

// group decodes the four characters of base64 at v.buf[i] for k's view, if they stand for three bytes of text.
func (k *kid) group(v *view, i int) bool {
	chars, o := (*[4]byte)(v.buf[i:]), (*[4]origin)(v.origins[i:])
	value := &k.encoding.value
	v0, v1, v2, v3 := value[chars[0]], value[chars[1]], value[chars[2]], value[chars[3]]
	if (v0|v1|v2|v3)&0x80 != 0 {
		return false
	}
	b0, b1, b2 := v0<<2|v1>>4, v1<<4|v2>>2, v2<<6|v3
	if !isText[b0] || !isText[b1] || !isText[b2] {
		return false
	}
	w := k.view
	w.decoded = append(w.decoded, b0, b1, b2)
	w.decodedFrom = append(w.decodedFrom,
		origin{o[0].start, width(o[0].start, o[1].end()), o[1].undone << outerEscapes},
		origin{o[1].start, width(o[1].start, o[2].end()), o[2].undone << outerEscapes},
		origin{o[2].start, width(o[2].start, o[3].end()), o[3].undone << outerEscapes})
	k.start = o[3].start
	k.strange = max(0, k.strange-3)
	k.clean += 3
	return true
}

func (r *runs) close(k *kid) {
	k.view.finish()
	r.spare = append(r.spare, k)
}

// end says that the run has ended.
func (r *runs) end() {
	for _, k := range r.kids {
		r.close(k)
	}
	r.kids = r.kids[:0]
	r.n, r.line, r.wrapped = 0, 0, false
}

// drop forgets the run.
func (r *runs) drop() {
	r.spare = append(r.spare, r.kids...)
	r.kids = r.kids[:0]
	r.n, r.line, r.wrapped = 0, 0, false
}

// held is the offset of the first byte of the run that may still be decoded, or of what is open in its readings.
func (r *runs) held(v *view) int64 {
	least := int64(1<<63 - 1)
	if r.n > 0 {
		last := r.last(v, len(v.buf))
		least = v.offset(last[max(0, backUp-r.n)].start)
	}
	for _, k := range r.kids {
		least = min(least, k.view.held())
		if k.bits > 0 {
			least = min(least, v.offset(k.start))
		}
	}
	return least
}

// shifted reports whether so little stands before win[at] in what was decoded that it moves the rest to another alignment: base64 of
// x, xy or nothing and a value. What stands before that, such as the segments of a path, does not decode to text.
func (e *engine) shifted(win []byte, at int) bool {
	if e.origins == nil {
		return false
	}
	const most = 4 // bytes of base32's groups, but for one
	for n := range most + 1 {
		if n == at {
			return e.first == 0 && e.base == 0
		}
		if !isText[win[at-n-1]] {
			return true
		}
	}
	return false
}

// parted reports whether a line's end stands between what win[at-1] and win[at] were decoded from, at the border of two groups: what was
// encoded may end there, and what follows be the next line of the text around it. Characters that are not seen part nothing.
func (e *engine) parted(at int) bool {
	const unseen = lookalike | lookalike<<outerEscapes
	return e.origins != nil && at > 0 && e.origins[at-1].end().to(e.origins[at].start) > 0 && e.origins[at].undone&unseen == 0
}
