package filter

import (
	"bottle/lib/dlp"
	"bottle/lib/refusal"
)

// dummyLabel is the label of a finding that is one of this bottle's dummies.
const dummyLabel = "dummy"

// dummyRule is the rule that finds dummies by their mark, see [dlp.Dummy].
const dummyRule = "bottle-dummy"

// isDummy reports whether f is a dummy credential of a bottle.
func isDummy(f dlp.Finding) bool { return f.Rule == dummyRule || f.Label == dummyLabel }

// misdirected refuses a request that carries a dummy where none belongs. A
// dummy opens nothing, so nothing is lost; but nobody sends it there by
// accident, and the operator should know.
func misdirected(p place, location string) *refusal.Refusal {
	return refusal.New(refusal.DummyMisdirected, "request %s contains the bottle's own dummy credential, in %s; it is for the provider's hosts alone; remove it, and do not send logins elsewhere", p.where, location)
}
