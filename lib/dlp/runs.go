package dlp

// An encoding writes bytes as characters that carry a few bits each.
type encoding struct {
	name  string
	bits  int        // a character
	group int        // characters after which character and byte boundaries meet again
	value [256]uint8 // of a character; noValue: it is none
}

const noValue = 0xFF

var encodings = [...]*encoding{
	newEncoding("base64", 6, 4, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", "-_"),
	newEncoding("base32", 5, 8, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", ""),
	newEncoding("hex", 4, 2, "0123456789abcdef", ""),
}

// runChar are the characters that any of the encodings has: those of base64.
var runChar = &encodings[0].value

// newEncoding numbers the characters of alphabet; those of also stand for its last ones.
func newEncoding(name string, bits, group int, alphabet, also string) *encoding {
	e := &encoding{name: name, bits: bits, group: group}
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
	// wrapAfter is the length of the shortest line that a wrapped run can have.
	wrapAfter = 16
)

// isText is what text in ASCII is made of.
var isText = set(" -~\t\r\n")

// textAt reports whether chars, the last of a run, decode to text by e with groups that begin at phase of the run. at is
// the run's index of chars[0].
func (e *encoding) textAt(chars []byte, at, phase int) bool {
	skip := ((phase-at)%e.group + e.group) % e.group
	var acc uint32
	bits := 0
	for _, c := range chars[skip:] {
		v := e.value[c]
		if v == noValue {
			return false
		}
		acc = acc<<e.bits | uint32(v)
		if bits += e.bits; bits >= 8 {
			bits -= 8
			if !isText[byte(acc>>bits)] {
				return false
			}
		}
	}
	return true
}

// runs finds the encoded runs of a view, and decodes them.
type runs struct {
	n       int // characters of the current run
	line    int // of them, those on this line
	wrapped bool
	last    [32]symbol // the run's last characters, at their index modulo the length
	kids    []*kid
	spare   []*view
}

// kid is one reading of a run.
type kid struct {
	encoding *encoding
	phase    int
	acc      uint32
	bits     int
	start    int64 // of the character that the next byte begins in
	strange  int   // how far what came lately is from text
	view     *view
}

func (r *runs) push(v *view, x symbol) {
	if v.level == v.s.depth() {
		return
	}
	if runChar[x.c] == noValue {
		switch {
		case r.n == 0:
		case (x.c == '\n' || x.c == '\r') && (r.line >= wrapAfter || r.wrapped):
			r.wrapped, r.line = true, 0
		case (x.c == ' ' || x.c == '\t') && r.wrapped && r.line == 0:
		default:
			r.end(v)
		}
		return
	}
	r.last[r.n%len(r.last)] = x
	r.n++
	r.line++
	if len(r.kids) > 0 {
		r.feed(v, x)
	}
	if r.n >= sampleChars && (r.n-sampleChars)%sampleStep == 0 {
		r.sample(v)
	}
}

// sample opens each reading that the last characters are text in.
func (r *runs) sample(v *view) {
	var chars [sampleChars]byte
	at := r.n - sampleChars
	for i := range chars {
		chars[i] = r.last[(at+i)%len(r.last)].c
	}
	for _, e := range encodings {
		if e.value[chars[0]] == noValue || e.value[chars[sampleChars-1]] == noValue {
			continue
		}
		for phase := range e.group {
			if !r.has(e, phase) && e.textAt(chars[:], at, phase) {
				r.open(v, e, phase)
			}
		}
	}
}

func (r *runs) has(e *encoding, phase int) bool {
	for _, k := range r.kids {
		if k.encoding == e && k.phase == phase {
			return true
		}
	}
	return false
}

func (r *runs) open(v *view, e *encoding, phase int) {
	k := &kid{encoding: e, phase: phase}
	if n := len(r.spare); n > 0 {
		k.view, r.spare = r.spare[n-1], r.spare[:n-1]
	} else {
		k.view = newView(v.s)
	}
	k.view.level = v.level + 1
	k.view.chain, k.view.encoding = v.chainUpTo(), e.name
	k.view.begin(nil)
	from := max(0, r.n-backUp)
	from += ((phase-from)%e.group + e.group) % e.group
	for ; from < r.n; from++ {
		x := r.last[from%len(r.last)]
		if e.value[x.c] == noValue { // only behind it is the run one of e
			k.acc, k.bits = 0, 0
			k.view.begin(nil)
			from += e.group - 1
			continue
		}
		k.push(x)
	}
	k.strange = 0
	r.kids = append(r.kids, k)
}

// push takes the next character, which must be one of the encoding's.
func (k *kid) push(x symbol) {
	if k.bits == 0 {
		k.start = x.start
	}
	k.acc = k.acc<<k.encoding.bits | uint32(k.encoding.value[x.c])
	if k.bits += k.encoding.bits; k.bits < 8 {
		return
	}
	k.bits -= 8
	b := byte(k.acc >> k.bits)
	k.view.push(symbol{c: b, undone: x.undone << outerEscapes, start: k.start, end: x.end})
	k.start = x.start
	if isText[b] {
		k.strange = max(0, k.strange-1)
	} else {
		k.strange += 4
	}
}

// maxStrange is how strange a reading may get before it is dropped; another sample can open it again.
const maxStrange = 40

func (r *runs) feed(v *view, x symbol) {
	kept := r.kids[:0]
	for _, k := range r.kids {
		if k.encoding.value[x.c] == noValue {
			r.close(k)
			continue
		}
		if k.push(x); k.strange > maxStrange {
			if k.view.idle() {
				r.close(k)
				continue
			}
			k.strange = 0
		}
		kept = append(kept, k)
	}
	r.kids = kept
}

func (r *runs) close(k *kid) {
	k.view.finish()
	r.spare = append(r.spare, k.view)
}

// end says that the run has ended.
func (r *runs) end(v *view) {
	for _, k := range r.kids {
		r.close(k)
	}
	r.kids = r.kids[:0]
	r.n, r.line, r.wrapped = 0, 0, false
}

// drop forgets the run.
func (r *runs) drop(v *view) {
	for _, k := range r.kids {
		r.spare = append(r.spare, k.view)
	}
	r.kids = r.kids[:0]
	r.n, r.line, r.wrapped = 0, 0, false
}

// held is the offset of the first byte of the run that may still be decoded, or of what is open in its readings.
func (r *runs) held() int64 {
	least := int64(1<<63 - 1)
	if r.n > 0 {
		least = r.last[max(0, r.n-backUp)%len(r.last)].start
	}
	for _, k := range r.kids {
		least = min(least, k.view.held())
		if k.bits > 0 {
			least = min(least, k.start)
		}
	}
	return least
}
