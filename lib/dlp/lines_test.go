package dlp

import (
	"encoding/base64"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// wrappedAt are lines as an editor or an agent makes them of text.
var wrappedAt = map[string]func(text string, at int) string{
	"lines":          func(text string, at int) string { return wrapped(text, at, "\n") + "\n" },
	"indented":       func(text string, at int) string { return "  " + wrapped(text, at, "\r\n  ") + "\r\n" },
	"quotation":      func(text string, at int) string { return "> " + wrapped(text, at, "\n> ") + "\n" },
	"quoted twice":   func(text string, at int) string { return ">>" + wrapped(text, at, "\r\n>>") + "\r\n" },
	"comment":        func(text string, at int) string { return "  // " + wrapped(text, at, "\n  // ") + "\n" },
	"hanging indent": func(text string, at int) string { return wrapped(text, at, "\n    ") + "\n" },
	"string of JSON": func(text string, at int) string { return `{"id":"x","note":"` + wrapped(text, at, `\n`) + `","n":1}` },
	"behind text": func(text string, at int) string {
		return "It is the old one:\n\nNOTE: " + wrapped(text, at, "\n") + "\n\nKeep it.\n"
	},
	"base64": func(text string, at int) string {
		return base64.StdEncoding.EncodeToString([]byte(wrapped(text, at, "\n") + "\n"))
	},
}

// lined are secrets of rules that need a name or have their mark amid them, and of others that lines can break anywhere.
func (m maker) lined() map[string]string {
	return map[string]string{
		"mailgun-api-key":             "MAILGUN_API_KEY=key-" + m.text(hexChars, 31) + "0",
		"twilio-auth-token":           "TWILIO_AUTH_TOKEN=" + m.text(hexChars, 31) + "0",
		"alibaba-access-key-secret":   "ALIBABA_CLOUD_ACCESS_KEY_SECRET=" + m.text(alnumChars, 26) + "a1B2",
		"pagerduty-api-key":           "PAGERDUTY_API_KEY=" + m.text(alnumChars, 16) + "a1B2",
		"vultr-api-key":               "VULTR_API_KEY=" + m.text(upperChars, 32) + "A1B2",
		"azure-shared-access-key":     "Endpoint=sb://acme.servicebus.windows.net/;SharedAccessKey=" + m.text(stdChars, 40) + "a1B=",
		"slack-webhook":               "https://hooks.slack.com/services/T0" + m.text(upperChars, 9) + "/B0" + m.text(upperChars, 9) + "/" + m.text(alnumChars, 20) + "a1B2",
		"google-oauth-access-token":   "ya29.a0" + m.text(urlChars, 200),
		"jwt":                         m.jwt(`{"alg":"RS256","typ":"JWT","kid":"`+m.text(hexChars, 16)+`"}`, 200),
		"azure-devops-token":          m.text(alnumChars, 76) + "AZDO" + m.text(alnumChars, 4),
		"azure-annotated-key":         m.text(alnumChars, 52) + "JQQJ99" + m.text(alnumChars, 26),
		"azure-signed-key":            m.text(stdChars, 76) + "+ASt" + m.text(stdChars, 6) + "==",
		"azure-signed-word-key":       m.text(alnumChars, 42) + "AzSe" + m.text(alnumChars, 6),
		"azure-function-key":          m.text(urlChars, 44) + "AzFu" + m.text(urlChars, 6) + "==",
		"maxmind-license-key":         m.text(alnumChars, 6) + "_" + m.text(alnumChars, 29) + "_mmk",
		"newrelic-license-key":        m.text(hexChars, 32) + "FFFFNRAL",
		"mailchimp-key":               m.text(hexChars, 32) + "-us21",
		"database-url":                "mysql" + "://root:" + m.text(alnumChars, 14) + "4x@10.0.3.4/shop",
		"database-url, port":          "rediss" + "://default:" + m.text(alnumChars, 30) + "2z@apn1-fine-1.upstash.io:6379",
		"basic-auth-url":              "https" + "://deploy:" + m.text(alnumChars, 20) + "8b@git.acme-internal.net/acme/app.git",
		"named-key":                   "ACME_API_KEY=" + m.text(alnumChars, 40),
		"named-key, secret":           "CLIENT_SECRET=" + m.text(alnumChars, 40),
		"digitalocean-token, keyword": "dop_v1_" + m.text(hexChars, 64),
	}
}

// What breaks a value into lines does not stop at its name, at a keyword, or before the mark amid it. What is missed are pieces that
// are words, or ports.
func TestLinesBreakAnywhere(t *testing.T) {
	r, rules := builtin(t), Builtin()
	tried, missed := map[string]int{}, map[string]int{}
	for seed := range few(uint64(10)) {
		m := newMaker(600 + seed)
		for rule, text := range m.lined() {
			rule, _, _ = strings.Cut(rule, ",")
			for _, wrap := range wrappedAt {
				for _, at := range []int{12, 17, 23, 30, len(text)/3 + 1} {
					if at < len(text)/4 || at >= len(text) {
						continue
					}
					if whole := r.Scan([]byte(text + "\n")); len(whole) != 1 || whole[0].Rule != rule {
						break // the one in some thousands that its rule's check refuses
					}
					if breaksKeyword(rules, rule, text, at) {
						continue
					}
					tried[rule]++
					made := wrap(text, at)
					if found := r.Scan([]byte(made)); len(found) == 0 {
						missed[rule]++
					}
				}
			}
		}
	}
	require.GreaterOrEqual(t, len(tried), 20)
	all, allMissed := 0, 0
	for rule, n := range tried {
		require.LessOrEqual(t, missed[rule]*2, n, rule)
		all, allMissed = all+n, allMissed+missed[rule]
	}
	t.Logf("missed %d of %d", allMissed, all)
	require.LessOrEqual(t, allMissed*25, all)
}

// breaksKeyword reports whether lines of a length break what rule is known by: the begin of a keyword.
func breaksKeyword(all []Rule, rule, text string, at int) bool {
	for _, r := range all {
		for _, p := range r.patterns {
			for _, k := range p.keywords {
				i := strings.Index(strings.ToLower(text), strings.ToLower(k))
				if r.Name == rule && i >= 0 && i/at != (i+min(len(k), keywordCut)-1)/at {
					return true
				}
			}
		}
	}
	return false
}

// linesMixture is text of secrets over lines and in pieces, whole, cut and damaged.
func linesMixture(seed uint64, size int) []byte {
	m := newMaker(seed)
	ways := slices.Sorted(maps.Keys(wrappedAt))
	between := slices.Sorted(maps.Keys(joints))
	var b strings.Builder
	for b.Len() < size {
		d := m.lined()
		text := d[slices.Sorted(maps.Keys(d))[m.IntN(len(d))]]
		if m.IntN(3) == 0 {
			at := 1 + m.IntN(len(text)-1)
			text = text[:at] + joints[between[m.IntN(len(between))]] + text[at:]
		} else {
			text = wrappedAt[ways[m.IntN(len(ways))]](text, 8+m.IntN(30))
		}
		switch m.IntN(6) {
		case 0:
			text = text[:m.IntN(len(text))]
		case 1:
			text = text[m.IntN(len(text)):]
		case 2:
			at := m.IntN(len(text))
			text = text[:at] + m.text(alnumChars+"\n\\= .:\"", 1+m.IntN(4)) + text[at:]
		case 3:
			text = percentAll(text)
		}
		b.WriteString(text + m.pick(`"`, " ", "\n", "", "&", `\n`))
	}
	return []byte(b.String())
}

func TestAnySplitGivesTheSameFindingsOverLines(t *testing.T) {
	r := builtin(t)
	s := r.NewStream()
	for seed := range few(uint64(12)) {
		text := linesMixture(700+seed, 20_000)
		want := r.Scan(text)
		require.Greater(t, len(want), 10)
		rng := rand.New(rand.NewPCG(seed, 2))
		for name, next := range map[string]func() int{
			"bytes":     func() int { return 1 },
			"1 to 9":    func() int { return 1 + rng.IntN(9) },
			"1 to 3000": func() int { return 1 + rng.IntN(3000) },
			"a match":   func() int { return MaxMatch - 20 + rng.IntN(40) },
		} {
			s.Reset()
			require.Equal(t, want, inPieces(t, s, text, next), "%s, seed %d", name, seed)
		}
	}
}

// A view that ends where a sample is due goes on: the sample is taken with the next byte.
func TestAViewGoesOnWhereASampleIsDue(t *testing.T) {
	r := builtin(t)
	m := newMaker(714)
	for n := range 6 * cueReach {
		key := m.text(alnumChars, 52) + "JQQJ99" + m.text(alnumChars, 26)
		text := []byte("%63" + strings.Repeat(" ", n%cueReach) + m.text(alnumChars, 19) + `\n` + base64.StdEncoding.EncodeToString([]byte(wrapped(key, 35, "\n")+"\n")))
		require.Equal(t, r.Scan(text), inPieces(t, r.NewStream(), text, func() int { return 1 }), n)
	}
}

// A finding over lines begins where the value does, also where its name is in two lines.
func TestAFindingOverLinesBeginsAtItsValue(t *testing.T) {
	r := builtin(t)
	value := newMaker(710).text(hexChars, 30) + "a1"
	for _, text := range []string{"TWILIO_AUTH_TO\nKEN=" + value[:20] + "\n" + value[20:] + "\n", `{"a":"TWILIO_AUTH_TO\n    KEN: ` + value[:20] + `\n` + value[20:] + `"}`, "x=1\nTWILIO_AUTH_TO\r\nKEN=" + value + "\r\n"} {
		found := r.Scan([]byte(text))
		require.Len(t, found, 1, text)
		require.Equal(t, "twilio-auth-token", found[0].Rule)
		require.Equal(t, "split", found[0].Encoding)
		require.EqualValues(t, strings.Index(text, value[:20]), found[0].Start)
		require.EqualValues(t, strings.Index(text, value[24:])+len(value[24:]), found[0].End)
	}
}

// What stands before the joint that is before a mark may have been released: the finding is from there on, and says so.
func TestPiecesBeforeAMark(t *testing.T) {
	r := builtin(t)
	m := newMaker(711)
	for rule, s := range map[string][2]string{
		"azure-devops-token":    {m.text(alnumChars, 76), "AZDO" + m.text(alnumChars, 4)},
		"azure-annotated-key":   {m.text(alnumChars, 52), "JQQJ99" + m.text(alnumChars, 26)},
		"azure-signed-word-key": {m.text(alnumChars, 42), "AzSe" + m.text(alnumChars, 6)},
		"newrelic-license-key":  {m.text(hexChars, 32), "FFFFNRAL"},
		"mailchimp-key":         {m.text(hexChars, 32), "-us21"},
	} {
		for name, j := range joints {
			for _, at := range []int{len(s[0]) - 1, len(s[0]) - 7, len(s[0]) / 2} {
				first, last := s[0][:at], s[0][at:]
				text := `{"a":"` + first + j + last + s[1] + `"}`
				if isWord([]byte(first)) || asideOf[name] && isAWord(last) || takes(Builtin(), rule, j[0]) && j != "/" {
					continue
				}
				found := r.Scan([]byte(text))
				require.Len(t, found, 1, "%s, %s: %s", rule, name, text)
				require.Equal(t, rule, found[0].Rule)
				require.True(t, found[0].Cut)
				require.GreaterOrEqual(t, found[0].Start, int64(6+at+len(j)))
				require.LessOrEqual(t, found[0].Start, int64(strings.Index(text, s[1])))
				require.EqualValues(t, len(text)-2, found[0].End)
			}
		}
	}
}

func TestPiecesBehindTheirLengthAreFound(t *testing.T) {
	r := builtin(t)
	token := "pk_" + newMaker(712).text(hexChars, 34)
	made := wrapped(token, 12, "\r\n    ") // 55 is 7
	require.Len(t, r.Scan([]byte("\n\x0fKLAVIYO_API_KEY\x12"+string(rune(len(made)))+made)), 1)
	require.Empty(t, r.Scan([]byte("\n\x0fKLAVIYO_API_KEY\x12"+string(rune(len(made)+1))+made)), "another length")
	require.Empty(t, r.Scan([]byte("j"+string(rune(len(made)))+made)), "text")
}

// Strings that languages put together where nothing but a line's end is between them, or a sign that joins them.
func TestValuesInStringsOverLines(t *testing.T) {
	r := builtin(t)
	m := newMaker(715)
	for range few(uint64(20)) {
		value, hex := m.text(alnumChars, 37)+"a1B", m.text(hexChars, 31)+"0"
		for rule, text := range map[string]string{
			"named-key":                 `ACME_API_KEY = ("` + wrapped(value, 20, "\"\n                \"") + "\")\n",
			"twilio-auth-token":         `const twilioAuthToken = "` + wrapped(hex, 9, "\" +\n\t\"") + "\"\n",
			"alibaba-access-key-secret": `{"log":"ALIBABA_CLOUD_ACCESS_KEY_SECRET=\"` + wrapped(value[:30], 17, `\" \\\n  \"`) + `\""}`,
		} {
			found := r.Scan([]byte(text))
			require.Len(t, found, 1, text)
			require.Equal(t, rule, found[0].Rule)
			require.Equal(t, found, inPieces(t, r.NewStream(), []byte(text), func() int { return 1 }))
		}
	}
}

// Lines that follow each other are not those of one value because the first has a name.
func TestLinesThatAreNotOfOneValue(t *testing.T) {
	r := builtin(t)
	m := newMaker(713)
	id := func() string { return m.text(hexChars, 11) + "a" }
	hex76 := m.text(hexChars, 76)
	for name, text := range map[string]string{
		"a short value and an id":           "ACME_API_KEY=dev1\n" + m.text(alnumChars, 28) + "\n",
		"a value and ids":                   "ACME_API_KEY=a1B2c3\n" + id() + "\n" + id() + "\n" + id() + "\n",
		"ids behind a long name":            "export MY_SERVICE_API_KEY=x1\n" + id() + "\n" + id() + "\n",
		"a longer second line":              "ACME_API_KEY=a1b2c3d4e5\n" + m.text(alnumChars, 40) + "\n",
		"an assignment":                     "ACME_API_KEY=a1b2c3d4e5\nFOO=" + m.text(alnumChars, 12) + "\n",
		"a mapping":                         "client_secret: a1b2c3d4e5\nab12cd34ef56gh78: 1\n",
		"a call":                            "api_token = a1b2c3d4e5\nab12cd34ef56gh78(1)\n",
		"a field":                           "api_token = a1b2c3d4e5\nself.x1y2z3w4v5u6t7\n",
		"prose":                             "client_secret: a1b2c3d4e5f6\nA1b2c3d4e5f6 is the next\n",
		"a list of words":                   "client_secret: a1b2c3d4e5f6\nsomething_else_that_is_long\n",
		"members without a comma":           "client_secret: \"" + id() + "\"\n\"" + id() + "\": 1\n",
		"a hash without a comma":            "client_secret: '" + id() + "'\n'" + id() + "' => 1\n",
		"a directive":                       "const apiKey = '" + id() + "'\n'use strict'\n",
		"a docstring":                       "API_KEY = \"" + id() + "\"\n\"\"\"" + id() + "\"\"\"\n",
		"arguments":                         "f(\"ACME_API_KEY=" + id() + "\",\n  \"" + id() + "\")\n",
		"a comment":                         "ACME_API_KEY=a1b2c3d4e5f6\n# " + m.text(hexChars, 13) + "a\n",
		"another comment":                   "# TWILIO_AUTH_TOKEN=" + hex76[:12] + "\n// " + hex76[12:32] + "\n",
		"a list behind":                     "TWILIO_AUTH_TOKEN=" + hex76[:12] + "\n- " + hex76[12:32] + "\n",
		"a table":                           "access_token\nA1b2c3d4e5\nB1c2d3e4f5g6h7i8\n",
		"capitals and small letters":        "ACME_API_KEY=ABCD1234EFGH\n" + m.text(hexChars, 17) + "a\n",
		"a port":                            "https" + "://localhost:8080\nadmin1x@corp.example.net\n",
		"a tail that is too short":          hex76[:40] + "\n" + hex76[40:75] + "AZDO" + m.text(alnumChars, 4) + "\n",
		"a tail that is too long":           hex76[:40] + "a\n" + hex76[40:] + "AZDO" + m.text(alnumChars, 4) + "\n",
		"a tail, text and a mark":           hex76[:40] + " and " + hex76[40:] + "AZDO" + m.text(alnumChars, 4) + "\n",
		"a tail over lines of no one width": hex76[:20] + "\n" + hex76[20:30] + "\n" + hex76[30:55] + "\n" + hex76[55:] + "AZDO" + m.text(alnumChars, 4) + "\n",
		"a short access token":              `{"a":"ya29.` + m.text(alnumChars, 30) + `","method":"GET","b":"` + m.text(alnumChars, 40) + `"}`,
		"as a word":                         "known-as-" + "SomeCamelCaseNameOfIts", "as a class": `"as-` + "getServerSidePropsOfIt" + `"`,
	} {
		require.Empty(t, r.Scan([]byte(text)), name)
	}
}
