package dlp

import (
	"bytes"
	"errors"
	"math"
	"regexp"
	"sort"
)

// A regular expression has no fixed begin, as a pattern has in its keyword, and can be of any length. It is therefore
// matched on blocks: a match must begin in the block, and may reach as far behind it as blockReach. Blocks lie at fixed
// offsets, so that what is found does not depend on how the stream arrives. Those of decoded text that takes much more of
// the stream are smaller.
const (
	blockSize  = 4 << 10
	blockReach = 2 << 10
	// blockBefore is what is seen before a block, for \b and what may precede a match.
	blockBefore = 64
)

// expression is a rule in the notation of a file.
type expression struct {
	re       *regexp.Regexp
	keywords []string // in lower case; one of them must be in the block or its reach. None: always matched
	group    int      // of re that is the secret; 0: the first that is not empty, or all
	entropy  float64  // in bits a character, that the secret must exceed; 0: any
	allow    func(line, match, secret []byte) bool
}

// expressions are all of a set of rules.
type expressions struct {
	all   []expression
	rules []int // index in Rules.names
	auto  automaton
	any   bool // some have no keywords
}

// compile builds the automaton of the keywords. Where they are too many, it knows less of each; what it passes is compared.
func (x *expressions) compile() error {
	for cut := keywordCut; ; cut-- {
		var keywords []keyword
		for i, e := range x.all {
			x.any = x.any || len(e.keywords) == 0
			for _, k := range e.keywords {
				keywords = append(keywords, keyword{text: k[:min(len(k), cut)], rule: i})
			}
		}
		if len(keywords) == 0 {
			return nil
		}
		var err error
		x.auto, err = newAutomaton(keywords)
		if _, large := errors.AsType[*tableError](err); !large || cut == 1 {
			return err
		}
	}
}

// wanted returns the expressions that may match in region; nil is none.
func (x *expressions) wanted(region []byte) []bool {
	var wanted []bool
	want := func(i int) {
		if wanted == nil {
			wanted = make([]bool, len(x.all))
		}
		wanted[i] = true
	}
	if x.any {
		for i := range x.all {
			if len(x.all[i].keywords) == 0 {
				want(i)
			}
		}
	}
	a, state := &x.auto, uint32(0)
	if len(a.next) == 0 {
		return wanted
	}
	for _, c := range region {
		state = uint32(a.next[state+uint32(a.column[c])])
		if state >= a.accepts {
			for _, k := range a.hits[state/a.width] {
				want(k.rule)
			}
		}
	}
	if wanted == nil {
		return nil
	}
	lower := bytes.ToLower(region)
	for i, w := range wanted {
		if w && len(x.all[i].keywords) > 0 {
			wanted[i] = false
			for _, k := range x.all[i].keywords {
				wanted[i] = wanted[i] || bytes.Contains(lower, []byte(k))
			}
		}
	}
	return wanted
}

// blocks matches the expressions on the blocks of win that are complete.
func (e *engine) blocks(win []byte, eof bool) {
	x := &e.rules.expressions
	for e.block < len(win) {
		reach := e.reach(len(win))
		if reach == len(win) && !eof && reach < e.block+blockSize+blockReach {
			return
		}
		from := max(0, e.block-blockBefore)
		end := min(reach, e.block+blockSize)
		if reach < len(win) && reach < e.block+blockSize+blockReach { // what may be held has room for less
			end = reach - (reach-e.block)*blockReach/(blockSize+blockReach)
		}
		region := win[from:reach]
		for i, wanted := range x.wanted(region) {
			if wanted {
				e.express(&x.all[i], e.rules.names[x.rules[i]], region, from, end)
			}
		}
		e.block = end
	}
}

// reach returns where the window's block and what it may reach into end, which is the window's end if they are incomplete.
// Of decoded text, which may take many bytes of the stream, they are what may be held.
func (e *engine) reach(size int) int {
	n := min(size-e.block, blockSize+blockReach)
	if !e.tooFar(e.block, e.block+n-1) {
		return e.block + n
	}
	return e.block + sort.Search(n, func(i int) bool { return e.tooFar(e.block, e.block+i) })
}

// express appends what x finds in region, which is at from of the window, and begins in the block that ends at end.
func (e *engine) express(x *expression, name string, region []byte, from, end int) {
	for _, m := range x.re.FindAllSubmatchIndex(region, -1) {
		if at := from + m[0]; at < e.block || at >= end {
			continue
		}
		g := x.group
		for i := 1; x.group == 0 && i < len(m)/2; i++ {
			if m[2*i+1] > m[2*i] {
				g = i
				break
			}
		}
		if m[2*g+1] <= m[2*g] {
			continue
		}
		secret := region[m[2*g]:m[2*g+1]]
		if x.entropy > 0 && entropy(secret) <= x.entropy || x.allow(lineAround(region, m[0], m[1]), region[m[0]:m[1]], secret) ||
			e.rules.exempt != nil && e.rules.exempt(name, secret) {
			continue
		}
		start := e.base + int64(from+m[2*g])
		e.found = append(e.found, Finding{Rule: name, Start: start, End: start + int64(len(secret)), Sample: sample(secret), Label: e.rules.labelOf(name, secret)})
	}
}

// lineAround returns the line of text that [from, to) stands in.
func lineAround(text []byte, from, to int) []byte {
	begin := bytes.LastIndexByte(text[:from], '\n') + 1
	if n := bytes.IndexByte(text[to:], '\n'); n >= 0 {
		return text[begin : to+n]
	}
	return text[begin:]
}

// entropy is Shannon's, in bits a byte.
func entropy(b []byte) float64 {
	var count [256]int
	for _, c := range b {
		count[c]++
	}
	bits := 0.0
	for _, n := range count {
		if n > 0 {
			p := float64(n) / float64(len(b))
			bits -= p * math.Log2(p)
		}
	}
	return bits
}
