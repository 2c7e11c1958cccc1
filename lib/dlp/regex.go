package dlp

import (
	"bytes"
	"errors"
	"math"
	"regexp"
	"slices"
	"sort"
	"unicode/utf8"
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
	narrow   *narrowing // nil: it can match anywhere
	keywords []string   // in lower case; one of them must be in the block or its reach. None: always matched
	group    int        // of re that is the secret; 0: the first that is not empty, or all
	entropy  float64    // in bits a character, that the secret must exceed; 0: any
	allow    func(line, match, secret []byte) bool
}

// expressions are all of a set of rules.
type expressions struct {
	all   []expression
	rules []int // index in Rules.names
	auto  automaton
}

// compile builds the automaton of the keywords. Where they are too many, it knows less of each; what it passes is compared.
func (x *expressions) compile() error {
	for cut := keywordCut; ; cut-- {
		var keywords []keyword
		for i, e := range x.all {
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

// wanted tells which of the expressions may match in region: it sets wanted, which has one for each, and reports whether there are any.
// lowered is region with ASCII's letters in lower case.
func (x *expressions) wanted(region, lowered []byte, wanted []bool) bool {
	clear(wanted)
	some := false
	for i := range x.all {
		if len(x.all[i].keywords) == 0 {
			wanted[i], some = true, true
		}
	}
	if len(x.auto.next) == 0 {
		return some
	}
	for pos, state, found := 0, uint32(0), true; found; {
		if pos, state, found = x.auto.seek(region, pos, state); found {
			for _, k := range x.auto.hits[state] {
				wanted[k.rule], some = true, true
			}
		}
	}
	if !some {
		return false
	}
	if bytes.IndexFunc(region, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0 {
		lowered = bytes.ToLower(region) // others have lower case, too
	}
	some = false
	for i, w := range wanted {
		if w && len(x.all[i].keywords) > 0 {
			wanted[i] = slices.ContainsFunc(x.all[i].keywords, func(k string) bool { return bytes.Contains(lowered, []byte(k)) })
		}
		some = some || wanted[i]
	}
	return some
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
		e.lowered = e.lowered[:0]
		for _, c := range region {
			e.lowered = append(e.lowered, fold(c))
		}
		if len(e.wanted) != len(x.all) {
			e.wanted = make([]bool, len(x.all))
		}
		if x.wanted(region, e.lowered, e.wanted) {
			for i, wanted := range e.wanted {
				if wanted {
					e.express(&x.all[i], e.rules.names[x.rules[i]], region, from, end)
				}
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
	for _, m := range x.narrow.matches(x.re, region, e.lowered) {
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
