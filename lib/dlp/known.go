package dlp

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"bottle/lib/secret"
)

// KnownSecret is a value that must not leave. Name says where it comes from ("GITHUB_TOKEN", a file's path); it stands in
// findings and errors.
type KnownSecret struct {
	Name  string
	Value secret.Value
}

// Known reports whether r finds a value that is known, rather than a form.
func (r Rule) Known() bool { return r.known != nil }

const (
	// knownMin is how many bytes a value has at least: shorter ones stand in ordinary text.
	knownMin = 8
	// knownKinds is how many different bytes it has at least.
	knownKinds = 4
	// knownMax is how much of a long value is searched, from its begin.
	knownMax = 1 << 10
)

// KnownError says which known secret cannot be searched, and never shows it.
type KnownError struct {
	Name    string // of the source
	Problem string
	Hint    string // what to do about it
}

func (e *KnownError) Error() string { return fmt.Sprintf("known secret %q: %s", e.Name, e.Problem) }

// HintText returns what to do about the error.
func (e *KnownError) HintText() string { return e.Hint }

// KnownRules returns one rule for each value, named "known:" and its Name, for [Compile] beside other rules. All known
// values of one Compile come from one call. What finds a value is derived from it here, under random keys: the first
// eight characters of each of its forms become sets of bytes, all else keyed hashes; no value is kept, and no finding shows a byte of one.
//
// A value has any bytes; white space around it does not count. It is found as it is, in JSON, and in base64, base64url,
// hex and base32 at every alignment, also where it is not text, and in whatever else the scanner undoes. If it has 20 letters and
// digits, 12 with both, or 8 with digits amid the letters more than once, these alone decide: what stands between them, such as quotes, hyphens, +, line breaks and their escapes, up to
// 40 bytes at a time, may be different, missing or added, but all of the value must be there; behind the first eight of them up to two names of
// parameters or members may stand between, too. In other values, which could be ordinary words,
// each byte counts. Upper and lower case count unless a value of the first kind has only one of them. A PEM block is found by its body, too.
// Of a value longer than 1 KiB the first KiB is searched. The range of a finding in an encoding covers the characters that belong to the value
// alone; the range of one that overlaps an earlier finding begins at that one's end.
//
// The error is a [*KnownError]: a name that is empty, used twice or not one line, a value shorter than 8 bytes or of fewer than 4 kinds of
// bytes. A one-line value comes from [secret.New], others from [secret.NewAny].
func KnownRules(values []KnownSecret) ([]Rule, error) {
	set, caseless := newKnownSet(), newKnownSet()
	set.caseless, caseless.folds = caseless, true
	seen := map[string]bool{}
	var rules []Rule
	for _, v := range values {
		value := strings.TrimSpace(v.Value.Expose())
		switch {
		case v.Name == "" || strings.ContainsAny(v.Name, "\r\n"):
			return nil, &KnownError{v.Name, "the source has no name of one line", "give each known secret the name of its source"}
		case seen[v.Name]:
			return nil, &KnownError{v.Name, "is given twice", "name each source once"}
		case value == "":
			return nil, &KnownError{v.Name, "the value is empty", "set it, or take " + v.Name + " off the list of known secrets"}
		case len(value) < knownMin:
			return nil, &KnownError{v.Name, fmt.Sprintf("the value has %d bytes, and fewer than %d stand in ordinary text", len(value), knownMin),
				"use a longer secret, or take " + v.Name + " off the list of known secrets"}
		case !varied([]byte(value), knownKinds):
			return nil, &KnownError{v.Name, fmt.Sprintf("the value has fewer than %d different bytes, as a placeholder has", knownKinds),
				"set the real value, or take " + v.Name + " off the list of known secrets"}
		}
		seen[v.Name] = true
		set.add(len(rules), []byte(value))
		caseless.add(len(rules), []byte(value))
		rules = append(rules, Rule{
			Name:    "known:" + v.Name,
			Matches: "the value of " + v.Name + ", in each encoding and cut by separators",
			Source:  v.Name,
			Check:   "keyed hash of all of it",
			known:   set,
		})
		set.names = append(set.names, "known:"+v.Name)
	}
	caseless.names = set.names
	for _, g := range []*gram{&set.loose, &set.exact, &caseless.loose, &caseless.exact} {
		g.finish()
	}
	return rules, nil
}

func newKnownSet() *knownSet {
	set := &knownSet{seed: randomOdd(), loose: newGram(true), exact: newGram(false)}
	rand.Read(set.key[:])
	return set
}

// add adds the forms in which value is found.
func (set *knownSet) add(rule int, value []byte) {
	for _, c := range value {
		set.bytes[c] = true
	}
	value = value[:min(len(value), knownMax)]
	set.plain(rule, "", value)
	for seen, depth := value, 0; depth < escapeDepth; depth++ { // as a view has it, which undoes what the value itself has, too
		undone := undo(seen)
		if bytes.Equal(undone, seen) || len(undone) < knownMin {
			break
		}
		set.plain(rule, "", undone)
		seen = undone
	}
	for _, text := range asBytes(value) {
		set.plain(rule, "unicode", text)
		set.encodings(rule, text)
	}
	if block, _ := pem.Decode(value); block != nil && len(block.Bytes) > 0 {
		body := value[bytes.IndexByte(value, '\n')+1:]
		if end := bytes.Index(body, []byte("-----END")); end >= 0 {
			body = body[:end]
		}
		if blank := bytes.Index(body, []byte("\n\n")); blank >= 0 { // behind the headers
			body = body[blank:]
		}
		set.plain(rule, "", bytes.TrimSpace(body))
	}
	set.encodings(rule, value)
}

// asBytes returns value, if it is not all ASCII, in UTF-16, and as it reads where each byte of UTF-8 is escaped as if it were a character.
func asBytes(value []byte) [][]byte {
	if !utf8.Valid(value) || !bytes.ContainsFunc(value, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return nil
	}
	var little, big, each []byte
	for _, unit := range utf16.Encode([]rune(string(value))) {
		little, big = binary.LittleEndian.AppendUint16(little, unit), binary.BigEndian.AppendUint16(big, unit)
	}
	for _, c := range value {
		each = utf8.AppendRune(each, rune(c))
	}
	return [][]byte{little, big, each}
}

// encodings adds the forms of value in each encoding.
func (set *knownSet) encodings(rule int, value []byte) {
	for _, e := range encodings[:3] { // base32 in either case
		for offset := range e.bits { // bits of the character that the value begins in; multiples of 8 modulo the size
			if offset%gcd(8, e.bits) == 0 {
				set.encoded(rule, e, value, offset)
			}
		}
	}
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// plain adds a value as it stands in text.
func (set *knownSet) plain(rule int, encoding string, value []byte) {
	if chars := skeleton(value); looseEnough(chars) {
		set.form(&set.loose, rule, encoding, chars, !mixed(chars) && len(chars) >= 12)
		return
	}
	set.form(&set.exact, rule, encoding, value, false)
	quoted := value
	for range 2 { // JSON, and JSON in JSON: \" is no cue
		text, err := json.Marshal(string(quoted))
		if err != nil || bytes.Equal(text[1:len(text)-1], quoted) {
			break
		}
		quoted = text[1 : len(text)-1]
		set.form(&set.exact, rule, "json", quoted, false)
	}
	if escaped := url.QueryEscape(string(value)); escaped != string(value) && len(escaped) < 3*knownMax {
		set.form(&set.exact, rule, "percent", []byte(escaped), false)
	}
}

// looseEnough reports whether chars alone cannot be the words of an ordinary text.
func looseEnough(chars []byte) bool {
	letters, digits, turns := 0, 0, 0
	for i, c := range chars {
		switch {
		case digit[c]:
			digits++
		default:
			letters++
		}
		if i > 0 && digit[c] != digit[chars[i-1]] {
			turns++
		}
	}
	return len(chars) >= 20 || len(chars) >= 12 && digits > 0 && letters > 0 || len(chars) >= prefixLen && turns > 2 && !countsOn(chars)
}

// countsOn reports whether letters and digits of chars stand by turns, as names of cells and fields do: a1b2c3d4.
func countsOn(chars []byte) bool {
	for i := 1; i < len(chars); i++ {
		if digit[chars[i]] == digit[chars[i-1]] {
			return false
		}
	}
	return true
}

// mixed reports whether b has both upper and lower case.
func mixed(b []byte) bool { return hasAll(b, lower, upperLetter) }

// encoded adds value as e writes it where the value begins offset bits inside a character. Only the characters count that
// have no bit of what stands around it.
func (set *knownSet) encoded(rule int, e *encoding, value []byte, offset int) {
	var chars []byte
	skip := (e.bits - offset) % e.bits // bits until the first character of its own
	acc, bits := uint32(0), -skip
	for _, b := range value {
		acc, bits = acc<<8|uint32(b), bits+8
		for ; bits >= e.bits; bits -= e.bits {
			chars = append(chars, e.alphabet[acc>>(bits-e.bits)&(1<<e.bits-1)])
		}
	}
	if s := skeleton(chars); len(s) > prefixLen {
		set.form(&set.loose, rule, e.name, s, e.bits < 6)
		return
	}
	set.form(&set.exact, rule, e.name, chars, false)
	if also := strings.NewReplacer("+", "-", "/", "_").Replace(string(chars)); also != string(chars) {
		set.form(&set.exact, rule, e.name, []byte(also), false)
	}
}
