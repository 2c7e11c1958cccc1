package dlp

import (
	"crypto/sha256"
	_ "embed" // the word list
	"strings"
)

// bip39Words is the English list of BIP-39, which is the same for ever.
//
//go:embed bip39_english.txt
var bip39Words string

const (
	phraseMax    = 24  // words
	phraseGap    = 24  // bytes between two words, but for tags
	phraseApart  = 240 // bytes between two words, tags with all that is in them included
	phraseWord   = 8   // letters of the longest word
	wordBits     = 11
	phraseShort  = 12
	phraseStride = 3 // lengths are 12, 15, 18, 21, 24
)

// SeedPhrases returns the rule "seed-phrase", which finds the English mnemonics of BIP-39 by their checksum. It is not one of
// [Builtin]: one in sixteen sequences of twelve words of the list has a valid checksum by chance, so that a text on the list itself may be
// taken for one; words in the list's order never are. Up to 24 words are held back while each is of the list.
//
// Between two words there are up to 24 bytes that are no letters, such as a space, a line's end, `", "` or a number, among which there may be
// tags (</li><li class="x">, up to 240 bytes of them) and labels that end in a digit (word7). A phrase of which other words of the list
// stand around is found as well. The checksum is 4 to 8 bits.
func SeedPhrases() []Rule {
	list := map[[phraseWord]byte]uint16{}
	for i, w := range strings.Fields(bip39Words) {
		list[[phraseWord]byte(append([]byte(w), make([]byte, phraseWord-len(w))...))] = uint16(i)
	}
	return []Rule{{
		Name:    "seed-phrase",
		Matches: "12, 15, 18, 21 or 24 words of BIP-39's English list",
		Source:  "https://github.com/bitcoin/bips/blob/master/bip-0039.mediawiki",
		Check:   "the checksum of the words; not in the list's order, three quarters of them different",
		words:   list,
	}}
}

// phrase is how far an engine is in the search for seed phrases. It reads a text in two ways: tags may be ordinary signs, and what stands
// before a digit may be a word (<abandon>, <ability>; abandon1 ability1), or they may not (<li class="title">abandon; word1: abandon).
type phrase struct {
	pos     int
	begun   bool // a word has begun, at start
	start   int
	other   [2]byte // the last bytes that are not ASCII, the second of them at otherAt
	otherAt int
	plain   *chain // all words count, those in tags and labels too
	marked  *chain // what is in tags and labels does not
	inTag   bool   // a tag has begun, with its name at tag
	tag     int
	tagged  int // bytes of tags since the last word of marked
}

// chain is words of the list in a row.
type chain struct {
	n    int
	last [phraseMax]word
}

// word is one of the list in the window, at its number modulo phraseMax in chain.last.
type word struct {
	index      uint16
	start, end int
}

func (p *phrase) slide(n int) {
	p.pos -= n
	p.start -= n
	p.otherAt -= n
	p.tag -= n
	p.plain.slide(n)
	p.marked.slide(n)
}

func (c *chain) slide(n int) {
	for i := range c.last {
		c.last[i].start -= n
		c.last[i].end -= n
	}
}

func (c *chain) add(w word) {
	c.n++
	*c.ago(0) = w
}

// ago returns the word that is i before the last.
func (c *chain) ago(i int) *word { return &c.last[(c.n-1-i)%phraseMax] }

// waits reports whether two words have come that another may follow.
func (p *phrase) waits() bool {
	return p.plain != nil && (p.plain.n > 1 && p.plainAt(p.pos) || p.marked.n > 1 && p.markedAt(p.pos))
}

// plainAt and markedAt report whether a word at a position, which no other stands before, is the next of the chain.
func (p *phrase) plainAt(at int) bool {
	return p.plain.n > 0 && at-p.plain.ago(0).end <= phraseGap
}

func (p *phrase) markedAt(at int) bool {
	if p.marked.n == 0 {
		return false
	}
	all := at - p.marked.ago(0).end
	free := all - p.tagged
	if p.inTag {
		free -= at - p.tag
	}
	return free <= phraseGap && all <= phraseApart
}

// skip goes on at win[at]. A word that has begun before is none of the list.
func (p *phrase) skip(win []byte, at int) {
	if *p = (phrase{pos: at, plain: p.plain, marked: p.marked}); p.plain == nil {
		p.plain, p.marked = new(chain), new(chain)
	}
	p.plain.n, p.marked.n = 0, 0
	if at > 0 && inWord(win, at-1) {
		p.begun, p.start = true, at-phraseWord-2
	}
}

// inWord reports whether win[at] is a letter, and no escape's.
func inWord(win []byte, at int) bool {
	c := fold(win[at])
	return c >= 'a' && c <= 'z' && !(at > 0 && win[at-1] == '\\' && isShortEscape(win[at]))
}

// heldPhrase is the index of the first byte that may belong to a phrase whose end is not known.
func (e *engine) heldPhrase() int {
	p := &e.phrase
	at := p.pos
	if p.begun && p.pos-p.start <= phraseWord+1 {
		at = p.start
	}
	least := at
	if p.plainAt(at) {
		least = e.heldChain(p.plain, least)
	}
	if p.markedAt(at) {
		least = e.heldChain(p.marked, least)
	}
	return least
}

// heldChain returns where the first word of c begins that a phrase may still begin with, or least if that is before.
func (e *engine) heldChain(c *chain, least int) int {
	for i := min(c.n, phraseMax) - 1; i >= 0; i-- {
		if w := c.ago(i); !e.left(w) {
			return min(least, w.start)
		}
	}
	return least
}

// left reports whether w is so far behind that it is no part of a phrase, and may have left the window.
func (e *engine) left(w *word) bool { return w.start < 0 || e.tooFar(w.start, e.phrase.pos-1) }

// parts reports whether the bytes c that is not ASCII, and the two before it, may stand between two words: spaces, dots and lines of other
// alphabets than that of the words. They are decided when they are whole, or when they cannot be any.
func (p *phrase) parts(c byte) bool {
	before := p.other
	if p.otherAt != p.pos-1 {
		before = [2]byte{}
	}
	p.other, p.otherAt = [2]byte{before[1], c}, p.pos
	switch {
	case before[1] == 0xC2:
		return c == 0xA0 || c == 0xB7 || c == 0xAB || c == 0xBB
	case before[1] == 0xE2:
		return c == 0x80 || c == 0x94
	case before[1] == 0xE3:
		return c == 0x80
	case before == [2]byte{0xE2, 0x80}, before == [2]byte{0xE2, 0x94}, before == [2]byte{0xE3, 0x80}:
		p.other = [2]byte{}
		return true
	}
	return c == 0xC2 || c == 0xE2 || c == 0xE3
}

// phrases searches win on.
func (e *engine) phrases(win []byte, eof bool) {
	p := &e.phrase
	for ; p.pos < len(win); p.pos++ {
		if inWord(win, p.pos) {
			if !p.begun {
				p.begin(win)
			}
			continue
		}
		if p.begun {
			e.word(win)
		}
		switch c := win[p.pos]; {
		case c == '>' && p.inTag:
			p.inTag, p.tagged = false, p.tagged+p.pos+1-p.tag
		case c >= 0x80 && !p.parts(c):
			p.plain.n = 0
			if !p.inTag {
				p.marked.n = 0
			}
		}
	}
	if eof && p.begun {
		e.word(win)
	}
}

// begin takes the first letter of a word, which is at the current position.
func (p *phrase) begin(win []byte) {
	p.begun, p.start = true, p.pos
	switch {
	case namesTag(win, p.pos):
		if p.inTag { // it was none, or it has not ended
			p.marked.n = 0
		}
		p.inTag, p.tag = true, p.pos
	case p.inTag && p.pos-p.tag > phraseApart:
		p.inTag, p.marked.n = false, 0
	}
}

// word takes the word that ends at the current position.
func (e *engine) word(win []byte) {
	p := &e.phrase
	p.begun = false
	index, ok, start := uint16(0), false, p.start
	if p.pos-start <= phraseWord+1 { // else its begin may have left the window
		index, ok = e.lookUp(win[start:p.pos])
		if !ok && start > 0 && (isBinary(win[start-1]) || win[start-1] == '\n') { // the length of a string of a binary notation, which is a letter
			if index, ok = e.lookUp(win[start+1 : p.pos]); ok {
				start++
				p.plain.n, p.marked.n = 0, 0
			}
		}
	}
	label := p.pos < len(win) && digit[win[p.pos]]
	w := word{index, start, p.pos}
	switch {
	case ok:
		if !p.plainAt(start) {
			p.plain.n = 0
		}
		p.plain.add(w)
		e.search(win, p.plain)
	case !label && !(p.inTag && p.tag == start) || p.pos-start > phraseWord+1:
		p.plain.n = 0
	}
	switch {
	case p.inTag || label:
	case ok:
		if !p.markedAt(start) {
			p.marked.n = 0
		}
		p.marked.add(w)
		p.tagged = 0
		e.search(win, p.marked)
	default:
		p.marked.n = 0
	}
}

// search reports the phrases that the last word of c ends.
func (e *engine) search(win []byte, c *chain) {
	p := &e.phrase
	for length := phraseShort; length <= min(c.n, phraseMax); length += phraseStride {
		first := c.ago(length - 1)
		switch {
		case c == p.marked && p.plain.n >= length && *p.plain.ago(length - 1) == *first: // the same words
			continue
		case e.left(first) || !c.valid(length):
			continue
		}
		from := first.start
		name, value := e.rules.names[e.rules.phraseRule], win[from:p.pos]
		if e.rules.exempt != nil && e.rules.exempt(name, value) {
			continue
		}
		start := e.base + int64(from)
		e.found = append(e.found, Finding{Rule: name, Start: start, End: start + int64(len(value)), Sample: "…", Label: e.rules.labelOf(name, value), covers: true})
	}
}

// namesTag reports whether the word at win[at] stands where a tag of HTML or XML has its name.
func namesTag(win []byte, at int) bool {
	return at > 0 && win[at-1] == '<' || at > 1 && win[at-1] == '/' && win[at-2] == '<'
}

func (e *engine) lookUp(text []byte) (index uint16, ok bool) {
	var key [phraseWord]byte
	if len(text) > phraseWord {
		return 0, false
	}
	for i, c := range text {
		key[i] = fold(c)
	}
	index, ok = e.rules.words[key]
	return index, ok
}

// valid reports whether the last words are a phrase: entropy, and the first bits of its SHA-256.
func (c *chain) valid(length int) bool {
	var text [phraseMax*wordBits/8 + 1]byte
	sorted, before, again := true, -1, 0
	acc, bits, n := uint32(0), 0, 0
	for i := range length {
		index := int(c.ago(length - 1 - i).index)
		sorted, before = sorted && index > before, index
		for j := range i {
			if c.ago(length-1-j).index == uint16(index) {
				again++
				break
			}
		}
		acc = acc<<wordBits | uint32(index)
		for bits += wordBits; bits >= 8; n++ {
			bits -= 8
			text[n] = byte(acc >> bits)
		}
	}
	if bits > 0 {
		text[n] = byte(acc << (8 - bits))
	}
	if sorted || again > length/4 { // or such words as true and false
		return false
	}
	checksum := length / 3
	entropy := (length*wordBits - checksum) / 8
	sum := sha256.Sum256(text[:entropy])
	return text[entropy]>>(8-checksum) == sum[0]>>(8-checksum)
}
