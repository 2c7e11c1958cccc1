package credential

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"bottle/lib/secret"
)

// Times of following. A change is in force a second after it was made, also
// where no notification tells of it.
const (
	pollEvery = 500 * time.Millisecond
	// settleFor is how long a plain file has to stay as it is: a writer that
	// does not rename may be half way, which nothing in the file would tell.
	settleFor = 50 * time.Millisecond
	settleMax = 300 * time.Millisecond
	// sayAgain is how often a trouble that lasts is logged.
	sayAgain = 10 * time.Minute
)

// Followed is a [Source] that is read again when it may have changed. Between
// [Set.Follow] and Close it follows by itself; otherwise Refetch alone reads.
type Followed struct {
	name  string
	read  func(context.Context) ([]byte, error)
	parse func([]byte) (State, error)
	// path is watched and polled; "" for what can only be polled.
	path  string
	every time.Duration
	// retry replaces every while the source cannot be read.
	retry time.Duration
	// settle says that only content that was read twice counts.
	settle bool
	// rest is how long what was read last is as good as reading again.
	rest time.Duration

	current atomic.Pointer[State]
	trouble atomic.Pointer[trouble]
	log     atomic.Pointer[slog.Logger]
	events  chan struct{}
	stop    chan struct{}
	once    sync.Once

	reading chan struct{} // held by who reads
	seen    [sha256.Size]byte
	readAt  time.Time
}

// trouble is why the source cannot be read, and what was said about it.
type trouble struct {
	err  error
	said time.Time
}

// open reads f for the first time. The error says what is wrong and never
// quotes content.
func (f *Followed) open(ctx context.Context) (*Followed, error) {
	f.events, f.stop, f.reading = make(chan struct{}, 1), make(chan struct{}), make(chan struct{}, 1)
	if f.retry == 0 {
		f.retry = f.every
	}
	f.log.Store(slog.New(slog.DiscardHandler))
	data, err := f.read(ctx)
	if err != nil {
		return nil, err
	}
	st, err := f.parse(data)
	if err != nil {
		return nil, err
	}
	st.Version = 1
	f.current.Store(&st)
	f.seen, f.readAt = sha256.Sum256(data), time.Now()
	return f, nil
}

// ErrEnded is why [Source.Current] of a login refuses: what is in force has
// ended, and there is nothing newer to be read.
var ErrEnded = errors.New("the credential has ended, and there is no newer one")

// Current returns what was read last. While the source cannot be read that is
// the last good content, until it ends by its own account.
func (f *Followed) Current() (State, error) {
	st := *f.current.Load()
	if t := f.trouble.Load(); t != nil && !st.Expiry.IsZero() && !time.Now().Before(st.Expiry) {
		return State{}, fmt.Errorf("%w: %w", ErrEnded, t.err)
	}
	return st, nil
}

// Refetch implements [Source].
func (f *Followed) Refetch(ctx context.Context) (State, error) {
	if err := f.update(ctx); err != nil {
		return State{}, err
	}
	return f.Current()
}

func (f *Followed) String() string { return f.name }

// Close ends the following. It does not wait for it.
func (f *Followed) Close() error {
	f.once.Do(func() { close(f.stop) })
	return nil
}

// update reads the source, and puts what it holds in force if that is another
// thing.
func (f *Followed) update(ctx context.Context) error {
	select {
	case f.reading <- struct{}{}:
		defer func() { <-f.reading }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if f.rest > 0 && time.Since(f.readAt) < f.rest {
		if t := f.trouble.Load(); t != nil {
			return t.err
		}
		return nil
	}
	err := f.take(ctx)
	f.readAt = time.Now()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	f.report(err)
	return err
}

// take reads and parses. Only one goroutine is here at a time.
func (f *Followed) take(ctx context.Context) error {
	data, err := f.read(ctx)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	if sum == f.seen {
		return nil
	}
	if f.settle {
		if data, err = f.settled(ctx, sum); err != nil {
			return err
		}
		sum = sha256.Sum256(data)
	}
	st, err := f.parse(data)
	if err != nil {
		return err
	}
	f.seen = sum
	old := f.current.Load()
	if same(st, *old) {
		// A refresh token may have changed: nothing that is sent.
		st.Version = old.Version
		f.current.Store(&st)
		return nil
	}
	st.Version = old.Version + 1
	f.current.Store(&st)
	f.log.Load().Info("the credential has changed", "source", f.name, expiryAttr(st))
	return nil
}

// settled reads until it gets the same thing twice, or has waited long enough.
func (f *Followed) settled(ctx context.Context, sum [sha256.Size]byte) ([]byte, error) {
	for start := time.Now(); ; {
		timer := time.NewTimer(settleFor)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, context.Cause(ctx)
		}
		data, err := f.read(ctx)
		if err != nil {
			return nil, err
		}
		again := sha256.Sum256(data)
		if again == sum || time.Since(start) > settleMax {
			return data, nil
		}
		sum = again
	}
}

func same(a, b State) bool {
	if a.Token.Expose() != b.Token.Expose() || !a.Expiry.Equal(b.Expiry) || len(a.Fields) != len(b.Fields) {
		return false
	}
	for k, v := range a.Fields {
		if w, ok := b.Fields[k]; !ok || v.Expose() != w.Expose() {
			return false
		}
	}
	return true
}

// report logs the beginning and the end of a trouble, and now and then that it
// lasts.
func (f *Followed) report(err error) {
	before := f.trouble.Load()
	if err == nil {
		if before != nil {
			f.trouble.Store(nil)
			f.log.Load().Info("the credential can be read again", "source", f.name, expiryAttr(*f.current.Load()))
		}
		return
	}
	now := trouble{err, time.Now()}
	if before != nil && before.err.Error() == err.Error() && now.said.Sub(before.said) < sayAgain {
		now.said = before.said
	} else {
		args := []any{"source", f.name, "err", err, expiryAttr(*f.current.Load())}
		if h, ok := err.(interface{ HintText() string }); ok && h.HintText() != "" {
			args = append(args, "hint", h.HintText())
		}
		f.log.Load().Error("the credential cannot be read; the last good one stays in force", args...)
	}
	f.trouble.Store(&now)
}

func expiryAttr(st State) slog.Attr {
	if st.Expiry.IsZero() {
		return slog.Attr{} // which handlers leave out
	}
	return slog.Time("expires", st.Expiry)
}

// follow reads again at each event and each tick, until Close.
func (f *Followed) follow() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-f.stop:
			cancel() // a command that runs
		case <-ctx.Done():
		}
	}()
	timer := time.NewTimer(f.every)
	defer timer.Stop()
	for {
		select {
		case <-f.stop:
			return
		case <-f.events:
		case <-timer.C:
		}
		wait := f.every
		if f.update(ctx) != nil { // told by report
			wait = f.retry
		}
		timer.Reset(wait)
	}
}

// nudge says that the source may have changed.
func (f *Followed) nudge() {
	select {
	case f.events <- struct{}{}:
	default: // one is waiting
	}
}

// plain is the state of a source that holds the secret and nothing else.
func plain(data []byte) (State, error) {
	v, err := secret.NewTrimmed(string(data))
	return State{Token: v}, err
}
