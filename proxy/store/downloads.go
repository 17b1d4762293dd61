package store

import (
	"context"
	"database/sql"
	"time"

	"modelwall/proxy/audit"
)

const downloadColumns = `at, request_id, client, method, repo, revision, path, sha256, size, verdict, decision, cache,
	bytes_fetched, bytes_sent, verdict_time, status, error`

const keepDownload = "keep a download record"

// PutDownload keeps the record of one download, and returns when it is on the
// disk.
func (s *Store) PutDownload(ctx context.Context, r audit.Record) error {
	w := insertDownload(r)
	s.db.commit(ctx, w)
	return s.db.explain(keepDownload, w.err)
}

func insertDownload(r audit.Record) *statement {
	at := r.Time
	if at.IsZero() {
		at = time.Now()
	}
	return &statement{
		query: "INSERT INTO downloads (" + downloadColumns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		args: []any{
			micros(at), discreet(r.RequestID), discreet(r.Client), bound(r.Method), bound(r.Repo), bound(r.Revision), bound(r.Path),
			bound(r.SHA256), r.Size, r.Verdict.String(), bound(r.Decision), bound(r.Cache),
			r.BytesFetched, r.BytesSent, int64(r.VerdictTime), r.Status, discreet(r.Error),
		},
		done: make(chan struct{}),
	}
}

// DownloadQuery selects download records; its zero value is the latest ones.
// Of SHA256, Repo and Decision each that is set has to be equal.
type DownloadQuery struct {
	Since    time.Time // at or after
	Repo     string
	Decision string // one of the audit.Decision constants
	SHA256   string // who got this content
	Limit    int    // at most so many; 100 if not positive, 10 000 at most
}

// Downloads returns the records that q selects, the latest first.
func (s *Store) Downloads(ctx context.Context, q DownloadQuery) ([]audit.Record, error) {
	const op = "look up download records"
	s.later.flush()
	var w where
	w.add(!q.Since.IsZero(), "at >= ?", micros(q.Since))
	w.add(q.Repo != "", "repo = ?", q.Repo)
	w.add(q.Decision != "", "decision = ?", q.Decision)
	w.add(q.SHA256 != "", "sha256 = ?", q.SHA256)
	query := "SELECT " + downloadColumns + " FROM downloads " + w.String() + " ORDER BY at DESC, seq DESC LIMIT ?" //nolint:gosec // joined of constants; what varies is an argument
	res, err := s.db.read.QueryContext(ctx, query, append(w.args, rows(q.Limit))...)
	if err != nil {
		return nil, s.db.explain(op, err)
	}
	defer func() { _ = res.Close() }()
	var found []audit.Record
	for res.Next() {
		r, err := scanDownload(res)
		if err != nil {
			return nil, s.db.explain(op, err)
		}
		found = append(found, r)
	}
	return found, s.db.explain(op, res.Err())
}

func scanDownload(row *sql.Rows) (audit.Record, error) {
	var r audit.Record
	var at, took int64
	var verdict string
	err := row.Scan(&at, &r.RequestID, &r.Client, &r.Method, &r.Repo, &r.Revision, &r.Path, &r.SHA256, &r.Size, &verdict, &r.Decision, &r.Cache,
		&r.BytesFetched, &r.BytesSent, &took, &r.Status, &r.Error)
	if err != nil {
		return r, err
	}
	r.Time, r.VerdictTime = fromMicros(at), time.Duration(took)
	return r, r.Verdict.UnmarshalText([]byte(verdict))
}

// PruneDownloads forgets the records from before a time and returns how many
// there were.
func (s *Store) PruneDownloads(ctx context.Context, before time.Time) (int64, error) {
	return s.db.exec(ctx, "prune download records", "DELETE FROM downloads WHERE at < ?", micros(before))
}

// patience bounds how long a record of a download may take to be kept.
const patience = 30 * time.Second

// Audit returns a sink that keeps each record in the store, also when the
// request's own context is over. What was allowed is written within 50 ms,
// together with others, and nobody waits for it: a burst of small files would be
// no faster than the disk. All other records, of refusals and of what went
// wrong, are on the disk when Record returns. Close writes what is left.
// Failures go to onError.
func (s *Store) Audit(onError func(error)) audit.Sink { return auditSink{s, onError} }

type auditSink struct {
	store   *Store
	onError func(error)
}

func (a auditSink) Record(ctx context.Context, r audit.Record) {
	if seen := sighting(r); seen != nil {
		a.store.later.put(seen, a.onError)
	}
	if r.Decision == audit.DecisionAllow {
		a.store.later.put(insertDownload(r), a.onError)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if err := a.store.PutDownload(ctx, r); err != nil && a.onError != nil {
		a.onError(err)
	}
}
