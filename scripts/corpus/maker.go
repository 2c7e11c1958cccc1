package corpus

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// maker makes random things that are the same for the same seed.
type maker struct{ *rand.Rand }

func newMaker(seed uint64) maker { return maker{rand.New(rand.NewPCG(seed, 0x626f74746c65))} }

const (
	lowers = "abcdefghijklmnopqrstuvwxyz"
	uppers = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits = "0123456789"
	alnums = lowers + uppers + digits
)

// alphabets are the classes of form by their letter.
var alphabets = map[byte]string{
	'a': alnums,
	'u': alnums + "-_",
	's': alnums + "+/",
	'h': digits + "abcdef",
	'H': digits + "ABCDEF",
	'l': lowers + digits,
	'c': uppers + digits,
	'L': lowers,
	'U': uppers,
	'w': lowers + uppers,
	'd': digits,
	'b': uppers + "234567",
}

func (m maker) text(alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[m.IntN(len(alphabet))]
	}
	return string(b)
}

// form fills a template: [a36] is 36 characters of alphabet a, [a20-40] from
// 20 to 40 of them; all else stands for itself.
func (m maker) form(template string) string {
	var b strings.Builder
	for rest := template; ; {
		before, hole, ok := strings.Cut(rest, "[")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		hole, rest, _ = strings.Cut(hole, "]")
		from, to, ranged := strings.Cut(hole[1:], "-")
		n := number(template, from)
		if ranged {
			n += m.IntN(number(template, to) - n + 1)
		}
		alphabet, known := alphabets[hole[0]]
		if !known {
			panic("corpus: no alphabet " + hole[:1] + " in " + template)
		}
		b.WriteString(m.text(alphabet, n))
	}
}

func number(in, s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic("corpus: no length " + s + " in " + in)
	}
	return n
}

func (m maker) pick(of ...string) string { return of[m.IntN(len(of))] }

func (m maker) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(m.Uint32())
	}
	return b
}

func (m maker) hex(n int) string { return m.text(alphabets['h'], n) }

func (m maker) uuid() string {
	return m.form("[h8]-[h4]-4[h3]-") + m.pick("8", "9", "a", "b") + m.form("[h3]-[h12]")
}

func (m maker) repeat(n int, line func(i int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(line(i))
	}
	return b.String()
}

func (m maker) word() string {
	return m.pick("cache", "index", "parser", "token", "buffer", "window", "request", "stream", "retry", "budget", "header", "render", "queue", "worker",
		"session", "metrics", "config", "schema", "router", "payload", "cursor", "worktree", "branch", "commit", "fixture", "timeout", "secret", "handler")
}

func (m maker) sentence() string {
	return fmt.Sprintf(m.pick(
		"The %s of the %s is rebuilt when the %s changes, which explains the slow first run. ",
		"I moved the %s into the %s so that the %s can be tested alone. ",
		"Can you look at why the %s drops the %s after a %s error? ",
		"Running the tests of the %s again: the %s passes, the %s still fails on line 42. ",
		"It's likely that the %s holds the %s while the %s waits — let me check. ",
	), m.word(), m.word(), m.word())
}

func (m maker) prose(sentences int) string {
	return m.repeat(sentences, func(int) string { return m.sentence() })
}
