package locate

// Stream locates in a text that comes in pieces. Any division into pieces gives
// the same answers, and they are those that [Body] gives for the whole.
//
//	s := locate.NewBody("application/json")
//	s.Feed(piece)                        // then ask about what was found up to here
//	s.At(locate.Range{120, 160}, hides)  // "body json path messages[3].content"
//	s.Settle(n)                          // nothing before offset n is asked for any more
//
// It keeps what was fed and is not settled, and the state of the text before
// that, which is bounded. It is for one goroutine at a time.
type Stream struct {
	what        string
	contentType string

	text   content // stands at base
	window []byte  // the text from base on, behind the first gone bytes
	gone   int
	base   int64
	asked  asked
}

// NewBody returns a Stream for a body of the given Content-Type.
func NewBody(contentType string) *Stream { return newStream("body", contentType) }

// NewMessage returns a Stream for a message of a WebSocket.
func NewMessage() *Stream { return newStream("WebSocket message", "") }

// NewText returns a Stream for a text of which nothing but its beginning says
// what it is.
func NewText() *Stream { return NewBody("") }

func newStream(what, contentType string) *Stream {
	s := &Stream{what: what, contentType: contentType}
	s.Reset()
	return s
}

// Reset makes s ready for another text of the same type.
func (s *Stream) Reset() {
	s.text.begin(s.contentType, 0)
	s.window, s.gone, s.base, s.asked = s.window[:0], 0, 0, asked{}
}

// Feed takes the next bytes of the text. It does not keep p.
func (s *Stream) Feed(p []byte) {
	if s.text.done() {
		s.base += int64(len(p))
		return
	}
	if s.gone > 0 && (s.gone >= len(s.window)-s.gone || len(s.window)+len(p) > cap(s.window)) {
		s.window = s.window[:copy(s.window, s.window[s.gone:])]
		s.gone = 0
	}
	s.window = append(s.window, p...)
}

// At says where the range begins, which lies in what was fed and does not begin
// before what is settled. What it says does not depend on what follows the
// range.
func (s *Stream) At(at Range, hides Hides) string {
	if s.text.done() {
		return join(s.what, s.text.where(nil, hides))
	}
	return join(s.what, s.asked.where(&s.text, s.base, s.window[s.gone:], at, hides))
}

// Settle says that no range is asked for any more that begins before offset n.
func (s *Stream) Settle(n int64) {
	k := min(n-s.base, int64(len(s.window)-s.gone))
	if k <= 0 {
		return
	}
	s.text.walk(s.window[s.gone : s.gone+int(k)])
	s.gone += int(k)
	s.base += k
	if s.text.done() {
		s.base += int64(len(s.window) - s.gone)
		s.window, s.gone = s.window[:0], 0
	}
}

// Size is about how many bytes of the text s keeps.
func (s *Stream) Size() int { return cap(s.window) }

// asked is a text at what was asked about last, so that to ask about one range
// after the other walks through what they stand in once.
type asked struct {
	text *content // nil before the first
	at   int64
}

// where says where in held, the bytes of a text from offset base on, where it is
// in the state from, the range begins; "" if it does not begin there.
func (a *asked) where(from *content, base int64, held []byte, at Range, hides Hides) string {
	end := base + int64(len(held))
	if at.Start < base || at.Start > end {
		return ""
	}
	if a.text == nil || a.at < base || a.at > at.Start {
		a.text, a.at = from.clone(), base
	}
	a.text.walk(held[a.at-base : at.Start-base])
	a.at = at.Start
	return a.text.clone().where(held[at.Start-base:max(at.Start, min(at.End, end))-base], hides)
}

// Whole locates in a body at hand, as a [Stream] does in pieces.
type Whole struct {
	body  []byte
	begin content
	asked asked
}

// NewWhole returns a Whole for a body of the given Content-Type, which must not
// change while it is asked about.
func NewWhole(contentType string, body []byte) *Whole {
	w := &Whole{body: body}
	w.begin.begin(contentType, 0)
	return w
}

// At says where the range begins.
func (w *Whole) At(at Range, hides Hides) string {
	return join("body", w.asked.where(&w.begin, 0, w.body, at, hides))
}
