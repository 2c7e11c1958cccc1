package dummyauth

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bottle/lib/hostauth"
	"bottle/lib/hostauth/throwaway"
)

func parse(t testing.TB, data []byte) *hostauth.Codex {
	t.Helper()
	c, err := hostauth.ParseCodex(data)
	require.NoError(t, err)
	return c
}

func seed(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}

// claimsOf decodes a token as Codex does: three non-empty parts, base64url
// without padding, JSON.
func claimsOf(t testing.TB, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	for _, p := range parts {
		require.NotEmpty(t, p)
		_, err := base64.RawURLEncoding.Strict().DecodeString(p)
		require.NoError(t, err)
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var claims map[string]any
	require.NoError(t, dec.Decode(&claims))
	return claims
}

func TestDummyHasWhatTheClientNeedsAndNothingElse(t *testing.T) {
	login := throwaway.Codex{Seed: "a", Plan: "business", Account: "6f1a2b3c-0000-4000-8000-00000000abcd"}
	file := login.File()
	file["OPENAI_API_KEY"] = "throwaway-key"
	file["unknown"] = "throwaway-unknown"
	file["tokens"].(map[string]any)["unknown"] = "throwaway-unknown"
	data, err := json.Marshal(file)
	require.NoError(t, err)
	host := parse(t, data)
	dummy, err := Mint(host, seed("s"))
	require.NoError(t, err)

	var out map[string]any
	require.NoError(t, json.Unmarshal(dummy.JSON(), &out))
	tokens := out["tokens"].(map[string]any)
	require.Equal(t, map[string]any{
		"auth_mode": "chatgpt", "OPENAI_API_KEY": nil, "last_refresh": "2026-01-01T00:00:00Z",
		"tokens": map[string]any{
			"id_token": dummy.IDToken, "access_token": dummy.AccessToken,
			"refresh_token": dummy.RefreshToken, "account_id": login.Account,
		},
	}, out)
	require.True(t, strings.HasSuffix(string(dummy.JSON()), "}\n"))

	access := claimsOf(t, tokens["access_token"].(string))
	auth := map[string]any{"chatgpt_account_id": login.Account, "chatgpt_plan_type": "business"}
	require.Equal(t, map[string]any{
		"iss": "https://bottle.invalid/dummy", "jti": access["jti"],
		"exp":                         json.Number(fmt.Sprint(host.Expiry.Unix())),
		"https://api.openai.com/auth": auth,
	}, access)
	id := claimsOf(t, tokens["id_token"].(string))
	require.Equal(t, map[string]any{
		"iss": "https://bottle.invalid/dummy", "jti": id["jti"], "email": "agent@bottle.invalid",
		"https://api.openai.com/auth": auth,
	}, id)
	require.NotEqual(t, access["jti"], id["jti"])
	for _, token := range []string{dummy.AccessToken, dummy.IDToken} {
		require.True(t, strings.HasPrefix(token, "eyJ"))
		require.True(t, strings.HasPrefix(strings.Split(token, ".")[1], "eyJ"))
		data, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])
		require.NoError(t, err)
		var header map[string]string
		require.NoError(t, json.Unmarshal(data, &header))
		require.Equal(t, map[string]string{"alg": "RS256", "typ": "JWT", "kid": header["kid"]}, header)
	}
	for i, token := range []string{dummy.AccessToken, dummy.IDToken, dummy.RefreshToken} {
		sum := sha256.Sum256([]byte(token))
		require.Equal(t, hex.EncodeToString(sum[:]), dummy.SHA256()[i])
	}

	// The login can be read again, by the client's rules as we know them.
	again := parse(t, dummy.JSON())
	require.Equal(t, host.Expiry, again.Expiry)
	require.Equal(t, host.AccountID, again.AccountID)
	require.Equal(t, host.Plan, again.Plan)
	require.True(t, IsDummyLogin(again))
	require.False(t, IsDummyLogin(host))
}

func TestFlagsOfTheAccountAreKept(t *testing.T) {
	login := throwaway.Codex{Seed: "f"}
	file := login.File()
	tokens := file["tokens"].(map[string]any)
	tokens["id_token"] = login.JWT("id", map[string]any{"https://api.openai.com/auth": map[string]any{"chatgpt_account_is_fedramp": true}})
	tokens["access_token"] = login.JWT("access", map[string]any{"exp": 1790000000})
	delete(file, "auth_mode")
	delete(file, "last_refresh")
	data, err := json.Marshal(file)
	require.NoError(t, err)
	dummy, err := Mint(parse(t, data), seed("s"))
	require.NoError(t, err)
	require.Equal(t, "chatgpt", dummy.AuthMode)
	require.Equal(t, "2026-09-21T13:13:20Z", dummy.LastRefresh.Format(time.RFC3339), "an hour before exp, where the login gives no other date")
	auth := claimsOf(t, dummy.IDToken)["https://api.openai.com/auth"].(map[string]any)
	require.Equal(t, true, auth["chatgpt_account_is_fedramp"])
	require.NotContains(t, auth, "chatgpt_plan_type", "no plan is made up")
}

func TestSameInputSameBytesOtherSeedOtherTokens(t *testing.T) {
	host := parse(t, throwaway.Codex{Seed: "a"}.JSON())
	one, err := Mint(host, seed("one"))
	require.NoError(t, err)
	again, err := Mint(host, seed("one"))
	require.NoError(t, err)
	two, err := Mint(host, seed("two"))
	require.NoError(t, err)
	require.Equal(t, string(one.JSON()), string(again.JSON()))
	later, err := Mint(parse(t, throwaway.Codex{Seed: "a", Expiry: host.Expiry.Add(time.Hour), Account: host.AccountID}.JSON()), seed("one"))
	require.NoError(t, err)
	for i := range 3 {
		require.NotEqual(t, one.SHA256()[i], two.SHA256()[i])
	}
	require.NotEqual(t, one.SHA256()[0], later.SHA256()[0], "another exp, another access token")
	require.NotEqual(t, NewSeed(), NewSeed())
	require.Len(t, NewSeed(), SeedSize)
}

// The bytes are part of the contract: a bottle prepared by another build must
// not get another dummy.
const golden = "70846a186bc63673cd74369fe0511a4e17c5ba49205badbab5d97b9c9f380f7d"

func TestGolden(t *testing.T) {
	dummy, err := Mint(parse(t, throwaway.Codex{Seed: "golden"}.JSON()), seed("golden"))
	require.NoError(t, err)
	sum := sha256.Sum256(dummy.JSON())
	require.Equal(t, golden, hex.EncodeToString(sum[:]))
}

func TestIsDummy(t *testing.T) {
	dummy, err := Mint(parse(t, throwaway.Codex{Seed: "a"}.JSON()), seed("s"))
	require.NoError(t, err)
	for _, token := range []string{dummy.AccessToken, dummy.IDToken, dummy.RefreshToken} {
		require.True(t, IsDummy(token))
		require.Equal(t, 1, strings.Count(token, Marker))
	}
	login := throwaway.Codex{Seed: "a"}
	for _, token := range []string{login.AccessToken(), login.IDToken(), login.RefreshToken(), "", "a.b.c", "a.b." + Marker[1:], "x" + Marker, "a." + Marker + ".c"} {
		require.False(t, IsDummy(token), token)
	}
}

func TestMintRefuses(t *testing.T) {
	host := parse(t, throwaway.Codex{Seed: "a"}.JSON())
	dummy, err := Mint(host, seed("s"))
	require.NoError(t, err)

	_, err = Mint(parse(t, dummy.JSON()), seed("s"))
	require.ErrorIs(t, err, ErrIsDummy)
	_, err = Mint(host, make([]byte, 15))
	require.ErrorIs(t, err, ErrSeed)
	_, err = Mint(host, nil)
	require.ErrorIs(t, err, ErrSeed)
	_, err = Mint(&hostauth.Codex{}, seed("s"))
	require.ErrorIs(t, err, ErrIncomplete)
}
