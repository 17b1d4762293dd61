package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"modelwall/scan"
)

// VerdictRecord is what one version of the engine said of one content.
type VerdictRecord struct {
	SHA256      string // lower-case hex
	Fingerprint string // of the engine: scanner versions and rule data
	Size        int64  // of the content in bytes
	Verdict     scan.Verdict
	Report      scan.Report // its Verdict is the same
	InspectedAt time.Time
	Duration    time.Duration
}

const selectAlias = "SELECT sha256 FROM aliases WHERE git_sha1 = ? AND size = ?"

const selectVerdict = "SELECT size, verdict, report, inspected_at, duration FROM verdicts WHERE sha256 = ? AND fingerprint = ?"

// Verdict returns what the engine with this fingerprint said of the content,
// or false. The verdict of any other fingerprint does not count.
func (s *Store) Verdict(ctx context.Context, sha256, fingerprint string) (VerdictRecord, bool, error) {
	r := VerdictRecord{SHA256: sha256, Fingerprint: fingerprint}
	var verdict, report string
	var at, took int64
	err := s.db.verdict.QueryRowContext(ctx, sha256, fingerprint).Scan(&r.Size, &verdict, &report, &at, &took)
	if errors.Is(err, sql.ErrNoRows) {
		return VerdictRecord{}, false, nil
	}
	if err == nil {
		r.Verdict, r.Report, err = decodeReport(verdict, report)
	}
	if err != nil {
		return VerdictRecord{}, false, s.db.explain("look up a verdict", err)
	}
	r.InspectedAt, r.Duration = fromMicros(at), time.Duration(took)
	return r, true, nil
}

// PutVerdict keeps a verdict. Of two for the same content and fingerprint the
// worse one stays, and any stays before undetermined: one inspection that ran
// out of time does not undo what another one found.
func (s *Store) PutVerdict(ctx context.Context, r VerdictRecord) error {
	const op = "keep a verdict"
	if err := checkSHA256(r.SHA256); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if r.Fingerprint == "" || len(r.Fingerprint) > maxText {
		return fmt.Errorf("%s: a fingerprint of %d bytes", op, len(r.Fingerprint))
	}
	report, err := encodeReport(r.Verdict, r.Report)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	// The order of scan.Verdict, spelled out.
	const rank = `CASE %s.verdict WHEN 'malicious' THEN 3 WHEN 'suspicious' THEN 2 WHEN 'clean' THEN 1 ELSE 0 END`
	_, err = s.db.exec(ctx, op, `INSERT INTO verdicts (sha256, fingerprint, size, verdict, report, inspected_at, duration)
		VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (sha256, fingerprint) DO UPDATE SET size = excluded.size, verdict = excluded.verdict, report = excluded.report,
			inspected_at = excluded.inspected_at, duration = excluded.duration
		WHERE `+fmt.Sprintf(rank, "excluded")+` >= `+fmt.Sprintf(rank, "verdicts"),
		r.SHA256, r.Fingerprint, r.Size, r.Verdict.String(), report, micros(r.InspectedAt), int64(r.Duration))
	return err
}

// PutAlias records under which sha256 the content is known that the Hub names
// by its git blob sha1 (small files have no other name there). A git name that
// already stands for another content is an ErrConflict: sha1 can be made to
// collide, and the one that came first stays.
func (s *Store) PutAlias(ctx context.Context, gitSHA1 string, size int64, sha256 string) error {
	const op = "keep an alias"
	if err := checkSHA256(sha256); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if !hexHash(gitSHA1, 40) {
		return fmt.Errorf("%s: %q is not a sha1 in lower-case hex", op, cut(gitSHA1, 80))
	}
	n, err := s.db.exec(ctx, op, `INSERT INTO aliases (git_sha1, size, sha256) VALUES (?, ?, ?)
		ON CONFLICT (git_sha1, size) DO UPDATE SET sha256 = aliases.sha256 WHERE aliases.sha256 = excluded.sha256`, gitSHA1, size, sha256)
	if err == nil && n == 0 {
		return fmt.Errorf("%s: git blob %s of %d bytes already stands for another content than %s: %w", op, gitSHA1, size, sha256, ErrConflict)
	}
	return err
}

// Alias returns the sha256 of the content with this git blob sha1 and size, if
// it is known.
func (s *Store) Alias(ctx context.Context, gitSHA1 string, size int64) (sha256 string, ok bool, err error) {
	err = s.db.alias.QueryRowContext(ctx, gitSHA1, size).Scan(&sha256)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return sha256, err == nil, s.db.explain("look up an alias", err)
}

// maxReport is how many bytes of JSON one report may take.
const maxReport = 4 << 20

// encodeReport spells out a report, and leaves out imports, then the least
// severe findings, until it fits. The verdict does not change by that.
func encodeReport(v scan.Verdict, r scan.Report) (string, error) {
	if r.Verdict != v {
		return "", fmt.Errorf("verdict %v with a report that says %v", v, r.Verdict)
	}
	for imports, findings := len(r.Imports), len(r.Findings); ; {
		b, err := json.Marshal(r)
		if err != nil {
			return "", err
		}
		if len(b) <= maxReport {
			return string(b), nil
		}
		switch {
		case len(r.Imports) > 0:
			r.Imports = r.Imports[:len(r.Imports)/2]
		case len(r.Findings) > 2: // one may be the note below
			kept := slices.Clone(r.Findings)
			slices.SortStableFunc(kept, func(a, b scan.Finding) int { return cmp.Compare(b.Severity, a.Severity) })
			r.Findings = kept[:len(kept)/2]
		default:
			return "", fmt.Errorf("a report of %d bytes", len(b))
		}
		const rule = "store.shortened"
		r.Findings = append(slices.DeleteFunc(slices.Clone(r.Findings), func(f scan.Finding) bool { return f.Rule == rule }), scan.Finding{
			Rule: rule, Severity: scan.Info,
			Message: fmt.Sprintf("the report was too large to keep: it had %d findings and %d imports", findings, imports),
		})
	}
}

func decodeReport(verdict, report string) (scan.Verdict, scan.Report, error) {
	var v scan.Verdict
	var r scan.Report
	err := errors.Join(v.UnmarshalText([]byte(verdict)), json.Unmarshal([]byte(report), &r))
	if err == nil && r.Verdict != v {
		err = fmt.Errorf("verdict %v with a report that says %v", v, r.Verdict)
	}
	if err != nil {
		return scan.Undetermined, scan.Report{}, fmt.Errorf("%w: %w", errReport, err)
	}
	return v, r, nil
}
