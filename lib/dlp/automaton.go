package dlp

import "fmt"

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
	next  []int32 // by column; 0: none yet
	fail  int32
	depth int
	hits  []keyword
}

// newAutomaton fails when the keywords are more than a table of 16-bit numbers can hold.
func newAutomaton(keywords []keyword) (automaton, error) {
	var a automaton
	a.columns(keywords)
	nodes := a.trie(keywords)
	if size := len(nodes) * int(a.width); size > 1<<16 {
		return automaton{}, &tableError{size}
	}
	a.flatten(nodes, link(nodes))
	return a, nil
}

// tableError says how many entries a table would have.
type tableError struct{ size int }

func (e *tableError) Error() string {
	return fmt.Sprintf("the keywords of all rules need a table of %d entries; the limit is %d", e.size, 1<<16)
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
	var silent, loud []int32
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
