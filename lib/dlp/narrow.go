package dlp

import (
	"bytes"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"sync"
	"unicode/utf8"
)

// narrowing tells where a regular expression can match without running it: each match has one of the literals in it, and
// begins at most so many bytes before. Most expressions of files have such: gitleaks' own need a hundredth of the time.
type narrowing struct {
	literals []string // in lower case, ASCII
	before   int      // bytes
	longest  int      // bytes that a match has at most, or unbounded

	once   sync.Once
	failed error // of what once makes
	source string
	whole  placed
	rest   string // of the expression, from what has the literals on, if that is worth a look alone; empty: it is not
	within int    // how many bytes before a literal that begins
	probe  placed
}

// placed is an expression that begins at one of the first places of a text, in a group of its own.
type placed struct {
	first *regexp.Regexp // at the begin of all text
	amid  *regexp.Regexp // amid it: one character is seen before
}

// place fails where what stands before makes an expression too large.
func place(source string, before int) (p placed, err error) {
	if p.first, err = regexp.Compile(fmt.Sprintf(`\A(?s:.{0,%d}?)(%s)`, before, source)); err != nil {
		return p, err
	}
	p.amid, err = regexp.Compile(fmt.Sprintf(`\A(?s:.{1,%d}?)(%s)`, before+1, source))
	return p, err
}

// find returns the first match that begins at text[begin] or a little behind, in text[:end].
func (p *placed) find(text []byte, begin, end int) []int {
	re := p.first
	if begin > 0 {
		begin, re = begin-1, p.amid
	}
	m := re.FindSubmatchIndex(text[begin:end])
	if m == nil {
		return nil
	}
	for i := range m {
		if m[i] >= 0 {
			m[i] += begin
		}
	}
	return m[2:]
}

const (
	unbounded = -1
	// widest is how many bytes a character takes.
	widest = utf8.UTFMax
	// worthProbing is from how many bytes before a literal on the rest alone is tried first: in a{0,50}(?:key|token)= each of
	// fifty begins is another way to read the same text.
	worthProbing = 8
	// maxBefore is how many bytes before a literal a match can begin at most, and maxLiterals how many there are.
	maxBefore   = 300
	maxLiterals = 32
)

// narrow returns the narrowing of the expression; nil if it has none.
func narrow(source string) *narrowing {
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return nil
	}
	l := literalsOf(tree)
	if l == nil || l.before > maxBefore || len(l.texts) > maxLiterals {
		return nil
	}
	n := &narrowing{literals: l.texts, before: l.before, longest: longest(tree), source: source}
	if tree.Op == syntax.OpConcat && l.part > 0 && l.before >= worthProbing {
		rest := *tree
		rest.Sub = tree.Sub[l.part:]
		n.rest, n.within = rest.String(), l.within
	}
	return n
}

// required are literals one of which is in each match, at most before bytes behind its begin.
type required struct {
	texts  []string
	before int
	part   int // of a sequence: the one that has them
	within int // how many bytes before them that begins
}

// shortest is the length of the shortest literal: the longer, the fewer places there are.
func (r *required) shortest() int {
	n := len(r.texts[0])
	for _, t := range r.texts {
		n = min(n, len(t))
	}
	return n
}

// literalsOf returns the best literals that each match of re must have; nil: there are none.
func literalsOf(re *syntax.Regexp) *required {
	switch re.Op {
	case syntax.OpLiteral:
		text := strings.ToLower(string(re.Rune))
		if len(text) < 2 || strings.IndexFunc(text, func(r rune) bool { return r >= 0x80 }) >= 0 {
			return nil
		}
		return &required{texts: []string{text}}
	case syntax.OpCapture, syntax.OpPlus:
		return literalsOf(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return literalsOf(re.Sub[0])
		}
	case syntax.OpAlternate:
		var all required
		for _, sub := range re.Sub {
			l := literalsOf(sub)
			if l == nil {
				return nil
			}
			all.texts, all.before = append(all.texts, l.texts...), max(all.before, l.before)
		}
		return &all
	case syntax.OpConcat:
		var best *required
		before := 0
		for i, sub := range re.Sub {
			if l := literalsOf(sub); l != nil && (best == nil || l.shortest() > best.shortest()) && before+l.before <= maxBefore {
				best = &required{texts: l.texts, before: before + l.before, part: i, within: l.before}
			}
			n := longest(sub)
			if n == unbounded || before+n > maxBefore {
				break
			}
			before += n
		}
		return best
	}
	return nil
}

// longest returns how many bytes re takes at most in a text without longS and kelvin, or unbounded.
func longest(re *syntax.Regexp) int {
	switch re.Op {
	case syntax.OpLiteral:
		return len(string(re.Rune))
	case syntax.OpCharClass:
		for i := 0; i < len(re.Rune); i += 2 {
			if low, high := re.Rune[i], re.Rune[i+1]; high >= utf8.RuneSelf && (low != high || low != longS && low != kelvin) {
				return widest
			}
		}
		return 1
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return widest
	case syntax.OpStar, syntax.OpPlus:
		return unbounded
	case syntax.OpRepeat:
		n := longest(re.Sub[0])
		if re.Max < 0 || n == unbounded {
			return unbounded
		}
		return n * re.Max
	case syntax.OpAlternate, syntax.OpConcat, syntax.OpCapture, syntax.OpQuest:
		total := 0
		for _, sub := range re.Sub {
			n := longest(sub)
			switch {
			case n == unbounded:
				return unbounded
			case re.Op == syntax.OpAlternate:
				total = max(total, n)
			default:
				total += n
			}
		}
		return total
	}
	return 0
}

// ready makes what next needs, when it is wanted first, and reports whether that could be made.
func (n *narrowing) ready() bool {
	n.once.Do(func() {
		if n.whole, n.failed = place(n.source, n.before); n.failed == nil && n.rest != "" {
			n.probe, n.failed = place(n.rest, n.within)
		}
	})
	return n.failed == nil
}

// next returns the first match in text that begins at or after from, as [regexp.Regexp.FindSubmatchIndex] does; lowered is text with
// ASCII's letters in lower case.
func (n *narrowing) next(text, lowered []byte, from int) []int {
	var at [maxLiterals]int // where each literal is next
	for i := range n.literals {
		at[i] = from - 1
	}
	for place := from; ; place++ {
		nearest := len(text)
		for i, literal := range n.literals {
			if at[i] < place {
				if at[i] = len(text); place < len(text) {
					if j := bytes.Index(lowered[place:], []byte(literal)); j >= 0 {
						at[i] = place + j
					}
				}
			}
			nearest = min(nearest, at[i])
		}
		if place = nearest; place == len(text) {
			return nil
		}
		if n.rest != "" && n.probe.find(text, max(0, place-n.within), len(text)) == nil {
			continue
		}
		begin, end := max(from, place-n.before), len(text)
		if n.longest != unbounded {
			end = min(end, begin+widest*n.before+n.longest+widest) // and what stands behind
		}
		if m := n.whole.find(text, begin, end); m != nil {
			return m
		}
	}
}

// The long s and the sign of Kelvin match letters of ASCII without regard to case.
const longS, kelvin = '\u017f', '\u212a'

// matches returns what FindAllSubmatchIndex of re returns for text.
func (n *narrowing) matches(re *regexp.Regexp, text, lowered []byte) (all [][]int) {
	if n == nil || !n.ready() || bytes.ContainsRune(text, longS) || bytes.ContainsRune(text, kelvin) {
		return re.FindAllSubmatchIndex(text, -1)
	}
	for from := 0; from <= len(text); {
		m := n.next(text, lowered, from)
		if m == nil {
			break
		}
		all = append(all, m)
		from = max(m[1], m[0]+1)
	}
	return all
}
