package dlp

// CaseLost returns rules like those of rules that know an issuer by a form, for text of which upper and lower case are lost, as they
// are in names of header fields, and the known values among them: checksums, decoded headers and mixed cases are not there to be checked. They are for nothing else: in
// ordinary text they would find what is none.
func CaseLost(rules []Rule) []Rule {
	var all []Rule
	classes := map[class]*class{}
	for _, rule := range rules {
		if rule.known != nil {
			rule.known = rule.known.caseless
			all = append(all, rule)
			continue
		}
		if rule.general || rule.words != nil || rule.expression != nil {
			continue
		}
		var patterns []pattern
		for _, p := range rule.patterns {
			if q, ok := p.caseLost(classes); ok {
				patterns = append(patterns, q)
			}
		}
		if rule.Name == "jwt" {
			part := run(set("A-Za-z0-9_-"), 15, 4000)
			patterns = append(patterns, pattern{keywords: []string{"eyj"}, fold: true, steps: seq(part, lit("."), part, lit("."), part), check: made})
		}
		if len(patterns) > 0 {
			rule.patterns, rule.ahead = patterns, false
			all = append(all, rule)
		}
	}
	return all
}

// made takes what is made of many characters, with digits amid letters.
var made = all(func(m []byte) bool { return varied(m, 8) && !placeholder(m) && digitRuns(m) > 1 })

// caseLost returns p for text without case; not ok: p needs a name before a value, or what no name of a field has.
func (p *pattern) caseLost(classes map[class]*class) (pattern, bool) {
	if p.fold {
		return pattern{}, false
	}
	q := *p
	q.fold, q.joins, q.steps = true, joinNever, nil
	length, exact := len(p.keywords[0]), true
	for _, s := range p.steps {
		if s.gap != nil {
			return pattern{}, false
		}
		c := bothCases(s.class)
		if classes[*c] == nil {
			classes[*c] = c
		}
		q.steps = append(q.steps, step{class: classes[*c], min: s.min, max: s.max})
		length += s.min
		exact = exact && s.max-s.min <= 8
	}
	if p.behind != nil {
		q.behind = &tail{class: bothCases(p.behind.class), min: p.behind.min, max: p.behind.max}
		length += p.behind.min
	}
	if length < 20 {
		return pattern{}, false
	}
	q.check = made
	switch {
	case p.behind != nil: // before this stands most of it
		q.check = nil
	case exact:
		q.check = all(func(m []byte) bool { return varied(m, 8) && !placeholder(m) })
	}
	return q, true
}

func bothCases(c *class) *class {
	both := *c
	for b := range both {
		both[b] = c[b] || c[fold(byte(b))] || c[upper(byte(b))]
	}
	return &both
}

// digitRuns returns how many runs of digits b has.
func digitRuns(b []byte) (n int) {
	for i, c := range b {
		if digit[c] && (i == 0 || !digit[b[i-1]]) {
			n++
		}
	}
	return n
}
