package docs

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bottle/lib/dummyauth"
	"bottle/lib/hostauth"
	"bottle/lib/hostauth/throwaway"
	"bottle/lib/manifest"
	"bottle/lib/mintca"
	"bottle/lib/plan"
	"bottle/lib/secret"
)

// The table in secrets.md is what the files of a bottle hold.
func TestWhichSecretsExistWhere(t *testing.T) {
	root := t.TempDir()
	login := throwaway.Codex{Seed: "where", Expiry: time.Now().Add(time.Hour)}
	routeToken := "route-" + secret.SHA256("route")
	require.NoError(t, os.WriteFile(filepath.Join(root, "auth.json"), login.JSON(), 0o600))
	system, err := mintca.New(mintca.Options{Name: "system"})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(root, "roots.pem"), system.CertPEM(), 0o644))
	m, err := manifest.Parse(filepath.Join(root, "bottle.toml"), []byte(`version = 1
[agent]
provider = "codex"
forward_host_credentials = true
auth_file = "auth.json"
[[egress.route]]
host = "api.example.com"
auth = { token_ref = "ROUTE_TOKEN" }
`))
	require.NoError(t, err)
	dir := filepath.Join(root, "bottle")
	env := map[string]string{"HOME": root, "ROUTE_TOKEN": routeToken, "SSL_CERT_FILE": filepath.Join(root, "roots.pem")}
	p, err := plan.New(context.Background(), m, plan.Options{Dir: dir, LookupEnv: func(k string) (string, bool) { v, ok := env[k]; return v, ok }})
	require.NoError(t, err)
	require.NoError(t, p.Write())

	data, err := os.ReadFile(filepath.Join(dir, "agent/codex/auth.json"))
	require.NoError(t, err)
	minted, err := hostauth.ParseCodex(data)
	require.NoError(t, err)
	require.True(t, dummyauth.IsDummyLogin(minted))
	seed, err := os.ReadFile(filepath.Join(dir, "egress/dummy-seed"))
	require.NoError(t, err)
	columns := [][]string{
		{login.AccessToken()},
		{login.RefreshToken(), login.IDToken()},
		{routeToken},
		{minted.AccessToken.Expose(), minted.IDToken.Expose(), minted.RefreshToken.Expose()},
		{strings.TrimSpace(string(seed))},
		{"PRIVATE KEY-----"},
	}
	want := []string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		name, _ := filepath.Rel(dir, path)
		if !d.Type().IsRegular() || name == ".gitignore" {
			return nil
		}
		st, err := d.Info()
		require.NoError(t, err)
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		row := fmt.Sprintf("| `%s` | %04o |", name, st.Mode().Perm())
		for _, values := range columns {
			cell := ""
			for _, v := range values {
				if cell == "" && strings.Contains(string(text), secret.SHA256(v)) {
					cell = " digest"
				}
				for _, form := range []string{v, base64.StdEncoding.EncodeToString([]byte(v)), hex.EncodeToString([]byte(v))} {
					if strings.Contains(string(text), form) {
						cell = " yes"
					}
				}
			}
			row += cell + " |"
		}
		want = append(want, row)
		return nil
	}))
	slices.Sort(want)
	got := strings.Split(strings.TrimSpace(between(t, "secrets.md", "secrets")), "\n")
	require.Equal(t, want, got[2:], "docs/secrets.md says what the files hold")
}
