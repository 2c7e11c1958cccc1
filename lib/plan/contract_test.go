package plan

import (
	"encoding"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/require"

	"bottle/lib/filter"
	"bottle/lib/forward"
	"bottle/lib/inject"
	"bottle/lib/manifest"
	"bottle/lib/tomlfile"
)

// TestTheStagesTakeWhatIsWritten reads the folder as the two proxies do.
func TestTheStagesTakeWhatIsWritten(t *testing.T) {
	for name, src := range map[string]string{
		"egress first": chained, "pipelock first": chained + "[chain]\norder = ['pipelock', 'egress']\n", "bare": "",
		"open ports": "[egress]\nlisten = '127.0.0.1:0'\n[pipelock]\nlisten = '[::1]:0'\n", "sockets": "[egress]\nlisten = 'unix:e'\n[pipelock]\nlisten = 'unix:p'\n",
		"claude": claudeLogin, "claude key": claudeKey, "every kind": everyKind,
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
			if len(egress.Login) > 0 { // followed where it is; the slot is for stages of another make
				used["EGRESS_TOKEN_0"] = true
			}
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

// keys lists the keys that a file decoded into t may have, by their last two
// parts at most, as the manual names them.
func keys(t reflect.Type, prefix string) []string {
	var out []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
		ft := f.Type
		for ft.Kind() == reflect.Slice || ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		if many, ok := reflect.New(ft).Interface().(interface{ Element() reflect.Type }); ok {
			out = append(append(out, prefix+name), keys(many.Element(), prefix+name+".")...)
			continue
		}
		itself := reflect.PointerTo(ft).Implements(reflect.TypeFor[toml.Unmarshaler]()) ||
			reflect.PointerTo(ft).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
		switch {
		case f.Anonymous && name == "":
			out = append(out, keys(ft, prefix)...)
		case name == "":
		case itself || ft.Kind() != reflect.Struct:
			out = append(out, prefix+name)
		default:
			inner := prefix + name + "."
			if f.Type.Kind() == reflect.Slice {
				out = append(out, prefix+name)
				inner = "" // the manual lists the keys of an array of tables below it
			}
			out = append(out, keys(ft, inner)...)
		}
	}
	return out
}

func TestTheManualNamesEveryKey(t *testing.T) {
	page, err := os.ReadFile("../../docs/man/bottle-routes.5")
	require.NoError(t, err)
	named := map[string]bool{}
	for _, item := range regexp.MustCompile(`(?m)^(?:\.It Cm|\.Cm) (.*)$`).FindAllStringSubmatch(string(page), -1) {
		text, _, _ := strings.Cut(item[1], " No ")
		for _, key := range strings.Fields(strings.ReplaceAll(text, ",", " ")) {
			named[key] = true
		}
	}
	named["auth.scheme"] = true // in the text of auth
	for _, v := range []any{manifest.Manifest{}, inject.Config{}, filter.Config{}} {
		all := keys(reflect.TypeOf(v), "")
		require.Greater(t, len(all), 10)
		for _, key := range all {
			require.True(t, named[key], "%T: %s is not in bottle-routes(5)", v, key)
		}
	}
}

func TestTheManualsExampleWorks(t *testing.T) {
	page, err := os.ReadFile("../../docs/man/bottle-routes.5")
	require.NoError(t, err)
	example := regexp.MustCompile(`(?s)\.Bd -literal -offset indent\n(.*?)\.Ed`).FindSubmatch(page)
	require.NotNil(t, example)
	h := chainedHost(t)
	text, ok := strings.CutPrefix(string(example[1]), "version = 1\n")
	require.True(t, ok)
	h.prepare(text)
	require.Contains(t, h.read("egress/egress.env"), token("github"))
}
