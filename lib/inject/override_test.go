package inject

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/authority"
	"bottle/lib/credential"
	"bottle/lib/forward"
	"bottle/lib/pathrule"
	"bottle/lib/refusal"
	"bottle/lib/secret"
)

// A server that honours such a header takes GET for DELETE, or one path for
// another, after the route's rule was satisfied.
func TestHeadersThatOverrideTheRequestLineAreRefusedOnRoutesWithRules(t *testing.T) {
	token, err := secret.New("t0ken-of-a-test")
	require.NoError(t, err)
	paths, _, err := pathrule.Parse([]string{"/a/"})
	require.NoError(t, err)
	pattern, err := authority.ParsePattern("api.test")
	require.NoError(t, err)
	for _, tc := range []struct {
		route   Route
		header  string
		refused bool
	}{
		{Route{Methods: []string{"GET"}}, "X-HTTP-Method-Override", true},
		{Route{Methods: []string{"GET"}}, "X-HTTP-Method", true},
		{Route{Methods: []string{"GET"}}, "X-Original-URL", false},
		{Route{paths: paths}, "X-Original-URL", true},
		{Route{paths: paths}, "X-Rewrite-URL", true},
		{Route{paths: paths}, "X-HTTP-Method-Override", false},
		{Route{}, "X-HTTP-Method-Override", false},
	} {
		r := tc.route
		r.Pattern, r.Mode = pattern, Always
		r.auth = []part{{place: inHeader, name: "Authorization", value: schemeTemplate("Bearer"), source: credential.Fixed("test", token)}}
		req, err := http.NewRequest("GET", "https://api.test/a/b", nil)
		require.NoError(t, err)
		req.Header.Set(tc.header, "DELETE")
		x, v := forward.Check(NewRoutes([]*Route{&r}, nil).Policy(), req, authority.Authority{Host: "api.test", Port: 443}, "https")
		if !tc.refused {
			require.Nil(t, v.Refusal, tc.header)
			require.Equal(t, "real", x.Credential)
			continue
		}
		require.NotNil(t, v.Refusal, tc.header)
		require.Equal(t, refusal.MethodNotAllowed, v.Refusal.Code)
		require.Contains(t, v.Refusal.Message, http.CanonicalHeaderKey(tc.header))
		require.Empty(t, req.Header.Get("Authorization"))
	}
}

func TestCredentialsInTrailersAreStripped(t *testing.T) {
	req, err := http.NewRequest("POST", "https://api.test/", http.NoBody)
	require.NoError(t, err)
	req.Trailer = http.Header{"Authorization": nil, "X-Api-Key": nil, "X-Checksum": nil}
	require.NoError(t, strip{}.ModifyRequest(req))
	require.Equal(t, http.Header{"X-Checksum": nil}, req.Trailer)
}
