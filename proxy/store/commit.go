package store

import (
	"context"
	"database/sql"
	"slices"
	"sync"
)

// Each commit waits for the disk, and a disk that takes some milliseconds for
// that commits a few hundred times a second. So what several callers write at
// the same time is committed together: whoever gets the turn takes along what
// the others have queued meanwhile. Nobody is answered before the commit that
// has his statement is on the disk.

// maxGroup bounds one commit, in statements.
const maxGroup = 256

// group is the queue of statements for the next commit.
type group struct {
	turn  chan struct{} // holds a value while somebody commits
	mu    sync.Mutex
	queue []*statement
}

// statement is one that is waiting for its commit.
type statement struct {
	query string
	args  []any
	done  chan struct{} // closed when n and err are set
	n     int64
	err   error
}

func newGroup() *group { return &group{turn: make(chan struct{}, 1)} }

func (g *group) add(w *statement) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.queue = append(g.queue, w)
}

// withdraw takes w back, unless it is being committed.
func (g *group) withdraw(w *statement) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.queue, w)
	if i >= 0 {
		g.queue = slices.Delete(g.queue, i, i+1)
	}
	return i >= 0
}

func (g *group) take() []*statement {
	g.mu.Lock()
	defer g.mu.Unlock()
	batch := slices.Clone(g.queue[:min(len(g.queue), maxGroup)])
	g.queue = slices.Delete(g.queue, 0, len(batch))
	return batch
}

// commit runs w in a commit that it may share. ctx can end only the wait for a
// turn.
func (d *database) commit(ctx context.Context, w *statement) {
	d.group.add(w)
	d.await(ctx, w)
}

// await is commit for what is in the queue.
func (d *database) await(ctx context.Context, w *statement) {
	g := d.group
	if ctx.Err() != nil && g.withdraw(w) {
		w.err = context.Cause(ctx)
		return
	}
	for {
		select {
		case <-w.done:
			return
		case g.turn <- struct{}{}:
			select {
			case <-w.done: // while nobody had the turn
			default:
				d.together(context.WithoutCancel(ctx), g.take())
			}
			<-g.turn
		case <-ctx.Done():
			if g.withdraw(w) {
				w.err = context.Cause(ctx)
				return
			}
			<-w.done
			return
		}
	}
}

// together commits a batch. A statement that fails is undone by SQLite alone,
// and fails alone; a commit that fails is everybody's failure.
func (d *database) together(ctx context.Context, batch []*statement) {
	defer func() {
		for _, w := range batch {
			close(w.done)
		}
	}()
	if len(batch) == 1 {
		batch[0].run(ctx, d.write)
		return
	}
	err := d.transact(ctx, "commit", func(ctx context.Context, tx *sql.Tx) error {
		for _, w := range batch {
			w.run(ctx, tx)
		}
		return nil
	})
	if err != nil {
		for _, w := range batch {
			w.n, w.err = 0, err
		}
	}
}

func (w *statement) run(ctx context.Context, db interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
},
) {
	res, err := db.ExecContext(ctx, w.query, w.args...)
	if err == nil {
		w.n, err = res.RowsAffected()
	}
	w.err = err
}
