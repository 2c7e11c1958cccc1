package dlp

import (
	"encoding/base64"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// joints are what two pieces of a secret may have between them.
var joints = map[string]string{
	"query":            "&b=",
	"form, long name":  "&part[2].value_of_the_second=",
	"cookie":           "; b=",
	"array":            `","`,
	"array, indented":  "\",\n      \"",
	"member":           `","b":"`,
	"member, spaced":   `" , "second_part" : "`,
	"object":           `"},{"v":"`,
	"objects, pretty":  "\"\n  },\n  {\n    \"v\": \"",
	"json in json":     `\",\"b\":\"`,
	"label":            ".",
	"concatenation":    `" + "`,
	"over lines":       "\" +\n\t\t\"",
	"in json":          `\" + \"`,
	"in json, lines":   `\" +\n    \"`,
	"php":              `' . '`,
	"python":           "'\n    '",
	"wrap":             "\n",
	"wrap, indented":   "\r\n    ",
	"wrap in json":     `\n`,
	"continued":        "\\\n",
	"quoted-printable": "=\r\n",
}

// inTwo are secrets that are found in pieces, and the least that the first piece has behind the start.
func (m maker) inTwo() []planted {
	var out []planted
	kinds := map[string]bool{}
	for _, rule := range Builtin() {
		for _, p := range rule.patterns {
			kinds[rule.Name] = kinds[rule.Name] || p.joins != joinNever
		}
	}
	for _, s := range m.secrets() {
		if kinds[s.rule] && s.value == s.text && !strings.ContainsAny(s.text, "=/~$:\" \n") && (hasDigit([]byte(s.text[12:])) || mixedCase([]byte(s.text))) {
			out = append(out, s)
		}
	}
	return out
}

func TestSecretsInPiecesAreFound(t *testing.T) {
	r := builtin(t)
	m := newMaker(400)
	rng := rand.New(rand.NewPCG(1, 2))
	tried, missed := map[string]int{}, map[string]int{}
	for range 3 {
		for _, s := range m.inTwo() {
			least := 16
			if strings.HasPrefix(s.text, "AKIA") || strings.HasPrefix(s.text, "ASIA") {
				least = 8
			}
			if i := strings.IndexByte(s.text, '.'); i > 0 && len(s.text) > 150 {
				least = i + 2 // a JWT's header is whole
			}
			for name, j := range joints {
				for n := 1; n <= 2; n++ {
					text := s.text
					cuts := []int{least + rng.IntN(max(1, len(text)-least-2))}
					if n == 2 {
						cuts = append(cuts, cuts[0]+1+rng.IntN(max(1, len(text)-cuts[0]-1)))
					}
					for i := len(cuts) - 1; i >= 0; i-- {
						text = text[:cuts[i]] + j + text[cuts[i]:]
					}
					if (strings.HasSuffix(text, j)) || (strings.Contains(j, ".") && (s.rule == "slack-token" || s.rule == "jwt" || s.rule == "github-installation-token")) {
						continue
					}
					tried[s.rule]++
					whole := `{"a":"` + text + `"}`
					found := r.Scan([]byte(whole))
					if len(found) == 0 {
						missed[s.rule]++
						t.Logf("%s, %s, %d: %q", s.rule, name, n, whole[:min(len(whole), 300)])
						continue
					}
					require.EqualValues(t, 6, found[0].Start)
				}
			}
		}
	}
	for rule, n := range missed {
		// A joint that begins with what a token may have, such as = or a dot, is taken for a part of it.
		require.LessOrEqual(t, n*8, tried[rule], "%s: %d of %d", rule, n, tried[rule])
	}
	require.Greater(t, len(tried), 50)
}

func TestPiecesOfASecretAreReportedWithTheirJoint(t *testing.T) {
	r := builtin(t)
	token := newMaker(401).github()
	text := `{"a":"` + token[:17] + `","b":"` + token[17:] + `"}`
	found := r.Scan([]byte(text))
	require.Len(t, found, 1)
	require.Equal(t, "github-token", found[0].Rule)
	require.Equal(t, "split", found[0].Encoding)
	require.EqualValues(t, 6, found[0].Start)
	require.EqualValues(t, len(text)-2, found[0].End)
	found = r.Scan([]byte(base64.StdEncoding.EncodeToString([]byte(text))))
	require.Len(t, found, 1)
	require.Equal(t, "base64>split", found[0].Encoding)
	found = r.Scan([]byte("q=" + token[:9] + "%26b%3D" + token[9:]))
	require.Len(t, found, 1)
}

func TestWhatLooksLikePiecesIsNoFinding(t *testing.T) {
	m := newMaker(402)
	r := builtin(t)
	token := m.github()
	for name, text := range map[string]string{
		"wrong order":    token[17:] + `","` + token[:17],
		"not joined":     token[:17] + `", x "` + token[17:],
		"four pieces":    token[:10] + `","` + token[10:20] + `","` + token[20:30] + `","` + token[30:],
		"continents":     `["AFRICA","ASIA","AUSTRALIAOCEANIA","EUROPE"]`,
		"continents, 2":  `["ASIAPACIFIC","AUSTRALIAOCEANIA","EUROPE"]`,
		"key names":      `"AKIA" + "IOSFODNN7` + `EXAMPLE"`,
		"css":            `"sk-loading","sk-spinner-with-a-long-name","sk-chase-dot-before-and-after-it-with-more"`,
		"camel case":     `fw_update.getFirmwareVersion2`,
		"a longer piece": "AKIA" + m.text(base32Chars, 8) + `","` + m.text(base32Chars, 8) + "KLM",
	} {
		require.Empty(t, r.Scan([]byte("x = '"+text+"';")), name)
	}
}

func TestAnySplitGivesTheSameFindingsInPieces(t *testing.T) {
	r := builtin(t)
	s := r.NewStream()
	for seed := range uint64(4) {
		text := joinedMixture(seed, 30_000)
		want := r.Scan(text)
		require.Greater(t, len(want), 5)
		rng := rand.New(rand.NewPCG(seed, 2))
		for name, next := range map[string]func() int{
			"bytes":     func() int { return 1 },
			"1 to 9":    func() int { return 1 + rng.IntN(9) },
			"1 to 3000": func() int { return 1 + rng.IntN(3000) },
		} {
			s.Reset()
			require.Equal(t, want, inPieces(t, s, text, next), "%s, seed %d", name, seed)
		}
	}
}

func joinedMixture(seed uint64, size int) []byte {
	m := newMaker(410 + seed)
	var b strings.Builder
	all := m.inTwo()
	var between []string
	for _, name := range []string{"query", "array", "member", "object", "json in json", "label", "in json, lines", "wrap", "wrap in json"} {
		between = append(between, joints[name])
	}
	for b.Len() < size {
		s := all[m.IntN(len(all))].text
		at := m.IntN(len(s))
		d := s[:at] + m.pick(between...) + s[at:]
		switch m.IntN(6) {
		case 0:
			b.WriteString(d[:m.IntN(len(d))])
		case 1:
			b.WriteString(d[m.IntN(len(d)):])
		case 2:
			b.WriteString(m.text(stdChars+" \"\\\n%&,", m.IntN(80)))
		case 3:
			b.WriteString(percentAll(d) + " ")
		default:
			b.WriteString(d + m.pick(`"`, " ", "\n", "", "&", `\n`))
		}
	}
	return []byte(b.String())
}

func FuzzJoinedSplit(f *testing.F) {
	for seed := range uint64(6) {
		f.Add(joinedMixture(seed, 700), seed)
	}
	r := builtin(f)
	s := r.NewStream()
	f.Fuzz(func(t *testing.T, text []byte, seed uint64) {
		if len(text) > 8000 {
			return
		}
		rng := rand.New(rand.NewPCG(seed, 3))
		s.Reset()
		require.Equal(t, r.Scan(text), inPieces(t, s, text, func() int { return 1 + rng.IntN(1+rng.IntN(40)) }))
	})
}

// What a joint is does not depend on how much of the text is known.
func FuzzJoint(f *testing.F) {
	for _, j := range joints {
		f.Add([]byte(j + "abc"))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		text = text[:min(len(text), maxJoint)]
		g := joint{text: text}
		want := g.length()
		require.LessOrEqual(t, want, len(text))
		for n := range text {
			part := joint{text: text[:n]}
			if got := part.length(); !part.more {
				require.Equal(t, want, got, "%q of %q", text[:n], text)
			}
		}
	})
}
