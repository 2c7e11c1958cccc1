package corpus

import "strings"

const knownPrefix = "known "

// known makes secrets that no form gives away.
func (m maker) known() []Known {
	return []Known{
		{"known-password", m.form("[L5][U2]![d3]-[a8]#q")},
		{"known-hex", m.hex(32)},
		{"known-uuid", m.uuid()},
		{"known-base64", m.form("[s43]=")},
		{"known-passphrase", m.form("[L6]-[L7]-[L5]-[L8]-[d2]")},
		{"known-token", m.form("acme_[a24]")},
	}
}

// plantedKnown makes the cases of known secrets: in places as they are, in each
// disguise, and cut into groups.
func (m maker) plantedKnown(known []Known) []Case {
	var cases []Case
	at := m.IntN(len(places))
	plant := func(k Known, d *disguise) {
		c := credential{class: knownPrefix + strings.TrimPrefix(k.Name, "known-"), name: "note", value: k.Value}
		for at++; !fits(&c, &places[at%len(places)], d); at++ {
		}
		cases = append(cases, m.plant(c, &places[at%len(places)], d))
	}
	groups := []disguise{
		{name: "in groups of four, hyphens", do: func(_ maker, s string) string { return wrap(s, 4, "-") }},
		{name: "in groups of five, spaces", do: func(_ maker, s string) string { return wrap(s, 5, " ") }},
		{name: "one letter a line", lines: true, do: func(_ maker, s string) string { return wrap(s, 1, "\n") }},
		{name: "in quoted pieces", do: func(_ maker, s string) string { return wrap(s, 7, `" + "`) }},
	}
	for i, k := range known {
		for range 6 {
			plant(k, nil)
		}
		for j := range disguises {
			if d := &disguises[j]; !d.beyond && (i+j)%2 == 0 {
				plant(k, d)
			}
		}
		for j := range groups {
			if k.Name != "known-passphrase" || j != 0 { // which has hyphens already
				plant(k, &groups[j])
			}
		}
	}
	return numbered(cases)
}
