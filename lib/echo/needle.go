package echo

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
)

type kind int

const (
	plain kind = iota
	hexadecimal
	base64Text
)

// needle is one encoding of a credential. Each of its characters can be written
// in several forms.
type needle struct {
	kind kind
	real string
	text string // what is searched for, escapes undone
	// forms holds for each family that makes a difference, and for each character,
	// the forms that begin with another byte than the character itself.
	forms [families][][]form
	raw   [256]byte // by which text is compared to its own characters: lower-case for hexadecimal

	// Of base64:
	encoding *base64.Encoding
	align    int // bytes before the credential in its group of three
	tail     int // bits of the credential in the character after text: 0, 2 or 4

	longest int
}

func (n *needle) key() string { return string(rune('0'+n.kind)) + string(rune('0'+n.align)) + n.text }

// needlesOf returns the encodings of a credential.
func needlesOf(real string) []*needle {
	ns := []*needle{
		{kind: plain, real: real, text: real},
		{kind: hexadecimal, real: real, text: hex.EncodeToString([]byte(real))},
	}
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for align := range 3 {
			text, tail := covered(e, align, real)
			ns = append(ns, &needle{kind: base64Text, real: real, text: text, encoding: e, align: align, tail: tail})
		}
	}
	for _, n := range ns {
		n.prepare()
	}
	return ns
}

// covered returns the characters of base64 text that come from s alone, where s
// stands align bytes after the beginning of a group, and how many bits of s the
// character after them has.
func covered(e *base64.Encoding, align int, s string) (text string, tail int) {
	all := e.EncodeToString([]byte(strings.Repeat("\x00", align) + s))
	bits := 8 * (align + len(s))
	return all[(8*align+5)/6 : bits/6], bits % 6
}

func (n *needle) prepare() {
	for c := range 256 {
		n.raw[c] = byte(c)
		if n.kind == hexadecimal {
			n.raw[c] = lower(byte(c))
		}
	}
	var table, broken [families][256][]form // broken: after a possible line break
	escapes := func(c byte) bool {
		switch n.kind {
		case plain:
			return true
		case base64Text: // encoders of URLs and JSON leave the others alone
			return c == '+' || c == '/'
		}
		return false
	}
	for f := range families {
		uses := f == percent // one is there for text without any escape
		longest := 0
		rows := make([][]form, len(n.text))
		for i := 0; i < len(n.text); i++ {
			c := n.text[i]
			if table[f][c] == nil && escapes(c) {
				table[f][c] = formsOf(c, f)
			}
			rows[i] = table[f][c]
			if n.kind == base64Text && i > 0 {
				if broken[f][c] == nil {
					broken[f][c] = withBreaks(c, f, rows[i])
				}
				rows[i] = broken[f][c]
				uses = uses || f == json
			}
			uses = uses || len(table[f][c]) > 0
			most := 1
			for _, form := range rows[i] {
				most = max(most, len(form.text))
			}
			longest += most
		}
		if uses {
			n.forms[f] = rows
			n.longest = max(n.longest, longest+1)
		}
	}
}

func withBreaks(c byte, f family, forms []form) []form {
	out := append([]form(nil), forms...)
	for _, b := range breaks(f) {
		out = append(out, form{text: b + string(rune(c)), exact: true})
		for _, form := range forms {
			out = append(out, withPrefix(b, form))
		}
	}
	return out
}

func withPrefix(b string, f form) form { return form{text: b + f.text, exact: f.exact} }
