package proxy

import (
	"crypto/rand"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// tickets gives out random names that stand for a value for a while. Whoever
// has the name has the value. They are kept in memory only, at most a fixed
// number of them; the oldest go first, and with each new one those that have
// expired.
type tickets[V any] struct {
	life time.Duration
	now  func() time.Time
	kept *lru.Cache[string, ticket[V]]
}

type ticket[V any] struct {
	value   V
	expires time.Time
}

func newTickets[V any](life time.Duration, most int, now func() time.Time) *tickets[V] {
	kept, err := lru.New[string, ticket[V]](most)
	if err != nil { // only for a number below one
		panic(err)
	}
	return &tickets[V]{life: life, now: now, kept: kept}
}

// issue returns a new name for v, of 26 letters and digits, that is good until
// the given time, and for the tickets' whole life at most.
func (t *tickets[V]) issue(v V, until time.Time) (name string, expires time.Time) {
	now := t.now()
	for {
		// Looked up without being moved, so the oldest is the first to expire.
		oldest, old, ok := t.kept.GetOldest()
		if !ok || now.Before(old.expires) {
			break
		}
		t.kept.Remove(oldest)
	}
	expires = now.Add(t.life)
	if until.Before(expires) {
		expires = until
	}
	name = rand.Text()
	t.kept.Add(name, ticket[V]{v, expires})
	return name, expires
}

// redeem returns what a name stands for.
func (t *tickets[V]) redeem(name string) (v V, ok bool) {
	found, ok := t.kept.Peek(name)
	if !ok || !t.now().Before(found.expires) {
		return v, false
	}
	return found.value, true
}
