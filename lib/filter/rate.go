package filter

import (
	"time"

	"bottle/lib/authority"
	"bottle/lib/refusal"
)

// countRate takes one request to a off the budget of the pattern that allowed
// it. Budgets belong to patterns, not to names: under a wildcard an agent can
// invent names without end.
func (f *Filter) countRate(p authority.Pattern, a authority.Authority) *refusal.Refusal {
	l := f.limiters[p]
	if l == nil {
		return nil
	}
	now := time.Now()
	res := l.ReserveN(now, 1)
	wait := res.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	res.CancelAt(now)
	r := refusal.New(refusal.RateLimited, "too many requests to %s; wait %d s", a, int64((wait+time.Second-1)/time.Second))
	r.RetryAfter = wait
	return r
}
