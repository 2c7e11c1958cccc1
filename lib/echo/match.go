package echo

type outcome int

const (
	no   outcome = iota
	open         // the text ends before it is known
	yes
)

// match looks for needle n in family f at the beginning of text. final means
// that nothing follows text. Of several ends the last is taken.
func (n *needle) match(f family, text []byte, final bool) (end int, o outcome) {
	forms := n.forms[f]
	one := [1]int{0}
	at := one[:] // where the characters so far may have ended; nearly always one place
	var spare []int
	ends := false // text ended in one of the readings
	for i := 0; i < len(n.text); i++ {
		if len(at) == 1 {
			// Most text is not escaped.
			for p := at[0]; p < len(text) && n.raw[text[p]] == n.text[i] && !introduces(text[p]); p = at[0] {
				at[0]++
				if i++; i == len(n.text) {
					break
				}
			}
			if i == len(n.text) {
				break
			}
		}
		next := spare[:0]
		for _, p := range at {
			if p == len(text) {
				ends = true
				continue
			}
			if n.raw[text[p]] == n.text[i] {
				next = add(next, p+1)
			}
			for _, form := range forms[i] {
				found, more := form.prefix(text[p:])
				if found {
					next = add(next, p+len(form.text))
				}
				ends = ends || more
			}
		}
		if len(next) == 0 {
			return 0, unless(final, ends)
		}
		spare, at = at, next
		if &spare[0] == &one[0] {
			spare = nil
		}
	}
	for _, p := range at {
		end = max(end, p)
	}
	if n.tail > 0 {
		if end == len(text) {
			ends = true
		} else if n.hasTail(text[end]) {
			end++
		}
	}
	if ends && !final {
		return 0, open
	}
	return end, yes
}

func unless(final, ends bool) outcome {
	if ends && !final {
		return open
	}
	return no
}

// introduces reports whether c may begin an escape of another character.
func introduces(c byte) bool { return c == '%' || c == '\\' || c == '&' }

func add(set []int, p int) []int {
	for _, q := range set {
		if p == q {
			return set
		}
	}
	return append(set, p)
}

// begins adds to found where n may begin, if its character i begins at text[at].
func (n *needle) begins(found []int, f family, i int, text []byte, at int) []int {
	forms := n.forms[f]
	var a, b [8]int
	at, i, ok := n.walk(i, text, at)
	if !ok {
		return found
	}
	set, next := append(a[:0], at), b[:0]
	for i--; i >= 0; i-- {
		next = next[:0]
		for _, p := range set {
			if p > 0 && n.raw[text[p-1]] == n.text[i] {
				next = add(next, p-1)
			}
			for _, form := range forms[i] {
				if form.suffix(text[:p]) {
					next = add(next, p-len(form.text))
				}
			}
		}
		if len(next) == 0 {
			return found
		}
		set, next = next, set
	}
	for _, p := range set {
		found = add(found, p)
	}
	return found
}

// reach is how far before its end a form has a byte that is special.
const reach = 8

// special reports whether c is in a form that is not the character itself.
func special(c byte) bool {
	return c == '%' || c == '\\' || c == '&' || c == '+' || c == '\n' || c == '\r'
}

// walk goes back from character i at text[at] as far as nothing is escaped,
// which is most of most text, and returns where it came to; not ok means that
// another character stands there.
func (n *needle) walk(i int, text []byte, at int) (to, char int, ok bool) {
	plain := at // text[plain:at] holds nothing special
	for ; i > 0 && at > 0; i, at = i-1, at-1 {
		for far := max(0, at-reach); plain > far; plain-- {
			if special(text[plain-1]) {
				return at, i, true
			}
		}
		if n.raw[text[at-1]] != n.text[i-1] {
			return at, i, false
		}
	}
	return at, i, true
}

// spans returns the piece of text that each character of n was written as; text
// is an occurrence in family f, without the tail of base64.
func (n *needle) spans(f family, text []byte) [][]byte {
	type step struct{ at, from int } // from is an index into the layer before
	layers := make([][]step, 1, len(n.text)+1)
	layers[0] = []step{{0, 0}}
	for i := range len(n.text) {
		var next []step
		put := func(to, from int) {
			for _, s := range next {
				if s.at == to {
					return
				}
			}
			next = append(next, step{to, from})
		}
		for from, s := range layers[i] {
			if s.at < len(text) && n.raw[text[s.at]] == n.text[i] {
				put(s.at+1, from)
			}
			for _, form := range n.forms[f][i] {
				if found, _ := form.prefix(text[s.at:]); found {
					put(s.at+len(form.text), from)
				}
			}
		}
		layers = append(layers, next)
	}
	last := -1
	for k, s := range layers[len(n.text)] {
		if s.at == len(text) {
			last = k
		}
	}
	if last < 0 {
		return nil // not an occurrence
	}
	out := make([][]byte, len(n.text))
	for i := len(n.text) - 1; i >= 0; i-- {
		s := layers[i+1][last]
		out[i] = text[layers[i][s.from].at:s.at]
		last = s.from
	}
	return out
}
