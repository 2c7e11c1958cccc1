package clienttest

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/hostauth/throwaway"
)

// windowSize is the length of the shortest piece of a token that counts as a
// leak.
const windowSize = 12

// tokens finds pieces of a login's tokens in text.
type tokens struct {
	windows map[[windowSize]byte]string // to the name of the token
	first   map[uint32]bool             // the first four bytes of each, to be quick
	email   string
}

// publicBegin is what all of Claude's tokens of a kind begin with, dummies too.
var publicBegin = regexp.MustCompile(`^sk-ant-\w+-`)

// newTokens takes the values apart, by their names.
func newTokens(values map[string]string) *tokens {
	k := &tokens{windows: map[[windowSize]byte]string{}, first: map[uint32]bool{}}
	for name, text := range values {
		// Windows that reach into it would have only a few random characters, which may be the same in a dummy.
		text = text[len(publicBegin.FindString(text)):]
		for i := 0; i+windowSize <= len(text); i++ {
			w := [windowSize]byte([]byte(text[i : i+windowSize]))
			k.windows[w] = name
			k.first[binary.LittleEndian.Uint32(w[:])] = true
		}
	}
	return k
}

// tokensOf takes the tokens of login apart: payload and signature of the two
// JWTs, and the refresh token. The JWTs' headers say nothing.
func tokensOf(login throwaway.Codex) *tokens {
	values := login.File()["tokens"].(map[string]any)
	parts := map[string]string{"refresh_token": values["refresh_token"].(string)}
	for _, name := range []string{"access_token", "id_token"} {
		jwt := strings.Split(values[name].(string), ".")
		parts[name+" payload"], parts[name+" signature"] = jwt[1], jwt[2]
	}
	k := newTokens(parts)
	for _, name := range []string{"access_token", "id_token"} {
		k.forgetTimes(parts[name+" payload"])
	}
	k.email = login.Email()
	return k
}

// times are claims that say when, with the name behind them.
var times = regexp.MustCompile(`"?[,{]?"\w+":\d{10}(?:,"\w*(?:":"?)?)?`)

// forgetTimes drops the windows of a payload that hold nothing but times: a
// dummy made in the same minute has the same, and where the offsets agree, so
// does the base64.
func (k *tokens) forgetTimes(payload string) {
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		panic(err) // the provider's own
	}
	for _, at := range times.FindAllIndex(text, -1) {
		for i := 0; i+windowSize <= len(payload); i++ {
			if i*6/8 >= at[0] && (i+windowSize)*6 <= at[1]*8 {
				delete(k.windows, [windowSize]byte([]byte(payload[i:i+windowSize])))
			}
		}
	}
}

// find returns where a piece of a token stands in data, or "".
func (k *tokens) find(data []byte) string {
	for i := 0; i+windowSize <= len(data); i++ {
		if !k.first[binary.LittleEndian.Uint32(data[i:])] {
			continue
		}
		if name, ok := k.windows[[windowSize]byte(data[i:])]; ok {
			return fmt.Sprintf("%d characters of the real %s at byte %d", windowSize, name, i)
		}
	}
	if k.email != "" && strings.Contains(string(data), k.email) {
		return "the login's email address"
	}
	return ""
}

// forget drops the windows that stand in public text: they tell nothing.
func (k *tokens) forget(public []byte) {
	for i := 0; i+windowSize <= len(public); i++ {
		delete(k.windows, [windowSize]byte(public[i:]))
	}
}

// requireNoLeak: no part of the host's login is anywhere but at the origin and
// in the egress folder, which the agent may not enter.
func requireNoLeak(t *testing.T, b *bottle, o *outcome) {
	t.Helper()
	k := tokensOf(b.provider.Login())
	// A CA names its hosts, and the JWTs say "openai.com" too: where the offsets
	// agree, so does the base64.
	for _, name := range []string{"egress/ca.pem", "pipelock/ca.pem"} {
		k.forget([]byte(readFile(t, b.path(name))))
	}
	clean := func(where string, data []byte) {
		t.Helper()
		require.Empty(t, k.find(data), "%s", where)
	}
	// A search that finds nothing anywhere proves nothing: it must find the
	// token where it belongs.
	require.NotEmpty(t, k.find([]byte(readFile(t, b.path("egress/egress.env")))), "egress.env holds no real token")
	st, err := os.Stat(b.path("egress"))
	require.NoError(t, err)
	require.Equal(t, fs.ModeDir|0o700, st.Mode())

	clean("stdout of the client", []byte(o.stdout))
	clean("stderr of the client", []byte(o.stderr))
	clean("stdout of bottle-prepare", []byte(b.prepared.stdout))
	clean("stderr of bottle-prepare", []byte(b.prepared.stderr))
	for environ := range o.environs {
		clean("environment of the agent", []byte(environ))
		for _, name := range []string{"EGRESS_TOKEN_", "OPENAI_API_KEY=", "CODEX_API_KEY=", "CODEX_ACCESS_TOKEN="} {
			require.NotContains(t, "\x00"+environ, "\x00"+name)
		}
	}
	for command := range o.commands {
		clean("arguments of a process: "+strings.ReplaceAll(command, "\x00", " "), []byte(command))
	}

	files := 0
	for _, dir := range []string{b.path("agent"), b.path("pipelock"), b.path("run"), b.home, b.work, b.tmp} {
		require.NoError(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			files++
			clean(name, data)
			return nil
		}))
	}
	require.Greater(t, files, 6, "the walk went past the files")
}

// TestOracleFinds keeps the oracle honest.
func TestOracleFinds(t *testing.T) {
	login := throwaway.Codex{Seed: t.Name(), Expiry: far()}
	k := tokensOf(login)
	parts := strings.Split(login.AccessToken(), ".")
	for name, text := range map[string]string{
		"payload":   parts[1][20:32],
		"signature": parts[2][len(parts[2])-12:],
		"refresh":   login.RefreshToken()[5:20],
		"whole":     login.AccessToken(),
		"email":     login.Email(),
	} {
		require.NotEmpty(t, k.find([]byte("before "+text+" after")), name)
	}
	require.Empty(t, k.find([]byte(parts[0]+" "+parts[2][:11]+" "+login.Account)))
	other := throwaway.Codex{Seed: "another", Expiry: far().Add(1)}
	require.Empty(t, k.find([]byte(other.RefreshToken())))
}
