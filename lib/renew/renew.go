package renew

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"bottle/lib/hostauth"
	"bottle/lib/secret"
)

// Options say which login is renewed, and how the provider is reached.
type Options struct {
	Kind Kind
	Path string // of the login
	// Transport reaches the token endpoint; see [Transport].
	Transport http.RoundTripper
	Log       *slog.Logger
}

const (
	// lockTime bounds the wait for another process that renews.
	lockTime = exchangeTime + 5*time.Second
	// The first and the longest pause after a failure, of which a random half is
	// waited at least.
	firstPause, longestPause = 10 * time.Second, 15 * time.Minute
	// forcedPause is the least time between two renewals of tokens that had not
	// come near their end: an origin that takes no token must not use them up.
	forcedPause = 10 * time.Minute
	// lookEvery is how often Run looks at the login: clocks jump, and machines
	// sleep.
	lookEvery = 30 * time.Second
)

// Renewer renews one login. It is safe for concurrent use.
type Renewer struct {
	kind      Kind
	path      string
	transport http.RoundTripper
	log       *slog.Logger
	now       func() time.Time
	step      func(string) // for tests: what was just done

	turn chan struct{} // holds a token; whoever has it may touch what follows

	failures int
	after    time.Time // not before this time
	spent    string    // digest of a refresh token that the provider refuses
	forced   time.Time // of the last renewal before its time
	unkept   *unkept
}

// unkept is an answer that could not be written.
type unkept struct {
	base   secret.Value // the refresh token that is used up
	answer *answer
	at     time.Time
}

// New returns a renewer of a login. It does nothing until it is asked.
func New(o Options) *Renewer {
	r := &Renewer{
		kind: o.Kind, path: o.Path, transport: o.Transport, log: o.Log,
		now: time.Now, step: func(string) {}, turn: make(chan struct{}, 1),
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	r.turn <- struct{}{}
	return r
}

// Run renews the login whenever it nears its end, until ctx is done.
func (r *Renewer) Run(ctx context.Context) {
	r.mend(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(r.look(ctx)):
		}
	}
}

// mend finishes what a killed process has left.
func (r *Renewer) mend(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lockTime)
	defer cancel()
	unlock, err := lock(ctx, r.path)
	if err == nil {
		err = r.recover()
		unlock()
	}
	if err != nil && ctx.Err() == nil {
		r.log.Error("the login cannot be renewed", "login", r.path, "err", err)
	}
}

// look renews if it is time, and returns when to look again.
func (r *Renewer) look(ctx context.Context) time.Duration {
	if _, l, err := r.read(); err == nil && (!r.now().Before(l.due()) || r.waiting(ctx)) {
		// Failures are logged where they are counted.
		_, _ = r.renew(ctx, l.access, false)
	}
	wait := lookEvery
	if _, l, err := r.read(); err == nil {
		if left := l.due().Sub(r.now()); left > 0 {
			wait = min(wait, left)
		}
	}
	return wait/2 + rand.N(wait/2+1)
}

// waiting reports whether an answer waits to be written.
func (r *Renewer) waiting(ctx context.Context) bool {
	select {
	case <-r.turn:
		defer func() { r.turn <- struct{}{} }()
		return r.unkept != nil
	case <-ctx.Done():
		return false
	}
}

// Renew is for an access token that an origin does not take. It returns true
// if the login holds another one by now, whoever renewed it; an origin's word
// is taken once in ten minutes.
func (r *Renewer) Renew(ctx context.Context, refused secret.Value) (bool, error) {
	return r.renew(ctx, refused, true)
}

// renew makes the login hold another access token than seen, if it is due or
// forced.
func (r *Renewer) renew(ctx context.Context, seen secret.Value, force bool) (bool, error) {
	select {
	case <-r.turn:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	defer func() { r.turn <- struct{}{} }()
	_, l, err := r.read()
	if err != nil {
		return false, err
	}
	if l.access.Expose() != seen.Expose() {
		return true, nil // by others, or by whoever had the turn before
	}
	if r.unkept != nil && r.unkept.base.Expose() == l.refresh.Expose() {
		return r.report(l, r.keepLate(ctx))
	}
	r.unkept = nil
	now := r.now()
	if now.Before(l.due()) {
		if !force {
			return false, nil
		}
		if d := now.Sub(r.forced); d >= 0 && d < forcedPause {
			return false, nil
		}
	}
	switch {
	case l.refresh.IsZero():
		return false, r.once(l, errors.New("the login has no refresh token"))
	case r.spent == l.refresh.SHA256():
		return false, errors.New("renew login: the provider has refused this refresh token before")
	case now.Before(r.after) && r.after.Sub(now) <= longestPause:
		return false, errors.New("renew login: waiting after a failure")
	}
	if now.Before(l.due()) {
		r.forced = now
	}
	return r.report(l, r.flight(ctx, seen))
}

// once logs what will not change with time, once.
func (r *Renewer) once(l *login, err error) error {
	if r.spent != l.refresh.SHA256() {
		r.spent = l.refresh.SHA256()
		r.log.Error("the login cannot be renewed", "login", r.path, "err", err, "access_token_ends", l.expiry, "hint", "sign in on the host again")
	}
	return fmt.Errorf("renew login: %w", err)
}

// report counts how a flight went.
func (r *Renewer) report(before *login, err error) (bool, error) {
	if err == nil {
		r.failures, r.after = 0, time.Time{}
		return true, nil
	}
	if spent, ok := errors.AsType[*spentError](err); ok {
		return false, r.once(before, spent)
	}
	pause := min(firstPause<<min(r.failures, 10), longestPause)
	pause = pause/2 + rand.N(pause/2)
	r.failures++
	r.after = r.now().Add(pause)
	r.log.Error("renewing the login failed; the old token is used until its end", "login", r.path, "err", err,
		"access_token_ends", before.expiry, "next_try_in", pause.Round(time.Second), "failures", r.failures)
	return false, fmt.Errorf("renew login: %w", err)
}

// flight is one renewal under the lock. It returns nil if the login holds
// another access token than seen.
func (r *Renewer) flight(ctx context.Context, seen secret.Value) error {
	wait, cancel := context.WithTimeout(ctx, lockTime)
	defer cancel()
	unlock, err := lock(wait, r.path)
	if err != nil {
		return err
	}
	defer unlock()
	r.step("locked")
	if err := r.recover(); err != nil {
		return fmt.Errorf("finish an earlier renewal: %w", err)
	}
	_, base, err := r.read()
	if err != nil {
		return err
	}
	if base.access.Expose() != seen.Expose() {
		return nil
	}
	j, err := openJournal(r.path, base.refresh)
	if err != nil {
		return fmt.Errorf("prepare to keep the renewed login: %w", err)
	}
	r.step("prepared")
	// What has begun is ended although nobody waits for it any more: the answer
	// is the only one.
	a, err := r.exchange(context.WithoutCancel(ctx), base)
	if err != nil {
		j.discard()
		if changed := r.changedFrom(base); changed {
			r.log.Info("somebody else renewed the login meanwhile", "login", r.path)
			return nil
		}
		return err
	}
	r.step("answered")
	return r.keep(j, base, a, r.now())
}

// keep writes the answer a to the exchange of base's refresh token.
func (r *Renewer) keep(j *journal, base *login, a *answer, at time.Time) error {
	data, current, err := r.read()
	if err == nil && current.refresh.Expose() != base.refresh.Expose() {
		j.discard()
		r.log.Info("somebody else renewed the login meanwhile; theirs is used", "login", r.path)
		return nil
	}
	if err == nil {
		if data, err = r.kind.merge(data, base, a, at); err != nil {
			j.discard()
			return err
		}
		if current, err = r.kind.check(data, r.now()); err != nil {
			j.discard()
			return err
		}
		err = j.write(data, r.step)
		if err == nil {
			r.step("synced")
			err = j.install(r.step)
		}
	}
	if err != nil {
		// The login is not readable for the moment, or the disk fails: it is tried
		// again with what is in memory.
		j.discard()
		r.unkept = &unkept{base.refresh, a, at}
		return fmt.Errorf("write the renewed login, which is in memory alone now: %w", err)
	}
	r.unkept = nil
	r.log.Info("renewed the login", "login", r.path, "access_token_ends", current.expiry)
	return nil
}

// keepLate tries again to write an answer.
func (r *Renewer) keepLate(ctx context.Context) error {
	wait, cancel := context.WithTimeout(ctx, lockTime)
	defer cancel()
	unlock, err := lock(wait, r.path)
	if err != nil {
		return err
	}
	defer unlock()
	_, base, err := r.read()
	if err != nil {
		return err
	}
	j, err := openJournal(r.path, r.unkept.base)
	if err != nil {
		return err
	}
	return r.keep(j, base, r.unkept.answer, r.unkept.at)
}

// changedFrom reports whether the login holds other tokens than l by now.
func (r *Renewer) changedFrom(l *login) bool {
	_, current, err := r.read()
	return err == nil && current.access.Expose() != l.access.Expose()
}

// read returns the login's bytes and what they say.
func (r *Renewer) read() ([]byte, *login, error) {
	data, err := secret.ReadPrivateFile(r.path, hostauth.MaxSize)
	if err != nil {
		return nil, nil, err
	}
	l, err := r.kind.read(data)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", r.path, err)
	}
	return data, l, nil
}
