package dlp

import "bytes"

// In binary notations a string has no quotes: its length stands before it, and that can be a letter or a digit. It is not part of a
// longer word then, nor is what follows the string.

// mayBeFramed reports whether c can be the length of a match of p, or the end of one.
func (p *pattern) mayBeFramed(c byte) bool {
	return int(c) >= p.shortest || p.longest > 0xFF
}

// isFramed reports whether the length of win[from:to] stands before it: in one byte (protobuf, MessagePack's str 8, CBOR), doubled
// (the zigzag numbers of Avro and Kafka), or in two bytes (MessagePack's str 16, protobuf's varint). Amid text the length in one byte
// counts alone, behind what can be the tag of a field of protobuf, or CBOR's of a string.
func isFramed(win []byte, from, to int) bool {
	if from == 0 {
		return false
	}
	n, c, before := to-from, int(win[from-1]), 0
	if from > 1 {
		before = int(win[from-2])
	}
	if !isBinary(byte(c)) && !(from > 1 && isBinary(byte(before))) {
		return alnum[c] && c == n && (from == 1 || before&7 == 2 || before == 'x')
	}
	return c == n || c == 2*n || n >= 0x80 && from > 1 && (before<<8|c == n || before&0x80 != 0 && c<<7|before&0x7F == n)
}

// amidBinary reports whether what stands before win[at] can be a length only: no text has it there.
func amidBinary(win []byte, at int) bool {
	return at > 1 && (isBinary(win[at-1]) || isBinary(win[at-2]))
}

// beginsField reports whether the byte before win[from:to] is the length of a string that goes on behind it: a byte that no text has
// there stands before.
func beginsField(win []byte, from, to int) bool {
	return from > 1 && int(win[from-1]) > to-from && isBinary(win[from-2])
}

// isBinary reports whether c, before or behind a byte of ASCII, is none of a text: a control character, or a byte that in UTF-8 others
// of its kind would follow.
func isBinary(c byte) bool {
	return c < 0x20 && c != '\t' && c != '\n' && c != '\r' || c >= 0xC0
}

// mostName is how much of a name is looked at.
const mostName = 48

// excluded reports whether one of p's words stands before win[at], or amid the name there, in any case, or whether the keyword, which is to end a name, is all of it.
func (p *pattern) excluded(win []byte, at int) bool {
	if p.ofName && beginsName(win, at) {
		return true
	}
	if endsIn(win, at, p.unless) {
		return true
	}
	if at == 0 || p.amid == nil {
		return false
	}
	from := at
	for from > 0 && at-from < mostName && nameChar[win[from-1]] {
		from--
	}
	var upped [mostName]byte // no allocation, as this is for each such name
	name := upped[:at-from]
	for i, c := range win[from:at] {
		name[i] = upper(c)
	}
	for _, word := range p.amid {
		if bytes.Contains(name, word) {
			return true
		}
	}
	return false
}

// endsIn reports whether one of words, which are in capitals, stands before win[at], in any case.
func endsIn(win []byte, at int, words []string) bool {
	if at == 0 {
		return false
	}
	last, lastBut1 := upper(win[at-1]), upper(win[max(at-2, 0)])
	for _, word := range words {
		if n := len(word); at >= n && word[n-1] == last && (n == 1 || word[n-2] == lastBut1) && bytes.EqualFold(win[at-len(word):at], []byte(word)) {
			return true
		}
	}
	return false
}

// beginsName reports whether a name of a field or parameter begins at win[at]. Behind a space or a dot it may be a variable's.
func beginsName(win []byte, at int) bool {
	if at == 0 || alnum[win[at-1]] && !precededBy(win, at, alnum) { // behind an escape
		return true
	}
	switch win[at-1] {
	case '"', '\'', '`', '[', '&', '?', '=':
		return true
	}
	return false
}
