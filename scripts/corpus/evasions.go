package corpus

import (
	"fmt"
	"slices"
	"strings"
)

// note says what a result does not: what the filter's way of looking leaves
// open, by place or by disguise.
var notes = map[string]string{
	"path":                          "as the client wrote it; what else the path means to the origin is not known",
	"trailer":                       "a body that is not judged whole has left by then",
	"WebSocket, fragmented":         "a message is judged as one, up to the limit of a message",
	"WebSocket, permessage-deflate": "other extensions are not offered to the origin",
	"chunked body":                  "judged while it flows: what stands before the secret may have left",
	"end of a body over 1 MiB":      "what stands before the secret has left when the request is cut off",
	"gRPC message":                  "a message compressed within gRPC's own framing is not decompressed",
	"gzip body":                     "at most 16 MiB as sent and 64 MiB decoded; more is refused",
	"deflate body":                  "at most 16 MiB as sent and 64 MiB decoded; more is refused",
	"br body":                       "at most 16 MiB as sent and 64 MiB decoded; more is refused",
	"zstd body":                     "at most 16 MiB as sent and 64 MiB decoded; more is refused",

	"base64, three deep":                    "the set depth; more is not undone",
	"hexadecimal in base64 in base64url":    "the set depth; more is not undone",
	"base64, five deep":                     "deeper than the set depth of three",
	"Cyrillic look-alikes":                  "the plain ones of Unicode's list",
	"Greek look-alikes":                     "the plain ones of Unicode's list",
	"backwards":                             "no cipher is undone, however simple",
	"rot13":                                 "no cipher is undone, however simple",
	"exclusive or with one byte, in base64": "no cipher is undone, however simple",
	"UTF-16 in base64":                      "a character is one byte",
	"gzip in base64":                        "compression is undone where Content-Encoding says so, not within text",
	"two headers":                           "header lines are not joined",
	"two WebSocket messages":                "each message is judged by itself",
	"two parameters, the second half first": "pieces are joined in their order",
	"two lines, every second letter each":   "pieces are joined as a whole",
}

// Evasions is the page about what gets past the filter, made from what it did
// with a corpus: a table by place, by disguise, by division, and what is
// beyond all of these.
func Evasions(scores ...*Score) string {
	var outcomes []Outcome
	for _, s := range scores {
		outcomes = append(outcomes, s.Outcomes...)
	}
	var b strings.Builder
	table := func(title string, belongs func(o *Outcome) bool, key func(o *Outcome) string) {
		fmt.Fprintf(&b, "### %s\n\n| evasion | result | limitation |\n|-|-|-|\n", title)
		var order []string
		rows := map[string]*tally{}
		for i := range outcomes {
			o := &outcomes[i]
			if !o.Planted || !belongs(o) {
				continue
			}
			name := key(o)
			t := rows[name]
			if t == nil {
				t = &tally{}
				rows[name] = t
				order = append(order, name)
			}
			t.add(o)
		}
		for _, name := range order {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", strings.ReplaceAll(name, "|", "\\|"), rows[name].result(), rows[name].limitation(notes[name]))
		}
		b.WriteString("\n")
	}
	divided := func(o *Outcome) bool { return o.How == inPieces }
	known := func(o *Outcome) bool { return strings.HasPrefix(o.Kind, knownPrefix) }
	host := func(o *Outcome) bool { return o.Where == "host name" }
	where := func(o *Outcome) string { return o.Where }
	how := func(o *Outcome) string { return o.How }
	table("Where it stands, as it is", func(o *Outcome) bool { return o.How == asItIs && !host(o) && !known(o) }, where)
	table("In a disguise, in all places that can hold it", func(o *Outcome) bool {
		return o.How != asItIs && !divided(o) && !host(o) && !o.Beyond && !known(o)
	}, how)
	table("A secret with no form that is named in known_secrets", func(o *Outcome) bool { return known(o) && !o.Beyond }, how)
	table("In two pieces", func(o *Outcome) bool { return divided(o) && !o.Beyond }, where)
	table("In the name of a host", host, how)
	table("What is not claimed to be stopped", func(o *Outcome) bool { return o.Beyond }, func(o *Outcome) string {
		if divided(o) {
			return o.Where
		}
		return o.How
	})
	return b.String()
}

// tally counts the results of one row.
type tally struct {
	stopped, all int
	missed       []string // classes
}

func (t *tally) add(o *Outcome) {
	t.all++
	if o.Stopped {
		t.stopped++
	} else if !slices.Contains(t.missed, o.Kind) {
		t.missed = append(t.missed, o.Kind)
	}
}

func (t *tally) result() string {
	switch t.stopped {
	case t.all:
		return fmt.Sprintf("stopped, %d of %d", t.stopped, t.all)
	case 0:
		return fmt.Sprintf("**passes**, %d of %d", t.all, t.all)
	}
	return fmt.Sprintf("stopped, %d of %d", t.stopped, t.all)
}

// limitation is the row's note, and what was missed where not all was.
func (t *tally) limitation(note string) string {
	if t.stopped == t.all || t.stopped == 0 {
		return note
	}
	missed := "missed: " + strings.Join(t.missed, ", ")
	if note == "" {
		return missed
	}
	return note + "; " + missed
}
