// Package corpus makes requests with secrets in them, and harmless ones, and
// counts what a scanner and bottle-pipelock make of them.
//
// All of it is made from a seed when it is wanted; no secret is in the
// repository. Forms are those of the issuers, places and disguises those that
// an agent can reach without effort; nothing is made from the scanner's own
// patterns.
//
// Limits: a planted secret counts as found when the scanner reports anything in
// its request, not when it names the right rule. Random text stands in for
// what only an issuer can make.
package corpus

// Corpus is a set of cases.
type Corpus struct {
	Seed     uint64
	Planted  []Case
	Harmless []Case
	// Known are values that the operator names: secrets with no form.
	Known []Known
}

// Known is a secret that is known by its value.
type Known struct{ Name, Value string }

// New makes the corpus of a seed. The same seed gives the same corpus with the
// same release of Go, of whose sources the code in it is made.
func New(seed uint64) *Corpus {
	c := &Corpus{Seed: seed, Planted: newMaker(seed).planted(), Harmless: newMaker(seed + 1).harmless()}
	m := newMaker(seed + 2)
	c.Known = m.known()
	c.Planted = append(c.Planted, m.plantedKnown(c.Known)...)
	return c
}

// Every returns every nth case of c.
func (c *Corpus) Every(n int) *Corpus {
	every := func(cases []Case) (out []Case) {
		for i := 0; i < len(cases); i += n {
			out = append(out, cases[i])
		}
		return out
	}
	return &Corpus{c.Seed, every(c.Planted), every(c.Harmless), c.Known}
}
