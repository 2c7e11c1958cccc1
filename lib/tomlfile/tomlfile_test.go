package tomlfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/require"
)

type ref struct{ text string }

func (r *ref) UnmarshalTOML(data any) error {
	s, ok := data.(string)
	if !ok || s == "bad" {
		return errors.New("must be a good string")
	}
	r.text = s
	return nil
}

type upper string

func (u *upper) UnmarshalText(b []byte) error {
	if strings.ToUpper(string(b)) != string(b) {
		return fmt.Errorf("%q is not upper case", b)
	}
	*u = upper(b)
	return nil
}

type shared struct {
	Listen string `toml:"listen"`
}

type config struct {
	shared
	Version int            `toml:"version"`
	Port    uint16         `toml:"port"`
	Wait    time.Duration  `toml:"wait"`
	Since   time.Time      `toml:"since"`
	Ratio   float64        `toml:"ratio"`
	On      bool           `toml:"on"`
	Names   []string       `toml:"names"`
	Status  map[string]int `toml:"status"`
	Ref     ref            `toml:"ref"`
	Method  upper          `toml:"method"`
	Any     any            `toml:"any"`
	Limit   *int           `toml:"limit"`
	Ignored string
	Route   []struct {
		Host  string   `toml:"host"`
		Paths []string `toml:"paths"`
		Auth  *struct {
			Scheme   string `toml:"scheme"`
			TokenEnv string `toml:"token_env"`
		} `toml:"auth"`
		Deep struct {
			More []struct {
				N int `toml:"n"`
			} `toml:"more"`
		} `toml:"deep"`
	} `toml:"route"`
}

const good = `# a comment with [brackets] and "quotes"
version = 1
port = 443
listen = '127.0.0.1:0'
wait = "30s"
since = 2026-11-23T10:00:00Z
ratio = 2
on = true
names = [
  "a", # first, with ] in a comment
  """b
]""",
  'c',
]
status = { "chatgpt.com" = 400, "a\"b" = 403 }
ref = "env"
method = "GET"
any = [1, "x"]
limit = 3

[[route]]
host = "one.example"

[[route]]
host = "two.example"
auth = { scheme = "Bearer", token_env = "T" }
paths = ["/x", "/y"]
  [[route.deep.more]]
  n = 1
  [[route.deep.more]]
  n = 2

[[route]]
auth.scheme = "Bearer"
`

func TestParseDecodesAndKnowsLines(t *testing.T) {
	var c config
	f, err := Parse("x.toml", []byte(good), &c)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:0", c.Listen)
	require.Equal(t, 30*time.Second, c.Wait)
	require.Equal(t, []string{"a", "b\n]", "c"}, c.Names)
	require.Equal(t, map[string]int{"chatgpt.com": 400, `a"b`: 403}, c.Status)
	require.Equal(t, "env", c.Ref.text)
	require.Equal(t, 3, *c.Limit)
	require.Len(t, c.Route, 3)
	require.Equal(t, 2, c.Route[1].Deep.More[1].N)

	for path, line := range map[string]int{
		"version": 2, "names": 9, "names[0]": 10, "names[1]": 11, "names[2]": 13,
		"status": 15, `status."chatgpt.com"`: 15, `status."a\"b"`: 15,
		"route": 21, "route[0]": 21, "route[0].host": 22, "route[1]": 24, "route[1].host": 25,
		"route[1].auth.token_env": 26, "route[1].paths[1]": 27, "route[1].deep": 28,
		"route[1].deep.more[0]": 28, "route[1].deep.more[1].n": 31, "route[2].auth.scheme": 34,
		// What the file does not mention has the line of what is around it.
		"route[0].paths": 21, "route[2].host": 33, "route[2].auth.token_env": 34,
		`status."a.b"`: 15, `status."c\"d\\"`: 15, "names[7]": 9, "nowhere": 0, "": 0,
	} {
		require.Equal(t, line, f.Line(path), path)
	}
	require.True(t, f.Has("route[1].auth"))
	require.False(t, f.Has("route[0].auth"))
	require.Equal(t, "x.toml:25: route[1].host: \"two.example\" is taken", f.Errorf("route[1].host", "%q is taken", c.Route[1].Host).Error())
	require.Equal(t, "x.toml: nowhere: is missing", f.Errorf("nowhere", "is missing").Error())
	require.ErrorIs(t, f.Errorf("version", "cannot be: %w", fs.ErrInvalid), fs.ErrInvalid)
}

func TestParseRefuses(t *testing.T) {
	for _, tc := range []struct{ name, src, want, hint string }{
		{"misspelt key", "\nlisen = 'x'", `f:2: lisen: unknown key; did you mean "listen"?`, "known keys of the top level: any, limit, listen"},
		{"key in another case", "Version = 1", `f:1: Version: unknown key; did you mean "version"?`, ""},
		{"dash for underscore", "[[route]]\n[route.auth]\ntoken-env = 'x'", `f:3: route[0].auth.token-env: unknown key; did you mean "token_env"?`, "known keys of route[0].auth: scheme, token_env"},
		{"swapped letters", "[[route]]\n[[route]]\nhots = 'x'", `f:3: route[1].hots: unknown key; did you mean "host"?`, ""},
		{"nothing similar", "colour = 'x'", `f:1: colour: unknown key`, ""},
		{"field without a tag", "Ignored = 'x'", `f:1: Ignored: unknown key`, ""},
		{"unknown table", "[rout.x]", `f:1: rout: unknown key; did you mean "route"?`, ""},
		{"string for integer", "version = '1'", "f:1: version: must be an integer, not a string", ""},
		{"float for integer", "version = 1.0", "f:1: version: must be an integer, not a float", ""},
		{"too large", "port = 65536", "f:1: port: 65536 is out of range", ""},
		{"negative", "port = -1", "f:1: port: -1 is out of range", ""},
		{"integer for duration", "wait = 30", `f:1: wait: must be a duration such as "30s", not an integer`, ""},
		{"bad duration", "wait = '30'", `f:1: wait: "30" is not a duration such as "30s"`, ""},
		{"string for time", "since = '2026'", "f:1: since: must be a date and time, not a string", ""},
		{"string for array", "names = 'a'", "f:1: names: must be an array, not a string", ""},
		{"integer in array", "names = [\n'a',\n1]", "f:3: names[1]: must be a string, not an integer", ""},
		{"table for array of tables", "[route]\nhost = 'x'", "f:1: route: must be an array, not a table", ""},
		{"scalar for map", "status = 1", "f:1: status: must be a table, not an integer", ""},
		{"value in map", "[status]\n'a.b' = true", `f:2: status."a.b": must be an integer, not a boolean`, ""},
		{"array for table", "[[route]]\nauth = []", "f:2: route[0].auth: must be a table, not an array", ""},
		{"own unmarshaller", "ref = 'bad'", "f:1: ref: must be a good string", ""},
		{"own text unmarshaller", "method = 'get'", `f:1: method: "get" is not upper case`, ""},
		{"integer for text", "method = 1", `f:1: method: must be a string, not an integer`, ""},
		{"string for boolean", "on = 'yes'", "f:1: on: must be true or false, not a string", ""},
		{"string for number", "ratio = 'x'", "f:1: ratio: must be a number, not a string", ""},
		{"syntax", "version = 1\nport = = 2", "f:2: ", ""},
		{"unfinished string", "version = 1\nlisten = \"x", "f:2: ", ""},
		{"unfinished table name", "version = 1\n[route\nhost = 1", "f:2: ", ""},
		{"key set twice", "version = 1\n\nversion = 1", "f:3: ", ""},
		{"utf-16", "v\x00e\x00", "f:1: ", ""},
		{"deep array", "any = " + strings.Repeat("[", 1000), "f:1: nests more than 32 levels deep", ""},
		{"deep key", "any" + strings.Repeat(".a", 1000) + " = 1", "f:1: nests more than 32 levels deep", ""},
		{"deep table", "[any" + strings.Repeat(".a", 1000) + "]", "f:1: nests more than 32 levels deep", ""},
		{"large", strings.Repeat("#", MaxSize+1), "f: is larger than 1048576 bytes", "right file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse("f", []byte(tc.src), &config{})
			var e *Error
			require.ErrorAs(t, err, &e)
			if strings.HasSuffix(tc.want, ": ") {
				require.True(t, strings.HasPrefix(e.Error(), tc.want), "%v", e)
			} else {
				require.Equal(t, tc.want, e.Error())
			}
			require.Contains(t, e.HintText(), tc.hint)
		})
	}
}

func TestParseReportsAllProblemsInOrder(t *testing.T) {
	src := "[[route]]\nhots = 'x'\n[[route]]\nhost = 1\npaths = ['/', 2]\n[status]\na = 'x'\n"
	_, err := Parse("f", []byte(src), &config{})
	require.EqualError(t, err, `f:2: route[0].hots: unknown key; did you mean "host"?
f:4: route[1].host: must be a string, not an integer
f:5: route[1].paths[1]: must be a string, not an integer
f:7: status.a: must be an integer, not a string`)
	require.Len(t, Problems(fmt.Errorf("wrapped: %w", err)), 4)
	require.Len(t, Problems(&Error{}), 1)
	require.Nil(t, Problems(errors.New("other")))
	require.NoError(t, Join(nil, nil))
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "c.toml")
	require.NoError(t, os.WriteFile(path, []byte("version = 7\n"), 0o600))
	c := config{Port: 9}
	f, err := Read(path, &c)
	require.NoError(t, err)
	require.Equal(t, 7, c.Version)
	require.EqualValues(t, 9, c.Port, "a default stays")
	require.Equal(t, path, f.Path())
	require.Equal(t, filepath.Join(dir, "ca.pem"), f.Resolve("ca.pem"))
	require.Equal(t, "/x/y", f.Resolve("/x/./y"))

	_, err = Read(filepath.Join(dir, "no.toml"), &c)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.EqualError(t, err, filepath.Join(dir, "no.toml")+": no such file")
	_, err = Read(dir, &c)
	require.ErrorContains(t, err, "cannot be read: is a directory")
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		good, "", "\xef\xbb\xbfversion = 1\r\n", "[[a]]\n[a.b]\nc.\"d.e\".f = [[1], {x = [{y=1}]}]\n[[a]]\n[[a.l]]\n",
		"a = '''x'''''\nb = \"\"\"x\\\"\"\"\"\"\"\n", "a = {\n b = 1, # c\n}\n", "\"\" = 1\n'' .x = 1", "a = \"\\", "a = [1,,]", "[a", "[[a]", "= 1", "a =",
		"x = 07:32:00\ny = 1979-05-27 07:32:00\n", "[any]\nk = +inf", "a=1#x\nb=0x1f#", "a.\"\\u0061\" = 1\n\"\\x41\\e\" = 2",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		Parse("f", src, &config{}) // must not panic
		if len(src) > MaxSize {
			return
		}
		lines, deep := scan(src)
		var tree map[string]any
		md, err := toml.Decode(string(src), &tree)
		if deep != nil || err != nil {
			return
		}
		// What the decoder accepts, the scanner understands: every key that the
		// tree holds has a line, and no more lines than the file.
		n := strings.Count(string(src), "\n") + 1
		walk("", tree, func(path string) {
			line, ok := lines[path]
			require.True(t, ok, "%q has no line (keys %v)", path, md.Keys())
			require.LessOrEqual(t, line, n)
			require.Positive(t, line)
		})
	})
}

// walk visits the path of every key and array element.
func walk(path string, v any, visit func(string)) {
	if path != "" {
		visit(path)
	}
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			walk(Key(path, k), e, visit)
		}
	case []map[string]any:
		for i, e := range v {
			walk(Index(path, i), e, visit)
		}
	case []any:
		for i, e := range v {
			walk(Index(path, i), e, visit)
		}
	}
}

func FuzzParent(f *testing.F) {
	f.Add(`a."b.c"[1].d`, `x"\`)
	f.Fuzz(func(t *testing.T, base, key string) {
		require.Equal(t, base, parent(Key(base, key)))
		require.Equal(t, base, parent(Index(base, 3)))
		parent(base)
	})
}
