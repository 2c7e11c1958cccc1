package mintca

import (
	"container/list"
	"crypto/tls"
	"strings"
	"sync"
	"time"
)

// LeafCache keeps the leaves of one CA that are in use. Its memory is bounded
// by the number of leaves given to [NewLeafCache]. It is safe for concurrent
// use.
type LeafCache struct {
	ca  *CA
	max int

	mu      sync.Mutex
	entries map[string]*list.Element // of *entry
	recent  list.List                // front: used last
}

type entry struct {
	host    string
	renewAt time.Time
	mint    func() (*tls.Certificate, error) // works once; all callers wait for it
}

// NewLeafCache returns an empty cache for at most max leaves of ca; max below
// 1 counts as 1.
func NewLeafCache(ca *CA, max int) *LeafCache {
	if max < 1 {
		max = 1
	}
	return &LeafCache{ca: ca, max: max, entries: map[string]*list.Element{}}
}

// Get returns the leaf for host, in any case, and makes it when there is none
// or when three quarters of its life are over. Callers that ask for one host
// at a time share the work. The least recently used leaf gives way when the
// cache is full. Errors are those of [CA.Leaf] and are not kept.
func (c *LeafCache) Get(host string) (*tls.Certificate, error) {
	host = strings.ToLower(host)
	e := c.entry(host, time.Now())
	leaf, err := e.mint()
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if el := c.entries[host]; el != nil && el.Value == e {
			c.remove(el)
		}
		return nil, err
	}
	return leaf, nil
}

// entry finds or adds the entry for host. The leaf is made outside the lock,
// so that hosts do not wait for each other.
func (c *LeafCache) entry(host string, now time.Time) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el := c.entries[host]; el != nil {
		if e := el.Value.(*entry); now.Before(e.renewAt) {
			c.recent.MoveToFront(el)
			return e
		}
		c.remove(el)
	}
	for len(c.entries) >= c.max {
		c.remove(c.recent.Back())
	}
	e := &entry{
		host:    host,
		renewAt: now.Add(c.ca.leafEnd(now).Sub(now) * 3 / 4),
		mint: sync.OnceValues(func() (*tls.Certificate, error) {
			return c.ca.leaf(host, now)
		}),
	}
	c.entries[host] = c.recent.PushFront(e)
	return e
}

func (c *LeafCache) remove(el *list.Element) {
	delete(c.entries, el.Value.(*entry).host)
	c.recent.Remove(el)
}

// Len returns the number of leaves kept.
func (c *LeafCache) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.entries)
}
