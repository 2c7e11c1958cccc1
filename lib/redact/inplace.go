package redact

import (
	"bytes"
	"slices"
	"strings"

	"bottle/lib/dlp"
)

// maxDepth bounds the encodings inside each other that are looked into: as many
// as dlp undoes, and one.
const maxDepth = 5

// InPlace overwrites raw, the bytes in which f was found, with a placeholder of
// their length in their notation. It fails with [ErrUnsound] and leaves raw as
// it was where that cannot be done. scan must find in the decoded value what
// was found in raw.
//
// Of a private key a finding is only the beginning; see [Tail] for the rest.
func InPlace(scan Scanner, raw []byte, f dlp.Finding) error {
	return inPlace(scan, raw, f, 0)
}

func inPlace(scan Scanner, raw []byte, f dlp.Finding, depth int) error {
	if f.Cut {
		return ErrUnsound
	}
	if e := outermost(f.Encoding); e != nil {
		if f.Begins { // its rest is in the same run, which has no end yet
			return ErrUnsound
		}
		return recode(scan, raw, e, depth+1)
	}
	if !balanced(raw) {
		return ErrUnsound
	}
	if inPieces(f) {
		pieces(raw, f.Rule)
		return nil
	}
	if isWide(raw) {
		wide(raw, f.Rule)
		return nil
	}
	copy(raw, Sized(f.Rule, len(raw)))
	return nil
}

// isWide reports whether raw is ASCII in UTF-16.
func isWide(raw []byte) bool { return bytes.IndexByte(raw, 0) >= 0 }

// wide overwrites the characters in raw and leaves the zeros that make them
// two bytes.
func wide(raw []byte, rule string) {
	p := Sized(rule, len(raw)-bytes.Count(raw, []byte{0}))
	for i, c := range raw {
		if c != 0 {
			raw[i], p = p[0], p[1:]
		}
	}
}

// inPieces reports whether f was put together from several strings.
func inPieces(f dlp.Finding) bool {
	return slices.Contains(strings.Split(f.Encoding, ">"), "split")
}

// pieces overwrites the strings in raw, which begins in one and ends in one,
// and leaves what stands between them: it is the structure of the text, with
// the names of members, and with strings that dlp takes for no piece.
func pieces(raw []byte, rule string) {
	from, inside := 0, true
	for i := 0; i <= len(raw); i++ {
		if i < len(raw) && raw[i] == '\\' {
			i++
			continue
		}
		if i < len(raw) && raw[i] != '"' {
			continue
		}
		end := min(i, len(raw))
		switch {
		case inside && from == 0:
			copy(raw[:end], Sized(rule, end))
		case inside && (end == len(raw) || !isName(raw[end+1:]) && !isAside(raw[from:end])):
			copy(raw[from:end], bytes.Repeat([]byte{'*'}, end-from))
		}
		from, inside = end+1, !inside
	}
}

// isName reports whether rest follows the name of a member.
func isName(rest []byte) bool { return bytes.HasPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte(":")) }

// isAside reports whether text is no piece of a secret: a word, or words.
func isAside(text []byte) bool {
	word := len(text) >= 4
	for _, c := range text {
		if c == ' ' {
			return true
		}
		word = word && (c >= 'a' && c <= 'z' || c == '_')
	}
	return word
}

// balanced reports whether overwriting raw leaves the strings of JSON around it
// as they were: what stands outside of strings is no value, and a number cannot
// become a placeholder.
func balanced(raw []byte) bool {
	quotes, number := 0, true
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '\\':
			i++
			number = false
		case c == '"':
			quotes++
			number = false
		case c < '0' || c > '9':
			number = false
		}
	}
	return quotes%2 == 0 && !number
}

// outermost returns the first encoding of a chain that writes bytes in other
// characters; nil if there are only escapes.
func outermost(chain string) *alphabet {
	for name := range strings.SplitSeq(chain, ">") {
		for i := range alphabets {
			if alphabets[i].name == name {
				return &alphabets[i]
			}
		}
	}
	return nil
}

// all overwrites each finding in text, and what belongs to it, in place.
func all(scan Scanner, text []byte, fs []dlp.Finding, depth int) error {
	if depth > maxDepth {
		return ErrUnsound
	}
	for _, f := range fs {
		e := outermost(f.Encoding)
		if e == nil {
			raw := text[f.Start:f.End]
			begins := BeginsKey(f, raw)
			if err := inPlace(scan, raw, f, depth); err != nil {
				return err
			}
			if begins {
				// Where no END line comes, the run may go on in a way not understood.
				end, state := keyEnd(f, text, int(f.End))
				if state != Ended {
					return ErrUnsound
				}
				maskKey(f, text[f.End:end])
				maskEnd(text, int(f.End), end)
			}
			continue
		}
		from, to := e.run(text, int(f.Start), int(f.End))
		if err := recode(scan, text[from:to], e, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// maskEnd overwrites the line whose first dashes end at end, after from: encoded,
// it looks like a part of the key.
func maskEnd(text []byte, from, end int) {
	to := endLine(text, end)
	for from < end && text[end-1] == '-' {
		end--
	}
	for i := end; i < to; i++ {
		text[i] = '*'
	}
}

// recode overwrites what scan finds in the decoded raw, which is of the
// alphabet and may hold escapes of its characters and line ends.
func recode(scan Scanner, raw []byte, e *alphabet, depth int) error {
	if depth > maxDepth {
		return ErrUnsound
	}
	chars := e.split(raw)
	if chars == nil {
		return ErrUnsound
	}
	url := e.isURL(raw)
	found := false
	for skip := 0; skip < 8; skip += e.step {
		text := e.decode(chars, skip)
		fs := find(scan, text)
		if len(fs) == 0 {
			continue
		}
		was := bytes.Clone(text)
		if err := all(scan, text, fs, depth); err != nil {
			return err
		}
		e.encode(chars, skip, was, text)
		found = true
	}
	if !found {
		return ErrUnsound
	}
	out := bytes.Clone(raw)
	for _, c := range chars {
		if c.changed && !c.write(out, e.char(c.value, url, bytes.ContainsAny(raw, "ABCDEF"))) {
			return ErrUnsound
		}
	}
	copy(raw, out)
	return nil
}

// find scans text, which may begin amid an encoded run: then a byte begins
// amid its first character, and is seen only if there are some before it.
func find(scan Scanner, text []byte) []dlp.Finding {
	fs := scan.Scan(text)
	for _, stars := range [...]string{"KioqKioq", "FIVCUKRK"} { // asterisks in base64 and base32
		if len(fs) > 0 {
			break
		}
		fs = scan.Scan(append([]byte(stars), text...))
		for i := range fs {
			fs[i].Start, fs[i].End = max(0, fs[i].Start-int64(len(stars))), fs[i].End-int64(len(stars))
		}
	}
	return fs
}
