package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"modelwall/scan"
)

// Release is a person's decision that one content may be served although a
// policy had stopped it. It applies to exactly that sha256.
type Release struct {
	SHA256  string
	Entry   string       // ID of the quarantine entry it was given for
	Verdict scan.Verdict // what was known of the content at that time
	Reason  string
	Who     string
	At      time.Time
}

// Covers reports whether the release still holds when the content's verdict is
// v: whoever released something suspicious has not seen what made it malicious
// since. An undetermined verdict counts as better than suspicious.
func (r Release) Covers(v scan.Verdict) bool {
	rank := func(v scan.Verdict) int {
		switch v {
		case scan.Clean:
			return 0
		case scan.Undetermined:
			return 1
		}
		return 1 + int(v)
	}
	return rank(v) <= rank(r.Verdict)
}

// Release records that the content of an entry, named as in Show, is to be
// served from now on, by whom and why, and moves the content, if it was kept,
// to where it can be opened. If that fails the decision stands, and a second
// Release tries again. A blank reason is an ErrReason.
func (s *Store) Release(ctx context.Context, id, reason, who string, at time.Time) error {
	return s.decide(ctx, id, true, reason, who, at)
}

// Revoke takes a release back: the content is stopped again, in all processes
// from their next request on. Without a release in force it is ErrNotFound.
func (s *Store) Revoke(ctx context.Context, id, reason, who string, at time.Time) error {
	return s.decide(ctx, id, false, reason, who, at)
}

func (s *Store) decide(ctx context.Context, id string, active bool, reason, who string, at time.Time) error {
	op := "release from quarantine"
	if !active {
		op = "revoke a release"
	}
	reason = strings.TrimSpace(reason)
	if reason == "" {
		return fmt.Errorf("%s: %s: %w", op, cut(id, 80), ErrReason)
	}
	var e QuarantineEntry
	err := s.db.transact(ctx, op, func(ctx context.Context, tx *sql.Tx) (err error) {
		if e, err = s.show(ctx, tx, id); err != nil {
			return err
		}
		if !active && e.Release == nil {
			return fmt.Errorf("%s: %s is not released: %w", op, e.ID, ErrNotFound)
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO releases (sha256, entry, active, verdict, reason, who, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
			e.SHA256, e.ID, active, e.Verdict.String(), discreet(reason), discreet(who), micros(at))
		return err
	})
	if err != nil {
		return err
	}
	move := s.blobs.Withdraw
	if active {
		move = s.blobs.Release
	}
	// Content that was not kept, or is damaged, comes from the upstream again.
	if err := move(ctx, e.SHA256); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("%s: recorded, but the content of %s could not be moved: %w", op, e.ID, err)
	}
	return nil
}

const selectRelease = "SELECT active, entry, verdict, reason, who, at FROM releases WHERE sha256 = ? ORDER BY seq DESC LIMIT 1"

// Released returns the release in force for a content, if there is one. The
// answer is never to be kept: another process may change it at any time.
func (s *Store) Released(ctx context.Context, sha256 string) (Release, bool, error) {
	r := Release{SHA256: sha256}
	var active bool
	var verdict string
	var at int64
	err := s.db.release.QueryRowContext(ctx, sha256).
		Scan(&active, &r.Entry, &verdict, &r.Reason, &r.Who, &at)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !active {
		return Release{}, false, nil
	}
	if err == nil {
		err = r.Verdict.UnmarshalText([]byte(verdict))
	}
	if err != nil {
		return Release{}, false, s.db.explain("look up a release", err)
	}
	r.At = fromMicros(at)
	return r, true, nil
}
