package filter

import (
	"bytes"

	"bottle/lib/decode"
)

// quotedNames is how texts say that quoted-printable follows.
var quotedNames = [][]byte{[]byte("quoted-printable"), []byte("Quoted-Printable"), []byte("QUOTED-PRINTABLE")}

// quotedFrom returns what follows the name of quoted-printable in text; nil:
// it does not have it.
func quotedFrom(text []byte) []byte {
	for _, name := range quotedNames {
		if i := bytes.Index(text, name); i >= 0 {
			return text[i:]
		}
	}
	return nil
}

// scanQuoted judges what is quoted-printable in a body, which is no encoding of
// the scanner's: an equals sign and two digits mean something else in every text
// that does not say so.
func (r *ruling) scanQuoted(text []byte) error {
	if quotedFrom(text) == nil {
		return nil
	}
	plain := unquoted(text)
	p := r.bodyPlace(plain)
	p.coding, p.fixed, p.offsets = "quoted-printable", true, false
	_, err := r.filter.judgeFindings(r, r.rules.all.Scan(plain), p)
	return err
}

// unquoted undoes quoted-printable, also where the lines of it stand in a
// string of JSON.
func unquoted(text []byte) []byte {
	for _, end := range [...]string{`=\r\n`, `=\n`} {
		text = bytes.ReplaceAll(text, []byte(end), nil)
	}
	return decode.QuotedPrintable(text)
}

// quotedMessage collects what is quoted-printable in a message that comes in
// pieces, up to as many bytes as are held of one.
type quotedMessage struct {
	most int64
	last []byte // of a message that has not said so yet
	text []byte
}

func (q *quotedMessage) reset() { q.last, q.text = q.last[:0], nil }

func (q *quotedMessage) add(p []byte) {
	switch {
	case int64(len(q.text)+len(p)) > q.most:
		q.text = nil
	case q.text != nil:
		q.text = append(q.text, p...)
	default:
		whole := append(q.last, p...)
		q.text = bytes.Clone(quotedFrom(whole))
		q.last = append(q.last[:0], whole[max(0, len(whole)-len(quotedNames[0])+1):]...)
	}
}

// judge judges what was collected, at the message's end.
func (q *quotedMessage) judge(r *ruling, p place) error {
	if q.text == nil {
		return nil
	}
	p.locate, p.coding, p.fixed, p.offsets = nil, "quoted-printable", true, false
	_, err := r.filter.judgeFindings(r, r.rules.all.Scan(unquoted(q.text)), p)
	return err
}
