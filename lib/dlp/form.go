package dlp

import (
	"bytes"
	"cmp"
	"slices"
)

// Form scans text in application/x-www-form-urlencoded (WHATWG URL, section 5.1), where a space is written as +: bodies of
// forms, queries, and what repeats a query. As many clients leave the + of base64 as it is, the text is read both ways.
type Form struct{ rules *Rules }

// Form returns r for such text.
func (r *Rules) Form() Form { return Form{r} }

// Scan is [Rules.Scan], for both readings.
func (f Form) Scan(b []byte) []Finding {
	found := f.rules.Scan(b)
	if bytes.IndexByte(b, '+') < 0 {
		return found
	}
	found, _ = inOrder(append(found, f.rules.Scan(spaced(nil, b))...), 0)
	return found
}

// spaced appends b to dst with spaces for +.
func spaced(dst, b []byte) []byte {
	from := len(dst)
	dst = append(dst, b...)
	for i, c := range dst[from:] {
		if c == '+' {
			dst[from+i] = ' '
		}
	}
	return dst
}

// inOrder sorts findings of several readings, none of which begins before at, and takes from each what one before it covers.
// It returns the end of the last.
func inOrder(all []Finding, at int64) ([]Finding, int64) {
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(b.End, a.End), cmp.Compare(a.Rule, b.Rule))
	})
	kept := all[:0]
	for _, f := range all {
		if f.End > at {
			f.Start = max(f.Start, at)
			kept, at = append(kept, f), f.End
		}
	}
	if len(kept) == 0 {
		return nil, at
	}
	return kept, at
}

// FormStream is [Stream] for both readings of a form.
type FormStream struct {
	raw, spaced *Stream
	text        []byte
	queued      []Finding
	found       []Finding
	end         int64 // of the last finding returned
}

// NewStream returns a stream at offset 0.
func (f Form) NewStream() *FormStream {
	return &FormStream{raw: f.rules.NewStream(), spaced: f.rules.NewStream()}
}

// Scan is [Stream.Scan].
func (s *FormStream) Scan(p []byte) (clean int64, found []Finding) {
	s.text = spaced(s.text[:0], p)
	clean, found = s.raw.Scan(p)
	other, more := s.spaced.Scan(s.text)
	return min(clean, other), s.decided(found, more, s.Settled())
}

// Finish is [Stream.Finish].
func (s *FormStream) Finish() []Finding {
	found, more := s.raw.Finish(), s.spaced.Finish()
	return s.decided(found, more, s.Settled()+1)
}

// Settled is [Stream.Settled].
func (s *FormStream) Settled() int64 { return min(s.raw.Settled(), s.spaced.Settled()) }

// Reset is [Stream.Reset].
func (s *FormStream) Reset() {
	s.raw.Reset()
	s.spaced.Reset()
	s.queued, s.found, s.end = s.queued[:0], s.found[:0], 0
}

// Release is [Stream.Release].
func (s *FormStream) Release() {
	s.raw.Release()
	s.spaced.Release()
}

// Size is [Stream.Size].
func (s *FormStream) Size() int { return s.raw.Size() + s.spaced.Size() + cap(s.text) }

// decided returns what begins before settled, of what is queued and what has come.
func (s *FormStream) decided(found, more []Finding, settled int64) []Finding {
	s.queued = append(append(s.queued, found...), more...)
	s.found = s.found[:0]
	rest := s.queued[:0]
	for _, f := range s.queued {
		if f.Start < settled {
			s.found = append(s.found, f)
		} else {
			rest = append(rest, f)
		}
	}
	s.queued = rest
	s.found, s.end = inOrder(s.found, s.end)
	return s.found
}
