// Package credential is where the real credentials come from, and how they
// change while a stage runs: environment variables, files, commands, systemd
// credentials and the logins that a host's own client keeps.
//
// A [Source] holds what was read last in memory. Reading happens beside the
// requests, never for one: a request asks [Source.Current], which does no I/O.
//
// What a source cannot read, or may not (a symbolic link, a file that others
// may read), it does not use: the last good content stays in force and the log
// says so. Nothing inside a secret is expanded: it is the bytes of its source,
// less one line end.
package credential

import (
	"context"
	"time"

	"bottle/lib/secret"
)

// State is what a source holds at one time. It is immutable: whoever holds one
// must not write to Fields and Beside.
type State struct {
	// Token is the credential itself: a variable's value, a file's content, an
	// access token. Never zero.
	Token secret.Value
	// Fields are the companions of a login, by name: "account_id". They go
	// where the token goes; what the agent's own dummy login also has is no
	// secret, but is handled like one.
	Fields map[string]secret.Value
	// Beside are the login's other secrets, by name: "refresh_token", "id_token".
	// They are never put on a request, and must not come back in an answer either.
	Beside map[string]secret.Value
	// Expiry is when the token ends, by its own account; zero if it does not say.
	Expiry time.Time
	// Version is another value whenever the content changed. Versions of two
	// sources have nothing to do with each other.
	Version uint64
}

// Source is a secret that may change while a stage runs. It is safe for
// concurrent use.
type Source interface {
	// Current returns what is in force, from memory. An error means that there
	// is nothing to send, and refuses the request; it holds no value.
	Current() (State, error)
	// Refetch reads the source again, now, and returns what is in force
	// afterwards. It is for an origin that does not take the credential any
	// more: a state with the same Version means that there is no newer one.
	// An error means that it could not be read; Current goes on as before.
	Refetch(ctx context.Context) (State, error)
	// String says where the secret comes from, as in "file /x" or "codex login
	// /y"; never a value, nor an argument of a command.
	String() string
	// Close ends what follows the source. Current returns what it last did.
	Close() error
}

// Fixed returns a source whose content never changes, such as a variable of
// the process's environment. name is its String.
func Fixed(name string, token secret.Value) Source { return fixed{name, token} }

type fixed struct {
	name  string
	token secret.Value
}

func (f fixed) Current() (State, error)                { return State{Token: f.token, Version: 1}, nil }
func (f fixed) Refetch(context.Context) (State, error) { return f.Current() }
func (f fixed) String() string                         { return f.name }
func (f fixed) Close() error                           { return nil }
