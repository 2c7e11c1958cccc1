package dlp

import (
	"fmt"
	"slices"
)

// keyword is a text that starts a pattern.
type keyword struct {
	text    string
	rule    int // index in Rules.names
	pattern *pattern
	next    []*class // what must be next, byte after byte, but for an escape of it; behind those anything may

	instead [lookAhead]uint8 // of each of next: the bits of beginsOf for what may be there instead
}

// automaton is the Aho-Corasick automaton of all keywords, as a complete table: one look-up a byte. ASCII case is folded.
// A state is the number of its row in next. Rows of states that stand for fewer than skimLen bytes come first, the root as state 0, and
// rows of states at which a keyword ends last, so that comparisons tell.
type automaton struct {
	column  [256]uint8 // of a byte; bytes in no keyword share column 0
	width   uint32     // of a row
	next    []uint16   // next[state*width+column[b]]; narrow, so that what is used most stays in the nearest cache
	accepts uint32     // states from here on have hits
	deep    uint32     // states from here on, and before accepts, stand for skimLen bytes or more
	depth   []uint16   // by state: how many bytes of a keyword have been seen
	hits    [][]keyword
	skim    *skimmer
}

func fold(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// node is a state while the automaton is being built.
type node struct {
	next  []int32 // by column; 0: none yet
	fail  int32
	depth int
	hits  []keyword
}

// newAutomaton fails when the keywords need more states than a 16-bit number can tell apart.
func newAutomaton(keywords []keyword) (automaton, error) {
	var a automaton
	a.columns(keywords)
	nodes := a.trie(keywords)
	if len(nodes) > maxStates {
		return automaton{}, &tableError{len(nodes)}
	}
	a.flatten(nodes, link(nodes))
	a.skim = newSkimmer(keywords)
	return a, nil
}

// maxStates is how many states a table may have.
const maxStates = 1 << 16

// tableError says how many states there would be.
type tableError struct{ states int }

func (e *tableError) Error() string {
	return fmt.Sprintf("the keywords of all rules need a table of %d states; the limit is %d", e.states, maxStates)
}

// columns gives each byte that is in a keyword a column.
func (a *automaton) columns(keywords []keyword) {
	var used class
	for _, k := range keywords {
		for i := range len(k.text) {
			used[fold(k.text[i])] = true
		}
	}
	a.width = 1
	for c, in := range used {
		if in {
			a.column[c] = uint8(a.width)
			a.width++
		}
	}
	for c := range a.column {
		a.column[c] = a.column[fold(byte(c))]
	}
}

func (a *automaton) trie(keywords []keyword) []node {
	nodes := []node{{next: make([]int32, a.width)}}
	for _, k := range keywords {
		at := int32(0)
		for i := range len(k.text) {
			c := a.column[k.text[i]]
			if nodes[at].next[c] == 0 {
				nodes = append(nodes, node{next: make([]int32, a.width), depth: i + 1})
				nodes[at].next[c] = int32(len(nodes) - 1)
			}
			at = nodes[at].next[c]
		}
		nodes[at].hits = append(nodes[at].hits, k)
	}
	return nodes
}

// link completes the transitions breadth first and gives each state the hits of its longest proper suffix as well,
// longer keywords first. It returns the states in that order.
func link(nodes []node) []int32 {
	order := []int32{0}
	for i := 0; i < len(order); i++ {
		at := order[i]
		fail := nodes[nodes[at].fail].next
		for c, child := range nodes[at].next {
			if child == 0 {
				nodes[at].next[c] = fail[c]
				continue
			}
			if at != 0 {
				nodes[child].fail = fail[c]
			}
			nodes[child].hits = append(nodes[child].hits, nodes[nodes[child].fail].hits...)
			order = append(order, child)
		}
	}
	return order
}

// flatten makes the table.
func (a *automaton) flatten(nodes []node, order []int32) {
	var shallow, deep, loud []int32
	for _, n := range order {
		switch {
		case len(nodes[n].hits) > 0:
			loud = append(loud, n)
		case nodes[n].depth < skimLen:
			shallow = append(shallow, n)
		default:
			deep = append(deep, n)
		}
	}
	a.deep = uint32(len(shallow))
	a.accepts = a.deep + uint32(len(deep))
	rows := slices.Concat(shallow, deep, loud)
	row := make([]uint32, len(nodes))
	for i, n := range rows {
		row[n] = uint32(i)
	}
	a.next = make([]uint16, 0, len(rows)*int(a.width))
	a.depth = make([]uint16, len(rows))
	a.hits = make([][]keyword, len(rows))
	for i, n := range rows {
		for _, to := range nodes[n].next {
			a.next = append(a.next, uint16(row[to]))
		}
		a.depth[i] = uint16(nodes[n].depth)
		a.hits[i] = nodes[n].hits
	}
}

// step returns the state behind c.
func (a *automaton) step(state uint32, c byte) uint32 {
	return uint32(a.next[state*a.width+uint32(a.column[c])])
}

// goesOnOtherwise reports whether none of the keywords that end in state can be what is looked for, as rest follows.
func (a *automaton) goesOnOtherwise(state uint32, rest []byte) bool {
	hits := a.hits[state]
	for i := range hits {
		if hits[i].otherwise(rest) != yes {
			return false
		}
	}
	return true
}

// seek reads text[pos:] in state, up to the end of the next keyword that goes on as it must, and returns where it stopped and in which state;
// found: at such an end. Where no keyword begins it does not look at each byte, so that a state may come out that stands for less
// than was read, but for nothing of which a keyword could come.
func (a *automaton) seek(text []byte, pos int, state uint32) (end int, last uint32, found bool) {
	deep, accepts := a.deep, a.accepts
	var skimmed skimmed
	for pos < len(text) {
		sure := pos // a keyword may begin so that it is not deep before this
		if state < deep {
			begun := pos - int(a.depth[state])
			at := a.skim.next(text, begun, &skimmed)
			if at > begun {
				state, pos = 0, at
			}
			sure = min(at+skimLen, len(text))
		}
		for {
			state = a.step(state, text[pos])
			pos++
			if state >= accepts && !a.goesOnOtherwise(state, text[pos:]) {
				return pos, state, true
			}
			if pos >= sure && state < deep || pos == len(text) {
				break
			}
		}
	}
	return pos, state, false
}
