package dlp

// MaxHeld is how many bytes a match can take, and so the most that a [Stream] holds back.
const MaxHeld = 16 << 10

// lookBehind is how much of the window is kept before what is held, for precededBy.
const lookBehind = escapeLen

// window is the size of a Stream's memory: what may be held, what is looked at before it, and as much room for new
// bytes, so that moving the held bytes to the front stays a small part of the work.
const window = 2*MaxHeld + lookBehind

// keptFindings bounds the memory for findings that a Stream keeps over Reset.
const keptFindings = 64

// Stream scans one stream of bytes that arrives in pieces. Any division into pieces gives the same findings. Its memory
// is constant, apart from the findings of one call. It is for one goroutine at a time; the zero value is not usable, see
// [Rules.NewStream].
type Stream struct {
	engine engine
	buf    []byte
	fed    int64
	first  int64 // Start of the first finding, -1 before it
}

// Scan takes the next bytes of the stream; it does not keep p.
//
// clean is how many bytes, counted from the start of the stream, may be released: none of them is part of a finding or
// of anything that could still become one. It never decreases, and after the first finding it stays at its Start: a
// caller that refuses needs to look at nothing else. At most [MaxHeld] bytes are held while nothing was found.
//
// found are the findings that these bytes decided, ascending, not overlapping; valid until the next call on s.
func (s *Stream) Scan(p []byte) (clean int64, found []Finding) {
	s.engine.found = s.engine.found[:0]
	s.fed += int64(len(p))
	for len(p) > 0 {
		if len(s.buf) == cap(s.buf) {
			s.slide()
		}
		n := copy(s.buf[len(s.buf):cap(s.buf)], p)
		s.buf, p = s.buf[:len(s.buf)+n], p[n:]
		s.engine.run(s.buf, false)
	}
	return s.clean(s.note(s.engine.found))
}

// Finish says that the stream has ended, and returns the findings that the end decided. If there are none and there were
// none before, all of the stream is clean. Afterwards only Reset and Settled may be called.
func (s *Stream) Finish() []Finding {
	s.engine.found = s.engine.found[:0]
	s.engine.run(s.buf, true)
	s.engine.state, s.engine.pos, s.engine.open = 0, len(s.buf), false
	return s.note(s.engine.found)
}

// Settled returns how many bytes of the stream are decided for good: every finding that overlaps them has been returned.
// Unlike Scan's clean it goes on past findings, for callers that only report, or that replace what was found.
func (s *Stream) Settled() int64 {
	return s.engine.base + int64(s.engine.held())
}

// Reset makes s ready for another stream, at offset 0.
func (s *Stream) Reset() {
	if cap(s.engine.found) > keptFindings {
		s.engine.found = nil
	}
	s.engine.reset()
	s.buf, s.fed, s.first = s.buf[:0], 0, -1
}

func (s *Stream) note(found []Finding) []Finding {
	if s.first < 0 && len(found) > 0 {
		s.first = found[0].Start
	}
	return found
}

func (s *Stream) clean(found []Finding) (int64, []Finding) {
	if s.first >= 0 {
		return s.first, found
	}
	return s.Settled(), found
}

// slide drops what is settled from the front of the window, but for the bytes that precededBy may ask for.
func (s *Stream) slide() {
	n := max(0, s.engine.held()-lookBehind)
	s.buf = s.buf[:copy(s.buf, s.buf[n:])]
	s.engine.slide(n)
}
