package dlp

// joint reads what may stand between two pieces.
type joint struct {
	text   []byte
	at     int
	seen   int  // how far it was looked at
	more   bool // the text ends before this can be told
	dotted bool // a dot is none
	cut    bool // nothing more of the text will be known
	whole  bool // nothing more of the text counts
	line   bool // it is a line's end alone, or strings is true

	signs   uint32 // of the mark before the next line; 0: it has none
	strings bool   // it is between two strings that the language puts together
}

// lineSigns are the signs that stand before each line of a quotation, a comment, a list or a table, maxMark how many they are at most.
var lineSigns = set(">#*|;%/+-")

const maxMark = 4

// nameChar is what names of parameters and members are made of.
var nameChar = set("A-Za-z0-9_.[]-")

// length returns how long the joint is that the text begins with, and 0 if it begins with none. Behind a joint there is a
// byte of the next piece.
func (g *joint) length() int {
	switch c := g.peek(); {
	case c == '&':
		g.at++
		return g.ends(g.name() && g.take("="))
	case c == ';':
		g.at++
		g.space()
		return g.ends(g.name() && g.take("="))
	case c == '=': // a soft line break of quoted-printable (RFC 2045 §6.7)
		g.at++
		g.line = g.space()
		return g.ends(g.line)
	case c == '.' && !g.dotted, c == '/':
		g.at++
		return g.ends(true)
	}
	line := g.space()
	if !g.quote() {
		if g.line = line; line {
			g.mark()
		}
		return g.ends(line)
	}
	ended := g.space()
	if g.take("}") { // the next object of an array
		g.space()
		if !g.take(",") {
			return 0
		}
		g.space()
		if !g.take("{") {
			return 0
		}
		g.space()
		return g.ends(g.quote() && g.member() && g.quote())
	}
	comma := g.take(",")
	joins := !comma && g.operator()
	ended = g.space() || ended
	if !g.quote() {
		return 0
	}
	if comma && g.member() {
		return g.ends(g.quote())
	}
	g.strings = (ended || joins) && !comma && !line
	g.line = g.strings
	return g.ends(true)
}

// skipping is length for a joint of JSON that may have other members and strings in it, none of which can be a piece: words in
// lower case, such as role's values, and what has spaces or the like.
func (g *joint) skipping() int {
	if g.space(); !g.quote() {
		if g.more {
			return 0
		}
		g.at = 0
		return g.length()
	}
	for comma := false; !g.more; {
		g.space()
		from := g.at
		switch c := g.peek(); {
		case g.take("{}[]:"):
		case g.take(","):
			comma = true
		case g.quote():
			begin, end := g.at, g.at
			word, plain := true, true
			for !g.quote() {
				c := g.peek()
				if g.more || c < ' ' || g.at-begin > maxSkipped {
					word, plain = false, true // too long to be skipped
					break
				}
				word = word && (lower[c] || c == '_' || c == '/')
				plain = plain && (tokenChar[c] || c == '+' || c == '/' || c == '=')
				if g.at++; c == '\\' {
					g.at++
				}
				end = g.at
			}
			word = word && end-begin >= minWord
			after := *g
			after.space()
			name := after.take(":")
			g.more, g.seen = after.more, after.seen
			if !name && !word && plain {
				if g.at = begin; comma {
					return g.ends(true)
				}
				return 0
			}
		default:
			for g.at-from < maxName && (alnum[c] || c == '.' || c == '-' || c == '+') {
				g.at++
				c = g.peek()
			}
			switch literal := g.text[from:g.at]; {
			case len(literal) > 0 && (digit[literal[0]] || literal[0] == '-'):
			case string(literal) == "true", string(literal) == "false", string(literal) == "null":
			default:
				return 0
			}
		}
	}
	return 0
}

func (g *joint) peek() byte { return g.byteAt(g.at) }

func (g *joint) byteAt(i int) byte {
	g.seen = max(g.seen, i+1)
	if i < len(g.text) {
		return g.text[i]
	}
	g.more = g.more || !g.whole
	return 0
}

// ends returns the length if the joint is whole and a letter or digit, or what stands amid tokens, follows.
func (g *joint) ends(ok bool) int {
	if c := g.peek(); !ok || g.more || !tokenChar[c] && !(g.line && lineBegins[c]) {
		return 0
	}
	return g.at
}

// lineBegins is what the next piece may begin with as well, behind a line's end.
var lineBegins = set("=+/@:$%|!")

// take reads one of the characters.
func (g *joint) take(any string) bool {
	c := g.peek()
	for i := range len(any) {
		if c == any[i] && !g.more {
			g.at++
			return true
		}
	}
	return false
}

// operator reads what joins two strings in one of many languages: + . | || .. ++ <> & ^ ~. It reports whether it does nothing else.
func (g *joint) operator() bool {
	c := g.peek()
	switch {
	case g.take("+.|"):
		again := g.peek() == c && g.take("+.|")
		return c != '|' || again // between types, too
	case g.take("<"):
		return g.take(">")
	}
	return g.take("&^~")
}

// name reads the name of a parameter.
func (g *joint) name() bool {
	from := g.at
	for nameChar[g.peek()] {
		if g.at++; g.at-from > maxName {
			return false
		}
	}
	return g.at > from
}

// member reads the rest of a member's name with its quote, the colon and the space; it stays where it is if there is none.
func (g *joint) member() bool {
	from := g.at
	if g.name() && g.quote() {
		g.space()
		if g.take(":") {
			g.space()
			return true
		}
	}
	if !g.more {
		g.at = from
	}
	return false
}

// space reads white space, also as strings escape it, and reports whether a line ended in it.
func (g *joint) space() (line bool) {
	for {
		switch c := g.peek(); c {
		case ' ', '\t':
			g.at++
		case '\r', '\n':
			g.at++
			line = true
		case '\\':
			i := g.at
			for g.byteAt(i) == '\\' {
				i++
			}
			switch g.byteAt(i) {
			case 'n', 'r', '\n', '\r':
				line = true
			case 't':
			default:
				return line
			}
			g.at = i + 1
		default:
			return line
		}
	}
}

// mark reads what stands before each line of a quotation, a comment, a list or a table: signs and white space, which > does not need.
func (g *joint) mark() {
	end, signs := g.at, uint32(0)
	for n := 0; n < maxMark && lineSigns[g.peek()]; n++ {
		c := g.text[g.at]
		signs = signs<<8 | uint32(c)
		begin := g.at
		for g.at++; g.peek() == ' ' || g.peek() == '\t'; {
			g.at++
		}
		if c == '>' || g.at > begin+1 {
			end, g.signs = g.at, signs
		}
	}
	if !g.more {
		g.at = end
	}
}

// quote reads a quotation mark, also an escaped one.
func (g *joint) quote() bool {
	i := g.at
	for g.byteAt(i) == '\\' {
		i++
	}
	switch g.byteAt(i) {
	case '"', '\'', '`':
		g.at = i + 1
		return true
	}
	return false
}
