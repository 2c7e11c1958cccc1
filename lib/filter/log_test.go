package filter_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/authority"
	"bottle/lib/decode"
	"bottle/lib/forward"
	"bottle/lib/refusal"
)

func TestLogForwardsUntouched(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		for _, coding := range []string{"", "gzip", "br"} {
			for _, chunked := range []bool{false, true} {
				got := make(chan seen, 1)
				w := newWorld(t, redacting, keeper(got))
				s := token(t.Name()) // it is to arrive
				text := []byte(`{"a":"` + s + ` ` + s + `"}`)
				sent, err := decode.Encode(coding, text, nil)
				require.NoError(t, err)
				var body io.Reader = bytes.NewReader(sent)
				if chunked {
					body = unsized(body)
				}
				req := request(t, "POST", "https://a.wild.test/?q="+s, body, "X-Note", s, "Authorization", "Bearer "+s)
				if coding != "" {
					req.Header.Set("Content-Encoding", coding)
				}
				res, answer := w.do(w.client(http2), req)
				require.Equal(t, 200, res.StatusCode, answer)
				o := receive(t, got, "request")
				require.Equal(t, sent, o.sent)
				require.Equal(t, "/?q="+s, o.uri)
				require.Equal(t, s, o.header.Get("X-Note"))
				locations := map[string]int{}
				for _, r := range w.records(4, isMatch) {
					require.Equal(t, "log", r.Action)
					locations[r.Location] += r.Count
				}
				require.Equal(t, map[string]int{"query parameter q": 1, "header X-Note": 1, "header Authorization": 1, "body json path a": 2}, locations)
			}
		}
	}
}

func TestActionIsTheHosts(t *testing.T) {
	w := newWorld(t, redacting, nil)
	w.refused(w.client(false), request(t, "POST", "https://provider.test/", strings.NewReader(w.secret(""))), 400, refusal.SecretInRequest)
	require.Equal(t, "block", w.records(1, isRefused)[0].Action)
	require.Zero(t, w.accepts.Load())
}

// The bounds are the file's.
func TestBoundsAreSettings(t *testing.T) {
	got := make(chan seen, 1)
	w := newWorld(t, redacting+"\n", keeper(got))
	small := newWorld(t, strings.Replace(redacting, "on_match", "whole_body_bytes = 2000\nmax_coded_body_bytes = 3000\nmax_decoded_body_bytes = 20_000\non_match", 1), keeper(got))
	for i, tc := range []struct {
		w       *world
		flows   bool
		refused refusal.Code
	}{{w, false, ""}, {small, true, ""}} {
		text := `{"a":"` + filler[:4000] + `","key":"` + tc.w.secret(fmt.Sprint(i)) + `"}`
		res, answer := tc.w.do(tc.w.client(false), request(t, "POST", "https://origin.test/", strings.NewReader(text), "Content-Type", "application/json"))
		require.Equal(t, 200, res.StatusCode, answer)
		o := receive(t, got, "request")
		require.Equal(t, tc.flows, len(o.sent) == len(text), "what flows keeps its length")
	}
	small.refused(small.client(false), request(t, "POST", "https://origin.test/", bytes.NewReader(noise(4000)), "Content-Encoding", "gzip"), 403, refusal.BodyTooLarge)
	small.refused(small.client(false), request(t, "POST", "https://origin.test/", bytes.NewReader(encode(t, filler, "gzip")), "Content-Encoding", "gzip"), 403, refusal.BodyTooLarge)
}

// A dummy where none belongs is an alarm, whatever the action.
func TestMisdirectedDummyIsRefusedWhateverTheAction(t *testing.T) {
	w := newWorld(t, redacting+dummyRoute, nil)
	d := dummyOf(t, "misdirected")
	for _, host := range []string{"origin.test", "a.wild.test"} {
		w.refused(w.client(false), request(t, "POST", "https://"+host+"/", bytes.NewReader(d.JSON())), 403, refusal.DummyMisdirected)
	}
}

// check says what would be done, by the policy that does it.
func TestCheckSaysWhatBecomesOfAMatch(t *testing.T) {
	f, err := parse(redacting)
	require.NoError(t, err)
	p := f.Policy()
	for host, action := range map[string]string{"origin.test": "redact", "a.wild.test": "log", "provider.test": "block"} {
		a, err := authority.ParseDefault(host, 443)
		require.NoError(t, err)
		x, v := forward.Check(p, request(t, "GET", "https://"+host+"/", nil, "X-Note", token(host)), a, "https")
		require.Equal(t, action, x.OnMatch)
		if action == "block" {
			require.Equal(t, refusal.SecretInRequest, v.Refusal.Code)
			require.Empty(t, x.Matches())
			continue
		}
		require.Nil(t, v.Refusal)
		require.Equal(t, []forward.Match{{Rule: gitlab, Location: "header X-Note", Sample: "glpa…", Action: action, Count: 1}}, x.Matches())
	}
}
