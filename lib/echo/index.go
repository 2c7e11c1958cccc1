package echo

import (
	"encoding/binary"
	"sort"
)

const (
	gramBytes = 4
	maxWindow = 32
	tableBits = 18
)

// index finds where a needle may stand without reading every byte. The first
// window characters of each needle are at least as many bytes, so one of the
// 4-byte pieces that begin at every stride-th byte is inside them, wherever
// they stand. All pieces that those characters can have, in all forms, are in
// the table (Wu and Manber, 1994, use the same idea with one byte's stride less).
type index struct {
	window int
	table  table
	places map[uint32][]place // by piece, letter case aside
	first  [256][]start       // by the byte that an occurrence begins with
}

// table says by a piece's hash whether it may be one of those looked for.
type table [1 << tableBits / 64]uint64

func (x *index) stride() int { return x.window - gramBytes + 1 }

// place says where in a needle a piece may stand.
type place struct {
	needle *needle
	family family
	char   int // the character whose form the piece begins in
	offset int // into that form
}

type start struct {
	needle *needle
	family family
}

// fold makes letters lower-case, and some other bytes alike.
func fold(piece uint32) uint32 { return piece | 0x20202020 }

func slot(piece uint32) uint32 { return piece * 0x9E3779B1 >> (32 - tableBits) }

func newIndex(needles []*needle) index {
	x := index{window: maxWindow, places: map[uint32][]place{}}
	for _, n := range needles {
		x.window = min(x.window, len(n.text))
	}
	for _, n := range needles {
		for f := range families {
			if n.forms[f] == nil {
				continue
			}
			for i := range x.window {
				for _, form := range n.writings(f, i) {
					for offset := range len(form) {
						x.extend(n, f, i, offset, form[offset:], i+1)
					}
				}
			}
			for _, form := range n.writings(f, 0) {
				x.begin(form[0], start{n, f})
				if n.kind == hexadecimal && lower(form[0]) >= 'a' && lower(form[0]) <= 'f' {
					x.begin(form[0]&^0x20, start{n, f})
				}
			}
		}
	}
	return x
}

func (x *index) begin(c byte, s start) {
	for _, known := range x.first[c] {
		if known == s {
			return
		}
	}
	x.first[c] = append(x.first[c], s)
}

// writings returns all forms of character i, itself included.
func (n *needle) writings(f family, i int) []string {
	out := []string{n.text[i : i+1]}
	for _, form := range n.forms[f][i] {
		out = append(out, form.text)
	}
	return out
}

// extend adds all pieces that begin with got, which ends before character next.
func (x *index) extend(n *needle, f family, char, offset int, got string, next int) {
	if len(got) >= gramBytes {
		x.put(fold(binary.LittleEndian.Uint32([]byte(got[:gramBytes]))), place{n, f, char, offset})
		return
	}
	if next == x.window {
		return
	}
	for _, form := range n.writings(f, next) {
		x.extend(n, f, char, offset, got+form, next+1)
	}
}

func (x *index) put(piece uint32, p place) {
	places := x.places[piece]
	for _, known := range places {
		if known == p {
			return
		}
	}
	x.places[piece] = append(places, p)
	h := slot(piece)
	x.table[h/64] |= 1 << (h % 64)
}

// occurrence is a credential found in a text, or what may become one.
type occurrence struct {
	start, end int
	cred       *credential // nil: none, or not known yet
	needle     *needle
	family     family
}

// find returns the first occurrence in text. If there is none, or not known yet
// whether there is, its cred is nil, and start is up to where there is certainly
// none: len(text), or the beginning of what may become one. final means that
// nothing follows text.
func (w *Rewriter) find(text []byte, final bool) occurrence {
	found := occurrence{start: len(text)}
	for p := 0; p+gramBytes <= len(text); p += w.stride {
		piece := fold(binary.LittleEndian.Uint32(text[p:]))
		if h := slot(piece); w.table[h/64]&(1<<(h%64)) == 0 {
			continue
		}
		if found = w.around(text, p, piece, final); found.start < len(text) {
			break
		}
	}
	if final {
		return found
	}
	// What begins within the last bytes may not have a whole window yet.
	for t := max(0, len(text)-w.window); t < found.start; t++ {
		if o := w.at(text, t, final); o.start < len(text) {
			return o
		}
	}
	return found
}

// around resolves a piece that was found at text[p].
func (w *Rewriter) around(text []byte, p int, piece uint32, final bool) occurrence {
	var few [8]int
	begins := few[:0]
	for i := range w.creds {
		places := w.creds[i].index.places[piece]
		for j := range places {
			if pl := &places[j]; pl.offset <= p {
				begins = pl.needle.begins(begins, pl.family, pl.char, text, p-pl.offset)
			}
		}
	}
	sort.Ints(begins)
	for _, t := range begins {
		if o := w.at(text, t, final); o.start < len(text) {
			return o
		}
	}
	return occurrence{start: len(text)}
}

// at returns the longest occurrence that begins at text[t]. Its start is
// len(text) if there is none.
func (w *Rewriter) at(text []byte, t int, final bool) occurrence {
	best := occurrence{start: len(text)}
	for i := range w.creds {
		c := &w.creds[i]
		for _, s := range c.index.first[text[t]] {
			switch end, o := s.needle.match(s.family, text[t:], final); {
			case o == open:
				return occurrence{start: t}
			case o == yes && t+end > best.end:
				best = occurrence{t, t + end, c, s.needle, s.family}
			}
		}
	}
	return best
}
