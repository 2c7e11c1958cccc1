package dlp

import (
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
