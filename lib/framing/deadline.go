package framing

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// deadlines combines the deadline that the caller sets with the head's own.
// net/http uses the caller's for three things: the idle time between
// requests, the time for a whole request, and, by setting it in the past, to
// abort the read that its background goroutine is blocked in.
type deadlines struct {
	mu     sync.Mutex
	caller time.Time
	past   bool // caller was over when it was set: an abort
	headBy time.Time
	closed bool
	wake   chan struct{} // if not nil: closed when any of this changes
}

// errSlowHead is what a read ends with when the head's deadline is over.
var errSlowHead = errors.New("framing: head timeout")

// slow returns the violation if err says that the head was too slow.
func slow(err error) *Violation {
	if err != errSlowHead {
		return nil
	}
	return &Violation{HeaderTimeout, "the request head did not arrive in time"}
}

// effective returns the deadline for inner. Within a head HeadTimeout counts
// alone: an idle timeout that began before the head must not cut it short. An
// abort counts always.
func (d *deadlines) effective() time.Time {
	if d.headBy.IsZero() || d.past {
		return d.caller
	}
	return d.headBy
}

func (d *deadlines) signal() {
	if d.wake != nil {
		close(d.wake)
		d.wake = nil
	}
}

// SetReadDeadline sets the deadline of pending and future Reads. A deadline in
// the past ends a pending Read at once, and no byte is lost by that. A
// deadline in the future does not count from the first byte of a head to its
// last: HeadTimeout does.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.caller = t
	c.past = !t.IsZero() && !t.After(time.Now())
	c.signal()
	return c.inner.SetReadDeadline(c.effective())
}

// SetDeadline sets both deadlines; see [Conn.SetReadDeadline].
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.inner.SetWriteDeadline(t)
}

// beginHead notes that the head at the front of held is incomplete and starts
// its time, unless that was done before.
func (c *Conn) beginHead() error {
	if c.begun {
		return nil
	}
	c.begun = true
	if c.limits.HeadTimeout < 0 {
		return nil
	}
	return c.setHeadBy(time.Now().Add(c.limits.HeadTimeout))
}

// endHead undoes beginHead.
func (c *Conn) endHead() {
	if c.begun && c.limits.HeadTimeout >= 0 {
		// An error would come up again in the next read.
		_ = c.setHeadBy(time.Time{})
	}
	c.begun = false
}

func (c *Conn) setHeadBy(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.headBy = t
	return c.inner.SetReadDeadline(c.effective())
}

// expired interprets a timeout of inner: errSlowHead, the caller's own timeout
// err, or nil to read again.
func (d *deadlines) expired(err error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.headBy.IsZero() || d.past {
		return err
	}
	if time.Now().Before(d.headBy) {
		return nil
	}
	return errSlowHead
}

func isTimeout(err error) bool {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
