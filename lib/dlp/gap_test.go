package dlp

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What may stand between a name and its value, and before a key's body, is the same wherever the bytes are cut.
func TestGapsAreTheSameWhereverTheyAreCut(t *testing.T) {
	m := newMaker(61)
	value, key := m.text(alnumChars, 38)+"a1", m.text(stdChars, 64)
	begin := "-----" + "BEGIN PRIVATE KEY-----"
	for text, rule := range map[string]string{
		`const API_KEY: &str = "` + value + `";`:                                            "named-key",
		`const API_KEY: &'static str = "` + value + `";`:                                    "named-key",
		"<key>acmeApiKey</key>\n\t<string>" + value + "</string>":                           "named-key",
		"<name>acme.api.key</name><value>" + value + "</value>":                             "named-key",
		`os.getenv("ACME_API_KEY", "` + value + `")`:                                        "named-key",
		"acme_api_key," + value + ",2026":                                                   "named-key",
		"set -gx ACME_API_KEY " + value:                                                     "named-key",
		"| ACME_API_KEY | " + value + " |":                                                  "named-key",
		"--acme-api-key " + value:                                                           "named-key",
		"ACME_API_KEY ?= " + value:                                                          "named-key",
		`const slackSigningSecret = "` + value + `"`:                                        "named-key",
		"X-Acme-Token: " + value:                                                            "named-key",
		"key.pem:1:" + begin + "\nkey.pem:2:" + key:                                         "private-key",
		"     1\t" + begin + "\n     2\t" + key:                                             "private-key",
		"> " + begin + "\r\n> " + key:                                                       "private-key",
		"mysql+pymysql://app:" + m.text(alnumChars, 12) + "7k@db.corp.net/x":                "database-url",
		`sql.Open("mysql", "app:` + m.text(alnumChars, 12) + `7k@tcp(db.corp.net:3306)/x")`: "mysql-dsn",
		`{"kty":"EC","d": "` + m.text(urlChars, 41) + `aZ"}`:                                "jwk-private-key",
		`const azureOpenaiKey = "` + m.text(hexChars, 30) + `a1"`:                           "azure-openai-key",
		"app.acme.api.secret=" + value:                                                      "named-key",
	} {
		r := builtin(t)
		want := r.Scan([]byte(text))
		require.Len(t, want, 1, text)
		require.Equal(t, rule, want[0].Rule, text)
		s := r.NewStream()
		for at := range text {
			s.Reset()
			sizes := []int{at, 1, len(text)}
			next := func() int { n := sizes[0]; sizes = sizes[1:]; return n }
			require.Equal(t, want, inPieces(t, s, []byte(text), next), "%s at %d", text, at)
		}
		s.Release()
	}
}

// In code and documents the same words stand without a secret.
func TestNamesWithoutASecretBehind(t *testing.T) {
	r := builtin(t)
	for _, text := range []string{
		`"nextPageToken": "` + newMaker(62).text(alnumChars, 40) + `"`,
		"syn match rewriteLhsToken,rewriteLhsUser4Group",
		"modadvapi32.NewProc(\"OpenThreadToken\")\n\tprocQueryServiceConfig2W = x",
		"Token: `urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6`,",
		`"GetResourceApiKey":{"name":"GetResourceApiKey","http":{"method":"POST"}}`,
		`"Token":{"type":"string"},"TooManyEntriesInBatchRequest":{"type":"structure"}`,
		`"client_secret", "access_token", "refreshTokenExpiresIn2"`,
		"the sequence-token 49542672486831074009579604567656788214806863282469607346",
		`"d": "M12.5 3.2C12.5 3.2 14 1.7 16.1 1.7zM3.4 5.6L7.8 9.10"`,
		"docker run -u 1000:1000 --user root:wheel image",
		"the token of CI: cache-key-" + newMaker(63).text(hexChars, 32),
		"https://Aladdin:OpenSesame@www.example.com/",
	} {
		require.Empty(t, r.Scan([]byte(text)), text)
	}
}

// Behind a name most keywords are left at once, and none that a gap could follow.
func TestKeywordsAreLeftWhereNoGapBegins(t *testing.T) {
	m := newMaker(44)
	gaps := 0
	for _, hits := range builtin(t).auto.hits {
		for _, k := range hits {
			first := &k.pattern.steps[0]
			if first.gap == nil {
				continue
			}
			gaps++
			require.Len(t, k.next, 1, k.text)
			for c := range 256 {
				if !k.next[0][c] && !mayEscape[c] {
					n, short := first.gap([]byte(string([]byte{byte(c)}) + ": \"" + m.text(alnumChars, 40)))
					require.False(t, short)
					require.Zero(t, n, "%s%c", k.text, c)
				}
			}
		}
	}
	require.Greater(t, gaps, 10)
}
