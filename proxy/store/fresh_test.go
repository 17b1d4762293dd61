//go:build !windows

package store

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A file is fresh until somebody touches it, also if he hides it, and for a
// day.
func TestFresh(t *testing.T) {
	s := open(t, t.TempDir())
	name := put(t, s, 100, 0, areaBlobs)
	path := filepath.Join(s.Dir(), areaBlobs.file(name))
	fresh := func(prove bool) bool {
		t.Helper()
		b, err := s.blobs.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if prove {
			if err := s.blobs.Proven(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		}
		return b.Fresh() != nil
	}
	if !fresh(false) {
		t.Error("a file that was just stored is not fresh")
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte("x"), 50)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if fresh(true) {
		t.Error("a changed file with its old times is fresh")
	}
	if !fresh(false) {
		t.Error("a file is not fresh after its hash was checked")
	}
	if _, err := s.db.exec(t.Context(), "age", "UPDATE blobs SET proven = ?", micros(time.Now().Add(-freshness))); err != nil {
		t.Fatal(err)
	}
	if fresh(false) {
		t.Error("a file is fresh a day after its hash was checked")
	}
}
