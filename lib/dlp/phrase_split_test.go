package dlp

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// short is a phrase of which the first words take few bytes, so that they stand near an escape behind them.
func (m maker) short() []string {
	for {
		if words := m.phrase(12); len(strings.Join(words[:8], " ")) < 42 {
			return words
		}
	}
}

// What is read in one way before an escape, and in another behind it, was held in the first: there a gap is longer by what is undone
// in it. A view must not begin before that.
func TestNoPhraseBeginsInWhatWasReleased(t *testing.T) {
	r := phraseRules(t)
	for name, between := range map[string]string{
		"a silent byte behind a gap":                 " " + strings.Repeat(".", 22) + `\n` + "zoo \x00",
		"a silent character behind a gap":            strings.Repeat(" ", 23) + `\n` + "zoo \u00ad ",
		"a keyword that breaks off at the escape":    strings.Repeat(`\n`, 8) + "AKIA222222",
		"a begin of three letters before an escape":  " \u00ad zoo pat\\u00003",
		"a tag around a silent byte":                 "<p class='title'>\x00<p>",
		"tags that are too many for the gap, and it": strings.Repeat("<p x>", 10) + " \x00 " + strings.Repeat("<p x>", 40) + "\x00",
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(3) {
				words := newMaker(600 + seed).short()
				for at := 1; at < 8; at++ {
					text := []byte(strings.Join(words[:at], " ") + between + "%20" + strings.Join(words[at:], " ") + " ;Qq")
					s := r.NewStream()
					require.Equal(t, r.Scan(text), inPieces(t, s, text, func() int { return 1 }), "%q", text)
				}
			}
		})
	}
}

// Words that are too far apart in the stream for one phrase, but not in what is undone, have left the window.
func TestWordsThatLeftTheWindow(t *testing.T) {
	r := phraseRules(t)
	unseen := strings.Repeat("\u00ad", 100)
	var text strings.Builder
	for range 20 {
		for _, w := range newMaker(610).phrase(24) {
			text.WriteString(strings.Join(strings.Split(w, ""), unseen) + unseen + strings.Repeat(" "+unseen, phraseGap-4))
		}
	}
	require.Empty(t, r.Scan([]byte(text.String())))
}
