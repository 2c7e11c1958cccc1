package redact

import (
	"encoding/json"

	"bottle/lib/dlp"
)

// Text returns src with a placeholder in the place of each finding, which scan
// has found in it. The result has been read again: scan finds nothing in it but
// in placeholders, and it is JSON if src was. Otherwise the error is
// [ErrUnsound].
func Text(scan Scanner, src []byte, fs []dlp.Finding, n Notation) ([]byte, error) {
	work := append([]byte(nil), src...)
	out := make([]byte, 0, len(src))
	var placed []span
	at := 0
	put := func(from, to int, s string) {
		out = append(out, work[at:from]...)
		placed = append(placed, span{len(out), len(out) + len(s)})
		out = append(out, s...)
		at = to
	}
	for _, f := range fs {
		if f.Cut {
			return nil, ErrUnsound
		}
		from, to := int(f.Start), int(f.End)
		if from < at { // a run or a key that was replaced whole has reached here
			if to <= at {
				continue
			}
			from = at
		}
		e := outermost(f.Encoding)
		begins := BeginsKey(f, work[from:to])
		switch {
		case e != nil:
			lo, hi := e.run(work, from, to)
			lo = max(lo, at)
			if recode(scan, work[lo:hi], e, 1) == nil {
				out = append(out, work[at:hi]...)
				at = hi
				continue
			}
			if n == Fixed || f.Begins { // what follows the run may be the rest of a key
				return nil, ErrUnsound
			}
			lo, hi = encodedRun(work, lo, hi)
			put(max(lo, at), hi, n.placeholder(f.Rule))
		case (inPieces(f) || isWide(work[from:to])) && inPlace(scan, work[from:to], f, 0) == nil:
			out = append(out, work[at:to]...)
			placed = append(placed, span{len(out) - (to - from), len(out)})
			if at = to; begins {
				end, state := keyEnd(f, work, to)
				if state == Broken {
					return nil, ErrUnsound
				}
				maskKey(f, work[to:end])
			}
		case n == Fixed:
			if !balanced(work[from:to]) {
				return nil, ErrUnsound
			}
			put(from, to, Sized(f.Rule, to-from))
			if begins {
				end, state := keyEnd(f, work, to)
				if state == Broken {
					return nil, ErrUnsound
				}
				maskKey(f, work[to:end])
			}
		default:
			if begins {
				end, state := keyEnd(f, work, to)
				if state == Broken {
					return nil, ErrUnsound
				}
				to = endLine(work, end)
			}
			put(from, to, n.placeholder(f.Rule))
		}
	}
	out = append(out, work[at:]...)
	for _, f := range scan.Scan(out) {
		if !within(placed, int(f.Start), int(f.End)) {
			return nil, ErrUnsound
		}
	}
	if json.Valid(src) && !json.Valid(out) {
		return nil, ErrUnsound
	}
	return out, nil
}

type span struct{ from, to int }

func within(spans []span, from, to int) bool {
	for _, s := range spans {
		if s.from <= from && to <= s.to {
			return true
		}
	}
	return false
}

// encodedRun widens [from, to) to all that may be one encoded text, its escapes
// and padding included.
func encodedRun(text []byte, from, to int) (int, int) {
	part := func(c byte) bool { return alphabets[0].value[c] != noValue || c == '=' || c == '%' }
	for from > 0 && part(text[from-1]) && !escaped(text, from-1) {
		from--
	}
	for to < len(text) {
		c, size := symbolAt(text[to:])
		if size == 0 || !part(c) {
			break
		}
		to += size
	}
	return from, to
}

// endLine returns where the END line ends whose dashes end at from.
func endLine(text []byte, from int) int {
	i := from
	for i < len(text) && (text[i] >= 'A' && text[i] <= 'Z' || text[i] == ' ' || text[i] == '+') { // of forms
		i++
	}
	dashes := 0
	for i+dashes < len(text) && dashes < 5 && text[i+dashes] == '-' {
		dashes++
	}
	if i == from || dashes < 5 {
		return from
	}
	return i + 5
}
