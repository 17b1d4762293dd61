package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestMoveThatCameSecond: two processes move the same content, and the file is
// where it should be when the second one has the lock.
func TestMoveThatCameSecond(t *testing.T) {
	s := open(t, t.TempDir())
	content := []byte("content")
	sum := sha256.Sum256(content)
	name := hex.EncodeToString(sum[:])
	path := filepath.Join(s.blobs.spool, "part")
	err := errors.Join(os.WriteFile(path, content, 0o600),
		s.blobs.Quarantine(t.Context(), path, name), s.blobs.Release(t.Context(), name))
	if err != nil {
		t.Fatal(err)
	}
	from := areaQuarantine.file(name)
	if err := s.blobs.place(t.Context(), from, name, int64(len(content)), areaBlobs); err != nil {
		t.Errorf("already there: %v", err)
	}
	if err := s.blobs.place(t.Context(), from, name, int64(len(content)), areaQuarantine); !errors.Is(err, ErrNotFound) {
		t.Errorf("on neither side: %v", err)
	}
	b, err := s.blobs.Open(name)
	if err != nil {
		t.Fatalf("after a move that failed: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}
