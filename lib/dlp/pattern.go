package dlp

import (
	"errors"
	"fmt"
	"strings"
)

// pattern is what follows a keyword: steps, taken in order, each as long as it can be and never given back. A value has
// therefore one reading only, whatever pieces it arrives in.
type pattern struct {
	keywords []string
	fold     bool     // keywords match in any case
	spelled  bool     // what stands for _ in keywords may be any of wordBreak, or nothing
	before   *class   // no match where one of these precedes the keyword, unless it is the match's length; nil: anything may
	within   *class   // a byte of it must precede the keyword; nil: anything may
	behind   *tail    // what must precede the keyword, where the mark of a form is amid it; nil: anything may
	unless   []string // words that may not stand before the keyword
	amid     [][]byte // words that may not stand in the name that the keyword ends
	ofName   bool     // the keyword is the end of a name, not the whole of it
	steps    []step
	after    *class // no match where one of these follows the last step, unless its length precedes it; nil: anything may

	shortest, longest int // that a match can be; set by keyword

	joins    joining
	joinFrom int  // the first step that may be in pieces
	unknown  int  // how many steps match what the automaton does not know of the keyword; set by keyword
	partFrom int  // from which of them on it may be in pieces anywhere; set by keyword
	dotted   bool // a dot is no joint, as the form has dots of its own
	lined    bool // the steps before joinFrom may be over lines
	hosted   bool // an @ and a host end it, which a port may follow

	// check judges the whole match, keyword included, and returns the value's range in it. It sees each candidate once,
	// complete. Nil accepts all of it.
	check func(match []byte) (from, to int, ok bool)

	// aside tells of a value that check accepted, by what of the match stands before it and by up to asideMax bytes behind it, that it is
	// none after all. Nil: it never is.
	aside func(before, value, next []byte) bool

	records []string // words before the keyword that make of a value behind it that isRecord the name of one
}

// asideMax is how many bytes behind a value its neighbours are looked for.
const asideMax = 160

// step is a run of bytes of one class, at least min and at most max of them.
type step struct {
	class    *class
	min, max int

	// gap, if there is one, tells how many bytes of rest the step takes, instead of class. rest is at most max long; short says that
	// it ends before this can be told. begins is what it can begin with; nil: anything.
	gap    func(rest []byte) (n int, short bool)
	begins *class

	// check judges the match so far, keyword included, at the end of this step, so that a candidate that cannot become
	// a match is dropped before the rest of it has arrived. Nil accepts.
	check func(match []byte) bool
}

// lit returns steps that match s exactly.
func lit(s string) []step {
	steps := make([]step, len(s))
	for i := range s {
		steps[i] = step{class: set(s[i : i+1]), min: 1, max: 1}
	}
	return steps
}

// seq joins steps.
func seq(parts ...[]step) []step {
	var all []step
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// run is a single step of min to max bytes of c.
func run(c *class, min, max int) []step {
	return []step{{class: c, min: min, max: max}}
}

// maxKeyword bounds the length of a keyword.
const maxKeyword = 64

func (p *pattern) validate() error {
	if len(p.keywords) == 0 {
		return errors.New("a pattern has no keyword")
	}
	for _, k := range p.keywords {
		if k == "" || len(k) > maxKeyword {
			return fmt.Errorf("a keyword is %d bytes long; it may have 1 to %d", len(k), maxKeyword)
		}
	}
	length := maxKeyword // not of this keyword: a longer one that contains it may have begun before it
	for _, s := range p.steps {
		if s.class == nil || s.min < 0 || s.max < max(s.min, 1) {
			return fmt.Errorf("a step of keyword %q has no class or an impossible length", p.keywords[0])
		}
		length += s.max
	}
	if p.after != nil {
		length++
	}
	if p.behind != nil {
		length += p.behind.max
	}
	if p.aside != nil {
		length += asideMax
	}
	if length > MaxMatch {
		return fmt.Errorf("a match of keyword %q could take %d bytes; the limit is %d", p.keywords[0], length, MaxMatch)
	}
	return nil
}

// keywordCut is how much of a keyword the automaton knows, if its table has room for all of them; a pattern's steps match the rest. A smaller automaton stays in
// the processor's nearest cache, which doubles the speed of the whole scan.
const keywordCut = 5

// keyword returns text as the automaton has it, up to cut, with a pattern of its own. classes holds one pointer for each class that
// was seen, as the engine remembers runs by pointer.
func (p *pattern) keyword(text string, rule, cut int, classes map[class]*class) keyword {
	q := *p
	q.steps = nil
	name := text
	whole := len(text)
	if whole > cut {
		for i := cut; i < len(text); i++ {
			if p.spelled && text[i] == '_' {
				q.steps = append(q.steps, run(wordBreak, 0, 1)...)
				continue
			}
			c := class{}
			c[text[i]] = true
			if p.fold {
				c[fold(text[i])] = true
				c[upper(text[i])] = true
			}
			q.steps = append(q.steps, step{class: &c, min: 1, max: 1})
		}
		text = text[:cut]
		q.joinFrom += len(q.steps)
		q.unknown = len(q.steps)
	}
	q.steps = append(q.steps, p.steps...)
	for i := range q.steps {
		s := &q.steps[i]
		if classes[*s.class] == nil {
			classes[*s.class] = s.class
		}
		s.class = classes[*s.class]
		q.shortest, q.longest = q.shortest+s.min, q.longest+s.max
	}
	q.shortest, q.longest = q.shortest+len(text), q.longest+len(text)
	k := keyword{text: text, rule: rule, pattern: &q}
	if whole > cut {
		k.next = ahead(q.steps[:len(q.steps)-len(p.steps)], classes)
	} else if first := &q.steps[0]; first.gap != nil && first.begins != nil {
		k.next = []*class{first.begins}
	} else if first.min > 0 && first.gap == nil && p.joins != joinChecked { // else a joint may be next
		k.next = []*class{first.class}
	}
	q.partFrom = q.partsFrom(name, len(text))
	for i := range k.next {
		switch {
		case i >= q.partFrom && i <= q.unknown:
			k.instead[i] = anEscape | aLineEnd | aJoint
		case q.joinFrom > 0 && q.mayBreak(0, '\n'):
			k.instead[i] = anEscape | aLineEnd
		default:
			k.instead[i] = anEscape
		}
	}
	return k
}

// lookAhead is how many bytes behind a keyword are looked at before anything else is: most words differ there from what is looked for.
const lookAhead = 3

// ahead returns what the first bytes of steps can be, each of which is one byte, or one or none.
func ahead(steps []step, classes map[class]*class) (next []*class) {
	steps = steps[:min(len(steps), 2*lookAhead)]
	for at := uint(1); len(next) < lookAhead; { // a bit for each step that may be next
		var c class
		then := uint(0)
		for i, s := range steps {
			if at>>i&1 == 0 {
				continue
			}
			c.add(s.class)
			then |= 2 << i
			if s.min == 0 {
				at |= 2 << i
			}
		}
		if at>>len(steps)&1 == 1 {
			break
		}
		if classes[c] == nil {
			own := c
			classes[c] = &own
		}
		next, at = append(next, classes[c]), then
	}
	return next
}

// wordBreak is what may stand between two words of a name, which may also be joined: in snake and kebab case, in properties and in prose.
var wordBreak = set("_. -")

// spellings returns the ways to write a keyword that differ in its first cut bytes: those of variables, headers, properties, prose and Java. Behind
// those _ still stands for any of wordBreak, and nothing.
func (p *pattern) spellings(text string, cut int) []string {
	at := strings.IndexByte(text, '_')
	if !p.spelled || at < 0 || at >= cut {
		return []string{text}
	}
	var all []string
	for _, between := range []string{"_", "-", ".", " ", ""} {
		for _, rest := range p.spellings(text[at+1:], cut-at-len(between)) {
			all = append(all, text[:at]+between+rest)
		}
	}
	return all
}

// lengthOf returns how long name is, which m begins with in one of its spellings.
func lengthOf(name string, m []byte) int {
	n := 0
	for i := range len(name) {
		if name[i] != '_' || n < len(m) && wordBreak[m[n]] {
			n++
		}
	}
	return n
}

func upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - ('a' - 'A')
	}
	return c
}
