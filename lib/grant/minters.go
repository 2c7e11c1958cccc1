package grant

import (
	"strings"
	"time"

	"bottle/lib/dummyauth"
	"bottle/lib/hostauth"
)

// minters make the dummy of a login and the answer that its client expects, by
// the name of the kind.
var minters = map[string]func(data, seed []byte) (*minted, error){
	"codex":  mintCodex,
	"claude": mintClaude,
}

// mintCodex: Codex keeps what of the three is in the answer, and rewrites its
// login with it (measured with 0.135 and 0.169).
func mintCodex(data, seed []byte) (*minted, error) {
	host, err := hostauth.ParseCodex(data)
	if err != nil {
		return nil, err
	}
	d, err := dummyauth.Mint(host, seed)
	if err != nil {
		return nil, err
	}
	answer := struct {
		ID      string `json:"id_token"`
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Type    string `json:"token_type"`
	}{d.IDToken, d.AccessToken, d.RefreshToken, "Bearer"}
	return &minted{
		real: host.AccessToken, expiry: host.Expiry, digests: d.SHA256(),
		body: func(time.Time) any { return answer },
	}, nil
}

// mintClaude: Claude Code keeps the tokens and the time, of which the answer
// gives what is left; fields that it could do without are left out, as it asks
// for its profile by itself.
func mintClaude(data, seed []byte) (*minted, error) {
	host, err := hostauth.ParseClaude(data)
	if err != nil {
		return nil, err
	}
	d, err := dummyauth.MintClaude(host, seed)
	if err != nil {
		return nil, err
	}
	return &minted{
		real: host.AccessToken, expiry: host.Expiry, digests: d.SHA256(),
		body: func(now time.Time) any {
			return struct {
				Type    string `json:"token_type"`
				Access  string `json:"access_token"`
				Refresh string `json:"refresh_token"`
				Expires int64  `json:"expires_in"`
				Scope   string `json:"scope"`
			}{"Bearer", d.AccessToken, d.RefreshToken, int64(host.Expiry.Sub(now) / time.Second), strings.Join(d.Scopes, " ")}
		},
	}, nil
}
