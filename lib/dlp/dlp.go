// Package dlp finds secrets in a stream of bytes. It knows bytes and offsets and nothing of HTTP.
//
//	rules, err := dlp.Compile(dlp.Builtin(), dlp.Options{})
//	found := rules.Scan(header)          // a whole buffer
//	s := rules.NewStream()               // or a stream, in pieces of any size
//	clean, found := s.Scan(piece)        // clean: how many bytes may leave
//	found = s.Finish()
//
// # How it looks
//
// One pass of an Aho-Corasick automaton finds the keywords of all rules ("ghp_", "AKIA", "eyJ"); case is folded there
// and compared exactly afterwards where a rule asks for it. The automaton is asked only where the first bytes of a keyword stand,
// which a table of pairs of bytes tells for eight places at once. Only at a keyword does a rule's pattern look further: a
// sequence of byte classes with lengths, without backtracking, and then the structural check of that credential
// (checksum, decoded header, variety). What fails its check is no finding; entropy alone never is one.
//
// A pattern is bounded by [MaxMatch], so a stream needs constant memory, and nothing is held longer than the bytes of
// the one candidate whose outcome is open, of the keyword that has begun, or of the end of a run of base64's characters
// (at most 48), which may turn out to be encoded text.
//
// # What it undoes
//
// A second pass, the sniffer, looks for places where something may be encoded: escapes (percent, JSON and those
// of other languages, HTML, invisible and look-alike characters) that may hide a keyword, and runs of base64, base32 or hex that decode to text, at any
// alignment. It reads a block of 64 bytes at once, where the processor has AVX2 with a few instructions. There, and only there, a view of the stream is made with the escapes undone, up to four inside each other,
// and the runs decoded, up to [Options].Depth inside each other, and searched like the stream itself. A run that is random, such as
// an image, costs a comparison every few characters.
//
// # Names and lengths
//
// Where only a name gives a value away, punctuation, a line's end, a word such as "value", an option of a command, a terminal's colors or the
// bytes of protobuf, MessagePack or CBOR may stand between the two. The rules "named-key" and "named-password" know no issuer: they take values that look made by chance (characters
// of different kinds next to each other, a digest, a UUID) after general names, and leave what begins like another rule's credential to that
// rule; where another rule knows the same value by a mark amid it, that rule is named. "authorization-header" takes such values behind Authorization
// and Bearer; for a request's own head there is [Rules.Without]. A credential is a word of its own; a letter or digit
// before it that is its length, as in those notations, is none of it, nor is the end of what sets a color, nor, where base64 is decoded, what
// stands on the next line.
//
// # Known values, dummies, seed phrases
//
// [KnownRules] finds values that no form gives away, of which only hashes are kept. [Dummy] finds a bottle's own dummy credentials, and
// [SeedPhrases] the mnemonics of BIP-39. None of them is on unless it is given to [Compile].
//
// # Pieces
//
// A candidate with a long exact form or a checksum that breaks off at a joint, such as `","`, `&b=`, `" + "`, a slash, a dot or a line's end, which
// may have the marks of a quotation, a comment or a list behind it, is tried without its joints: up to three pieces, in order, or as many lines as are as long as each other. A joint of JSON may have words and
// sentences in it that are no piece. The finding covers the joints, and its Encoding ends in "split". The first five bytes of a prefix or a name
// are not in pieces, and the rest of a prefix, as far as it may be a word (github), and a JWT's header in lines alone, as is a secret that only a name before it gives away, which may be in
// strings that an operator or a line's end puts together, too; behind a general name it is in lines that are as long as those of something that was wrapped. Of a value that has its mark amid it, pieces before
// the mark's are looked for as well: the finding begins with the mark's own piece, and [Finding].Cut says so. Where hundreds of candidates break off close to each
// other, only as many are tried as cost a few times what the scan does.
//
// In forms and queries a space is written as +: [Rules.Form] reads them both ways.
//
// # More rules
//
// [ReadRules] reads gitleaks' files. Their regular expressions are matched on blocks of 4 KiB and what begins there, so that with
// them up to 6 KiB are held. Most must have one of a few words in their match, as their syntax tells, and are run near these alone.
//
// # Limits
//
// Not seen: a secret in more than three pieces, or out of order, or with other text between; one in an encoding of which the text is not ASCII
// or UTF-16 of it; one whose encoded form is longer than [MaxMatch]; one behind a compression or a cipher, however simple (reversed, ROT13), or
// in quoted-printable, but for its soft line breaks. Not seen either: one with more
// than 256 bytes of invisible characters between two of its own, or one character of which is written with more than 256. Known values are found also where they are not ASCII, but not with more than 40 bytes
// between two characters. Of a private key the first line and the begin of the
// body are found; the finding's range ends there, and [Finding].Begins says so. Some credentials have their mark amid them: what stands before it belongs
// to the finding, and is held until the word ends. Where a part of that is written so that it was not known for such, [Finding].Cut says so.
package dlp

import (
	"errors"
	"fmt"
	"sync"
)

// Rule says which credential is found, and how. The exported fields document it; a Rule that was not made by this
// package has no pattern and is refused by [Compile].
type Rule struct {
	Name    string // stable id; stands in refusals, logs and allowlists
	Matches string // what it matches, in one line
	Source  string // URL of the format's description
	Check   string // the structural check, in one line

	patterns   []pattern // tried in order, the first that matches wins
	expression *expression
	known      *knownSet                   // that the rule is one of
	words      map[[phraseWord]byte]uint16 // for seed phrases
	begins     bool                        // it finds the beginning of a block
	general    bool                        // it knows no issuer
	ahead      bool                        // its patterns are tried before those of other rules at the same keyword
}

// Options change what a set of rules reports.
type Options struct {
	// Exempt is asked about each match before it is reported; true means that this value is inert: no finding for this rule, and
	// nothing in it one for another rule that begins later. It must neither change nor keep value, and must be safe for concurrent use. Nil exempts nothing.
	Exempt func(rule string, value []byte) bool

	// Label is asked about each match that Exempt leaves, and what it returns stands in [Finding].Label: a keyed digest,
	// for instance, by which the caller knows a value again. It must not return the value or a part of it, neither change
	// nor keep it, and must be safe for concurrent use. Nil labels nothing.
	Label func(rule string, value []byte) string

	// Depth is how many encodings inside each other are undone before matching, such as base64 in hex; single escapes in
	// them are undone beside. 0 means 3, less than 0 that bytes are matched as they are.
	Depth int
}

const defaultDepth = 3

// Rules is a compiled set of rules. It is immutable and safe for concurrent use.
type Rules struct {
	auto   automaton
	names  []string
	begins []bool // by rule, for Finding.Begins
	vague  []bool // by rule: general

	expressions expressions
	known       *knownSet                   // nil: no value is known
	words       map[[phraseWord]byte]uint16 // nil: seed phrases are not looked for
	phraseRule  int
	exempt      func(rule string, value []byte) bool
	without     string // the name of a rule that finds nothing
	tails       []tail // that any of the patterns has
	inTails     class  // that any of them has
	label       func(rule string, value []byte) string
	depth       int
	quiets      *quiet     // nil: all may hide something
	idle        *sync.Pool // of Streams
}

// Compile builds the automaton for rules. It fails for a rule without a name or a pattern, for a name used twice (but
// for rules of a file, which may be called as others are) and for a pattern that could take more than [MaxMatch] bytes.
func Compile(rules []Rule, opts Options) (*Rules, error) {
	if len(rules) == 0 {
		return nil, errors.New("compile rules: no rules given")
	}
	r := &Rules{exempt: opts.Exempt, label: opts.Label, depth: opts.Depth}
	if r.depth == 0 {
		r.depth = defaultDepth
	}
	r.idle = &sync.Pool{New: func() any { return r.newStream() }}
	seen := make(map[string]bool, len(rules))
	for i, rule := range rules {
		switch {
		case rule.Name == "":
			return nil, fmt.Errorf("compile rules: rule %d has no name", i)
		case seen[rule.Name] && rule.expression == nil:
			return nil, fmt.Errorf("compile rules: two rules are named %q", rule.Name)
		case len(rule.patterns) == 0 && rule.expression == nil && rule.known == nil && rule.words == nil:
			return nil, fmt.Errorf("compile rules: rule %q has no pattern", rule.Name)
		}
		if rule.known != nil {
			if r.known != nil && r.known != rule.known {
				return nil, errors.New("compile rules: the known secrets come from two calls of KnownRules; give it all of them at once")
			}
			r.known = rule.known
		}
		if rule.words != nil {
			r.words, r.phraseRule = rule.words, i
		}
		seen[rule.Name] = true
		r.names, r.begins, r.vague = append(r.names, rule.Name), append(r.begins, rule.begins), append(r.vague, rule.general)
		if rule.expression != nil {
			r.expressions.all = append(r.expressions.all, *rule.expression)
			r.expressions.rules = append(r.expressions.rules, i)
		}
		for j := range rule.patterns {
			if err := rule.patterns[j].validate(); err != nil {
				return nil, fmt.Errorf("compile rule %q: %w", rule.Name, err)
			}
		}
	}
	var err error
	if r.auto, err = keywordsOf(rules); err != nil {
		return nil, fmt.Errorf("compile rules: %w", err)
	}
	for _, hits := range r.auto.hits {
		for _, k := range hits {
			if k.pattern.behind != nil {
				r.addTail(k.pattern, k.text[0])
			}
		}
	}
	if err := r.expressions.compile(); err != nil {
		return nil, fmt.Errorf("compile rules: %w", err)
	}
	r.quiets = r.quiet()
	return r, nil
}

// keywordsOf builds the automaton of the patterns' keywords. Where they are too many, it knows less of each.
func keywordsOf(rules []Rule) (automaton, error) {
	for cut := keywordCut; ; cut-- {
		var ahead, keywords []keyword
		classes := map[class]*class{}
		for i, rule := range rules {
			for j := range rule.patterns {
				p := &rule.patterns[j]
				for _, text := range p.keywords {
					for _, spelling := range p.spellings(text, cut) {
						if k := p.keyword(spelling, i, cut, classes); rule.ahead {
							ahead = append(ahead, k)
						} else {
							keywords = append(keywords, k)
						}
					}
				}
			}
		}
		a, err := newAutomaton(append(ahead, keywords...))
		if _, large := errors.AsType[*tableError](err); !large || cut == 1 {
			return a, err
		}
	}
}

func (r *Rules) labelOf(rule string, value []byte) string {
	if r.label == nil {
		return ""
	}
	return r.label(rule, value)
}

// Exempting returns rules like r that ask exempt, as [Options].Exempt says. Both share what Compile built.
func (r *Rules) Exempting(exempt func(rule string, value []byte) bool) *Rules {
	c := *r
	c.exempt = exempt
	c.idle = &sync.Pool{New: func() any { return c.newStream() }}
	return &c
}

// Without returns rules like r, but for one: what it matches is searched like the rest. Both share what Compile built.
func (r *Rules) Without(rule string) *Rules {
	c := *r
	c.without = rule
	c.idle = &sync.Pool{New: func() any { return c.newStream() }}
	return &c
}

// Scan returns the findings in b, ascending and not overlapping; nil when there are none. It allocates only for findings
// and what encodings hide. The findings are those that a [Stream] fed with b would return.
func (r *Rules) Scan(b []byte) []Finding {
	s := r.NewStream()
	defer s.Release()
	var all []Finding
	for len(b) > 0 {
		n := min(len(b), MaxMatch)
		_, found := s.Scan(b[:n])
		all = append(all, found...)
		b = b[n:]
	}
	return append(all, s.Finish()...)
}

// NewStream returns a Stream at offset 0. It owns about 56 KiB, and more while it undoes encodings; see [Stream.Release].
func (r *Rules) NewStream() *Stream {
	s := r.idle.Get().(*Stream)
	s.Reset()
	return s
}

func (r *Rules) newStream() *Stream {
	s := &Stream{engine: engine{rules: r, report: r.depth > 0}, buf: make([]byte, 0, window)}
	s.view = newView(s)
	s.probe = engine{rules: r}
	return s
}
