package corpus

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"bottle/lib/dlp"
	"bottle/lib/secret"
)

// Verdict is what became of a case.
type Verdict struct {
	Stopped bool
	By      string // the rule or the reason code; why a harmless one did not pass
}

// Judge says what a scanner makes of a case.
type Judge func(*Case) Verdict

// Outcome is a case with its verdict.
type Outcome struct {
	*Case
	Verdict
}

// Score is what a scanner made of a corpus.
type Score struct {
	Outcomes          []Outcome // in the corpus's order, what is beyond included
	Found, Planted    int
	Blocked, Harmless int
}

// Score asks judge about every case.
func (c *Corpus) Score(judge Judge) *Score {
	s := &Score{}
	for _, cases := range [][]Case{c.Planted, c.Harmless} {
		for i := range cases {
			s.add(&cases[i], judge(&cases[i]))
		}
	}
	return s
}

func (s *Score) add(c *Case, v Verdict) {
	s.Outcomes = append(s.Outcomes, Outcome{c, v})
	switch {
	case !c.Planted:
		s.Harmless++
		if v.Stopped {
			s.Blocked++
		}
	case !c.Beyond:
		s.Planted++
		if v.Stopped {
			s.Found++
		}
	}
}

// Recall is the share of planted secrets that were found, in percent.
func (s *Score) Recall() float64 { return 100 * float64(s.Found) / float64(max(s.Planted, 1)) }

// Wrong is the share of harmless requests that were stopped, in percent.
func (s *Score) Wrong() float64 { return 100 * float64(s.Blocked) / float64(max(s.Harmless, 1)) }

// Misses are the planted cases that passed, and the harmless ones that did not.
func (s *Score) Misses() (missed, wrong []Outcome) {
	for _, o := range s.Outcomes {
		switch {
		case o.Planted && !o.Beyond && !o.Stopped:
			missed = append(missed, o)
		case !o.Planted && o.Stopped:
			wrong = append(wrong, o)
		}
	}
	return missed, wrong
}

// Print writes the score, and what is wrong with it by name.
func (s *Score) Print(w io.Writer, scanner string) {
	fmt.Fprintf(w, "%s: found %d of %d planted (%.1f %%), stopped %d of %d harmless (%.1f %%)\n", scanner, s.Found, s.Planted, s.Recall(), s.Blocked, s.Harmless, s.Wrong())
	missed, wrong := s.Misses()
	for _, o := range missed {
		fmt.Fprintf(w, "  missed  %s\n", o.Name)
	}
	for _, o := range wrong {
		fmt.Fprintf(w, "  wrong   %s: %s\n", o.Name, o.By)
	}
}

// Rules are all that the filter looks for by itself, and the corpus's known
// secrets.
func (c *Corpus) Rules() (*dlp.Rules, error) {
	var values []dlp.KnownSecret
	for _, k := range c.Known {
		v, err := secret.NewAny(k.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k.Name, err)
		}
		values = append(values, dlp.KnownSecret{Name: k.Name, Value: v})
	}
	known, err := dlp.KnownRules(values)
	if err != nil {
		return nil, err
	}
	return dlp.Compile(append(dlp.Builtin(), known...), dlp.Options{})
}

// Library judges with the rules alone: every part of a request by itself, as
// [Request.Texts] gives them, URLs and forms as such, and the labels of the host
// as one text, which is written in capitals as well.
func Library(rules *dlp.Rules) Judge {
	return func(c *Case) Verdict {
		form := strings.HasPrefix(c.Request.contentType(), "application/x-www-form-urlencoded")
		for _, text := range c.Request.Texts() {
			scan := rules.Scan
			if form || bytes.HasPrefix(text, []byte("https://")) || bytes.HasPrefix(text, []byte("Referer:")) {
				scan = rules.Form().Scan
			}
			if found := scan(text); len(found) > 0 {
				return Verdict{true, found[0].Rule}
			}
		}
		labels := strings.ReplaceAll(c.Request.Host, ".", "")
		for _, text := range []string{labels, strings.ToUpper(labels)} {
			if found := rules.Scan([]byte(text)); len(found) > 0 {
				return Verdict{true, found[0].Rule}
			}
		}
		return Verdict{}
	}
}

func (r *Request) contentType() string {
	for _, f := range r.Header {
		if strings.EqualFold(f.Name, "Content-Type") {
			return f.Value
		}
	}
	return ""
}
