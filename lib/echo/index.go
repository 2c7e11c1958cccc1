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
	heads  map[uint32]int32 // into places, by piece, letter case aside; 0 is none
	places []place
	first  [256][]start // by the byte that an occurrence begins with
}

// table says by a piece's hash whether it may be one of those looked for.
type table [1 << tableBits / 64]uint64

func (x *index) stride() int { return x.window - gramBytes + 1 }

// place says where in a needle a piece may stand.
type place struct {
	needle uint8 // by its index among the credential's
	family uint8
	char   uint8 // the character whose form the piece begins in
	offset uint8 // into that form
	// mask has the bytes, up to four, that the form in which the piece ends has
	// after it, and rest what they are: the escapes of all characters begin alike.
	rest, mask uint32
	next       int32 // of the same piece; 0 is none
}

type start struct {
	needle *needle
	family family
}

// fold makes letters lower-case, and some other bytes alike.
func fold(piece uint32) uint32 { return piece | 0x20202020 }

func slot(piece uint32) uint32 { return piece * 0x9E3779B1 >> (32 - tableBits) }

func newIndex(needles []*needle) index {
	x := index{window: maxWindow, heads: make(map[uint32]int32, 4096)}
	for _, n := range needles {
		x.window = min(x.window, len(n.text))
	}
	x.places = make([]place, 1, 600*x.window)
	for number, n := range needles {
		for f := range families {
			if n.forms[f] == nil {
				continue
			}
			written := make([][]string, x.window)
			for i := range written {
				written[i] = n.writings(f, i)
			}
			for i, forms := range written {
				for _, form := range forms {
					for offset := range len(form) {
						got := make([]byte, 0, 64)
						x.extend(place{needle: uint8(number), family: uint8(f), char: uint8(i), offset: uint8(offset)}, append(got, form[offset:]...), written[i+1:])
					}
				}
			}
			for _, form := range written[0] {
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

// extend adds all pieces that begin with got, after which the characters of
// follow come.
func (x *index) extend(p place, got []byte, follow [][]string) {
	if len(got) >= gramBytes {
		for i, c := range got[gramBytes:min(len(got), 2*gramBytes)] {
			p.rest |= uint32(c) << (8 * i)
			p.mask |= 0xff << (8 * i)
		}
		p.rest = fold(p.rest) & p.mask
		x.put(fold(binary.LittleEndian.Uint32(got)), p)
		return
	}
	if len(follow) == 0 {
		return
	}
	for _, form := range follow[0] {
		x.extend(p, append(got, form...), follow[1:])
	}
}

func (x *index) put(piece uint32, p place) {
	p.next = x.heads[piece]
	for i := p.next; i != 0; {
		known := x.places[i]
		i, known.next = known.next, p.next
		if known == p {
			return
		}
	}
	x.heads[piece] = int32(len(x.places))
	x.places = append(x.places, p)
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
	var tried tried
	for p := 0; p+gramBytes <= len(text); p += w.stride {
		piece := fold(binary.LittleEndian.Uint32(text[p:]))
		if h := slot(piece); w.table[h/64]&(1<<(h%64)) == 0 {
			continue
		}
		if found = w.around(text, p, piece, final, &tried); found.start < len(text) {
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

// tried are the places where nothing begins that were found last: one that
// looks like a beginning is met again at each piece inside it.
type tried struct {
	at [8]int // plus one
	n  int
}

func (d *tried) has(t int) bool {
	for _, at := range d.at {
		if at == t+1 {
			return true
		}
	}
	d.at[d.n%len(d.at)] = t + 1
	d.n++
	return false
}

// around resolves a piece that was found at text[p].
func (w *Rewriter) around(text []byte, p int, piece uint32, final bool, tried *tried) occurrence {
	var few [8]int
	begins := few[:0]
	var after uint32
	whole := p+2*gramBytes <= len(text)
	if whole {
		after = fold(binary.LittleEndian.Uint32(text[p+gramBytes:]))
	}
	for i := range w.creds {
		x := &w.creds[i].index
		for j := x.heads[piece]; j != 0; {
			pl := &x.places[j]
			if j = pl.next; int(pl.offset) > p || whole && after&pl.mask != pl.rest {
				continue
			}
			n := w.creds[i].needles[pl.needle]
			begins = n.begins(begins, family(pl.family), int(pl.char), text, p-int(pl.offset))
		}
	}
	sort.Ints(begins)
	for _, t := range begins {
		if tried.has(t) {
			continue
		}
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
