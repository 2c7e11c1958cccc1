package inject

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"bottle/lib/credential"
	"bottle/lib/forward"
	"bottle/lib/refusal"
	"bottle/lib/secret"
)

const (
	// lookTime bounds the search for a newer credential, a renewal included,
	// while the request that was answered with 401 waits.
	lookTime = 25 * time.Second
	// lookPause is how long the answer "there is no newer one" holds: an origin
	// that answers 401 forever does not make egress read a file, or run a
	// command, for each request.
	lookPause = time.Second
)

// renewFunc renews a credential that an origin does not take; see
// [renew.Renewer.Renew].
type renewFunc func(context.Context, secret.Value) (bool, error)

// retry reports whether the credential that res answers with 401 has a newer
// one by now. If there is none because the login has ended, that is what the
// agent is told: on a 401 its client would try to sign in.
func (t *Routes) retry(res *http.Response) (bool, error) {
	if res.StatusCode != http.StatusUnauthorized {
		return false, nil
	}
	x := forward.ExchangeOf(res.Request)
	d, ok := x.State.(*decision)
	if !ok {
		return false, nil
	}
	newer := false
	for source, sent := range d.states {
		if l := t.lookers[source]; l != nil && l.newer(res.Request.Context(), sent) {
			newer = true
		}
	}
	if !newer && !d.expiry.IsZero() && time.Now().After(d.expiry) {
		return false, refusal.New(refusal.LoginEnded, "%s does not take the host's login any more, which has ended; the operator has to run its client on the host, and then you can go on", x.Destination)
	}
	return newer, nil
}

// looker looks for a newer credential than one that an origin has refused,
// once for all requests that had it.
type looker struct {
	source credential.Source
	renew  atomic.Pointer[renewFunc] // nil: the login is followed only

	mu   sync.Mutex
	look *look // under way
	// vain and at are of the last look that found nothing newer.
	vain uint64
	at   time.Time
}

type look struct {
	sent uint64 // the version that was refused
	done chan struct{}
}

// newer reports whether source holds another credential than sent, or comes to.
func (l *looker) newer(ctx context.Context, sent credential.State) bool {
	for !l.moved(sent) {
		l.mu.Lock()
		if since := time.Since(l.at); l.look == nil && l.vain == sent.Version && since >= 0 && since < lookPause {
			l.mu.Unlock()
			return false
		}
		now := l.look
		if now == nil {
			now = &look{sent.Version, make(chan struct{})}
			l.look = now
			// It is for all who wait, so it does not end with the first of them.
			go l.run(context.WithoutCancel(ctx), now, sent)
		}
		l.mu.Unlock()
		select {
		case <-now.done:
			if now.sent == sent.Version {
				return l.moved(sent)
			}
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (l *looker) moved(sent credential.State) bool {
	st, err := l.source.Current()
	return err == nil && st.Version != sent.Version
}

func (l *looker) run(ctx context.Context, now *look, sent credential.State) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.look, l.vain, l.at = nil, sent.Version, time.Now()
		close(now.done)
	}()
	// What could not be read or renewed is logged by whoever tried.
	st, err := l.source.Refetch(ctx)
	renewer := l.renew.Load()
	if renewer == nil || err == nil && st.Version != sent.Version {
		return
	}
	if changed, err := (*renewer)(ctx, sent.Token); err == nil && changed {
		_, _ = l.source.Refetch(ctx)
	}
}
