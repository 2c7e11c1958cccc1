package locate

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// inPieces asks a Stream about a range of a text that it gets in pieces. What
// stands more than lag bytes before the range may be settled at any time.
func inPieces(s *Stream, text []byte, at Range, lag int64, piece func() int) string {
	s.Reset()
	for fed := 0; fed < len(text) && int64(fed) < at.End; {
		n := min(max(1, piece()), len(text)-fed)
		s.Feed(text[fed : fed+n])
		fed += n
		s.Settle(min(int64(fed), at.Start) - lag)
	}
	return s.At(at, hides)
}

// A text in any pieces is located as the whole is, wherever in it one asks.
func TestPiecesAreLocatedAsTheWhole(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range bodies {
		text, s := []byte(c.body), NewBody(c.contentType)
		at := rangeIn(t, c.body)
		require.Equal(t, c.want, inPieces(s, text, at, 0, func() int { return 1 }), "%.200s", c.body)
		for cut := 1; cut < min(len(text), 400); cut++ { // in two
			pieces := []int{len(text), cut}
			require.Equal(t, c.want, inPieces(s, text, at, 0, func() int {
				n := pieces[len(pieces)-1]
				pieces = pieces[:1]
				return n
			}), "%s at %d", c.body, cut)
		}
		step := 1 + len(text)/300
		for start := 0; start < len(text); start += step {
			at := Range{int64(start), int64(min(len(text), start+1+rng.IntN(len(mark))))}
			want, lag := Body(c.contentType, text, at, hides), rng.Int64N(4)
			require.Equal(t, want, inPieces(s, text, at, lag, func() int { return rng.IntN(2 + step) }), "%.200s at %d", c.body, start)
		}
	}
}

// doc makes JSON by chance, and knows where its marks stand.
type doc struct {
	*rand.Rand
	text  strings.Builder
	at    []Range
	where []string
}

func (d *doc) space() { d.text.WriteString([]string{"", "", " ", "\n\t"}[d.IntN(4)]) }

func (d *doc) value(path string, depth int) {
	d.space()
	switch n := d.IntN(8); {
	case n < 2 && depth > 0:
		d.text.WriteByte('[')
		for i := range d.IntN(4) {
			if i > 0 {
				d.text.WriteByte(',')
			}
			d.value(fmt.Sprintf("%s[%d]", path, i), depth-1)
		}
		d.space()
		d.text.WriteByte(']')
	case n < 5 && depth > 0:
		d.text.WriteByte('{')
		for i := range d.IntN(4) {
			if i > 0 {
				d.text.WriteByte(',')
			}
			d.space()
			name := [][2]string{{`"a"`, "a"}, {`"messages"`, "messages"}, {`"\u0062\u0063"`, "bc"}, {`"]{,"`, `"]{,"`}, {`"q\"\\"`, `"q\"\\"`}, {`""`, `""`}}[d.IntN(6)]
			d.text.WriteString(name[0])
			d.space()
			d.text.WriteByte(':')
			d.value(strings.TrimPrefix(path+"."+name[1], "."), depth-1)
		}
		d.text.WriteByte('}')
	case n < 7:
		d.text.WriteString([]string{`"`, `"a, [1] {\"`, `"\\`, `"\\\"`}[d.IntN(4)])
		start := int64(d.text.Len())
		d.at, d.where = append(d.at, Range{start, start + int64(len(mark))}), append(d.where, strings.TrimSuffix("json path "+path, " path "))
		d.text.WriteString(mark)
		d.text.WriteString([]string{`"`, `]}"`, `\\"`, `\""`}[d.IntN(4)])
	default:
		d.text.WriteString([]string{"1", "-2.5e3", "null", "true", `""`, `"\\\""`, `"{["`}[d.IntN(7)])
	}
	d.space()
}

// The path is the one by which the text was made, also of one in a part of a
// multipart body.
func TestPathsOfTextsMadeByChance(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	asked := 0
	for i := range 3000 {
		d, contentType, what := &doc{Rand: rng}, "application/json", "body "
		if i%3 == 0 {
			contentType, what = multi, `body multipart part "f" `
			d.text.WriteString("--XX\nContent-Disposition: form-data; name=f\n\n[1,2]\n--XX\nContent-Disposition: form-data; name=f\nContent-Type: application/json\n\n")
		}
		d.value("", 8)
		text, s := []byte(d.text.String()), NewBody(contentType)
		for i, at := range d.at {
			d.where[i] = what + d.where[i]
			require.Equal(t, d.where[i], Body(contentType, text, at, hides), "%s at %d", text, at.Start)
			require.Equal(t, d.where[i], inPieces(s, text, at, rng.Int64N(9), func() int { return rng.IntN(12) }), "%s at %d", text, at.Start)
			asked++
		}
		// As a scanner asks: about one after the other, about some twice, and what
		// it has told of is settled.
		s.Reset()
		fed, settled := int64(0), 0
		for i, at := range d.at {
			for ; fed < at.End; fed += min(7, int64(len(text))-fed) {
				s.Feed(text[fed:min(fed+7, int64(len(text)))])
			}
			for j := settled; j <= i; j++ {
				require.Equal(t, d.where[j], s.At(d.at[j], hides), "%s at %d", text, d.at[j].Start)
			}
			if rng.IntN(3) == 0 {
				s.Settle(at.Start - rng.Int64N(3))
				settled = i
			}
		}
	}
	require.Greater(t, asked, 1000)
}

// What is kept does not grow with the text, however it is made, and taking a
// piece allocates nothing.
func TestWhatAStreamKeepsIsBounded(t *testing.T) {
	const size, piece, held = 4 << 20, 32 << 10, 40 << 10
	level := `{"` + strings.Repeat("n", mostName) + `":`
	for name, c := range map[string]struct{ contentType, text string }{
		"conversation": {"application/json", string(llmJSON(size))},
		"deep":         {"application/json", strings.Repeat(level, 900) + string(manifold(`{"a":[1]},`, size))},
		"too deep":     {"application/json", strings.Repeat("[", size)},
		"long name":    {"application/json", `{"` + strings.Repeat("n", size)},
		"names":        {"application/json", "{" + string(manifold(`"`+strings.Repeat("n", 200)+`":1,`, size))},
		"broken":       {"application/json", "}" + strings.Repeat("x", size)},
		"form":         {"application/x-www-form-urlencoded", strings.Repeat("n", size)},
		"long head":    {multi, "--XX\n" + strings.Repeat("x", size)},
		"many parts":   {multi, string(manifold("--XX\nContent-Type: multipart/mixed; boundary=YY\n\n--YY\n\n{", size))},
		"many lines":   {multi, "--XX\n\n" + strings.Repeat("\n--X", size/4)},
		"text":         {"text/plain", strings.Repeat("x", size)},
	} {
		t.Run(name, func(t *testing.T) {
			s, fed := NewBody(c.contentType), 0
			next := func() {
				n := min(piece, len(c.text)-fed)
				s.Feed([]byte(c.text[fed : fed+n]))
				fed += n
				s.Settle(int64(fed - held))
				require.LessOrEqual(t, cap(s.window), 4*(held+piece))
				for p, inner := s.text.parts, &s.text; ; p = inner.parts {
					require.LessOrEqual(t, cap(inner.json.names), 2*deepest*mostName)
					require.LessOrEqual(t, cap(inner.form.name), 2*mostName)
					if p == nil {
						break
					}
					require.LessOrEqual(t, cap(p.head), 2*mostHead)
					inner = &p.inner
				}
			}
			for fed < size/2 {
				next()
			}
			p := []byte(c.text[fed : fed+piece])
			require.Zero(t, testing.AllocsPerRun(10, func() {
				s.Feed(p)
				fed += piece
				s.Settle(int64(fed - held))
			}))
			fed = min(fed, len(c.text))
			require.True(t, strings.HasPrefix(s.At(Range{int64(fed) - 10, int64(fed)}, nil), "body"))
		})
	}
}

// Many small pieces do not have what is held moved for each.
func BenchmarkBytes(b *testing.B) {
	text, s := llmJSON(64<<10), NewBody("application/json")
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		s.Reset()
		for i := range text {
			s.Feed(text[i : i+1])
			s.Settle(int64(i - 40<<10))
		}
	}
}

// Asking about what comes later leaves what was before as it is.
func TestStreamIsAskedInAnyOrder(t *testing.T) {
	for _, c := range []struct{ contentType, text, settled, first, then, want string }{
		{"application/x-www-form-urlencoded", "first=1&b=2&c=3", "first=", "c=3", "1", "body form field first"},
		{multi, "--XX\nContent-Disposition: form-data; name=first\n\n1\n--XX\nX-Y: " + strings.Repeat("z", 30) + "\n\n2", "first\n\n", "2", "1", `body multipart part "first"`},
		{"application/json", `{"first":[1],"b":{"c":2}}`, `"first":[`, "2", "1", "body json path first[0]"},
	} {
		s := NewBody(c.contentType)
		s.Feed([]byte(c.text))
		s.Settle(int64(strings.Index(c.text, c.settled) + len(c.settled)))
		at := func(what string) string {
			i := int64(strings.LastIndex(c.text, what))
			return s.At(Range{i, i + 1}, nil)
		}
		require.NotEqual(t, c.want, at(c.first))
		require.Equal(t, c.want, at(c.then))
	}
}

func TestStreamSaysNothingOfWhatIsSettled(t *testing.T) {
	s := NewBody("application/json")
	s.Feed([]byte(`{"a":[1,2,3],"b":`))
	require.Equal(t, "body json path a[1]", s.At(Range{8, 9}, nil))
	require.Equal(t, "body json path a[0]", s.At(Range{6, 7}, nil), "what was asked before does not matter")
	s.Settle(8)
	require.Equal(t, "body", s.At(Range{7, 8}, nil))
	require.Equal(t, "body json path a[1]", s.At(Range{8, 9}, nil))
	s.Settle(3) // has no effect
	require.Equal(t, "body json path a[1]", s.At(Range{8, 9}, nil))
	require.Equal(t, "body", s.At(Range{18, 19}, nil), "it has not come yet")
	s.Reset()
	s.Feed([]byte(`{"c":1`))
	require.Equal(t, "body json path c", s.At(Range{5, 6}, nil))
	s = NewMessage()
	s.Feed([]byte(`{"c":1`))
	require.Equal(t, "WebSocket message json path c", s.At(Range{5, 6}, nil))
}

// The seeds are in testdata.
func FuzzStream(f *testing.F) {
	types := []string{"application/json", "application/x-www-form-urlencoded", multi, ""}
	f.Fuzz(func(t *testing.T, kind uint8, text []byte, seed uint64) {
		if len(text) == 0 || len(text) > 1<<14 {
			return
		}
		contentType := types[kind%4]
		rng := rand.New(rand.NewPCG(seed, 1))
		most := 1 + int(seed%40)
		s := NewBody(contentType)
		for range 8 {
			start := rng.IntN(len(text))
			if i := bytes.Index(text, []byte(mark)); i >= 0 && rng.IntN(2) == 0 {
				start = i
			}
			at := Range{int64(start), int64(min(len(text), start+1+rng.IntN(30)))}
			want := Body(contentType, text, at, hides)
			got := inPieces(s, text, at, rng.Int64N(64), func() int { return rng.IntN(most) })
			require.Equal(t, want, got, "%q at %v", text, at)
			require.Equal(t, got, s.At(at, hides), "it is the same when asked again")
			// What follows the range does not matter.
			require.Equal(t, want, Body(contentType, text[:at.End], at, hides), "%q at %v", text, at)
			require.NotContains(t, got, mark)
		}
	})
}
