package dlp

import (
	"bytes"
	b32 "encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/secret"
)

func knownOf(t testing.TB, value string) KnownSecret {
	t.Helper()
	v, err := secret.NewAny(value)
	require.NoError(t, err)
	return KnownSecret{"SOURCE", v}
}

// knowing compiles the built-in rules beside the values, named V0, V1, ….
func knowing(t testing.TB, values ...string) *Rules {
	t.Helper()
	var list []KnownSecret
	for i, v := range values {
		k := knownOf(t, v)
		k.Name = fmt.Sprintf("V%d", i)
		list = append(list, k)
	}
	known, err := KnownRules(list)
	require.NoError(t, err)
	r, err := Compile(append(Builtin(), known...), Options{})
	require.NoError(t, err)
	return r
}

func (m maker) binary(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(m.IntN(256))
	}
	return "\xff" + string(b) + "\xfe"
}

// knownValues are values that no form gives away.
func (m maker) knownValues() map[string]string {
	block := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE" + " KEY", Bytes: []byte(m.binary(300))})
	return map[string]string{
		"eight characters": m.text(alnumChars, 8),
		"punctuation":      m.text("abcXYZ019!#$^*()", 12) + "!7",
		"random":           m.text(alnumChars, 40),
		"hex":              m.text(hexChars, 32),
		"upper case":       m.text(upperChars, 20),
		"uuid":             m.text(hexChars, 8) + "-" + m.text(hexChars, 4) + "-" + m.text(hexChars, 4) + "-" + m.text(hexChars, 12),
		"with a quote":     m.text(alnumChars, 5) + `"` + m.text(alnumChars, 5),
		"with a backslash": m.text(alnumChars, 5) + `\n` + m.text(alnumChars, 9),
		"with spaces":      m.text("abcdefg", 7) + " " + m.text("hijklm", 7) + " " + m.text("hijklm", 8),
		"not ASCII":        "пароль" + m.text(alnumChars, 4) + "é" + m.text(alnumChars, 4),
		"bytes":            m.binary(24),
		"lines":            m.text(alnumChars, 12) + "\n" + m.text(alnumChars, 12) + "\r\n" + m.text(alnumChars, 12),
		"pem":              string(block),
		"jwt":              m.jwt(`{"alg":"none-of-ours"}`, 60)[:150],
		"long":             m.text(alnumChars, 5000),
	}
}

// knownForms are ways to write a value that find it, whatever it is made of.
var knownForms = map[string]func(m maker, s string) string{
	"plain":                 func(_ maker, s string) string { return s },
	"percent":               func(_ maker, s string) string { return percentAll(s) },
	"percent twice":         func(_ maker, s string) string { return percentAll(percentAll(s)) },
	"query":                 func(_ maker, s string) string { return url.QueryEscape(s) },
	"base64":                func(_ maker, s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"base64, shifted":       func(_ maker, s string) string { return base64.URLEncoding.EncodeToString([]byte("k" + s + "\x00\xf1")) },
	"base64, shifted twice": func(_ maker, s string) string { return base64.StdEncoding.EncodeToString([]byte("\xf2=" + s)) },
	"base64, wrapped": func(_ maker, s string) string {
		return wrapped(base64.StdEncoding.EncodeToString([]byte(s)), 6, "\r\n  ")
	},
	"hex":         func(_ maker, s string) string { return hex.EncodeToString([]byte(s)) },
	"hex, upper":  func(_ maker, s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) },
	"hex, colons": func(_ maker, s string) string { return wrapped(hex.EncodeToString([]byte(s)), 2, ":") },
	"base32":      func(_ maker, s string) string { return b32.StdEncoding.EncodeToString([]byte(s)) },
	"base32, lower, shifted": func(_ maker, s string) string {
		return strings.ToLower(b32.StdEncoding.EncodeToString([]byte("ab" + s)))
	},
	"base64 of base64": func(_ maker, s string) string {
		return base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte("key: " + s))))
	},
	"hex of base64": func(_ maker, s string) string {
		return hex.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(s))))
	},
	"percent of base64": func(_ maker, s string) string { return percentAll(base64.StdEncoding.EncodeToString([]byte(s))) },
}

func asJSON(s string) string {
	b, _ := json.Marshal(s)
	return string(b[1 : len(b)-1])
}

func TestKnownValuesAreFoundInEachForm(t *testing.T) {
	for seed := range few(uint64(3)) {
		m := newMaker(200 + seed)
		for kind, value := range m.knownValues() {
			r := knowing(t, value)
			s := r.NewStream()
			for name, form := range knownForms {
				text := `{"k": "` + form(m, value) + `"}`
				if len(text) > MaxMatch-maxMargin {
					continue
				}
				found := r.Scan([]byte(text))
				require.NotEmpty(t, found, "%s, %s: %.300q", kind, name, text)
				known := false
				for _, f := range found {
					known = known || f.Rule == "known:V0" && f.Sample == "…"
				}
				require.True(t, known, "%s, %s: %v", kind, name, found)
				s.Reset()
				require.Equal(t, found, inPieces(t, s, []byte(text), func() int { return 1 + m.IntN(30) }), "%s, %s", kind, name)
			}
			if kind != "bytes" {
				text := asJSON(`tell me "` + value + `"`)
				require.NotEmpty(t, r.Scan([]byte(text)), "%s: %q", kind, text)
				text = asJSON(text)
				require.NotEmpty(t, r.Scan([]byte(text)), "%s: %q", kind, text)
			}
		}
	}
}

func TestKnownValuesAreFoundCutBySeparators(t *testing.T) {
	m := newMaker(210)
	for kind, value := range map[string]string{"random": m.text(alnumChars, 40), "hex": m.text(hexChars, 32), "uuid": m.knownValues()["uuid"]} {
		r := knowing(t, value)
		for _, sep := range []string{"-", " ", "\n", "\r\n", `\n`, "\t", "\" + \"", "' +\n        '", `", "`, ".", "_", "%0A", `\u000a`, "&#10;", "\u200b", `\" + \"`, "+", "%20"} {
			for _, n := range []int{1, 2, 3, 7, 8, 9, 17} {
				text := "x = " + wrapped(value, n, sep) + " ;"
				require.Len(t, r.Scan([]byte(text)), 1, "%s cut every %d by %q: %q", kind, n, sep, text)
			}
		}
		text := strings.ToUpper(value)
		require.Equal(t, kind != "random", len(r.Scan([]byte(text))) == 1, "%s", kind)
	}
}

func TestKnownValuesDoNotMatchWhatIsNotAllOfThem(t *testing.T) {
	m := newMaker(220)
	for kind, value := range m.knownValues() {
		if kind == "jwt" || kind == "pem" || kind == "long" {
			continue
		}
		r := knowing(t, value)
		for name, text := range map[string]string{
			"cut":      value[:len(value)-1],
			"headless": value[1:],
			"changed":  value[:len(value)/2] + "~Q" + value[len(value)/2+1:],
			"far":      value[:len(value)/2] + strings.Repeat(" ", maxGap+1) + value[len(value)/2:],
		} {
			if name == "headless" && !counts[value[0]] { // of which it is punctuation that is missing
				continue
			}
			require.Empty(t, r.Scan([]byte("x "+text+" y")), "%s, %s", kind, name)
		}
	}
	words := knowing(t, "mypassphrase", "correct horse battery staple", "Hunter2!")
	require.Empty(t, words.Scan([]byte("this is my passphrase, hunter 2! My Pass Phrase. Correct Horse.")))
	require.Len(t, words.Scan([]byte("mypassphrase correct-horse-battery-staple Hunter2!")), 3)
}

func TestBenignBodiesAreCleanWithKnownValues(t *testing.T) {
	m := newMaker(230)
	var values []string
	for _, v := range m.knownValues() {
		values = append(values, v)
	}
	values = append(values, "mypassphrase", "localhost:8080/admin", m.jwt(`{"alg":"HS256","typ":"JWT"}`, 100))
	r := knowing(t, values...)
	for name, text := range newMaker(231).benign() {
		require.Empty(t, r.Scan([]byte(text)), name)
	}
}

func TestAKnownValueIsCoveredToItsEnd(t *testing.T) {
	key := newMaker(235).knownValues()["pem"]
	found := knowing(t, key).Scan([]byte("x " + key))
	require.Len(t, found, 2)
	require.Equal(t, []string{"private-key", "known:V0"}, []string{found[0].Rule, found[1].Rule})
	require.Equal(t, found[0].End, found[1].Start)
	body := key[strings.Index(key, "\n")+1:]
	body = strings.TrimSpace(body[:strings.Index(body, "-----END")])
	found = knowing(t, key).Scan([]byte("x " + body))
	require.Len(t, found, 1, "the body alone")
	require.InDelta(t, len(body), found[0].End-found[0].Start, 8, "but for what is no letter or digit at its ends")
}

func TestAnySplitGivesTheSameKnownFindings(t *testing.T) {
	m := newMaker(240)
	made := m.knownValues()
	var values []string
	for _, kind := range slices.Sorted(maps.Keys(made)) {
		values = append(values, made[kind])
	}
	r := knowing(t, values...)
	s := r.NewStream()
	for seed := range few(uint64(5)) {
		text := knownMixture(newMaker(241+seed), values, 30_000)
		want := r.Scan(text)
		require.Greater(t, len(want), 5)
		rng := rand.New(rand.NewPCG(seed, 2))
		for name, next := range map[string]func() int{
			"at once":   func() int { return len(text) },
			"bytes":     func() int { return 1 },
			"1 to 9":    func() int { return 1 + rng.IntN(9) },
			"1 to 3000": func() int { return 1 + rng.IntN(3000) },
		} {
			s.Reset()
			require.Equal(t, want, inPieces(t, s, text, next), "%s, seed %d", name, seed)
		}
	}
}

// knownMixture is text with values in many forms, whole and cut.
func knownMixture(m maker, values []string, size int) []byte {
	var forms []func(m maker, s string) string
	for _, name := range []string{"plain", "percent", "query", "base64", "base64, wrapped", "hex", "hex, colons", "base32", "hex of base64", "percent of base64"} {
		forms = append(forms, knownForms[name])
	}
	forms = append(forms,
		func(m maker, s string) string {
			return wrapped(s, 1+m.IntN(12), m.pick("-", "\n", `\n`, "%0A", `" + "`))
		},
		func(_ maker, s string) string { return asJSON(s) })
	var b strings.Builder
	for b.Len() < size {
		v := values[m.IntN(len(values))]
		d := forms[m.IntN(len(forms))](m, v)
		switch m.IntN(5) {
		case 0:
			b.WriteString(d[:m.IntN(len(d))])
		case 1:
			b.WriteString(d[m.IntN(len(d)):])
		case 2:
			b.WriteString(m.text(stdChars+" \"\\\n%&", m.IntN(80)))
		default:
			b.WriteString(d + m.pick(`"`, " ", "\n", "", "&", `\n`))
		}
	}
	return []byte(b.String())
}

func TestNoByteOfAKnownValueIsEverClean(t *testing.T) {
	m := newMaker(250)
	for kind, value := range m.knownValues() {
		s := knowing(t, value).NewStream()
		for name, form := range map[string]func(maker, string) string{
			"plain": knownForms["plain"], "hex": knownForms["hex"], "base64": knownForms["base64"],
		} {
			s.Reset()
			before := strings.Repeat("harmless text, ", 3000) + "="
			text := before + form(m, value)
			s.Scan([]byte(before))
			first := int64(len(before)) // what is no letter or digit is no part of it
			for !alnum[text[first]] && text[first] < 0x80 {
				first++
			}
			for i := len(before); i < len(text); i++ {
				if clean, _ := s.Scan([]byte{text[i]}); clean > first {
					require.Fail(t, "released", "%s, %s: %d bytes are clean of %d", kind, name, clean, first)
				}
			}
			s.Finish()
		}
	}
}

func TestKnownRulesKeepNoValue(t *testing.T) {
	m := newMaker(260)
	value := m.text(alnumChars, 40)
	rules, err := KnownRules([]KnownSecret{knownOf(t, value)})
	require.NoError(t, err)
	require.Len(t, rules, 1)
	require.Equal(t, "known:SOURCE", rules[0].Name)
	r, err := Compile(rules, Options{})
	require.NoError(t, err)
	found := r.Scan([]byte("x " + value))
	require.Len(t, found, 1)
	for _, shown := range []string{fmt.Sprintf("%+v", found), fmt.Sprintf("%#v", *rules[0].known), fmt.Sprintf("%+v", rules), found[0].String()} {
		for i := range len(value) - 4 {
			require.NotContains(t, shown, value[i:i+4])
		}
	}
}

func TestKnownRulesNamesTheSourceOfABadValue(t *testing.T) {
	for value, want := range map[string]string{
		"":             "empty",
		"  \n":         "empty",
		"1234567":      "7 bytes",
		" 1234567\n":   "7 bytes",
		"aaaaaaaaaaaa": "different bytes",
	} {
		k := KnownSecret{Name: "MY_TOKEN"}
		if value != "" {
			k.Value = knownOf(t, value).Value
		}
		_, err := KnownRules([]KnownSecret{k})
		require.ErrorContains(t, err, `known secret "MY_TOKEN"`)
		require.ErrorContains(t, err, want)
		var ke *KnownError
		require.ErrorAs(t, err, &ke)
		require.Contains(t, ke.HintText(), "MY_TOKEN")
	}
	k := knownOf(t, "long enough")
	_, err := KnownRules([]KnownSecret{k, k})
	require.ErrorContains(t, err, "given twice")
	none, err := KnownRules(nil)
	require.NoError(t, err)
	require.Empty(t, none)
	one, err := KnownRules([]KnownSecret{k})
	require.NoError(t, err)
	k.Name = "OTHER"
	two, err := KnownRules([]KnownSecret{k})
	require.NoError(t, err)
	_, err = Compile(append(one, two...), Options{})
	require.ErrorContains(t, err, "two calls of KnownRules")
}

func FuzzKnownSplit(f *testing.F) {
	m := newMaker(270)
	values := []string{m.text(alnumChars, 40), m.text(alnumChars, 8), m.text(hexChars, 32), `a"b\c'd e` + m.text(alnumChars, 9), "pässwörd-1"}
	for seed := range uint64(6) {
		f.Add(knownMixture(newMaker(271+seed), values, 600), seed)
	}
	r := knowing(f, values...)
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

// A known value is found whatever it is made of, and in each form.
func FuzzKnownValue(f *testing.F) {
	names := slices.Sorted(maps.Keys(knownForms))
	for i := range 40 {
		f.Add([]byte(newMaker(uint64(i)).binary(10)), []byte("before \xff"), uint8(i))
		f.Add([]byte(newMaker(uint64(i)).text(stdChars+" \"\\", 12)), []byte(`{"k`), uint8(i))
	}
	f.Fuzz(func(t *testing.T, value, before []byte, which uint8) {
		if len(value) > 300 || len(before) > 300 || len(value) == 0 {
			return
		}
		rules, err := KnownRules([]KnownSecret{knownOf(t, string(value))})
		if err != nil {
			return
		}
		r, err := Compile(rules, Options{})
		require.NoError(t, err)
		name := names[int(which)%len(names)]
		v := bytes.TrimSpace(value)
		if len(undo(undo(undo(undo(v))))) < knownMin && (name == "percent" || name == "percent twice") {
			return // what undoes the percent signs undoes what the value has of its own
		}
		if own := base64.StdEncoding.EncodeToString(v)[:len(v)*8/6]; name == "base64, wrapped" && len(skeleton([]byte(own))) <= prefixLen {
			return // so few letters and digits must stand together
		}
		text := string(before) + "; " + knownForms[name](newMaker(1), string(value)) + " ;"
		require.NotEmpty(t, r.Scan([]byte(text)), "%q, %s: %q", value, name, text)
	})
}

// How many values are known changes nothing about what is found of each.
func TestManyKnownValuesAreFoundAsFew(t *testing.T) {
	x := newStress(t, 3)
	m := newMaker(82)
	values := slices.Clone(x.values)
	for range 60 {
		values = append(values, m.text(alnumChars, 30))
	}
	few, many := knowing(t, x.values...), knowing(t, values...)
	require.False(t, few.known.loose.many)
	require.True(t, many.known.loose.many)
	for range 4 {
		text := x.text(m, 20_000)
		want := few.Scan(text)
		require.NotEmpty(t, want)
		b := many.NewStream()
		var found []Finding
		for rest := text; len(rest) > 0; {
			n := min(len(rest), 1+m.IntN(900))
			_, fs := b.Scan(rest[:n])
			found, rest = append(found, fs...), rest[n:]
		}
		require.Equal(t, want, append(found, b.Finish()...))
	}
}
