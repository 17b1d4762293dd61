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

	if freed, err := s.blobs.Evict(t.Context(), 1200); freed != 0 || err != nil {
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
	if freed, err := s.blobs.Evict(t.Context(), 1000); freed != 300 || err != nil {
		t.Errorf("%d freed, %v; want 300", freed, err)
	}
	if got, err := io.ReadAll(reader); len(got) != 300 || err != nil {
		t.Errorf("who was reading got %d bytes, %v", len(got), err)
	}
	// 900 are more than 700: down to 630, which takes one.
	if freed, err := s.blobs.Evict(t.Context(), 700); freed != 300 || err != nil {
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
