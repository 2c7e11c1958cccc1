package dummyauth

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bottle/lib/hostauth"
	"bottle/lib/hostauth/throwaway"
)

var manyLogins = flag.Int("logins", 100, "how many logins of ten days the window test mints a dummy of")

// shared lists the six-character windows of real tokens, their headers aside,
// that stand in the dummy's file. It is written apart from the code that it
// checks: plain search, no sets.
func shared(host *hostauth.Codex, file string) []string {
	var found []string
	for _, token := range []string{host.AccessToken.Expose(), host.IDToken.Expose(), host.RefreshToken.Expose()} {
		start := 0
		if strings.HasPrefix(token, "eyJ") && strings.Contains(token, ".") {
			start = max(0, strings.Index(token, ".")-5)
		}
		for i := start; i+6 <= len(token); i++ {
			if strings.Contains(file, token[i:i+6]) {
				found = append(found, token[i:i+6])
			}
		}
	}
	return found
}

// isPublic reports whether w is text that the dummy has in any case: its own
// words, or what is kept in clear.
func isPublic(dummy *Codex, w string) bool {
	public := Marker + "\n" + strings.NewReplacer(dummy.AccessToken, "", dummy.IDToken, "", dummy.RefreshToken, "").Replace(string(dummy.JSON()))
	return strings.Contains(public, w)
}

// isExpiry reports whether w is base64 of nothing but digits of exp.
func isExpiry(host *hostauth.Codex, w string) bool {
	digits := fmt.Sprint(host.Expiry.Unix())
	for shift := range 3 {
		// Characters that do not change with what stands around the digits.
		a := base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("\x00", shift) + digits + "\x00\x00"))
		b := base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("\xff", shift) + digits + "\xff\xff"))
		same := ""
		for i := range a {
			if a[i] == b[i] {
				same += a[i : i+1]
			} else {
				same += " "
			}
		}
		if strings.Contains(same, w) {
			return true
		}
	}
	return false
}

func TestNoWindowOfARealTokenIsInTheDummy(t *testing.T) {
	// Real access tokens live ten days; ten minutes and ten years must do too.
	for life, logins := range map[time.Duration]int{240 * time.Hour: *manyLogins, 10 * time.Minute: 10, time.Hour: 10, 87600 * time.Hour: 20} {
		t.Run(life.String(), func(t *testing.T) {
			var digits int
			for n := range logins {
				issued := time.Unix(1_760_000_000+int64(n)*73_951, 0)
				login := throwaway.Codex{Seed: fmt.Sprint(life, n), IssuedAt: issued, Expiry: issued.Add(life), Plan: []string{"free", "pro", "business", "enterprise"}[n%4]}
				host := parse(t, login.JSON())
				dummy, err := Mint(host, seed(fmt.Sprint(n)))
				require.NoError(t, err)
				file := string(dummy.JSON())
				found := shared(host, file)
				for _, w := range found {
					require.True(t, isExpiry(host, w), "%q is shared", w)
				}
				if len(found) > 0 {
					digits++
				}
				require.NotContains(t, file, login.Email())
				require.NotContains(t, file, login.UserID())
			}
			t.Logf("%d of %d logins share digits of exp", digits, logins)
			if life == 240*time.Hour {
				require.LessOrEqual(t, digits*200, logins, "tokens that live as long as real ones leave a place for exp")
			}
		})
	}
}

// A test of the test: without the search, dummies do share text with real
// tokens.
func TestTheSearchIsNeeded(t *testing.T) {
	met := 0
	for n := range 30 {
		host := parse(t, throwaway.Codex{Seed: fmt.Sprint(n)}.JSON())
		if len(shared(host, string(draw(host, newStream("codex", seed(fmt.Sprint(n)), 0), nil).JSON()))) > 0 {
			met++
		}
	}
	t.Logf("%d of 30 first draws share text with the real login", met)
	require.Positive(t, met)
}

// A login whose tokens have like numbers at every offset leaves no place for
// exp; nothing but its digits is let through then.
func TestExpiryDigitsAreLetThroughWhereTheyCannotBeAvoided(t *testing.T) {
	login := throwaway.Codex{Seed: "crowded"}
	exp := int64(1790000000)
	file := login.File()
	tokens := file["tokens"].(map[string]any)
	tokens["access_token"] = login.JWT("access", map[string]any{"exp": exp, "a": []int64{exp, exp, exp, exp, exp, exp}, "bb": exp, "ccc": exp})
	data, err := json.Marshal(file)
	require.NoError(t, err)
	host := parse(t, data)
	dummy, err := Mint(host, seed("s"))
	require.NoError(t, err)
	found := shared(host, string(dummy.JSON()))
	require.NotEmpty(t, found)
	for _, w := range found {
		require.True(t, isExpiry(host, w), "%q is shared", w)
	}
	require.Equal(t, json.Number("1790000000"), claimsOf(t, dummy.AccessToken)["exp"])
}

func TestMintEndsWhereNoDummyExists(t *testing.T) {
	// Every dummy's payload starts .eyJ and two more characters, and this refresh
	// token has all texts of that form.
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	var refresh strings.Builder
	refresh.WriteString("rt")
	for i := range len(alphabet) * len(alphabet) {
		refresh.WriteString(".eyJ" + alphabet[i/64:i/64+1] + alphabet[i%64:i%64+1])
	}
	file := throwaway.Codex{Seed: "a"}.File()
	file["tokens"].(map[string]any)["refresh_token"] = refresh.String()
	data, err := json.Marshal(file)
	require.NoError(t, err)
	_, err = Mint(parse(t, data), seed("s"))
	require.ErrorIs(t, err, ErrShared)
	require.NotContains(t, err.Error(), "eyJ")
}

func FuzzMint(f *testing.F) {
	f.Add("user name here", "a-signature_text", "rt-of-a-throwaway", "acct-1", "pro", int64(1790000000), []byte("sixteen or more bytes"))
	f.Add(`","exp":1790000001,"x":"`, "A", "", "1790000000", "", int64(1), []byte("0123456789abcdef"))
	f.Fuzz(func(t *testing.T, name, signature, refresh, account, plan string, exp int64, s []byte) {
		b64 := base64.RawURLEncoding.EncodeToString
		claims := map[string]any{"exp": exp, "iat": exp - 5, "name": name, "chatgpt_account_id": account,
			"https://api.openai.com/auth": map[string]any{"chatgpt_account_id": account, "chatgpt_plan_type": plan}}
		payload, err := json.Marshal(claims)
		require.NoError(t, err)
		token := func(kind string) string {
			return b64([]byte(`{"alg":"none"}`)) + "." + b64(payload) + "." + b64([]byte(kind+signature))
		}
		data, err := json.Marshal(map[string]any{"tokens": map[string]any{
			"access_token": token("a"), "id_token": token("i"), "refresh_token": refresh, "account_id": account}})
		require.NoError(t, err)
		host, err := hostauth.ParseCodex(data)
		if err != nil {
			return
		}
		dummy, err := Mint(host, s)
		if err != nil {
			require.True(t, errors.Is(err, ErrShared) || errors.Is(err, ErrSeed) || errors.Is(err, ErrIsDummy), "%v", err)
			return
		}
		for _, w := range shared(host, string(dummy.JSON())) {
			require.True(t, isExpiry(host, w) || isPublic(dummy, w), "%q is shared", w)
		}
		again, err := hostauth.ParseCodex(dummy.JSON())
		require.NoError(t, err)
		require.Equal(t, host.Expiry, again.Expiry)
		require.Equal(t, host.AccountID, again.AccountID)
		require.Equal(t, host.Plan, again.Plan)
		require.True(t, IsDummyLogin(again))
		same, err := Mint(host, s)
		require.NoError(t, err)
		require.Equal(t, dummy, same)
	})
}

func BenchmarkMint(b *testing.B) {
	host := parse(b, throwaway.Codex{Seed: "a"}.JSON())
	var s [32]byte
	for n := range b.N {
		binary.BigEndian.PutUint64(s[:], uint64(n))
		if _, err := Mint(host, s[:]); err != nil {
			b.Fatal(err)
		}
	}
}
