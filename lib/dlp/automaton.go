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
}

// automaton is the Aho-Corasick automaton of all keywords, as a complete table: one look-up a byte. ASCII case is folded.
// A state is the index of its row in next. Rows of states at which a keyword ends come last, so that one comparison
// tells; the root is state 0.
type automaton struct {
	column  [256]uint8 // of a byte; bytes in no keyword share column 0
	width   uint32     // of a row
	next    []uint16   // next[state+column[b]]; narrow, so that what is used most stays in the nearest cache
	accepts uint32     // states from here on have hits
	depth   []uint16   // by row: how many bytes of a keyword have been seen
	hits    [][]keyword
}

func fold(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// node is a state while the automaton is being built.
type node struct {
	next  [256]int // by folded byte; 0: none yet
	fail  int
	depth int
	hits  []keyword
}

// newAutomaton fails when the keywords are more than a table of 16-bit numbers can hold.
func newAutomaton(keywords []keyword) (automaton, error) {
	nodes := trie(keywords)
	order := link(nodes)
	a := flatten(nodes, order)
	if len(a.next) > 1<<16 {
		return automaton{}, fmt.Errorf("the keywords of all rules need a table of %d entries; the limit is %d", len(a.next), 1<<16)
	}
	return a, nil
}

func trie(keywords []keyword) []node {
	nodes := make([]node, 1)
	for _, k := range keywords {
		at := 0
		for i := range len(k.text) {
			c := fold(k.text[i])
			if nodes[at].next[c] == 0 {
				nodes = append(nodes, node{depth: i + 1})
				nodes[at].next[c] = len(nodes) - 1
			}
			at = nodes[at].next[c]
		}
		nodes[at].hits = append(nodes[at].hits, k)
	}
	return nodes
}

// link completes the transitions breadth first and gives each state the hits of its longest proper suffix as well,
// longer keywords first. It returns the states in that order.
func link(nodes []node) []int {
	order := []int{0}
	for i := 0; i < len(order); i++ {
		at := order[i]
		for c := range 256 {
			child := nodes[at].next[c]
			if child != 0 {
				if at != 0 {
					nodes[child].fail = nodes[nodes[at].fail].next[c]
				}
				nodes[child].hits = append(nodes[child].hits, nodes[nodes[child].fail].hits...)
				order = append(order, child)
				continue
			}
			nodes[at].next[c] = nodes[nodes[at].fail].next[c]
		}
	}
	return order
}

func flatten(nodes []node, order []int) automaton {
	var a automaton
	var folded []byte // the byte of each column
	folded = append(folded, 0)
	for c := range 256 {
		used := slices.ContainsFunc(nodes, func(n node) bool { return n.next[c] != 0 })
		if byte(c) == fold(byte(c)) && used {
			a.column[c] = uint8(len(folded))
			folded = append(folded, byte(c))
		}
	}
	for c := range 256 {
		a.column[c] = a.column[fold(byte(c))]
	}
	a.width = uint32(len(folded))

	silent, loud := []int{}, []int{}
	for _, n := range order {
		if len(nodes[n].hits) == 0 {
			silent = append(silent, n)
		} else {
			loud = append(loud, n)
		}
	}
	a.accepts = uint32(len(silent)) * a.width
	rows := append(silent, loud...)
	row := make([]uint32, len(nodes))
	for i, n := range rows {
		row[n] = uint32(i) * a.width
	}
	a.next = make([]uint16, len(rows)*int(a.width))
	a.depth = make([]uint16, len(rows))
	a.hits = make([][]keyword, len(rows))
	for i, n := range rows {
		for col := 1; col < len(folded); col++ {
			a.next[i*int(a.width)+col] = uint16(row[nodes[n].next[folded[col]]])
		}
		a.depth[i] = uint16(nodes[n].depth)
		a.hits[i] = nodes[n].hits
	}
	return a
}
