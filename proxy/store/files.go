package store

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"time"

	"modelwall/proxy/audit"
)

// sighting is the statement that notes where on the Hub served content was
// seen, nil if r is no such download. The time is kept to the day, so that most
// downloads of a file that is known already write nothing.
func sighting(r audit.Record) *statement {
	served := r.Status == http.StatusOK || r.Status == http.StatusPartialContent
	if !served || r.Repo == "" || checkSHA256(r.SHA256) != nil {
		return nil
	}
	at := r.Time
	if at.IsZero() {
		at = time.Now()
	}
	return &statement{
		query: `INSERT INTO files (repo, revision, path, sha256, at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET at = excluded.at WHERE at < excluded.at`,
		args: []any{bound(r.Repo), bound(r.Revision), bound(r.Path), r.SHA256, micros(at.Truncate(24 * time.Hour))},
		done: make(chan struct{}),
	}
}

// CachedFile is content in the cache, and a place where it was seen on the Hub.
// Content that was seen in several places is listed for each.
type CachedFile struct {
	SHA256 string
	Size   int64     // of the content in bytes
	Used   time.Time // when it was last served, to the hour
	// Repo, Revision and Path are "" if the place is not known.
	Repo, Revision, Path string
}

// CachedFiles lists what is in the cache by repository, path and revision, or
// what of it was seen in one repository if repo is not "".
func (s *Store) CachedFiles(ctx context.Context, repo string) (list []CachedFile, err error) {
	const op = "list the cache"
	s.later.flush()
	rows, err := s.db.read.QueryContext(ctx, `SELECT sha256, size, used, coalesce(repo, ''), coalesce(revision, ''), coalesce(path, '')
		FROM blobs LEFT JOIN files USING (sha256) WHERE area = ? AND (? = '' OR repo = ? COLLATE NOCASE)
		ORDER BY repo, path, revision`, string(areaBlobs), repo, repo)
	if err != nil {
		return nil, s.db.explain(op, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var f CachedFile
		var used int64
		if err := rows.Scan(&f.SHA256, &f.Size, &used, &f.Repo, &f.Revision, &f.Path); err != nil {
			return nil, s.db.explain(op, err)
		}
		f.Used = fromMicros(used)
		list = append(list, f)
	}
	return list, s.db.explain(op, rows.Err())
}

// ForgetRepo forgets what was seen in a repository. Its content stays.
func (s *Store) ForgetRepo(ctx context.Context, repo string) error {
	s.later.flush()
	_, err := s.db.exec(ctx, "forget a repository", "DELETE FROM files WHERE repo = ? COLLATE NOCASE", repo)
	return err
}

// pins returns the content of the repositories that keep selects.
func pins(ctx context.Context, tx *sql.Tx, keep func(repo string) bool) (pinned map[string]bool, err error) {
	pinned = map[string]bool{}
	if keep == nil {
		return pinned, nil
	}
	rows, err := tx.QueryContext(ctx, "SELECT repo, sha256 FROM files ORDER BY repo")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var last string
	var kept bool
	for rows.Next() {
		var repo, sha256 string
		if err := rows.Scan(&repo, &sha256); err != nil {
			return nil, err
		}
		if repo != last {
			last, kept = repo, keep(repo)
		}
		if kept {
			pinned[sha256] = true
		}
	}
	return pinned, rows.Err()
}
