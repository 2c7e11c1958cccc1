package dlp

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"unicode/utf8"
)

const (
	// prefixLen is how many characters of a form the filter looks at.
	prefixLen = 8
	// maxGap is how many bytes may stand between two characters of a value: a line's end, quotes, + and an indent.
	maxGap = 40
	// maxTrail is how many bytes a value may take in the stream, gaps included.
	maxTrail = MaxMatch - maxMargin
)

// knownSet is what is kept of the known values: their forms as hashes.
type knownSet struct {
	key   [sha256.Size]byte
	seed  uint64
	names []string
	forms []form
	loose gram // only letters and digits count
	exact gram
	bytes class // that any value has

	folds    bool      // upper and lower case are one in all forms
	caseless *knownSet // the same values, for text of which the case is lost
}

// form is one way to write a value.
type form struct {
	rule     int // index in knownSet.names
	encoding string
	length   int  // characters
	fold     bool // upper and lower case are one
	marks    []uint16
	last     uint16 // the mark behind all of them
	sum      [sha256.Size]byte
}

// gram is a filter that finds the first characters of forms. Of few forms, it has one bit for each position and bucket of them, all
// positions shifted by each character. Many would pass nearly everything there: a bit of a table tells whether the last characters may
// be some. Both pass others too, which a hash rejects.
type gram struct {
	loose    bool
	many     bool
	none     uint64           // the state in which nothing has begun
	next     [256]uint64      // by byte, what comes into the state; 0 if it does not count
	shift    [256]uint8       // how far a byte shifts: not at all if it does not count
	maybe    [1 << 10]uint64  // a bit for each of the prefixes, by the begin of its hash
	prefixes map[uint32][]int // by the hash
	mask     [256]uint64      // one bit for each position and bucket of forms, for what has only begun
	n        int
}

// prefixBits is how much of a prefix's hash tells its bit in gram.maybe.
const prefixBits = 16

// randomOdd returns a secret multiplier.
func randomOdd() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.LittleEndian.Uint64(b[:]) | 1
}

// counts are the bytes that count in a loose form: letters, digits, and what is not ASCII.
var counts = func() (c class) {
	for b := range c {
		c[b] = alnum[b] || b >= utf8.RuneSelf
	}
	return c
}()

// counts reports whether win[at] counts. The letter of \n, \r and the like does not.
func (g *gram) counts(win []byte, at int) bool {
	if !g.loose {
		return true
	}
	return counts[win[at]] && !(at > 0 && win[at-1] == '\\' && isShortEscape(win[at]))
}

// skeleton returns the bytes of b that count.
func skeleton(b []byte) []byte {
	g := gram{loose: true}
	var chars []byte
	for i := range b {
		if g.counts(b, i) {
			chars = append(chars, b[i])
		}
	}
	return chars
}

// undo returns b with each escape undone once.
func undo(b []byte) []byte {
	var out []byte
	for len(b) > 0 {
		if mayEscape[b[0]] {
			if u, _ := unescape(b[:min(len(b), maxEscape)]); u.taken > 0 {
				out, b = append(out, u.bytes[:u.n]...), b[u.taken:]
				continue
			}
		}
		out, b = append(out, b[0]), b[1:]
	}
	return out
}

func (set *knownSet) hash(h uint64, c byte) uint64 { return (h + uint64(c) + 1) * set.seed }

// marked reports whether a mark stands behind n characters. A text that shares a public begin with a value, such as a
// JWT's header, is so dropped soon behind it.
func marked(n int) bool { return n >= 2*prefixLen && n&(n-1) == 0 }

func mark(h uint64) uint16 { return uint16(h >> 48) }

func (set *knownSet) sum(chars []byte) (sum [sha256.Size]byte) {
	mac := hmac.New(sha256.New, set.key[:])
	mac.Write(chars)
	mac.Sum(sum[:0])
	return sum
}

// form adds chars to g.
func (set *knownSet) form(g *gram, rule int, encoding string, chars []byte, folded bool) {
	chars, folded = chars[:min(len(chars), 4*knownMax)], folded || set.folds
	f := form{rule: rule, encoding: encoding, length: len(chars), fold: folded}
	var prefix, h uint64
	text := make([]byte, len(chars))
	bucket := g.n % 8
	g.n++
	for i, c := range chars {
		if i < prefixLen {
			prefix = prefix<<8 | uint64(fold(c))
			for _, as := range []byte{c, fold(c), upper(c)} {
				if as == c || folded {
					g.mask[as] |= 1 << (8*i + bucket)
				}
			}
		}
		if folded {
			c = fold(c)
		}
		text[i] = c
		h = set.hash(h, c)
		if marked(i + 1) {
			f.marks = append(f.marks, mark(h))
		}
	}
	f.last = mark(h)
	f.sum = set.sum(text)
	clear(text)
	set.forms = append(set.forms, f)
	prefix *= set.seed
	key, bit := uint32(prefix>>32), prefix>>(64-prefixBits)
	g.prefixes[key] = append(g.prefixes[key], len(set.forms)-1)
	g.maybe[bit/64] |= 1 << (bit % 64)
}

// newGram returns a gram without forms.
func newGram(loose bool) gram {
	g := gram{loose: loose, prefixes: map[uint32][]int{}}
	for c := range g.shift {
		if !loose || counts[c] {
			g.shift[c] = 8
		}
	}
	return g
}

// manyForms is how many forms are many.
const manyForms = 200

// finish makes g ready for use. Of few forms, a bit of the state is clear where the characters so far are theirs; of many, the state
// is the last characters.
func (g *gram) finish() {
	if g.many = g.n > manyForms; !g.many {
		g.none = 1<<64 - 1
	}
	for c, shift := range g.shift {
		switch {
		case shift == 0:
		case g.many:
			g.next[c] = uint64(fold(byte(c)))
		default:
			g.next[c] = ^g.mask[c]
		}
	}
}

// mayBegin reports whether the last characters, of which hash is made, may be the first ones of a form.
func (g *gram) mayBegin(hash uint64) bool {
	bit := hash >> (64 - prefixBits)
	return g.maybe[bit/64]>>(bit%64)&1 != 0
}

// begun reports whether a form may begin with chars, which are fewer than a prefix.
func (g *gram) begun(chars []byte) bool {
	buckets := uint64(0xFF)
	for i, c := range chars {
		buckets &= g.mask[c] >> (8 * i)
	}
	return buckets != 0
}

// hunt is how far an engine is in the search for known values.
type hunt struct {
	pos    int
	from   int    // nothing begins before
	state  uint64 // the gram's; its bits are flipped where those of gram.none are set
	trails []trail
}

// trail is a form of which the first characters were found.
type trail struct {
	form        int
	start, last int // of the characters so far
	n           int // how many
	marks       int
	hash        uint64
	cued        bool

	names  [maxNames]span // of parameters and members that the value is cut by
	passed int            // how many of them there are
	in     nameState      // of the last one
}

func (h *hunt) slide(n int) {
	h.pos -= n
	h.from -= n
	for i := range h.trails {
		t := &h.trails[i]
		t.start -= n
		t.last -= n
		for j := range t.names {
			t.names[j].from -= n
			t.names[j].to -= n
		}
	}
}

func (h *hunt) skip(at int) { *h = hunt{pos: at, from: at, trails: h.trails[:0]} }

// heldKnown is the index of the first byte that may belong to a value whose end is not known.
func (e *engine) heldKnown(h *hunt, g *gram, win []byte) int {
	at := h.pos
	for i := range h.trails {
		at = min(at, h.trails[i].start)
	}
	var chars [prefixLen]byte
	for n := prefixLen - 1; n > 0 && g.n > 0; n-- {
		if from, ok := g.back(win, h.pos, n, chars[:]); ok && from >= h.from && g.begun(chars[:n]) && !e.tooFar(from, h.pos-1) {
			return min(at, from)
		}
	}
	return at
}

// back returns where the last n characters before win[end] begin, and puts them into chars unless that is nil. It is not ok
// if they do not stand close enough to each other.
func (g *gram) back(win []byte, end, n int, chars []byte) (from int, ok bool) {
	last := end
	for at := end - 1; at >= 0 && last-at <= maxGap+1; at-- {
		if !g.counts(win, at) {
			continue
		}
		last = at
		n--
		if chars != nil {
			chars[n] = win[at]
		}
		if n == 0 {
			return at, true
		}
	}
	return 0, false
}

// hunt searches win on.
func (e *engine) hunt(h *hunt, g *gram, win []byte) {
	if g.n == 0 {
		h.pos = len(win)
		return
	}
	state, pos, following, seed := h.state^g.none, h.pos, len(h.trails) > 0, e.rules.known.seed
	for pos < len(win) {
		afterBackslash := pos > 0 && win[pos-1] == '\\'
		if !following && !afterBackslash {
			// Nearly all of a text is passed here: what neither ends the first characters of a form nor stands behind a backslash.
			if g.many {
				for _, c := range win[pos:] {
					next := state<<(g.shift[c]&63) | g.next[c]
					if g.mayBegin(next * seed) {
						break
					}
					state = next
					if pos++; c == '\\' {
						break
					}
				}
			} else {
				for _, c := range win[pos:] {
					next := state<<(g.shift[c]&63) | g.next[c]
					if next < allBegun {
						break
					}
					state = next
					if pos++; c == '\\' {
						break
					}
				}
			}
			if pos == len(win) {
				break
			}
			afterBackslash = pos > 0 && win[pos-1] == '\\'
		}
		c := win[pos]
		if afterBackslash && g.loose && isShortEscape(c) {
			pos++
			continue
		}
		if following {
			e.follow(h, g, win, pos)
			following = len(h.trails) > 0
		}
		state = state<<(g.shift[c]&63) | g.next[c]
		if g.shift[c] > 0 && (g.many || state < allBegun) && (!g.many || g.mayBegin(state*seed)) {
			e.begin(h, g, win, pos)
			following = len(h.trails) > 0
		}
		pos++
	}
	h.pos, h.state = pos, state^g.none
}

// allBegun is what a state of few forms is below where all their first characters have come.
const allBegun = 0xFF << 56

// begin follows the forms whose prefix ends at win[at].
func (e *engine) begin(h *hunt, g *gram, win []byte, at int) {
	set := e.rules.known
	var chars [prefixLen]byte
	start, ok := g.back(win, at+1, prefixLen, chars[:])
	if !ok || start < h.from || e.tooFar(start, at) {
		return
	}
	var prefix uint64
	for _, c := range chars {
		prefix = prefix<<8 | uint64(fold(c))
	}
	prefix *= set.seed
	if !g.mayBegin(prefix) {
		return
	}
	for _, i := range g.prefixes[uint32(prefix>>32)] {
		t := trail{form: i, start: start, last: at, n: prefixLen}
		for _, c := range chars {
			if set.forms[i].fold {
				c = fold(c)
			}
			t.hash = set.hash(t.hash, c)
		}
		if set.forms[i].length == prefixLen {
			e.arrived(g, win, &t)
		} else {
			h.trails = append(h.trails, t)
		}
	}
}

// follow takes win[at] to the trails.
func (e *engine) follow(h *hunt, g *gram, win []byte, at int) {
	var forks []trail
	kept := h.trails[:0]
	for _, t := range h.trails {
		if in := nameBehind(win[at]); g.loose && in != noName && t.in == noName && t.passed < maxNames && len(h.trails)+len(forks) < maxTrails {
			fork := t
			fork.in, fork.names[fork.passed] = in, span{at, at}
			fork.passed++
			forks = append(forks, fork)
		}
		if e.step(g, win, at, &t) {
			kept = append(kept, t)
		}
	}
	h.trails = append(kept, forks...)
}

// step takes win[at] to a trail, and reports whether it goes on.
func (e *engine) step(g *gram, win []byte, at int, t *trail) bool {
	set := e.rules.known
	f := &set.forms[t.form]
	c := win[at]
	if t.in != noName {
		return t.pass(win, at)
	}
	if at-t.last > maxGap+1 || at-t.start >= maxTrail || e.tooFar(t.start, at) {
		return false
	}
	if e.report && !t.cued && mayEscape[c] {
		t.cued = true
		e.broken = append(e.broken, cue{from: t.start, at: at + 1, to: at + 1})
	}
	if g.loose && !counts[c] {
		return true
	}
	if f.fold {
		c = fold(c)
	}
	t.hash, t.last = set.hash(t.hash, c), at
	t.n++
	if marked(t.n) && t.n <= f.length {
		if f.marks[t.marks] != mark(t.hash) {
			return false
		}
		t.marks++
	}
	if t.n < f.length {
		return true
	}
	e.arrived(g, win, t)
	return false
}

// arrived reports a trail that has all its characters, if they are the value's.
func (e *engine) arrived(g *gram, win []byte, t *trail) {
	set := e.rules.known
	f := &set.forms[t.form]
	if mark(t.hash) != f.last {
		return
	}
	chars := make([]byte, 0, f.length)
	for at := t.start; at <= t.last; at++ {
		for _, name := range t.names[:t.passed] {
			if at >= name.from && at < name.to {
				at = name.to
			}
		}
		if g.counts(win, at) {
			c := win[at]
			if f.fold {
				c = fold(c)
			}
			chars = append(chars, c)
		}
	}
	if len(chars) != f.length || set.sum(chars) != f.sum {
		return
	}
	value, name := win[t.start:t.last+1], set.names[f.rule]
	if e.rules.exempt != nil && e.rules.exempt(name, value) {
		return
	}
	start := e.base + int64(t.start)
	e.found = append(e.found, Finding{Rule: name, Start: start, End: start + int64(len(value)), Encoding: f.encoding, Sample: "…", Label: e.rules.labelOf(name, value), covers: true})
}
