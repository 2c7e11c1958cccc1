package plan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"bottle/lib/inject"
	"bottle/lib/manifest"
	"bottle/lib/secret"
	"bottle/lib/secret/command"
	"bottle/lib/tomlfile"
)

// maxToken is the largest secret that a file or command may hold, in bytes.
const maxToken = 64 << 10

// slot is one line of egress.env: the provider's first, then one for each
// distinct token_ref in the order of the routes.
type slot struct {
	ref   manifest.TokenRef // zero for the provider's
	value secret.Value
}

func slotName(i int) string { return fmt.Sprintf("EGRESS_TOKEN_%d", i) }

// slotOf returns the variable that holds the secret of ref.
func (b *builder) slotOf(ref manifest.TokenRef) string {
	for i, s := range b.slots {
		if s.ref.Equal(ref) {
			return slotName(i)
		}
	}
	panic("plan: token_ref without a slot")
}

// valueOf returns the secret of ref.
func (b *builder) valueOf(ref manifest.TokenRef) secret.Value {
	for _, s := range b.slots {
		if s.ref.Equal(ref) {
			return s.value
		}
	}
	panic("plan: token_ref without a slot")
}

// tokens resolves every token_ref once and fills egress.env.
func (b *builder) tokens(ctx context.Context) error {
	var problems []*tomlfile.Error
	for i, r := range b.m.Egress.Routes {
		for j, a := range r.Parts() {
			if a.TokenRef.Equal(manifest.TokenRef{}) {
				continue
			}
			key := r.Auth.At(tomlfile.Index("egress.route", i)+".auth", j) + ".token_ref"
			problems = append(problems, b.token(ctx, key, a.TokenRef))
			if v := b.valueOf(a.TokenRef).Expose(); r.Redacts() && v != "" && len(v) < inject.MinRedacted {
				problems = append(problems, b.m.Errorf(key, "%s: the credential is shorter than the %d bytes that answers can be searched for", a.TokenRef, inject.MinRedacted).
					WithHint("use a longer one, or set redact_responses = false on the route"))
			}
		}
	}
	if err := tomlfile.Join(problems...); err != nil {
		return err
	}
	var env bytes.Buffer
	for i, s := range b.slots {
		fmt.Fprintf(&env, "%s=%s\n", slotName(i), s.value.Expose())
	}
	b.addSecret(egressEnv, env.Bytes(), "the real credentials")
	return nil
}

// token reads the secret of ref into a slot, unless it has one.
func (b *builder) token(ctx context.Context, key string, ref manifest.TokenRef) *tomlfile.Error {
	if b.known(ref) {
		return nil
	}
	v, hint, err := b.resolve(ctx, ref)
	b.slots = append(b.slots, slot{ref, v})
	b.secrets = append(b.secrets, named{ref.String(), v})
	if err != nil {
		return b.m.Errorf(key, "%w", err).WithHint(hint)
	}
	return nil
}

func (b *builder) known(ref manifest.TokenRef) bool {
	for _, s := range b.slots {
		if s.ref.Equal(ref) {
			return true
		}
	}
	return false
}

// resolve reads a secret. The error says where it should have come from; the
// hint, what to do unless the error knows itself.
func (b *builder) resolve(ctx context.Context, ref manifest.TokenRef) (v secret.Value, hint string, err error) {
	switch {
	case ref.Env != "":
		text, ok := b.o.LookupEnv(ref.Env)
		if !ok {
			return v, "export " + ref.Env + " on the host, or take the secret from a file or command", fmt.Errorf("%s is not set", ref)
		}
		v, err = secret.New(text)
	case ref.File != "":
		var data []byte
		path := b.m.ResolveHome(ref.File, b.getenv("HOME"))
		if data, err = secret.ReadPrivateFile(path, maxToken); err != nil {
			return v, "", err
		}
		ref.File = path
		v, err = secret.NewTrimmed(string(data))
	case b.o.SkipCommands:
		b.note("%s was not run", ref)
		b.plan.incomplete = true
		return v, "", nil
	default:
		var out []byte
		if out, err = command.Output(ctx, ref.Command, command.Options{Dir: b.m.Dir(), Timeout: b.o.CommandTimeout, Max: maxToken}); err != nil {
			return v, "run the command by hand to see what it does", fmt.Errorf("%s: %w", ref, err)
		}
		v, err = secret.NewTrimmed(string(out))
	}
	if err == nil && strings.Contains(v.Expose(), " ") {
		err = errors.New("secret contains a space")
	}
	if err != nil {
		return secret.Value{}, "the secret is the token alone, one word in one line; its scheme stands in auth.scheme", fmt.Errorf("%s: %w", ref, err)
	}
	return v, "", nil
}
