package inject

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"bottle/lib/authority"
	"bottle/lib/credential"
	"bottle/lib/secret"
)

// Whatever stands in the headers, a replace route gives the real credential
// only for the dummy, and nothing of the agent's own passes.
func FuzzReplaceNeedsTheOwnDummy(f *testing.F) {
	const dummy = "the-dummy-of-this-bottle"
	for _, s := range []string{"Bearer " + dummy, "bearer  " + dummy, "Basic " + dummy, dummy, "Bearer", "", "Bearer " + dummy + ",x", "Bearer\t" + dummy} {
		f.Add(s, "")
		f.Add("Bearer "+dummy, s)
	}
	token, err := secret.New("the-real-one")
	if err != nil {
		f.Fatal(err)
	}
	p, err := authority.ParsePattern("a.test")
	if err != nil {
		f.Fatal(err)
	}
	route := &Route{Pattern: p, Mode: Replace, auth: []part{
		{place: inHeader, name: "Authorization", value: schemeTemplate("Bearer"), source: credential.Fixed("test", token)},
	}}
	routes := NewRoutes([]*Route{route}, []string{secret.SHA256(dummy)})
	f.Fuzz(func(t *testing.T, value, protocols string) {
		h := http.Header{"Authorization": {value}, "Sec-Websocket-Protocol": {protocols}}
		d := &decision{route: route}
		req := &http.Request{Header: h, URL: &url.URL{}}
		err := judge{routes}.wantsCredential(req, d, authority.Authority{Host: "a.test", Port: 443})
		if d.inject && err == nil {
			fields := strings.Fields(value)
			if len(fields) != 2 || !strings.EqualFold(fields[0], "bearer") || fields[1] != dummy {
				t.Fatalf("the real credential was given for %q", value)
			}
			if strings.Contains(protocols, keySubprotocol) {
				t.Fatalf("the real credential was given beside %q", protocols)
			}
		}
		stripCredentials(h)
		if len(h["Authorization"]) != 0 || strings.Contains(strings.Join(h["Sec-Websocket-Protocol"], ""), keySubprotocol) {
			t.Fatalf("%v is left", h)
		}
	})
}
