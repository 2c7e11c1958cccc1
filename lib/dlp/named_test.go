package dlp

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A rule that knows the issuer is the one that is named, also where a general name stands before the value.
func TestTheIssuerIsNamedBehindAGeneralName(t *testing.T) {
	r := builtin(t)
	for seed := range few(uint64(10)) {
		for _, s := range newMaker(500 + seed).secrets() {
			if s.value != s.text || !alnum[s.value[0]] { // what has a name of its own
				continue
			}
			for _, name := range []string{"ACME_TOKEN=", `"client_secret": "`, "api-key: "} {
				text := name + s.value + "\n"
				found := r.Scan([]byte(text))
				require.Len(t, found, 1, text)
				require.Equal(t, s.rule, found[0].Rule, text)
				require.Equal(t, s.value, text[found[0].Start:found[0].End])
			}
		}
	}
}

// Names are written as variables, headers, in properties, in prose and in Java, the short ones too.
func TestNamesInEachSpelling(t *testing.T) {
	r := builtin(t)
	m := newMaker(501)
	for _, name := range []string{"dd_app_key", "aws_secret_access_key", "jwt_secret", "api_key", "new_relic_license_key", "db_password", "okta_api_token"} {
		for _, between := range []string{"_", "-", ".", " ", ""} {
			value := m.text(hexChars, 36) + "a1b2"
			switch name {
			case "okta_api_token":
				value = "00" + m.text(urlChars, 38) + "a1"
			case "db_password":
				value = m.text(alnumChars, 14) + "aZ9"
			case "aws_secret_access_key":
				value = m.text(alnumChars, 35) + "/Za1b"
			}
			text := "app.name=shop\n" + strings.ReplaceAll(name, "_", between) + "=" + value + "\n"
			require.NotEmpty(t, r.Scan([]byte(text)), text)
		}
	}
}

func TestIconsWithDigestsAreNoKeys(t *testing.T) {
	require.Empty(t, builtin(t).Scan([]byte("/assets/box.ico-"+newMaker(502).text(hexChars, 32)+".png")))
}
