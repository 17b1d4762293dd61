package store

import (
	"context"
	"sync"
	"time"
)

const (
	// linger is how long a record that nobody waits for may wait for others
	// to be committed with.
	linger = 50 * time.Millisecond
	// maxLater is how many such records wait before who brings one more has to
	// see to it that they are written.
	maxLater = 4 * maxGroup
)

// later writes records that nobody waits for. A process that is killed loses
// those of its last moment, linger; one that is closed, none.
type later struct {
	db *database

	flushing sync.Mutex // of who writes; taken before mu
	mu       sync.Mutex
	pending  []promised
	timer    *time.Timer
}

// promised is a statement and who is told if it fails.
type promised struct {
	*statement
	onError func(error)
}

func (l *later) put(w *statement, onError func(error)) {
	l.mu.Lock()
	l.pending = append(l.pending, promised{w, onError})
	n := len(l.pending)
	if n == 1 {
		l.timer = time.AfterFunc(linger, l.flush)
	}
	l.mu.Unlock()
	if n >= maxLater {
		l.flush()
	}
}

// flush returns when all that was put before is written, or has failed.
func (l *later) flush() {
	l.flushing.Lock()
	defer l.flushing.Unlock()
	l.mu.Lock()
	list := l.pending
	l.pending = nil
	if l.timer != nil {
		l.timer.Stop()
	}
	l.mu.Unlock()
	if len(list) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, p := range list {
		l.db.group.add(p.statement)
	}
	for _, p := range list {
		l.db.await(ctx, p.statement)
		if p.err != nil && p.onError != nil {
			p.onError(l.db.explain(keepDownload, p.err))
		}
	}
}
