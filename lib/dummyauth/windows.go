package dummyauth

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// windowSize is how many characters in a row a dummy may not share with a real
// token.
const windowSize = 6

type window [windowSize]byte

// windows is a set of texts of windowSize characters.
type windows map[window]struct{}

// add puts in every window of text.
func (w windows) add(text string) {
	for i := 0; i+windowSize <= len(text); i++ {
		w[window([]byte(text[i:i+windowSize]))] = struct{}{}
	}
}

// remove takes out every window of text.
func (w windows) remove(text string) {
	for i := 0; i+windowSize <= len(text); i++ {
		delete(w, window([]byte(text[i:i+windowSize])))
	}
}

// meets reports whether text has a window of w.
func (w windows) meets(text string) bool {
	for i := 0; i+windowSize <= len(text); i++ {
		if _, ok := w[window([]byte(text[i:i+windowSize]))]; ok {
			return true
		}
	}
	return false
}

// addToken puts in every window of a real token except those inside its JWT
// header, which names a public algorithm and key. Windows that reach over the
// header's end count. A token that is no JWT counts as a whole.
func (w windows) addToken(token string) {
	header := strings.IndexByte(token, '.')
	if header < 0 || !strings.HasPrefix(token, "eyJ") {
		w.add(token)
		return
	}
	w.add(token[max(0, header-windowSize+1):])
}

// removeExpiry takes out the windows that say nothing but digits of t: those
// of the base64 text of its decimal seconds, at each of the three offsets.
func (w windows) removeExpiry(t time.Time) {
	digits := strconv.FormatInt(t.Unix(), 10)
	for shift := range 3 {
		text := base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("\x00", shift) + digits))
		// Character i of text is bits 6i to 6i+5; only those wholly in digits.
		first, end := (8*shift+5)/6, 8*(shift+len(digits))/6
		w.remove(text[first:end])
	}
}
