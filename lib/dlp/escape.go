package dlp

import "unicode/utf8"

// escapes is a set of notations that were undone.
type escapes uint8

const (
	percent escapes = 1 << iota
	jsonEscape
	htmlEntity
	lookalike // zero-width, full-width and look-alike characters, UTF-16
)

// outerEscapes is how far left the escapes that the encoded text itself was written with stand beside a byte's own.
const outerEscapes = 4

func (e escapes) names() []string {
	var names []string
	for i, name := range []string{"percent", "json", "html", "unicode"} {
		if e>>i&1 == 1 {
			names = append(names, name)
		}
	}
	return names
}

// maxEscape is how many bytes one escape takes at most: &CloseCurlyQuote; and the like are none of ours.
const maxEscape = 12

// mayEscape are the bytes that an escape can begin with. Of other scripts only those are here that have look-alikes of ASCII, or
// characters that are not seen.
var mayEscape = func() (c class) {
	c['%'], c['\\'], c['&'], c[0] = true, true, true, true
	for _, b := range []int{0xC2, 0xCD, 0xCE, 0xCF, 0xD0, 0xD1, 0xD2, 0xD3, 0xD4, 0xD8, 0xE1, 0xE2, 0xEA, 0xEF, 0xF0, 0xF3} {
		c[b] = true
	}
	return c
}()

// unescaped is what an escape stands for: no byte, or the bytes of one character.
type unescaped struct {
	taken int // bytes of the escape; 0: it is none
	bytes [utf8.UTFMax]byte
	n     int
	kind  escapes
}

func (u *unescaped) set(taken int, kind escapes, r rune) unescaped {
	u.taken, u.kind = taken, kind
	u.n = utf8.EncodeRune(u.bytes[:], r)
	return *u
}

// unescape undoes the escape that b begins with. more says that b is too short to tell.
func unescape(b []byte) (u unescaped, more bool) {
	switch c := b[0]; {
	case c == '%':
		if hex, ok, short := hexDigits(b[1:], 2); short || ok {
			if short {
				return u, true
			}
			u.taken, u.kind, u.n = 3, percent, 1
			u.bytes[0] = byte(hex)
		}
	case c == '\\':
		return backslash(b)
	case c == '&':
		return entity(b)
	case c == 0: // the other half of ASCII in UTF-16
		u.taken, u.kind = 1, lookalike
	case mayEscape[c]:
		return character(b)
	}
	return u, false
}

// hexDigits reads n hex digits; short: b ends amid them.
func hexDigits(b []byte, n int) (v rune, ok, short bool) {
	for i := range n {
		if i == len(b) {
			return 0, false, true
		}
		if !isHex(b[i]) {
			return 0, false, false
		}
		v = v<<4 | rune(unhex(b[i]))
	}
	return v, true, false
}

// backslash undoes the escapes of JSON (RFC 8259 §7), and \xHH, \u{H}, \U00000000 and \101 of other languages.
func backslash(b []byte) (u unescaped, more bool) {
	if len(b) < 2 {
		return u, true
	}
	switch c := b[1]; c {
	case '"', '\'', '\\', '/':
		return u.set(2, jsonEscape, rune(c)), false
	case 'n':
		return u.set(2, jsonEscape, '\n'), false
	case 'r':
		return u.set(2, jsonEscape, '\r'), false
	case 't', 'b', 'f':
		return u.set(2, jsonEscape, '\t'), false
	case 'u', 'x', 'U':
		n := 4
		switch {
		case c == 'x':
			n = 2
		case c == 'U':
			n = 8
		case len(b) > 2 && b[2] == '{':
			return braced(b)
		}
		r, ok, short := hexDigits(b[2:], n)
		if ok && r >= 0 && r <= utf8.MaxRune {
			return u.set(2+n, jsonEscape, r), false
		}
		return u, short
	case '0', '1':
		return octal(b)
	}
	return u, false
}

// braced undoes \u{67}, of JavaScript, Rust, Swift, Ruby and PHP.
func braced(b []byte) (u unescaped, more bool) {
	var r rune
	for i := 3; ; i++ {
		switch {
		case i == len(b):
			return u, true
		case b[i] == '}' && i > 3:
			return u.set(i+1, jsonEscape, r), false
		case !isHex(b[i]) || i == maxEscape-1:
			return u, false
		}
		if r = r<<4 | rune(unhex(b[i])); r > utf8.MaxRune {
			return u, false
		}
	}
}

// octal undoes \147, of C, Python, Perl, shells and many more, for ASCII.
func octal(b []byte) (u unescaped, more bool) {
	var r rune
	for i := 1; i < 4; i++ {
		switch {
		case i == len(b):
			return u, true
		case !isOctal(b[i]):
			return u, false
		}
		r = r<<3 | rune(b[i]-'0')
	}
	return u.set(4, jsonEscape, r), false
}

var entities = map[string]rune{
	"amp": '&', "lt": '<', "gt": '>', "quot": '"', "apos": '\'', "nbsp": ' ', "sol": '/', "plus": '+', "equals": '=',
	"lowbar": '_', "colon": ':', "hyphen": '-', "dash": '-', "period": '.', "commat": '@', "percnt": '%', "bsol": '\\',
	"shy": '\u00ad', "NewLine": '\n', "Tab": '\t', "dollar": '$', "num": '#',
}

// entity undoes a character reference of HTML, by number or by one of the names that tokens need.
func entity(b []byte) (u unescaped, more bool) {
	end := 1
	for ; end < len(b) && b[end] != ';'; end++ {
		if !alnum[b[end]] && !(b[end] == '#' && end == 1) || end == maxEscape-1 {
			return u, false
		}
	}
	if end == len(b) {
		return u, true
	}
	name := b[1:end]
	if len(name) < 2 {
		return u, false
	}
	if name[0] != '#' {
		if r, ok := entities[string(name)]; ok {
			return u.set(end+1, htmlEntity, r), false
		}
		return u, false
	}
	base, digits := rune(10), name[1:]
	if digits[0] == 'x' || digits[0] == 'X' {
		base, digits = 16, digits[1:]
	}
	var r rune
	for _, c := range digits {
		if base == 10 && !digit[c] || base == 16 && !isHex(c) {
			return u, false
		}
		if r = r*base + rune(unhex(c)); r > utf8.MaxRune {
			return u, false
		}
	}
	if len(digits) == 0 {
		return u, false
	}
	return u.set(end+1, htmlEntity, r), false
}

// character folds a character that looks like an ASCII one or like nothing. Others stay.
func character(b []byte) (u unescaped, more bool) {
	if !utf8.FullRune(b) {
		return u, true
	}
	r, n := utf8.DecodeRune(b)
	switch as, ok := foldRune(r); {
	case ok && as == 0:
		u.taken, u.kind = n, lookalike
	case ok:
		return u.set(n, lookalike, as), false
	}
	return u, false
}

// lookalikes are letters of other scripts that look like those of ASCII (Unicode TR39's confusables, the plain ones).
var lookalikes = [...][2]string{
	{"АВЕЅІЈКМНОРСТХУҮԌԜԚаеѕіјорсухһԁԛԝѵӏгпԍ", "ABESIJKMHOPCTXYYGWQaesijopcyxhdqwvlrng"},
	{"ΑΒΕΖΗΙΚΜΝΟΡΤΥΧοναικρτυγ", "ABEZHIKMNOPTYXovaikptuy"},
	{"ℎℬℰℱℋℐℒℳℛℯℊℴℂℍℕℙℚℝℤℭℌℑℜℨK", "hBEFHILMRegoCHNPQRZCHIRZK"}, // those that the mathematical alphabets leave out
	{"‐‑‒–−", "-----"}, {"ꓮꓐꓚꓓꓰꓝꓖꓧꓲꓙꓗꓡꓟꓠꓳꓑꓣꓢꓔꓴꓦꓪꓫꓬꓜ", "ABCDEFGHIJKLMNOPRSTUVWXYZ"},
}

// unseen are the first and the last of characters that are not seen at all.
var unseen = [...][2]rune{
	{0xAD, 0xAD}, {0x34F, 0x34F}, {0x61C, 0x61C}, {0x180E, 0x180E}, {0x200B, 0x200F}, {0x202A, 0x202E}, {0x2060, 0x2064}, {0x2066, 0x206F},
	{0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF},
}

// isUnseen stands in folds for what is not seen.
const isUnseen = 1

// foldsAs has for each character of the first plane what it looks like, in pages of 64, most of which there are not: an ASCII character,
// isUnseen, or 0 for nothing.
var foldsAs = func() (pages [1 << 16 / 64]*[64]byte) {
	set := func(r rune, as byte) {
		if pages[r/64] == nil {
			pages[r/64] = new([64]byte)
		}
		pages[r/64][r%64] = as
	}
	for _, pair := range lookalikes {
		ascii := pair[1]
		for i, r := range []rune(pair[0]) {
			set(r, ascii[i])
		}
	}
	for _, of := range unseen {
		for r := of[0]; r <= of[1]; r++ {
			set(r, isUnseen)
		}
	}
	for r := rune('!'); r <= '~'; r++ { // full width
		set(0xFF01+r-'!', byte(r))
	}
	for i := range rune(26) { // circled
		set(0x24B6+i, byte('A'+i))
		set(0x24D0+i, byte('a'+i))
	}
	return pages
}()

// foldRune returns the ASCII character that r looks like, 0 for what is not seen at all.
func foldRune(r rune) (rune, bool) {
	switch {
	case r < 1<<16:
		page := foldsAs[r/64]
		if page == nil || page[r%64] == 0 {
			return 0, false
		}
		if as := page[r%64]; as != isUnseen {
			return rune(as), true
		}
		return 0, true
	case r >= 0xE0000 && r <= 0xE007F:
		return 0, true
	case r >= 0x1D400 && r <= 0x1D6A3: // mathematical letters, in alphabets of 52
		if n := (r - 0x1D400) % 52; n < 26 {
			return 'A' + n, true
		} else {
			return 'a' + n - 26, true
		}
	case r >= 0x1D7CE && r <= 0x1D7FF:
		return '0' + (r-0x1D7CE)%10, true
	}
	return 0, false
}
