package credential

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"bottle/lib/secret"
)

// maxEnv is the largest file of variables, in bytes.
const maxEnv = 1 << 20

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// ParseEnv reads NAME=value lines; path is for errors, which name lines and
// never values. A line ends with LF or CRLF; nothing is quoted or expanded.
func ParseEnv(path string, data []byte) (map[string]string, error) {
	out := map[string]string{}
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || !envName.MatchString(key) {
			return nil, fmt.Errorf("%s:%d: want NAME=value", path, i+1)
		}
		if _, twice := out[key]; twice {
			return nil, fmt.Errorf("%s:%d: %s is set twice", path, i+1, key)
		}
		out[key] = value
	}
	return out, nil
}

// OpenVariable returns the source of one variable in a private file of
// NAME=value lines.
func OpenVariable(path, name string) (*Followed, error) {
	f := &Followed{name: "variable " + name + " of file " + path, path: path, every: pollEvery, settle: true}
	f.read = func(context.Context) ([]byte, error) { return secret.ReadPrivateFile(path, maxEnv) }
	f.parse = func(data []byte) (State, error) {
		env, err := ParseEnv(path, data)
		if err != nil {
			return State{}, err
		}
		text, ok := env[name]
		if !ok {
			return State{}, fmt.Errorf("read %s: %s is not set", path, name)
		}
		v, err := secret.New(text)
		if err != nil {
			return State{}, fmt.Errorf("read %s: %s: %w", path, name, err)
		}
		return State{Token: v}, nil
	}
	return f.open(context.Background()) // a file has no use for it
}
