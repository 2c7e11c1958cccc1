package hostauth_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"bottle/lib/hostauth"
	"bottle/lib/hostauth/throwaway"
)

var login = throwaway.Codex{Seed: "hostauth"}

// edit returns the login's file after change has had its way with it.
func edit(change func(file, tokens map[string]any)) []byte {
	file := login.File()
	change(file, file["tokens"].(map[string]any))
	data, err := json.Marshal(file)
	if err != nil {
		panic(err)
	}
	return data
}

func jwt(payload string) string {
	return "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
}

func TestALoginIsReadIntoTypedValues(t *testing.T) {
	c, err := hostauth.ParseCodex(login.JSON())
	require.NoError(t, err)
	require.Equal(t, "chatgpt", c.AuthMode)
	require.Equal(t, "pro", c.Plan)
	require.Equal(t, login.File()["tokens"].(map[string]any)["account_id"], c.AccountID)
	require.False(t, c.FedRAMP)
	require.Equal(t, time.Date(2026, 1, 11, 0, 0, 0, 0, time.UTC), c.Expiry)
	require.Equal(t, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), c.IssuedAt)
	require.Equal(t, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), c.LastRefresh)
	require.Equal(t, login.AccessToken(), c.AccessToken.Expose())
	require.Equal(t, login.IDToken(), c.IDToken.Expose())
	require.Equal(t, login.RefreshToken(), c.RefreshToken.Expose())
	printed := fmt.Sprintf("%v %+v %#v", c, *c, *c)
	require.NotContains(t, printed, login.AccessToken()[40:60])
	require.NotContains(t, printed, login.RefreshToken())
}

func TestWhatCodexAcceptsIsAccepted(t *testing.T) {
	for name, change := range map[string]func(file, tokens map[string]any){
		"no auth_mode":                   func(f, _ map[string]any) { delete(f, "auth_mode") },
		"auth_mode null":                 func(f, _ map[string]any) { f["auth_mode"] = nil },
		"no OPENAI_API_KEY":              func(f, _ map[string]any) { delete(f, "OPENAI_API_KEY") },
		"a key beside the tokens":        func(f, _ map[string]any) { f["OPENAI_API_KEY"] = "throwaway" },
		"a key of an older client":       func(f, _ map[string]any) { f["OPENAI_API_KEY"] = "throwaway"; delete(f, "auth_mode") },
		"unknown fields":                 func(f, k map[string]any) { f["new"] = []any{map[string]any{"a": 1}}; k["new"] = 1 },
		"no last_refresh":                func(f, _ map[string]any) { delete(f, "last_refresh") },
		"last_refresh is no date":        func(f, _ map[string]any) { f["last_refresh"] = "yesterday" },
		"refresh token blanked":          func(_, k map[string]any) { k["refresh_token"] = "" },
		"refresh token taken out":        func(_, k map[string]any) { delete(k, "refresh_token") },
		"account id in the id token":     func(_, k map[string]any) { delete(k, "account_id") },
		"account id null, in the claims": func(_, k map[string]any) { k["account_id"] = nil },
	} {
		t.Run(name, func(t *testing.T) {
			c, err := hostauth.ParseCodex(edit(change))
			require.NoError(t, err)
			require.Equal(t, "chatgpt", c.AuthMode)
			require.NotEmpty(t, c.AccountID)
		})
	}
}

func TestTheFilesAccountAndTheIDTokensPlanWin(t *testing.T) {
	c, err := hostauth.ParseCodex(edit(func(_, k map[string]any) {
		k["account_id"] = "account-of-the-file"
		k["access_token"] = jwt(`{"exp":1790000000,"https://api.openai.com/auth":{"chatgpt_account_id":"b","chatgpt_plan_type":"free"}}`)
		k["id_token"] = jwt(`{"https://api.openai.com/auth":{"chatgpt_account_id":"c","chatgpt_plan_type":"edu","chatgpt_account_is_fedramp":true}}`)
	}))
	require.NoError(t, err)
	require.Equal(t, "account-of-the-file", c.AccountID)
	require.Equal(t, "edu", c.Plan)
	require.True(t, c.FedRAMP)
	require.True(t, c.IssuedAt.IsZero())
}

// marker is in every bad file below, in the place that is bad, and must not be
// in what is said about it.
const marker = "zqxjkvbp"

func TestEveryBadLoginHasItsOwnError(t *testing.T) {
	token := func(payload string) func(file, tokens map[string]any) {
		return func(_, k map[string]any) { k["access_token"] = jwt(payload) }
	}
	idToken := func(payload string) func(file, tokens map[string]any) {
		return func(_, k map[string]any) { k["id_token"] = jwt(payload) }
	}
	for name, tc := range map[string]struct {
		data []byte
		want error
		text string
	}{
		"empty":              {nil, hostauth.ErrNotJSON, "codex login: not a JSON object"},
		"not JSON":           {[]byte(marker), hostauth.ErrNotJSON, "codex login: not a JSON object"},
		"cut short":          {login.JSON()[:900], hostauth.ErrNotJSON, "codex login: not a JSON object"},
		"an array":           {[]byte(`["` + marker + `"]`), hostauth.ErrNotJSON, "codex login: not a JSON object"},
		"null":               {[]byte("null"), hostauth.ErrNotJSON, "codex login: not a JSON object"},
		"not UTF-8":          {[]byte("{\"" + marker + "\xff\":1}"), hostauth.ErrNotJSON, "codex login: not a JSON object"},
		"byte order mark":    {append([]byte("\ufeff"), login.JSON()...), hostauth.ErrNotJSON, "codex login: not a JSON object"},
		"trailing word":      {append(login.JSON(), marker...), hostauth.ErrTrailingData, "codex login: has data after the JSON object"},
		"second object":      {append(login.JSON(), login.JSON()...), hostauth.ErrTrailingData, "codex login: has data after the JSON object"},
		"duplicate key":      {[]byte(`{"` + marker + `":1,"` + marker + `":2}`), hostauth.ErrDuplicateKey, "codex login: names a key twice"},
		"duplicate, escaped": {[]byte(`{"tokens":{"a":1,"\u0061":2}}`), hostauth.ErrDuplicateKey, "codex login: names a key twice"},
		"duplicate, deep":    {[]byte(`{"a":[{"b":[]},[{"c":{},"d":"c","c":1}]]}`), hostauth.ErrDuplicateKey, "codex login: names a key twice"},
		"too large":          {append(login.JSON(), make([]byte, hostauth.MaxSize)...), hostauth.ErrTooLarge, "codex login: is larger than any login"},

		"apikey":             {edit(func(f, _ map[string]any) { f["auth_mode"] = "apikey" }), hostauth.ErrAPIKey, "codex login: holds an API key, not a ChatGPT login"},
		"api_key":            {edit(func(f, _ map[string]any) { f["auth_mode"] = "api_key" }), hostauth.ErrAPIKey, "codex login: holds an API key, not a ChatGPT login"},
		"ApiKey":             {edit(func(f, _ map[string]any) { f["auth_mode"] = "ApiKey" }), hostauth.ErrAPIKey, "codex login: holds an API key, not a ChatGPT login"},
		"a key alone":        {[]byte(`{"OPENAI_API_KEY":"` + marker + `"}`), hostauth.ErrAPIKey, "codex login: holds an API key, not a ChatGPT login"},
		"a key, tokens null": {[]byte(`{"OPENAI_API_KEY":"` + marker + `","tokens":null,"auth_mode":null}`), hostauth.ErrAPIKey, "codex login: holds an API key, not a ChatGPT login"},
		"another mode":       {edit(func(f, _ map[string]any) { f["auth_mode"] = marker }), hostauth.ErrAuthMode, "codex login: auth_mode is not one that a dummy can be minted for"},
		"mode empty":         {edit(func(f, _ map[string]any) { f["auth_mode"] = "" }), hostauth.ErrAuthMode, "codex login: auth_mode is not one that a dummy can be minted for"},
		"mode a number":      {edit(func(f, _ map[string]any) { f["auth_mode"] = 1 }), hostauth.ErrBadField, "codex login: auth_mode: has the wrong type or unexpected characters"},

		"nothing":            {[]byte("{}"), hostauth.ErrNoTokens, "codex login: tokens.access_token: missing"},
		"key empty":          {[]byte(`{"OPENAI_API_KEY":""}`), hostauth.ErrNoTokens, "codex login: tokens.access_token: missing"},
		"tokens in capitals": {[]byte(`{"Tokens":{"access_token":"` + marker + `"}}`), hostauth.ErrNoTokens, "codex login: tokens.access_token: missing"},
		"chatgpt, no tokens": {[]byte(`{"auth_mode":"chatgpt","OPENAI_API_KEY":"` + marker + `"}`), hostauth.ErrNoTokens, "codex login: tokens.access_token: missing"},
		"tokens a string":    {[]byte(`{"tokens":"` + marker + `"}`), hostauth.ErrBadField, "codex login: tokens: has the wrong type or unexpected characters"},
		"access a number":    {edit(func(_, k map[string]any) { k["access_token"] = 1 }), hostauth.ErrBadField, "codex login: tokens.access_token: has the wrong type or unexpected characters"},
		"access empty":       {edit(func(_, k map[string]any) { k["access_token"] = "" }), hostauth.ErrNoTokens, "codex login: tokens.access_token: missing"},
		"no id token":        {edit(func(_, k map[string]any) { delete(k, "id_token") }), hostauth.ErrNoTokens, "codex login: tokens.id_token: missing"},
		"id null":            {edit(func(_, k map[string]any) { k["id_token"] = nil }), hostauth.ErrNoTokens, "codex login: tokens.id_token: missing"},
		"refresh an object":  {edit(func(_, k map[string]any) { k["refresh_token"] = map[string]any{marker: 1} }), hostauth.ErrBadField, "codex login: tokens.refresh_token: has the wrong type or unexpected characters"},
		"refresh two lines":  {edit(func(_, k map[string]any) { k["refresh_token"] = marker + "\nx" }), hostauth.ErrBadField, "codex login: tokens.refresh_token: has the wrong type or unexpected characters"},

		"opaque":            {edit(func(_, k map[string]any) { k["access_token"] = marker }), hostauth.ErrNotJWT, "codex login: tokens.access_token: not a JWT"},
		"two parts":         {edit(func(_, k map[string]any) { k["access_token"] = "a." + marker }), hostauth.ErrNotJWT, "codex login: tokens.access_token: not a JWT"},
		"four parts":        {edit(func(_, k map[string]any) { k["access_token"] = login.AccessToken() + "." + marker }), hostauth.ErrNotJWT, "codex login: tokens.access_token: not a JWT"},
		"empty signature":   {edit(func(_, k map[string]any) { k["access_token"] = strings.TrimSuffix(jwt("{}"), "c2ln") }), hostauth.ErrNotJWT, "codex login: tokens.access_token: not a JWT"},
		"padded":            {edit(func(_, k map[string]any) { k["access_token"] = "e30.eyJleHAiOjF9IA==.c2ln" }), hostauth.ErrNotJWT, "codex login: tokens.access_token: not a JWT"},
		"line break inside": {edit(func(_, k map[string]any) { k["access_token"] = "e30.eyJl\neHAiOjF9.c2ln" }), hostauth.ErrNotJWT, "codex login: tokens.access_token: not a JWT"},
		"loose bits":        {edit(func(_, k map[string]any) { k["access_token"] = "e30.eyJleHAiOjF9IB.c2ln" }), hostauth.ErrNotJWT, "codex login: tokens.access_token: not a JWT"},
		"payload no JSON":   {edit(token(marker)), hostauth.ErrNotJWT, "codex login: tokens.access_token: not a JWT"},
		"payload trailing":  {edit(token(`{"exp":1790000000}` + marker)), hostauth.ErrNotJWT, "codex login: tokens.access_token: not a JWT"},
		"exp twice":         {edit(token(`{"exp":1790000000,"exp":1}`)), hostauth.ErrDuplicateKey, "codex login: tokens.access_token payload: names a key twice"},
		"id opaque":         {edit(func(_, k map[string]any) { k["id_token"] = marker }), hostauth.ErrNotJWT, "codex login: tokens.id_token: not a JWT"},

		"no exp":           {edit(token(`{"iat":1790000000}`)), hostauth.ErrNoExp, "codex login: tokens.access_token: has no usable exp claim"},
		"exp null":         {edit(token(`{"exp":null}`)), hostauth.ErrNoExp, "codex login: tokens.access_token: has no usable exp claim"},
		"exp a string":     {edit(token(`{"exp":"1790000000"}`)), hostauth.ErrNoExp, "codex login: tokens.access_token: has no usable exp claim"},
		"exp a fraction":   {edit(token(`{"exp":1790000000.5}`)), hostauth.ErrNoExp, "codex login: tokens.access_token: has no usable exp claim"},
		"exp an exponent":  {edit(token(`{"exp":1e9}`)), hostauth.ErrNoExp, "codex login: tokens.access_token: has no usable exp claim"},
		"exp negative":     {edit(token(`{"exp":-1}`)), hostauth.ErrNoExp, "codex login: tokens.access_token: has no usable exp claim"},
		"exp zero":         {edit(token(`{"exp":0}`)), hostauth.ErrNoExp, "codex login: tokens.access_token: has no usable exp claim"},
		"exp millisecond":  {edit(token(`{"exp":1790000000000}`)), hostauth.ErrNoExp, "codex login: tokens.access_token: has no usable exp claim"},
		"exp past 64 bits": {edit(token(`{"exp":99999999999999999999}`)), hostauth.ErrNoExp, "codex login: tokens.access_token: has no usable exp claim"},

		"auth a string":     {edit(idToken(`{"https://api.openai.com/auth":"` + marker + `"}`)), hostauth.ErrBadField, "codex login: tokens.id_token auth claim: has the wrong type or unexpected characters"},
		"plan a number":     {edit(idToken(`{"https://api.openai.com/auth":{"chatgpt_plan_type":1}}`)), hostauth.ErrBadField, "codex login: tokens.id_token chatgpt_plan_type claim: has the wrong type or unexpected characters"},
		"plan two words":    {edit(idToken(`{"https://api.openai.com/auth":{"chatgpt_plan_type":"` + marker + ` x"}}`)), hostauth.ErrBadField, "codex login: tokens.id_token chatgpt_plan_type claim: has the wrong type or unexpected characters"},
		"claim with escape": {edit(idToken(`{"https://api.openai.com/auth":{"chatgpt_account_id":"` + marker + `\u001b[0m"}}`)), hostauth.ErrBadField, "codex login: tokens.id_token chatgpt_account_id claim: has the wrong type or unexpected characters"},
		"fedramp a number":  {edit(idToken(`{"https://api.openai.com/auth":{"chatgpt_account_is_fedramp":1}}`)), hostauth.ErrBadField, "codex login: tokens.id_token chatgpt_account_is_fedramp claim: has the wrong type or unexpected characters"},
		"account a list":    {edit(func(_, k map[string]any) { k["account_id"] = []string{marker} }), hostauth.ErrBadField, "codex login: tokens.account_id: has the wrong type or unexpected characters"},
		"account with CRLF": {edit(func(_, k map[string]any) { k["account_id"] = marker + "\r\nx: y" }), hostauth.ErrBadField, "codex login: tokens.account_id: has the wrong type or unexpected characters"},
		"account too long":  {edit(func(_, k map[string]any) { k["account_id"] = strings.Repeat(marker, 17) }), hostauth.ErrBadField, "codex login: tokens.account_id: has the wrong type or unexpected characters"},
		"no account": {edit(func(_, k map[string]any) {
			delete(k, "account_id")
			k["id_token"], k["access_token"] = jwt("{}"), jwt(`{"exp":1790000000}`)
		}), hostauth.ErrNoAccount, "codex login: no account id in the login"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := hostauth.ParseCodex(tc.data)
			require.Nil(t, c)
			require.ErrorIs(t, err, tc.want)
			require.Equal(t, tc.text, err.Error())
			var e *hostauth.Error
			require.ErrorAs(t, err, &e)
			require.NotEmpty(t, e.HintText())
			require.NotContains(t, err.Error()+e.HintText(), marker)
			for _, other := range problems {
				if other != tc.want {
					require.NotErrorIs(t, err, other)
				}
			}
		})
	}
}

var problems = []error{
	hostauth.ErrNoLogin, hostauth.ErrAPIKey, hostauth.ErrAuthMode, hostauth.ErrNoTokens, hostauth.ErrNotJWT, hostauth.ErrNoExp,
	hostauth.ErrBadField, hostauth.ErrNoAccount, hostauth.ErrExpired, hostauth.ErrNearExpiry, hostauth.ErrUnreadable,
	hostauth.ErrOthersMayRead, hostauth.ErrSymlink, hostauth.ErrNotRegular, hostauth.ErrTooLarge, hostauth.ErrNotJSON,
	hostauth.ErrTrailingData, hostauth.ErrDuplicateKey,
}

func TestCheckExpiry(t *testing.T) {
	c, err := hostauth.ReadCodex(bytes.NewReader(login.JSON()), "standard input")
	require.NoError(t, err)
	for _, tc := range []struct {
		before time.Duration // how long before exp it is
		ttl    time.Duration
		want   error
		text   string
	}{
		{time.Hour, 10 * time.Minute, nil, ""},
		{10 * time.Minute, 10 * time.Minute, nil, ""},
		{10*time.Minute - 1, 10 * time.Minute, hostauth.ErrNearExpiry, "read standard input: access token expires too soon: 9m59s left, 10m wanted"},
		{time.Second, 0, nil, ""},
		{1, 0, nil, ""},
		{0, 0, hostauth.ErrExpired, "read standard input: access token has expired 0s ago"},
		{-25 * time.Hour, 10 * time.Minute, hostauth.ErrExpired, "read standard input: access token has expired 25h0m ago"},
	} {
		err := c.CheckExpiry(c.Expiry.Add(-tc.before), tc.ttl)
		if tc.want == nil {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, tc.want)
		require.EqualError(t, err, tc.text)
	}
}

func TestReadCodex(t *testing.T) {
	_, err := hostauth.ReadCodex(iotest.ErrReader(fmt.Errorf("broken pipe")), "standard input")
	require.ErrorIs(t, err, hostauth.ErrUnreadable)
	_, err = hostauth.ReadCodex(strings.NewReader(strings.Repeat(" ", hostauth.MaxSize+1)), "standard input")
	require.ErrorIs(t, err, hostauth.ErrTooLarge)
	require.EqualError(t, err, "read standard input: is larger than any login")
	_, err = hostauth.ReadCodex(strings.NewReader(strings.Repeat(" ", hostauth.MaxSize)), "standard input")
	require.ErrorIs(t, err, hostauth.ErrNotJSON)
}

func FuzzParseCodex(f *testing.F) {
	f.Add([]byte(`{"auth_mode":"chatgpt","tokens":{"id_token":"e30.e30.c2ln","access_token":"e30.eyJleHAiOjE3OTAwMDAwMDB9.c2ln","refresh_token":"rt","account_id":"acct"},"last_refresh":"2026-01-01T00:00:00Z"}`))
	f.Add([]byte(`{"OPENAI_API_KEY":"k"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := hostauth.ParseCodex(data)
		if err == nil {
			require.Equal(t, "chatgpt", c.AuthMode)
			require.NotEmpty(t, c.AccountID)
			require.Less(t, c.Expiry.Year(), 10000)
			require.Positive(t, c.Expiry.Unix())
			require.Equal(t, 2, strings.Count(c.AccessToken.Expose(), "."))
			require.Equal(t, 2, strings.Count(c.IDToken.Expose(), "."))
			require.True(t, json.Valid(data))
			return
		}
		require.Nil(t, c)
		var e *hostauth.Error
		require.ErrorAs(t, err, &e)
		require.Contains(t, problems, e.Err)
		require.NotEmpty(t, e.HintText())
		// The text is one of few: field and problem, both this package's words.
		where := strings.TrimPrefix(strings.TrimSuffix(err.Error(), e.Err.Error()), "codex login: ")
		require.Contains(t, places, strings.TrimSuffix(where, ": "))
	})
}

var places = []string{
	"", "auth_mode", "tokens", "tokens.access_token", "tokens.id_token", "tokens.refresh_token", "tokens.account_id",
	"tokens.access_token payload", "tokens.id_token payload", "tokens.access_token auth claim", "tokens.id_token auth claim",
	"tokens.access_token chatgpt_account_id claim", "tokens.id_token chatgpt_account_id claim",
	"tokens.access_token chatgpt_plan_type claim", "tokens.id_token chatgpt_plan_type claim",
	"tokens.access_token chatgpt_account_is_fedramp claim", "tokens.id_token chatgpt_account_is_fedramp claim",
}
