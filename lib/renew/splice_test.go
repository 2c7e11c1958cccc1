package renew

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSplice(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{`{"a":{"b":1}}`, `{"a":{"b":"v"}}`},
		{" { \"x\" : [ {\"a\":{\"b\":0}} ] , \"a\"\t:\n{ \"c\" : {\"b\":2}, \"b\" : {\"deep\": [1,2]} , \"d\":1.0e5 } } ", " { \"x\" : [ {\"a\":{\"b\":0}} ] , \"a\"\t:\n{ \"c\" : {\"b\":2}, \"b\" : \"v\" , \"d\":1.0e5 } } "},
		{`{"a":{"c":1}}`, `{"a":{"b": "v", "c":1}}`},
		{`{"a":{}}`, `{"a":{"b": "v"}}`},
		{`{"a": { } }`, `{"a": {"b": "v" } }`},
		{`{"\u0061":{"b":null}}`, `{"\u0061":{"b":"v"}}`},
	} {
		got, err := splice([]byte(tc.in), []edit{{[]string{"a", "b"}, "v"}})
		require.NoError(t, err, tc.in)
		require.Equal(t, tc.want, string(got))
	}
	for _, in := range []string{``, `[]`, `{}`, `{"a":1}`, `{"a":[]}`, `{"a":{"b":`, `{"b":{"a":1}}`} {
		_, err := splice([]byte(in), []edit{{[]string{"a", "b"}, "v"}})
		require.Error(t, err, in)
	}
}

func FuzzSplice(f *testing.F) {
	for _, s := range []string{`{"a":{"b":1}}`, `{"a":{}}`, `{"x":"}","a":{"y":[{}],"b":"\"}"}}`, "{\"a\" :\n{\"b\":0e1}\t}"} {
		f.Add(s, "value")
	}
	f.Fuzz(func(t *testing.T, in, value string) {
		got, err := splice([]byte(in), []edit{{[]string{"a", "b"}, value}})
		if err != nil || !json.Valid([]byte(in)) {
			return
		}
		var before, after map[string]any
		require.NoError(t, json.Unmarshal([]byte(in), &before))
		require.NoError(t, json.Unmarshal(got, &after), "%s", got)
		var text any
		enc, err := json.Marshal(value)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(enc, &text))
		if a, ok := after["a"].(map[string]any); ok {
			delete(a, "b")
		}
		if b, ok := before["a"].(map[string]any); ok {
			delete(b, "b")
		}
		require.Equal(t, before, after)
	})
}

func FuzzParseAnswer(f *testing.F) {
	for _, s := range []string{`{"access_token":"a.b.c","refresh_token":"r","id_token":"i","expires_in":3600}`, `{}`, `[]`, `<html>`, `{"access_token":1}`, `{"access_token":"\u0000"}`, `null`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := parseAnswer([]byte(s))
		if err == nil {
			require.NotEmpty(t, a.Access)
			require.NotContains(t, a.Access+a.Refresh+a.ID, "\n")
		} else if len(s) > 40 {
			require.NotContains(t, err.Error(), s)
		}
	})
}
