package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"modelwall/proxy/audit"
)

// put stores n bytes as content last used that long ago, and returns its name.
func put(t *testing.T, s *Store, n int, ago time.Duration, to area) string {
	t.Helper()
	content := bytes.Repeat([]byte(fmt.Sprint(ago)), n)[:n]
	sum := sha256.Sum256(content)
	name := hex.EncodeToString(sum[:])
	path := filepath.Join(s.blobs.spool, "part")
	if err := errors.Join(os.WriteFile(path, content, 0o600), s.blobs.admit(t.Context(), path, name, to)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.db.exec(t.Context(), "age", "UPDATE blobs SET used = ? WHERE sha256 = ?", micros(time.Now().Add(-ago)), name); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestEvict(t *testing.T) {
	s := open(t, t.TempDir())
	const day = 24 * time.Hour
	young := put(t, s, 300, day, areaBlobs)
	oldest := put(t, s, 300, 4*day, areaBlobs)
	wanted := put(t, s, 300, 5*day, areaBlobs)
	older := put(t, s, 300, 3*day, areaBlobs)
	held := put(t, s, 3000, 9*day, areaQuarantine)
	b, err := s.blobs.Open(wanted) // which makes it the youngest
	if err != nil {
		t.Fatal(err)
	}
	b.Close()

	if freed, err := s.blobs.Evict(t.Context(), 1200, nil); freed != 0 || err != nil {
		t.Errorf("at the bound: %d freed, %v", freed, err)
	}
	reader, err := s.blobs.Open(oldest)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if _, err := s.db.exec(t.Context(), "age", "UPDATE blobs SET used = 1 WHERE sha256 = ?", oldest); err != nil {
		t.Fatal(err)
	}
	// 1 200 bytes are more than 1 000: down to 900.
	if freed, err := s.blobs.Evict(t.Context(), 1000, nil); freed != 300 || err != nil {
		t.Errorf("%d freed, %v; want 300", freed, err)
	}
	if got, err := io.ReadAll(reader); len(got) != 300 || err != nil {
		t.Errorf("who was reading got %d bytes, %v", len(got), err)
	}
	// 900 are more than 700: down to 630, which takes one.
	if freed, err := s.blobs.Evict(t.Context(), 700, nil); freed != 300 || err != nil {
		t.Errorf("%d freed, %v; want 300", freed, err)
	}
	for name, want := range map[string]bool{young: true, wanted: true, oldest: false, older: false} {
		b, err := s.blobs.Open(name)
		if err == nil {
			b.Close()
		}
		if (err == nil) != want || err != nil && !errors.Is(err, ErrNotFound) {
			t.Errorf("%.8s: %v, want there = %v", name, err, want)
		}
	}
	if !s.blobs.exists(areaQuarantine, held) {
		t.Error("quarantined content is gone")
	}
}

// What is opened often is written down once in an hour.
func TestTouch(t *testing.T) {
	s := open(t, t.TempDir())
	name := put(t, s, 10, 10*time.Minute, areaBlobs)
	used := func() int64 {
		t.Helper()
		b, err := s.blobs.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		b.Close()
		r, _, err := s.blobs.lookup(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return r.used
	}
	if before, _, _ := s.blobs.lookup(t.Context(), name); used() != before.used {
		t.Error("a use ten minutes after the last one was written down")
	}
	name = put(t, s, 10, 2*time.Hour, areaBlobs)
	if before, _, _ := s.blobs.lookup(t.Context(), name); used() <= before.used {
		t.Error("a use two hours after the last one was not written down")
	}
}

// TestPinned checks that content of a pinned repository stays, however old and
// large it is, and that the files of a repository are known by what was served.
func TestPinned(t *testing.T) {
	s := open(t, t.TempDir())
	const day = 24 * time.Hour
	pinned := put(t, s, 300, 9*day, areaBlobs)
	shared := put(t, s, 300, 8*day, areaBlobs)
	other := put(t, s, 300, 7*day, areaBlobs)
	sink := s.Audit(func(err error) { t.Error(err) })
	record := func(status int, repo, path, sha256 string) {
		sink.Record(t.Context(), audit.Record{Status: status, Decision: audit.DecisionAllow, Repo: repo, Revision: "main", Path: path, SHA256: sha256})
	}
	record(200, "acme/pinned", "a", pinned)
	record(206, "acme/pinned", "b", shared)
	record(200, "acme/other", "b", shared)
	record(200, "acme/other", "c", other)
	record(304, "acme/pinned", "c", other) // nothing was served

	files, err := s.CachedFiles(t.Context(), "ACME/pinned")
	if err != nil || len(files) != 2 || files[0].SHA256 != pinned || files[0].Size != 300 || files[1].Path != "b" || files[1].Revision != "main" {
		t.Errorf("%+v, %v", files, err)
	}
	keep := func(repo string) bool { return repo == "acme/pinned" }
	if freed, err := s.blobs.Evict(t.Context(), 500, keep); freed != 300 || err != nil {
		t.Errorf("%d freed, %v; want 300", freed, err)
	}
	for name, want := range map[string]bool{pinned: true, shared: true, other: false} {
		if got := s.blobs.exists(areaBlobs, name); got != want {
			t.Errorf("%.8s is there: %v, want %v", name, got, want)
		}
	}
	if err := s.ForgetRepo(t.Context(), "Acme/Pinned"); err != nil {
		t.Fatal(err)
	}
	files, err = s.CachedFiles(t.Context(), "")
	if err != nil || len(files) != 2 || files[0].Repo != "" || files[1].Repo != "acme/other" {
		t.Errorf("%+v, %v", files, err)
	}
}

func TestVerify(t *testing.T) {
	s := open(t, t.TempDir())
	good := put(t, s, 300, time.Hour, areaBlobs)
	bad := put(t, s, 300, 2*time.Hour, areaBlobs)
	if err := os.WriteFile(filepath.Join(s.blobs.dir, areaBlobs.file(bad)), make([]byte, 300), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.blobs.Verify(t.Context(), good); err != nil {
		t.Error(err)
	}
	for range 2 { // the second time it is not there
		if err := s.blobs.Verify(t.Context(), bad); !errors.Is(err, ErrNotFound) {
			t.Errorf("%v, want ErrNotFound", err)
		}
	}
	files, err := s.CachedFiles(t.Context(), "")
	if err != nil || len(files) != 1 || files[0].SHA256 != good {
		t.Errorf("%+v, %v", files, err)
	}
}
