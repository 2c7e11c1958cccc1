package dlp

import (
	"fmt"
	"strconv"
	"strings"
)

// classNames are the classes that a notation names with one letter: <a>{36} is 36 letters and digits.
var classNames = map[byte]*class{
	'd': digit,
	'l': set("a-z0-9"),
	'c': upperNum,
	'a': alnum,
	'h': lowerHex,
	'H': set("0-9A-Fa-f"),
	'u': base64URL,
	's': base64Std,
	'w': set("A-Za-z"),
}

// notation turns a format as tables write it into steps: <x> is a class of classNames, [A-Z2-7] another, and any other
// character itself; {n} or {n,m} says how many. It panics on a mistake in a table, which the first test finds.
func notation(s string) []step {
	var steps []step
	for rest := s; rest != ""; {
		var st step
		switch rest[0] {
		case '<':
			st.class = classNames[rest[1]]
			rest = rest[3:]
		case '[':
			end := strings.IndexByte(rest, ']')
			st.class = set(rest[1:end])
			rest = rest[end+1:]
		default:
			st.class = set(rest[:1])
			rest = rest[1:]
		}
		st.min, st.max = 1, 1
		if strings.HasPrefix(rest, "{") {
			end := strings.IndexByte(rest, '}')
			from, to, ranged := strings.Cut(rest[1:end], ",")
			if !ranged {
				to = from
			}
			st.min, st.max = atoi(s, from), atoi(s, to)
			rest = rest[end+1:]
		}
		if st.class == nil {
			panic(fmt.Sprintf("dlp: notation %q names an unknown class", s))
		}
		steps = append(steps, st)
	}
	return steps
}

func atoi(in, s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(fmt.Sprintf("dlp: notation %q has the length %q", in, s))
	}
	return n
}
