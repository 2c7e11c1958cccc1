package plan

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/filter"
	"bottle/lib/forward"
	"bottle/lib/inject"
	"bottle/lib/tomlfile"
)

// TestTheStagesTakeWhatIsWritten reads the folder as the two proxies do.
func TestTheStagesTakeWhatIsWritten(t *testing.T) {
	for name, src := range map[string]string{
		"egress first": chained, "pipelock first": chained + "[chain]\norder = ['pipelock', 'egress']\n", "bare": "",
		"open ports": "[egress]\nlisten = '127.0.0.1:0'\n[pipelock]\nlisten = '[::1]:0'\n", "sockets": "[egress]\nlisten = 'unix:e'\n[pipelock]\nlisten = 'unix:p'\n",
		"odd but good": codexLogin + "[[egress.route]]\nhost = '[2001:db8::1]:8443'\nmethods = ['M-SEARCH']\npaths = ['/', '/a%20b/', '/ü']\ninject = 'replace'\nauth = { scheme = 'x-a.b', token_ref = 'GITHUB_TOKEN' }\n",
	} {
		t.Run(name, func(t *testing.T) {
			h := chainedHost(t)
			h.prepare(src)

			var egress inject.Config
			f, err := tomlfile.Read(filepath.Join(h.dir, "egress/egress.toml"), &egress)
			require.NoError(t, err)
			env, err := inject.LoadEnvFile(filepath.Join(h.dir, "egress/egress.env"))
			require.NoError(t, err)
			used := map[string]bool{}
			_, err = egress.Routes(f, func(name string) (string, bool) { used[name] = true; v, ok := env[name]; return v, ok })
			require.NoError(t, err)
			require.Len(t, used, len(env), "every credential has a route")

			var pipelock filter.Config
			g, err := tomlfile.Read(filepath.Join(h.dir, "pipelock/pipelock.toml"), &pipelock)
			require.NoError(t, err)
			_, err = pipelock.Filter(g)
			require.NoError(t, err)
			require.NotNil(t, pipelock.Limits.RequestsPerMinute)

			direct := 0
			for _, s := range []struct {
				nextHop, audit, dir string
				f                   *tomlfile.File
				roots               []string
			}{{egress.NextHop, egress.AuditLog, "egress", f, egress.UpstreamCA}, {pipelock.NextHop, pipelock.AuditLog, "pipelock", g, pipelock.UpstreamCA}} {
				hop, err := forward.ParseNextHop(s.nextHop)
				require.NoError(t, err)
				if hop == nil {
					direct++
				}
				require.Equal(t, filepath.Join(h.dir, "run/audit.jsonl"), s.f.Resolve(s.audit))
				for _, name := range s.roots {
					require.FileExists(t, s.f.Resolve(name))
				}
				h.ca(s.dir)
			}
			require.Equal(t, 1, direct, "one stage dials origins")
		})
	}
}
