package locate

import (
	"bufio"
	"bytes"
	"io"
	"mime"
	"net/textproto"
	"strconv"
)

const (
	// mostHead is how long a part's head may be that is read, in bytes.
	mostHead = 8 << 10
	// mostParts is of how many parts the heads are read: each costs as much as
	// some thousand bytes.
	mostParts = 1000
	// mostNested is how many multipart bodies inside each other are read.
	mostNested = 2
)

// parts follows a multipart body (RFC 2046, section 5.1), and knows in which
// part of it the next byte stands, and where in that.
type parts struct {
	delimiter []byte // nil: there is no boundary, and nothing is known
	depth     int

	place   partPlace
	matched int // of the delimiter, with which the running line begins; -1: it does not
	number  int // of the running part

	head    []byte // of the running part, as far as it is read
	line    int    // bytes of the head's running line
	cr      bool   // which ends with a carriage return
	crBlank bool   // the line before does, so that one of a carriage return is blank

	inner  content // of the running part
	opaque bool    // it is encoded, or its head was not read
}

// partPlace is a place in a multipart body.
type partPlace uint8

const (
	beforeParts partPlace = iota
	inBoundary            // behind the delimiter, in the same line
	inHead
	inPart
)

func (m *parts) begin(boundary string, depth int) {
	*m = parts{depth: depth, head: m.head[:0], inner: m.inner}
	if boundary != "" && len(boundary) <= 70 && bytes.IndexByte([]byte(boundary), '\n') < 0 {
		m.delimiter = []byte("--" + boundary)
	}
}

// walk takes the next bytes of the body.
func (m *parts) walk(p []byte) {
	for len(p) > 0 && m.delimiter != nil {
		switch {
		case m.place == inBoundary:
			n := bytes.IndexByte(p, '\n')
			if n < 0 {
				return
			}
			p = p[n+1:]
			m.open()
		case m.matched >= 0:
			rest := m.delimiter[m.matched:]
			n := common(p, rest)
			m.matched += n
			p = p[n:]
			if n == len(rest) {
				m.place = inBoundary
			} else if len(p) > 0 {
				m.noDelimiter()
			}
		default:
			n := m.seek(p)
			m.text(p[:n])
			p = p[n:]
		}
	}
}

// common returns how many bytes a and b begin with alike.
func common(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// noDelimiter says that the running line begins like the delimiter, and is none.
func (m *parts) noDelimiter() {
	n := m.matched
	m.matched = -1
	m.text(m.delimiter[:n])
}

// seek returns where in p the first line begins that is a delimiter, or that
// may become one; it sets matched, if there is one.
func (m *parts) seek(p []byte) int {
	for from := 0; ; {
		i := bytes.Index(p[from:], m.delimiter)
		if i < 0 {
			break
		}
		if from += i; from > 0 && p[from-1] == '\n' {
			m.matched = 0
			return from
		}
		from++
	}
	tail := max(0, len(p)-len(m.delimiter))
	if i := bytes.LastIndexByte(p[tail:], '\n'); i >= 0 && bytes.HasPrefix(m.delimiter, p[tail+i+1:]) {
		m.matched = 0
		return tail + i + 1
	}
	return len(p)
}

// open begins another part.
func (m *parts) open() {
	m.place, m.matched = inHead, 0
	m.number++
	m.head, m.line, m.cr, m.crBlank, m.opaque = m.head[:0], 0, false, true, false
}

// text takes bytes between delimiters.
func (m *parts) text(p []byte) {
	for m.place == inHead && len(p) > 0 {
		n := bytes.IndexByte(p, '\n')
		if n < 0 {
			m.take(p)
			return
		}
		if n > 0 {
			m.take(p[:n])
		}
		blank := m.line == 0 || m.line == 1 && m.cr && m.crBlank
		m.crBlank, m.line, m.cr = m.cr, 0, false
		m.keep(p[n : n+1])
		if p = p[n+1:]; blank {
			m.enter()
		}
	}
	if m.place == inPart && !m.opaque {
		m.inner.walk(p)
	}
}

// take takes bytes of a line of the head.
func (m *parts) take(p []byte) {
	m.line += len(p)
	m.cr = p[len(p)-1] == '\r'
	m.keep(p)
}

// keep keeps what is read of the head, and one byte more if there are more.
func (m *parts) keep(p []byte) {
	if m.number <= mostParts {
		m.head = append(m.head, p[:min(len(p), mostHead+1-len(m.head))]...)
	}
}

// isRead reports whether the running part's head is one that is read.
func (m *parts) isRead() bool { return m.number <= mostParts && len(m.head) <= mostHead }

// enter begins the text of the running part, whose head has ended.
func (m *parts) enter() {
	m.place = inPart
	h := m.header()
	// Offsets within what an encoding decodes to are not known.
	m.opaque = !m.isRead() || h.Get("Content-Transfer-Encoding") != ""
	if !m.opaque {
		m.inner.begin(h.Get("Content-Type"), m.depth+1)
	}
}

// header returns the running part's head. What could be read of one that is
// wrong still serves.
func (m *parts) header() textproto.MIMEHeader {
	if !m.isRead() || len(m.head) <= len("\r\n") {
		return nil
	}
	h, _ := textproto.NewReader(bufio.NewReader(io.MultiReader(bytes.NewReader(m.head), bytes.NewReader([]byte("\r\n\r\n"))))).ReadMIMEHeader()
	return h
}

// where says where next stands, the bytes that follow what was taken.
func (m *parts) where(next []byte, hides Hides) string {
	if m.delimiter == nil {
		return "multipart"
	}
	if m.place != inBoundary && m.matched >= 0 {
		rest := m.delimiter[m.matched:]
		if n := common(next, rest); n > 0 && (n == len(next) || n == len(rest)) {
			return "multipart, in a boundary"
		}
		m.noDelimiter()
	}
	switch m.place {
	case beforeParts:
		return "multipart, before its parts"
	case inBoundary:
		return "multipart, in a boundary"
	case inHead: // its name may be what was found, or come behind it
		return "multipart part " + hidden + ", in its head"
	}
	where := "multipart part " + m.name(hides)
	if m.opaque {
		return where
	}
	return join(where, m.inner.where(next, hides))
}

// name shows the name of the running part, or its number.
func (m *parts) name(hides Hides) string {
	_, params, err := mime.ParseMediaType(m.header().Get("Content-Disposition"))
	if err != nil || params["name"] == "" {
		return strconv.Itoa(m.number)
	}
	s := name([]byte(params["name"]), hides)
	if s == hidden || s[0] == '"' {
		return s
	}
	return `"` + s + `"`
}
