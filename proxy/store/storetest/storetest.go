// Package storetest is the acceptance suite that every store runs: the one on
// a local disk and whatever keeps the same content and records elsewhere.
package storetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"modelwall/proxy/audit"
	"modelwall/proxy/store"
	"modelwall/scan"
)

// Records is what a store does with records.
type Records interface {
	store.Verdicts
	PutAlias(ctx context.Context, gitSHA1 string, size int64, sha256 string) error
	Alias(ctx context.Context, gitSHA1 string, size int64) (string, bool, error)
	PutQuarantine(ctx context.Context, e store.QuarantineEntry) (string, error)
	Quarantined(ctx context.Context, sha256 string) (store.QuarantineEntry, bool, error)
	ListQuarantine(ctx context.Context, f store.QuarantineFilter) ([]store.QuarantineEntry, error)
	Show(ctx context.Context, id string) (store.QuarantineEntry, error)
	Release(ctx context.Context, id, reason, who string, at time.Time) error
	Revoke(ctx context.Context, id, reason, who string, at time.Time) error
	Released(ctx context.Context, sha256 string) (store.Release, bool, error)
	Delete(ctx context.Context, id string) error
	PutDownload(ctx context.Context, r audit.Record) error
	Downloads(ctx context.Context, q store.DownloadQuery) ([]audit.Record, error)
	PruneDownloads(ctx context.Context, before time.Time) (int64, error)
}

// Blobs is what a store does with content.
type Blobs interface {
	SpoolDir() string
	Adopt(ctx context.Context, path, sha256 string) error
	Open(sha256 string) (*store.Blob, error)
	Remove(ctx context.Context, sha256 string) error
	Quarantine(ctx context.Context, path, sha256 string) error
	Release(ctx context.Context, sha256 string) error
	Withdraw(ctx context.Context, sha256 string) error
}

// Store is one open store.
type Store struct {
	Records
	Blobs Blobs
	Close func() error
}

// Accept runs the suite. Place makes an empty place and returns a function
// that opens it, which is called several times at once: each answer behaves
// like the store of a process of its own. Accept closes what it opens.
func Accept(t *testing.T, place func(t *testing.T) (open func() (Store, error))) {
	tests := []struct {
		name string
		run  func(t *testing.T, open func() Store)
	}{
		{"Verdict", verdicts},
		{"VerdictWorstStays", worstStays},
		{"VerdictRefused", verdictRefused},
		{"VerdictLargeReport", largeReport},
		{"Alias", aliases},
		{"Quarantine", quarantine},
		{"QuarantineShow", show},
		{"QuarantineList", list},
		{"QuarantineDelete", deletion},
		{"Release", release},
		{"ReleaseOfContent", releaseContent},
		{"Downloads", downloads},
		{"Texts", texts},
		{"Blobs", blobs},
		{"BlobsRefused", blobsRefused},
		{"BlobsQuarantine", blobsQuarantine},
		{"Canceled", canceled},
		{"AtOnce", atOnce},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			open := place(t)
			tt.run(t, func() Store {
				t.Helper()
				s, err := open()
				if err != nil {
					t.Fatal(err)
				}
				once := sync.OnceValue(s.Close)
				s.Close = once
				t.Cleanup(func() {
					if err := once(); err != nil {
						t.Errorf("Close: %v", err)
					}
				})
				return s
			})
		})
	}
}

// Content returns n bytes that depend on seed, with their name.
func Content(seed string, n int) (content []byte, sha string) {
	for i := 0; len(content) < n; i++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", seed, i))
		content = append(content, sum[:]...)
	}
	content = content[:n]
	return content, Hash(content)
}

// Hash returns the name of content.
func Hash(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// Spool writes content into the spool as a download does and returns its path.
func Spool(t testing.TB, b Blobs, content []byte) string {
	t.Helper()
	f, err := os.CreateTemp(b.SpoolDir(), "arriving-*")
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// Read returns the whole content, or nil if there is none.
func Read(t testing.TB, b Blobs, sha string) []byte {
	t.Helper()
	blob, err := b.Open(sha)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(blob)
	if err := errors.Join(err, blob.Close()); err != nil {
		t.Fatal(err)
	}
	return content
}

// Verdict returns a verdict with a report that has everything in it.
func Verdict(sha string, v scan.Verdict) store.VerdictRecord {
	severity := scan.Info
	switch v {
	case scan.Suspicious:
		severity = scan.SeveritySuspicious
	case scan.Malicious:
		severity = scan.SeverityMalicious
	}
	r := store.VerdictRecord{
		SHA256: sha, Fingerprint: "pickle/1 zip/2", Size: 4711, Verdict: v,
		Report: scan.Report{
			Verdict: v, Formats: []string{"zip"},
			Findings: []scan.Finding{{Rule: "pickle.call", Severity: severity, Message: `calls "os.system"`, Member: "a/data.pkl", Offset: 7, Technique: "code-execution"}},
			Imports:  []scan.Import{{Module: "os", Name: "system", Member: "a/data.pkl", Offset: 2, Called: true}},
		},
		InspectedAt: when(0), Duration: 1500 * time.Microsecond,
	}
	if v == scan.Undetermined {
		r.Report.Error = "limit reached"
	}
	return r
}

// when returns a fixed time, some minutes later.
func when(minutes int) time.Time {
	return time.Date(2026, 5, 6, 7, 8, 9, 123456000, time.UTC).Add(time.Duration(minutes) * time.Minute)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, what string, err, class error) {
	t.Helper()
	if !errors.Is(err, class) {
		t.Errorf("%s: error %v, want one of class %q", what, err, class)
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func sha(seed string) string { return Hash([]byte(seed)) }

func repeat(s string, n int) string { return strings.Repeat(s, n) }
