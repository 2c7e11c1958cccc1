package credential

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"time"

	"bottle/lib/hostauth"
	"bottle/lib/secret"
	"bottle/lib/secret/command"
)

// maxSecret is the largest file or output that holds one secret, in bytes.
const maxSecret = 64 << 10

// OpenFile returns the source of a file that holds a secret and nothing else.
// Only its owner may read it, and it is no symbolic link.
func OpenFile(path string) (*Followed, error) {
	f := &Followed{name: "file " + path, path: path, every: pollEvery, settle: true, parse: plain}
	f.read = func(context.Context) ([]byte, error) { return secret.ReadPrivateFile(path, maxSecret) }
	return opened(f, path)
}

// OpenField returns the source of one string in a JSON file, named by the keys
// that lead there, joined by dots. The rules of [OpenFile] hold.
func OpenField(path, field string) (*Followed, error) {
	f := &Followed{name: "field " + field + " of file " + path, path: path, every: pollEvery}
	f.read = func(context.Context) ([]byte, error) { return secret.ReadPrivateFile(path, hostauth.MaxSize) }
	f.parse = func(data []byte) (State, error) {
		text, err := hostauth.Field(data, field)
		if err != nil {
			return State{}, fmt.Errorf("read %s: %s: %w", path, field, err)
		}
		v, err := secret.New(text)
		return State{Token: v}, err
	}
	return opened(f, path)
}

// ErrNoCredentialsDirectory reports a process that systemd gave no credentials.
var ErrNoCredentialsDirectory = errors.New("CREDENTIALS_DIRECTORY is not set")

// OpenSystemd returns the source of a credential that systemd passes to a
// service (LoadCredential= and the like): the file name in the directory that
// CREDENTIALS_DIRECTORY names, which getenv gives.
func OpenSystemd(name string, getenv func(string) string) (*Followed, error) {
	if name == "" || strings.ContainsAny(name, "/\x00") || name == "." || name == ".." {
		return nil, fmt.Errorf("%q is not the name of a credential", name)
	}
	dir := getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return nil, ErrNoCredentialsDirectory
	}
	path := filepath.Join(dir, name)
	f := &Followed{name: "systemd credential " + name, path: path, every: pollEvery, settle: true, parse: plain}
	f.read = func(context.Context) ([]byte, error) { return secret.ReadSystemdCredential(path, maxSecret) }
	return opened(f, path)
}

// CommandOptions bound a command and what it printed. Zero fields get the
// defaults.
type CommandOptions struct {
	Dir     string        // to run in
	Timeout time.Duration // of one run; 30 s
	TTL     time.Duration // after which it is run again; 5 min
}

const (
	defaultTTL = 5 * time.Minute
	// commandRest keeps an origin that refuses every credential from having
	// the command run at every request: it may ask somebody to touch a key.
	commandRest = 10 * time.Second
)

// OpenCommand returns the source of what a program prints. It is run now, and
// again each TTL; what it printed stays in force while it fails.
func OpenCommand(ctx context.Context, words []string, o CommandOptions) (*Followed, error) {
	if len(words) == 0 {
		return nil, errors.New("no command given")
	}
	// The arguments may hold a secret.
	f := &Followed{name: "command " + words[0], parse: plain, every: cmp.Or(o.TTL, defaultTTL)}
	f.retry, f.rest = min(f.every, time.Minute), min(f.every, commandRest)
	f.read = func(ctx context.Context) ([]byte, error) {
		out, err := command.Output(ctx, words, command.Options{Dir: o.Dir, Timeout: o.Timeout, Max: maxSecret})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		return out, nil
	}
	return f.open(ctx)
}

// LoginKinds are the logins that [OpenLogin] knows.
func LoginKinds() []string { return []string{"claude", "codex"} }

// OpenLogin returns the source of the access token in a login that a client
// keeps on the host. Its errors are package hostauth's. The companions of a
// codex login are "account_id"; what both kinds have beside the token is
// "refresh_token", and codex also "id_token".
func OpenLogin(kind, path string) (*Followed, error) {
	f := &Followed{name: kind + " login " + path, path: path, every: pollEvery}
	switch kind {
	case "codex":
		f.parse = func(data []byte) (State, error) {
			c, err := hostauth.ParseCodex(data)
			if err != nil {
				return State{}, named(err, path)
			}
			account, err := secret.New(c.AccountID)
			if err != nil {
				return State{}, err
			}
			return State{
				Token: c.AccessToken, Expiry: c.Expiry, Fields: map[string]secret.Value{"account_id": account},
				Beside: beside(map[string]secret.Value{"refresh_token": c.RefreshToken, "id_token": c.IDToken}),
			}, nil
		}
	case "claude":
		f.parse = func(data []byte) (State, error) {
			c, err := hostauth.ParseClaude(data)
			if err != nil {
				return State{}, named(err, path)
			}
			return State{Token: c.AccessToken, Expiry: c.Expiry, Beside: beside(map[string]secret.Value{"refresh_token": c.RefreshToken})}, nil
		}
	default:
		return nil, fmt.Errorf("%q is no kind of login", kind)
	}
	f.read = func(context.Context) ([]byte, error) { return secret.ReadPrivateFile(path, hostauth.MaxSize) }
	return opened(f, path)
}

// beside leaves out what a login does not have.
func beside(all map[string]secret.Value) map[string]secret.Value {
	maps.DeleteFunc(all, func(_ string, v secret.Value) bool { return v.IsZero() })
	return all
}

// named gives a parser's error the file's name.
func named(err error, path string) error {
	if e, ok := errors.AsType[*hostauth.Error](err); ok {
		e.Name = path
	}
	return err
}

func opened(f *Followed, path string) (*Followed, error) {
	f, err := f.open(context.Background()) // files have no use for it
	if errors.Is(err, secret.ErrEmpty) || errors.Is(err, secret.ErrControl) || errors.Is(err, secret.ErrBOM) {
		err = fmt.Errorf("read %s: %w", path, err)
	}
	return f, err
}
