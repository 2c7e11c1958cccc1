package echo

import "strings"

// Stream rewrites one stream of bytes. It is for one goroutine at a time.
type Stream struct {
	w    *Rewriter
	hit  func(source string)
	held []byte // may be the beginning of a credential
}

// NewStream returns a stream that calls hit, unless it is nil, for each
// replacement.
func (w *Rewriter) NewStream(hit func(source string)) *Stream {
	return &Stream{w: w, hit: hit}
}

// Append appends to dst what follows from the stream's next bytes p: all but
// what may be the beginning of a credential. p is not kept.
func (s *Stream) Append(dst, p []byte) []byte {
	if len(s.held) == 0 {
		dst, rest := s.rewrite(dst, p, false)
		s.held = append(s.held, rest...)
		return dst
	}
	s.held = append(s.held, p...)
	dst, rest := s.rewrite(dst, s.held, false)
	s.held = s.held[:copy(s.held, rest)]
	return dst
}

// Finish appends what was held: the stream has ended. The next Append begins
// another one.
func (s *Stream) Finish(dst []byte) []byte {
	dst, _ = s.rewrite(dst, s.held, true)
	s.held = s.held[:0]
	return dst
}

// Held returns how many bytes wait for what follows them.
func (s *Stream) Held() int { return len(s.held) }

// clean reports whether p passes as it is, or returns how much of it does.
func (s *Stream) clean(p []byte) (n int, ok bool) {
	o := s.w.find(p, false)
	return o.start, o.cred == nil
}

// rewrite appends text to dst up to rest, which has to wait.
func (s *Stream) rewrite(dst, text []byte, final bool) (out, rest []byte) {
	for {
		o := s.w.find(text, final)
		dst = append(dst, text[:o.start]...)
		if o.cred == nil {
			return dst, text[o.start:]
		}
		dst = appendStandIn(dst, text[o.start:o.end], o)
		if s.hit != nil {
			s.hit(o.cred.source)
		}
		text = text[o.end:]
	}
}

// String rewrites a text that is there as a whole.
func (w *Rewriter) String(text string, hit func(source string)) string {
	if len(text) < w.window {
		return text
	}
	b := []byte(text)
	if w.find(b, true).cred == nil {
		return text
	}
	s := Stream{w: w, hit: hit}
	out, _ := s.rewrite(nil, b, true)
	return string(out)
}

// Within reports whether name holds a credential as it is, in any letter case,
// and whose it is: the names of header fields have none.
func (w *Rewriter) Within(name string) (source string, found bool) {
	if len(name) < MinLength {
		return "", false
	}
	name = strings.ToLower(name)
	for _, c := range w.creds {
		if strings.Contains(name, c.lower) {
			return c.source, true
		}
	}
	return "", false
}
