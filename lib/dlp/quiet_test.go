package dlp

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Escapes of characters that no token has are no cue of their own. What is behind, before and between them is found all the same.
func TestQuietEscapesHideNothing(t *testing.T) {
	r := builtin(t)
	m := newMaker(84)
	token := m.github()
	entities := each(token, func(c byte) string { return fmt.Sprintf("&#%d;", c) })
	for _, backslash := range []string{`\`, `\\`, `\\\\`} {
		in := func(s string) string { // as JSON in so many strings of JSON has it
			return strings.NewReplacer("<", backslash+"u003c", ">", backslash+"u003E", "'", backslash+"u0027", "&", backslash+"u0026", "\x1b", backslash+"u001b").Replace(s)
		}
		for name, text := range map[string]string{
			"around":             "<b>" + token + "</b>",
			"quoted":             "'" + token + "'",
			"in colour":          "\x1b[31m" + token + "\x1b[0m",
			"behind a name":      "<datadog_api_key>" + m.text(hexChars, 32) + "</datadog_api_key>",
			"behind a parameter": "?a=b&token=" + token,
			"in a password":      "postgres://app:" + m.text(alnumChars, 6) + "&7" + m.text(alnumChars, 8) + "&2@db.internal:5432/x",
			"as entities":        entities + " x",
			"as entities, twice": "&&" + entities + " x",
			"a name in entities": "&sig=" + m.text(alnumChars, 43) + "%3D",
		} {
			if name == "a name in entities" && len(r.Scan([]byte(text))) == 0 {
				continue // no such rule
			}
			require.NotEmpty(t, r.Scan([]byte(text)), name)
			require.NotEmpty(t, r.Scan([]byte(in(text))), "%s, %d backslashes: %s", name, len(backslash), in(text))
		}
	}
}

// A known value that has such a character makes its escapes cues.
func TestQuietEscapesInKnownValues(t *testing.T) {
	for _, value := range []string{"correct<horse7battery", "it's.4.long.pass-phrase", "x>y1z2w3v4u5"} {
		r := knowing(t, value)
		for _, c := range []string{"<", ">", "'"} {
			escaped := strings.ReplaceAll(value, c, fmt.Sprintf(`\u%04x`, c[0]))
			require.NotEmpty(t, r.Scan([]byte(`{"a":"`+escaped+`"}`)), escaped)
			escaped = strings.ReplaceAll(value, c, fmt.Sprintf(`\\u%04X`, c[0]))
			require.NotEmpty(t, r.Scan([]byte(`{"a":"{\"b\":\"`+escaped+`\"}"}`)), escaped)
		}
	}
}

// What ordinary JSON is full of is not looked at twice.
func TestQuietEscapesAreNoCue(t *testing.T) {
	r := builtin(t)
	for text, want := range map[string]int{
		`if a \u003c b \u0026\u0026 c \u003e d {`:        0,
		`if a \\u003c b \\u0026\\u0026 c \\u003E d {\\n`: 0,
		`it\u0027s \u001b[31mred`:                        0,
		`x = \u0026http.Server{}, \u0026y` + "\n":        0,
		`\u0026\u0061mp;`:                                1, // two so close that they are one
		`\u0026#65;`:                                     1,
		`\u0026amp;`:                                     1,
		`\u0026\u0026#65;`:                               1,
		`\u0041`:                                         1,
		`\u002f`:                                         1,
		`\u0026sig=`:                                     1,
	} {
		s := sniffer{silent: -1, quiet: r.quiets}
		s.seek([]byte(text), true)
		require.Len(t, s.cues, want, text)
	}
}

// What people write in other languages than English, and in it, is not looked at twice; what looks like a part of a token is.
func TestWritingIsNoCue(t *testing.T) {
	r := builtin(t)
	for text, want := range map[string]int{
		"Прочитай тест, объясни, почему задание теряется. Затем запусти его.\n": 0,
		"Διάβασε το τεστ που απέτυχε, και πρότεινε μια διόρθωση. Ναι;\n":        0,
		"请阅读失败的测试（见下），解释为什么；然后再次运行它！[好]\n":                                      0,
		"Let’s go – now… “re-run” it — please ⚠️ ok ✅\n":                        0,
		"l’ordonnanceur, naïve café, Ärger größer":                              0,
		"gh\u200bp": 1, "gһp": 1, "ghp‑x": 1, "ＡＢ": 1, "ЅԌ.abc": 1, "sk－": 1, "ghp\u00ad_": 1, "ѕ\u2010к": 1, "ａ，": 1,
	} {
		s := sniffer{silent: -1, quiet: r.quiets}
		s.seek([]byte(text), true)
		require.Len(t, s.cues, want, text)
	}
	known := knowing(t, "correct,horse!7battery")
	require.NotEmpty(t, known.Scan([]byte("it is correct，horse！7battery.")))
	require.NotEmpty(t, known.Scan([]byte("it is correct,horse！7battery.")))
}
