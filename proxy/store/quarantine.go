package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"modelwall/scan"
)

// QuarantineEntry is one content that a policy kept from users, with where it
// was seen last.
type QuarantineEntry struct {
	ID      string // "q-…", given by the store; what a blocked user is told
	SHA256  string
	Size    int64 // bytes
	Verdict scan.Verdict
	Report  scan.Report

	Repo, Revision, Path, Client string
	FirstSeen, LastSeen          time.Time
	Count                        int // how often it was asked for

	// Held says that the content lies in quarantine; it does not after a
	// release, or if it could not be kept.
	Held bool
	// Release is the release in force, nil without one. Whether it covers what
	// is known of the content by now is Release.Covers' to say.
	Release *Release
}

const selectQuarantine = `SELECT q.id, q.sha256, q.size, q.verdict, q.report, q.repo, q.revision, q.path, q.client,
		q.first_seen, q.last_seen, q.count, b.sha256 IS NOT NULL,
		r.entry, r.verdict, r.reason, r.who, r.at
	FROM quarantine q
	LEFT JOIN blobs b ON b.sha256 = q.sha256 AND b.area = 'quarantine'
	LEFT JOIN releases r ON r.seq = (SELECT max(seq) FROM releases WHERE sha256 = q.sha256) AND r.active = 1 `

// PutQuarantine keeps an entry and returns its ID. There is one entry per
// content: when it is there already, it keeps its ID and FirstSeen, takes over
// all other fields and counts one more. ID, Count, Held and Release of e are
// ignored; a zero LastSeen stands for now. The content is Blobs.Quarantine's.
func (s *Store) PutQuarantine(ctx context.Context, e QuarantineEntry) (id string, err error) {
	const op = "keep a quarantine entry"
	if err := checkSHA256(e.SHA256); err != nil {
		return "", fmt.Errorf("%s: %w", op, err)
	}
	report, err := encodeReport(e.Verdict, e.Report)
	if err != nil {
		return "", fmt.Errorf("%s: %w", op, err)
	}
	last := e.LastSeen
	if last.IsZero() {
		last = time.Now()
	}
	first := e.FirstSeen
	if first.IsZero() {
		first = last
	}
	for range 5 {
		err = s.db.write.QueryRowContext(ctx, `INSERT INTO quarantine
				(id, sha256, size, verdict, repo, revision, path, client, first_seen, last_seen, count, report)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?)
			ON CONFLICT (sha256) DO UPDATE SET size = excluded.size, verdict = excluded.verdict, repo = excluded.repo,
				revision = excluded.revision, path = excluded.path, client = excluded.client,
				last_seen = max(last_seen, excluded.last_seen), count = count + 1, report = excluded.report
			RETURNING id`,
			newID(), e.SHA256, e.Size, e.Verdict.String(), bound(e.Repo), bound(e.Revision), bound(e.Path), discreet(e.Client),
			micros(first), micros(last), report).Scan(&id)
		if !isTaken(err) {
			break
		}
	}
	return id, s.db.explain(op, err)
}

const idPrefix = "q-"

// newID returns an ID that is short enough to be read out: eight
// random characters that do not look alike.
func newID() string {
	const letters = "abcdefghjkmnpqrstuvwxyz23456789"
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return idPrefix + string(b[:])
}

// isTaken reports whether a new ID was not new.
func isTaken(err error) bool {
	var sq *sqlite.Error
	return errors.As(err, &sq) && sq.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
}

// Quarantined returns the entry of a content, if there is one, released or
// not.
func (s *Store) Quarantined(ctx context.Context, sha256 string) (QuarantineEntry, bool, error) {
	found, err := s.quarantine(ctx, s.db.read, "WHERE q.sha256 = ?", sha256)
	if err != nil || len(found) == 0 {
		return QuarantineEntry{}, false, err
	}
	return found[0], true, nil
}

// QuarantineFilter selects entries; its zero value is all that are not
// released.
type QuarantineFilter struct {
	Repo     string       // exactly this one
	Verdict  scan.Verdict // exactly this one; Undetermined stands for all
	Released bool         // released ones too
	Since    time.Time    // seen at or after
	Limit    int          // at most so many; 100 if not positive, maxRows at most
}

// Bounds for the rows of one answer.
const (
	defaultRows = 100
	maxRows     = 10_000
)

func rows(limit int) int {
	if limit <= 0 {
		return defaultRows
	}
	return min(limit, maxRows)
}

// ListQuarantine returns the entries that f selects, the last seen first.
func (s *Store) ListQuarantine(ctx context.Context, f QuarantineFilter) ([]QuarantineEntry, error) {
	var w where
	w.add(f.Repo != "", "q.repo = ?", f.Repo)
	w.add(f.Verdict != scan.Undetermined, "q.verdict = ?", f.Verdict.String())
	w.add(!f.Since.IsZero(), "q.last_seen >= ?", micros(f.Since))
	w.add(!f.Released, "r.seq IS NULL")
	return s.quarantine(ctx, s.db.read, w.String()+" ORDER BY q.last_seen DESC, q.id LIMIT ?", append(w.args, rows(f.Limit))...)
}

// where collects conditions that all have to hold.
type where struct {
	conditions []string
	args       []any
}

func (w *where) add(wanted bool, condition string, args ...any) {
	if wanted {
		w.conditions = append(w.conditions, condition)
		w.args = append(w.args, args...)
	}
}

func (w *where) String() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return "WHERE " + strings.Join(w.conditions, " AND ")
}

// minPrefix is how many digits of a hash name an entry.
const minPrefix = 4

// Show returns the entry with this ID, or whose sha256 begins with id, which
// is then at least four digits. ErrNotFound and ErrAmbiguous name what was
// asked for and what fits.
func (s *Store) Show(ctx context.Context, id string) (QuarantineEntry, error) {
	return s.show(ctx, s.db.read, id)
}

func (s *Store) show(ctx context.Context, q queryer, id string) (QuarantineEntry, error) {
	id = strings.ToLower(strings.TrimSpace(id))
	var found []QuarantineEntry
	var err error
	switch {
	case strings.HasPrefix(id, idPrefix):
		found, err = s.quarantine(ctx, q, "WHERE q.id = ?", id)
	case len(id) >= minPrefix && len(id) <= 64 && hexHash(id, len(id)):
		found, err = s.quarantine(ctx, q, "WHERE q.sha256 >= ? AND q.sha256 < ? ORDER BY q.sha256 LIMIT 5", id, id+"g")
	default:
		return QuarantineEntry{}, fmt.Errorf("quarantine entry %q: want an ID (q-…) or at least %d digits of a sha256: %w", cut(id, 80), minPrefix, ErrNotFound)
	}
	switch {
	case err != nil:
		return QuarantineEntry{}, err
	case len(found) == 0:
		return QuarantineEntry{}, fmt.Errorf("quarantine entry %q: %w", cut(id, 80), ErrNotFound)
	case len(found) > 1:
		var fits []string
		for _, e := range found {
			fits = append(fits, e.SHA256[:min(len(id)+8, 64)]+" ("+e.ID+")")
		}
		return QuarantineEntry{}, fmt.Errorf("quarantine entry %q: %w: %s", id, ErrAmbiguous, strings.Join(fits, ", "))
	}
	return found[0], nil
}

// Delete removes an entry, named as in Show, with its content, and withdraws
// its release. The verdict stays, so the content is stopped the next time as
// well.
func (s *Store) Delete(ctx context.Context, id string) error {
	e, err := s.Show(ctx, id)
	if err != nil {
		return err
	}
	if e.Release != nil {
		if err := s.decide(ctx, e.ID, false, "the quarantine entry was deleted", "", time.Now()); err != nil {
			return err
		}
	}
	if err := s.blobs.Remove(ctx, e.SHA256); err != nil {
		return err
	}
	_, err = s.db.exec(ctx, "delete a quarantine entry", "DELETE FROM quarantine WHERE id = ?", e.ID)
	return err
}

type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func (s *Store) quarantine(ctx context.Context, q queryer, clause string, args ...any) ([]QuarantineEntry, error) {
	const op = "look up the quarantine"
	res, err := q.QueryContext(ctx, selectQuarantine+clause, args...)
	if err != nil {
		return nil, s.db.explain(op, err)
	}
	defer func() { _ = res.Close() }()
	var found []QuarantineEntry
	for res.Next() {
		e, err := scanEntry(res)
		if err != nil {
			return nil, s.db.explain(op, err)
		}
		found = append(found, e)
	}
	return found, s.db.explain(op, res.Err())
}

func scanEntry(row *sql.Rows) (QuarantineEntry, error) {
	var e QuarantineEntry
	var verdict, report string
	var first, last int64
	var entry, releasedAs, reason, who sql.NullString
	var at sql.NullInt64
	err := row.Scan(&e.ID, &e.SHA256, &e.Size, &verdict, &report, &e.Repo, &e.Revision, &e.Path, &e.Client,
		&first, &last, &e.Count, &e.Held, &entry, &releasedAs, &reason, &who, &at)
	if err != nil {
		return e, err
	}
	e.FirstSeen, e.LastSeen = fromMicros(first), fromMicros(last)
	if e.Verdict, e.Report, err = decodeReport(verdict, report); err != nil {
		return e, err
	}
	if at.Valid {
		e.Release = &Release{SHA256: e.SHA256, Entry: entry.String, Reason: reason.String, Who: who.String, At: fromMicros(at.Int64)}
		err = e.Release.Verdict.UnmarshalText([]byte(releasedAs.String))
	}
	return e, err
}
