package store

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"time"
)

// useGrain is how exactly the last use of content is known. Finer would be a
// write for every download.
const useGrain = time.Hour

// touch notes that content is used, if it was not in the last hour. It is a
// hint for Evict: a failure costs nothing but a wrong order.
func (b *Blobs) touch(sha256 string, used int64) {
	now := time.Now()
	if micros(now)-used < useGrain.Microseconds() {
		return
	}
	_, _ = b.db.exec(context.Background(), "note the use of content",
		"UPDATE blobs SET used = ? WHERE sha256 = ? AND used < ?", micros(now), sha256, micros(now))
}

// evictBatch is how many files go in one transaction: each is a write lock
// that downloads wait for.
const evictBatch = 100

// Evict removes served content, the longest unused first, once there is more
// than maxBytes of it, until nine tenths of that are left. Quarantined content
// stays, and so does what was seen in a repository that keep (which may be nil)
// selects, even if that alone is more than maxBytes. It returns what it freed,
// in bytes, also beside an error. Content that is being read stays readable.
func (b *Blobs) Evict(ctx context.Context, maxBytes int64, keep func(repo string) bool) (freed int64, err error) {
	const op = "evict content"
	var total int64
	err = b.db.read.QueryRowContext(ctx, "SELECT coalesce(sum(size), 0) FROM blobs WHERE area = ?", string(areaBlobs)).Scan(&total)
	if err != nil {
		return 0, b.db.explain(op, err)
	}
	if total <= maxBytes {
		return 0, nil
	}
	for low := maxBytes / 10 * 9; total-freed > low; {
		files, bytes, err := b.evict(ctx, total-freed-low, keep)
		if freed += bytes; err != nil || files == 0 {
			return freed, err
		}
	}
	return freed, nil
}

// evict removes a batch of at least want bytes, if there are as many.
func (b *Blobs) evict(ctx context.Context, want int64, keep func(repo string) bool) (files int, freed int64, err error) {
	const op = "evict content"
	err = b.db.transact(ctx, op, func(ctx context.Context, tx *sql.Tx) error {
		pinned, err := pins(ctx, tx, keep)
		if err != nil {
			return err
		}
		names, bytes, err := oldest(ctx, tx, want, pinned)
		if err != nil {
			return err
		}
		for _, sha256 := range names {
			if err := b.unlink(areaBlobs, sha256); err != nil {
				return explain(op, filepath.Join(b.dir, areaBlobs.file(sha256)), err)
			}
			if err := forget(ctx, tx, sha256); err != nil {
				return err
			}
		}
		files, freed = len(names), bytes
		return nil
	})
	if err != nil { // nothing is done before the commit, but files may be gone
		return 0, 0, err
	}
	return files, freed, nil
}

// oldest returns the names of the longest unused content that is not pinned, of
// want bytes or a batch.
func oldest(ctx context.Context, tx *sql.Tx, want int64, pinned map[string]bool) (names []string, bytes int64, err error) {
	rows, err := tx.QueryContext(ctx, "SELECT sha256, size FROM blobs WHERE area = ? ORDER BY used", string(areaBlobs))
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for bytes < want && len(names) < evictBatch && rows.Next() {
		var name string
		var size int64
		if err := rows.Scan(&name, &size); err != nil {
			return nil, 0, err
		}
		if !pinned[name] {
			names, bytes = append(names, name), bytes+size
		}
	}
	return names, bytes, rows.Err()
}
