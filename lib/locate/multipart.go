package locate

import (
	"bufio"
	"bytes"
	"io"
	"mime"
	"net/textproto"
	"strconv"
)

// mostHead is how much of a part's head is read for its name, in bytes.
const mostHead = 8 << 10

// multipart says in which part of a multipart body (RFC 2046, section 5.1) the
// range begins, and where in it.
func multipart(boundary string, text []byte, at Range, hides Hides, depth int) string {
	if boundary == "" || len(boundary) > 70 {
		return "multipart"
	}
	delimiter := []byte("--" + boundary)
	begin, number := -1, 0 // of the part that is open, behind its delimiter line
	for pos := 0; ; {
		i := bytes.Index(text[pos:], delimiter)
		if i >= 0 && pos+i > 0 && text[pos+i-1] != '\n' { // not at the begin of a line
			pos += i + 1
			continue
		}
		end := len(text)
		if i >= 0 {
			end = pos + i
		}
		if at.Start < int64(end) || i < 0 {
			if begin < 0 {
				return "multipart, before its parts"
			}
			return part(text, begin, end, number, at, hides, depth)
		}
		pos = end + len(delimiter)
		if n := bytes.IndexByte(text[pos:], '\n'); n >= 0 {
			begin = pos + n + 1
		} else {
			begin = len(text)
		}
		if at.Start < int64(begin) {
			return "multipart, in a boundary"
		}
		pos, number = begin, number+1
	}
}

// part says where in the part that takes [begin, end) of text the range begins.
func part(text []byte, begin, end, number int, at Range, hides Hides, depth int) string {
	p := text[begin:end]
	split := bytes.Index(p, []byte("\r\n\r\n"))
	n := 4
	if i := bytes.Index(p, []byte("\n\n")); split < 0 || i >= 0 && i < split {
		split, n = i, 2
	}
	switch {
	case bytes.HasPrefix(p, []byte("\r\n")): // no head
		split, n = 0, 2
	case bytes.HasPrefix(p, []byte("\n")):
		split, n = 0, 1
	case split < 0:
		split, n = len(p), 0
	}
	head, body := p[:split], p[min(len(p), split+n):]
	bodyAt := begin + split + n
	// What it could read of a head that is wrong still serves.
	h, _ := textproto.NewReader(bufio.NewReader(io.LimitReader(io.MultiReader(bytes.NewReader(head), bytes.NewReader([]byte("\r\n\r\n"))), mostHead))).ReadMIMEHeader()
	where := "multipart part " + strconv.Itoa(number)
	if _, params, err := mime.ParseMediaType(h.Get("Content-Disposition")); err == nil && params["name"] != "" {
		where = "multipart part " + partName(params["name"], at, begin, begin+split, hides)
	}
	if at.Start < int64(bodyAt) {
		return where + ", in its head"
	}
	if h.Get("Content-Transfer-Encoding") != "" {
		return where // offsets within what it decodes to are not known
	}
	inner := content(h.Get("Content-Type"), body, Range{at.Start - int64(bodyAt), at.End - int64(bodyAt)}, hides, depth+1)
	return join(where, inner)
}

// partName shows the name of a part unless the range overlaps its head.
func partName(text string, at Range, start, end int, hides Hides) string {
	if at.overlaps(start, end) {
		return hidden
	}
	s := name([]byte(text), hides)
	if s == hidden || s[0] == '"' {
		return s
	}
	return `"` + s + `"`
}
