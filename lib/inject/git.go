package inject

import (
	"errors"
	"net/http"
	"os"
	"time"

	"bottle/lib/forward"
	"bottle/lib/refusal"
)

const (
	// mostBatches bounds the bodies that are read to judge them, which an agent
	// could send without end and never finish, and batchWait the wait for one to
	// be done; batchTime bounds the reading of each.
	mostBatches = 32
	batchWait   = 5 * time.Second
	batchTime   = 10 * time.Second
)

// judgeGit refuses what the route's rule about git does.
func (t *Routes) judgeGit(x *forward.Exchange, req *http.Request, r *Route) error {
	reads := r.Git.Reads(req)
	if reads {
		timer := time.NewTimer(batchWait)
		defer timer.Stop()
		select {
		case t.batches <- struct{}{}:
			defer func() { <-t.batches }()
		case <-timer.C:
			return refusal.New(refusal.FilterBusy, "too many git-lfs requests are being judged at once; try again, or send fewer at a time")
		case <-req.Context().Done():
			return &forward.BodyError{Err: req.Context().Err()}
		}
		if err := x.SetReadDeadline(time.Now().Add(batchTime)); err != nil {
			return err
		}
	}
	err := r.Git.Judge(req, x.Destination.String())
	if err == nil && reads {
		err = x.SetReadDeadline(time.Time{})
	}
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*refusal.Refusal](err); ok {
		return err
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return refusal.New(refusal.BodyTimeout, "the git-lfs request did not arrive within %d s", int(batchTime.Seconds()))
	}
	return &forward.BodyError{Err: err}
}
