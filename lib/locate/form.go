package locate

import "bytes"

// pairs follows a list of name=value joined by &, and knows in which of them
// the next byte stands.
type pairs struct {
	name    []byte // of the running pair, as it is written
	long    bool   // the name is longer than mostName, and not kept
	inValue bool   // the name has ended
}

func (f *pairs) reset() { f.name, f.long, f.inValue = f.name[:0], false, false }

// walk takes the next bytes of the list.
func (f *pairs) walk(p []byte) {
	for len(p) > 0 {
		pair, rest, ended := bytes.Cut(p, []byte{'&'})
		if !f.inValue {
			n := bytes.IndexByte(pair, '=')
			f.inValue = n >= 0
			if n < 0 {
				n = len(pair)
			}
			if f.long = f.long || len(f.name)+n > mostName; !f.long {
				f.name = append(f.name, pair[:n]...)
			}
		}
		if ended {
			f.reset()
		}
		p = rest
	}
}

// where names the pair in which next stands, the bytes that follow what was
// taken. The name itself is not shown.
func (f *pairs) where(next []byte, hides Hides) string {
	f.walk(next[:min(1, len(next))])
	if !f.inValue || f.long {
		return hidden
	}
	return fieldName(f.name, hides)
}
