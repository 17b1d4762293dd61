package store

import (
	"context"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"modelwall/scan"
)

// Verdicts is the part of the records that is asked for on every request.
type Verdicts interface {
	Verdict(ctx context.Context, sha256, fingerprint string) (VerdictRecord, bool, error)
	PutVerdict(ctx context.Context, r VerdictRecord) error
}

// Cached keeps the n verdicts that were looked up last in memory; v itself is
// returned if n is not positive. Neither an unknown content nor an
// undetermined verdict is kept, because another process may know better by
// now; all others are final for their fingerprint. The reports of records that
// come from memory are shared and must not be changed.
func Cached(v Verdicts, n int) Verdicts {
	if n <= 0 {
		return v
	}
	recent, err := lru.New[verdictKey, VerdictRecord](n)
	if err != nil { // of a size that is not positive
		return v
	}
	return &cached{next: v, recent: recent}
}

type verdictKey struct{ sha256, fingerprint string }

type cached struct {
	next Verdicts

	mu     sync.Mutex // orders puts against lookups that are under way
	puts   uint64
	recent *lru.Cache[verdictKey, VerdictRecord]
}

func (c *cached) Verdict(ctx context.Context, sha256, fingerprint string) (VerdictRecord, bool, error) {
	key := verdictKey{sha256, fingerprint}
	if r, ok := c.recent.Get(key); ok {
		return r, true, nil
	}
	c.mu.Lock()
	puts := c.puts
	c.mu.Unlock()
	r, ok, err := c.next.Verdict(ctx, sha256, fingerprint)
	if err != nil || !ok || r.Verdict == scan.Undetermined {
		return r, ok, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if puts == c.puts { // else r may be older than what was put meanwhile
		c.recent.Add(key, r)
	}
	return r, true, nil
}

// PutVerdict only forgets the verdict: which of two records stays is decided
// below, and a write that failed may have happened.
func (c *cached) PutVerdict(ctx context.Context, r VerdictRecord) error {
	defer c.forget(verdictKey{r.SHA256, r.Fingerprint})
	return c.next.PutVerdict(ctx, r)
}

func (c *cached) forget(key verdictKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.puts++
	c.recent.Remove(key)
}
