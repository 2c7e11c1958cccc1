package dlp

import (
	"encoding/base64"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// joints are what two pieces of a secret may have between them.
var joints = map[string]string{
	"query":             "&b=",
	"form, long name":   "&part[2].value_of_the_second=",
	"cookie":            "; b=",
	"array":             `","`,
	"array, indented":   "\",\n      \"",
	"member":            `","b":"`,
	"member, spaced":    `" , "second_part" : "`,
	"object":            `"},{"v":"`,
	"objects, pretty":   "\"\n  },\n  {\n    \"v\": \"",
	"json in json":      `\",\"b\":\"`,
	"label":             ".",
	"concatenation":     `" + "`,
	"over lines":        "\" +\n\t\t\"",
	"in json":           `\" + \"`,
	"in json, lines":    `\" +\n    \"`,
	"php":               `' . '`,
	"sql":               `' || '`,
	"lua":               `" .. "`,
	"elixir":            `" <> "`,
	"basic":             `" & "`,
	"python":            "'\n    '",
	"wrap":              "\n",
	"wrap, indented":    "\r\n    ",
	"wrap in json":      `\n`,
	"continued":         "\\\n",
	"quoted-printable":  "=\r\n",
	"path":              "/",
	"messages":          `"},{"role":"user","content":"`,
	"messages, pretty":  "\"\n    },\n    {\n      \"role\": \"assistant\",\n      \"content\": \"",
	"an answer between": `"},{"role":"assistant","content":"Yes, go on."},{"role":"user","content":"`,
	"parts of content":  `"}]},{"role":"user","content":[{"type":"input_text","text":"`,
	"other members":     `","n":2,"ok":true,"kind":"text","b":"`,
	"messages in json":  `\"},{\"role\":\"user\",\"content\":\"`,
}

// inTwo are secrets that are found in pieces, and the least that the first piece has behind the start.
func (m maker) inTwo() []planted {
	var out []planted
	kinds, marked := map[string]bool{}, map[string]bool{}
	for _, rule := range Builtin() {
		for _, p := range rule.patterns {
			kinds[rule.Name] = kinds[rule.Name] || p.joins == joinRandom || p.joins == joinChecked
			marked[rule.Name] = marked[rule.Name] || p.behind != nil // for TestPiecesBeforeAMark
		}
	}
	for _, s := range m.secrets() {
		if kinds[s.rule] && !marked[s.rule] && s.value == s.text && !strings.ContainsAny(s.text, "=/~$:\" \n") && (hasDigit([]byte(s.text[12:])) || mixedCase([]byte(s.text))) {
			out = append(out, s)
		}
	}
	return out
}

func TestSecretsInPiecesAreFound(t *testing.T) {
	r := builtin(t)
	m := newMaker(400)
	rng := rand.New(rand.NewPCG(1, 2))
	tried := map[string]int{}
	all := Builtin()
	for range few(3) {
		for _, s := range m.inTwo() {
			least := 16
			if strings.HasPrefix(s.text, "AKIA") || strings.HasPrefix(s.text, "ASIA") {
				least = 8
			}
			if strings.HasPrefix(s.text, "pypi-") {
				least = 28 // behind the site's name, which is a part of the keyword
			}
			if i := strings.IndexByte(s.text, '.'); i > 0 && len(s.text) > 150 {
				least = max(least, i+2) // a JWT's header is whole
			}
			for _, rule := range all { // a mark is whole
				for _, p := range rule.patterns {
					for _, k := range p.keywords {
						if rule.Name == s.rule && strings.HasPrefix(s.text, k) {
							least = max(least, len(k)+minPiece)
						}
					}
				}
			}
			for name, j := range joints {
				for n := 1; n <= 2; n++ {
					text := s.text
					cuts := []int{least + rng.IntN(max(1, len(text)-least-2))}
					if n == 2 {
						cuts = append(cuts, cuts[0]+1+rng.IntN(max(1, len(text)-cuts[0]-1)))
					}
					told := true
					for i := len(cuts) - 1; i >= 0; i-- {
						told = told && tokenChar[s.text[cuts[i]]]
						text = text[:cuts[i]] + j + text[cuts[i]:]
					}
					for _, piece := range strings.Split(text, j) {
						told = told && !(asideOf[name] && isAWord(piece))
					}
					if strings.HasSuffix(text, j) || !told || takes(all, s.rule, j[0]) {
						continue
					}
					tried[s.rule]++
					whole := `{"a":"` + text + `"}`
					found := r.Scan([]byte(whole))
					require.NotEmpty(t, found, "%s, %s, %d: %q", s.rule, name, n, whole)
					require.EqualValues(t, 6, found[0].Start)
				}
			}
		}
	}
	require.Greater(t, len(tried), 50)
}

// Of what only a form gives away, all but the first bytes may be in pieces, also of its prefix.
func TestPrefixesInPieces(t *testing.T) {
	r := builtin(t)
	all := Builtin()
	tried := 0
	for _, s := range newMaker(403).inTwo() {
		prefix := ""
		for _, rule := range all {
			for _, p := range rule.patterns {
				for _, k := range p.keywords {
					if rule.Name == s.rule && p.joins == joinRandom && strings.HasPrefix(s.text, k) && len(k) > len(prefix) {
						prefix = k
					}
				}
			}
		}
		least := 1 + strings.IndexFunc(prefix, func(c rune) bool { return !letter[c] })
		if least == 0 {
			continue
		}
		for at := max(least, minBegin); at < len(prefix)+minPiece; at++ {
			for _, j := range []string{`","`, `","b":"`, "&b=", "; b=", ".", "/", `" + "`, `\",\"b\":\"`, "\",\n    \"", "\n"} {
				if !tokenChar[s.text[at]] || takes(all, s.rule, j[0]) {
					continue
				}
				tried++
				found := r.Scan([]byte(`{"a":"` + s.text[:at] + j + s.text[at:] + `"}`))
				require.NotEmpty(t, found, "%s: %s%s%s", s.rule, s.text[:at], j, s.text[at:])
				require.EqualValues(t, 6, found[0].Start)
			}
		}
	}
	require.Greater(t, tried, 1000)
}

// Strings that a language puts together are no less a value than those on lines of their own, also where only a name gives it away.
func TestNamedValuesInStringsThatAreJoined(t *testing.T) {
	r := builtin(t)
	m := newMaker(404)
	for _, name := range []string{"datadog_api_key = ", `"datadog_api_key": `, "$datadog_api_key="} {
		for _, operator := range []string{" + ", "+", " . ", " || ", " .. ", " <> ", " & ", " ++ "} {
			value := m.text(hexChars, 30) + "a1"
			text := name + `"` + value[:14] + `"` + operator + `"` + value[14:] + `";`
			require.Len(t, r.Scan([]byte(text)), 1, text)
		}
		for _, between := range []string{`", "`, `" | "`, `": "`, `" == "`} {
			value := m.text(hexChars, 30) + "a1"
			text := name + `"` + value[:14] + between + value[14:] + `";`
			require.Empty(t, r.Scan([]byte(text)), text)
		}
	}
}

// asideOf are the joints that have other strings in them, where a piece that is a word is taken for one of those (docs/limits.md).
var asideOf = map[string]bool{"messages": true, "messages, pretty": true, "an answer between": true, "parts of content": true, "other members": true, "messages in json": true}

func isAWord(s string) bool {
	return len(s) >= minWord && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") == ""
}

// takes reports whether the form of a rule has c somewhere: a joint that begins with c cannot be told from it (docs/limits.md).
func takes(all []Rule, rule string, c byte) bool {
	for _, r := range all {
		for _, p := range r.patterns {
			for _, s := range p.steps {
				if r.Name == rule && s.class[c] {
					return true
				}
			}
		}
	}
	return false
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
	for seed := range few(uint64(4)) {
		text := joinedMixture(seed, 30_000)
		want := r.Scan(text)
		require.Greater(t, len(want), 3)
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
	all := slices.DeleteFunc(m.inTwo(), func(p planted) bool { return len(p.text) > 600 }) // a long one leaves room for no other
	var between []string
	for _, name := range []string{"query", "array", "member", "object", "json in json", "messages", "parts of content", "path", "label", "in json, lines", "wrap", "wrap in json"} {
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
	for seed := range few(uint64(6)) {
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
		text = text[:min(len(text), maxSkipping)]
		g := joint{text: text}
		want := g.length()
		require.LessOrEqual(t, want, len(text))
		g = joint{text: text}
		skipping := g.skipping()
		for n := range text {
			part := joint{text: text[:n]}
			if got := part.length(); !part.more {
				require.Equal(t, want, got, "%q of %q", text[:n], text)
			}
			part = joint{text: text[:n]}
			if got := part.skipping(); !part.more {
				require.Equal(t, skipping, got, "skipping, %q of %q", text[:n], text)
			}
		}
	})
}

// Line ends may come as often as lines are as long as each other.
func TestTokensOverManyLinesAreFound(t *testing.T) {
	r := builtin(t)
	m := newMaker(420)
	lines := map[string]bool{}
	for _, rule := range Builtin() {
		for _, p := range rule.patterns {
			lines[rule.Name] = lines[rule.Name] || p.joins == joinLines
		}
	}
	tried, missed := 0, 0
	for range few(3) {
		for _, s := range append(m.inTwo(), m.secrets()...) {
			named := lines[s.rule] && s.value != "" && strings.HasSuffix(s.text, s.value) && s.text != s.value
			if !named && (s.value != s.text || strings.ContainsAny(s.text, ".=/~$:\" \n") || !hasDigit([]byte(s.text[12:]))) {
				continue
			}
			before := strings.TrimSuffix(s.text, s.value)
			for _, eol := range []string{"\n", "\r\n    ", `\n`, `\r\n\t`} {
				for _, at := range []int{18, max(16, len(s.value)/3)} {
					if len(s.value) < at+2 || s.rule == "pypi-token" {
						continue
					}
					tried++
					text := "x " + before + wrapped(s.value, at, eol) + eol + "and more\n"
					found := r.Scan([]byte(text))
					if len(found) == 0 {
						missed++
						t.Logf("%s at %d: %q", s.rule, at, text)
						continue
					}
					if found[0].Rule == s.rule && named {
						require.EqualValues(t, 2+len(before), found[0].Start, "%s: %q", s.rule, text)
					}
				}
			}
		}
	}
	t.Logf("missed %d of %d", missed, tried)
	require.Greater(t, tried, few(500))
	require.LessOrEqual(t, missed*50, tried)
}

func TestLinesThatAreNoPiecesAreNoFinding(t *testing.T) {
	r := builtin(t)
	m := newMaker(421)
	token := m.github()
	for name, text := range map[string]string{
		"lines of different length": token[:8] + "\n" + token[8:17] + "\n" + token[17:24] + "\n" + token[24:33] + "\n" + token[33:],
		"names":                     "datadog_api_key: abcdef0123456789\n0123456789abcdef: 1",
		"words":                     "vercel_token: someThing\nanother_value_here",
	} {
		require.Empty(t, r.Scan([]byte(text)), name)
	}
}

// An @ in a password stands as %40, which another encoding around it undoes.
func TestPasswordsInURLsMayHaveAnAt(t *testing.T) {
	r := builtin(t)
	const https, postgres = "https" + "://", "postgres" + "://" // not to be found in this file
	for _, text := range []string{
		https + "deploy:p%40s5w0rt1xyz@git.acme-internal.net/x", https + "deploy:p@s5w0rt1xyz@git.acme-internal.net/x",
		"u=https%3A%2F" + "%2Fdeploy%3Ap%2540s5w0rt1xyz%40git.acme-internal.net%2Fx", postgres + "a:p@s5w0rt1xyz@db.acme-internal.net:5432/x?sslmode=require",
		base64.StdEncoding.EncodeToString([]byte("https%3A%2F" + "%2Fdeploy%3Ap%2540s5w0rt1xyz%40git.acme-internal.net")),
	} {
		require.Len(t, r.Scan([]byte(text)), 1, text)
	}
	for _, text := range []string{https + "deploy:p@s5w0rt1xyz@localhost/x", https + "git.acme-internal.net:8080/mail@acme-internal.net", https + "a:b4c5d6e7f8@"} {
		require.Empty(t, r.Scan([]byte(text)), text)
	}
}

// What has lines is found in a string of JSON, too.
func TestLinesInAStringOfJSON(t *testing.T) {
	r := builtin(t)
	netrc := "machine git.acme-internal.net\n  login me\n  password " + newMaker(430).text(alnumChars, 18) + "4\n"
	for _, text := range []string{`{"f":` + strconv.Quote(netrc) + `}`, `{"f":` + strconv.Quote(strconv.Quote(netrc)) + `}`} {
		found := r.Scan([]byte(text))
		require.Len(t, found, 1, text)
		require.Equal(t, "netrc-password", found[0].Rule)
	}
}
