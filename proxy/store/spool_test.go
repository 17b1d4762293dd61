package store

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestOpeningWaits: a process that opens the directory waits for another one
// that does, but not for ever.
func TestOpeningWaits(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	synctest.Test(t, func(t *testing.T) {
		unlock, err := lockOpening(root)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := lockOpening(root); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "try again") {
			t.Errorf("error %v", err)
		}
		if waited := time.Since(start); waited < openingPatience || waited > openingPatience+time.Second {
			t.Errorf("waited %v", waited)
		}
		go func() {
			time.Sleep(time.Second)
			unlock()
		}()
		again, err := lockOpening(root)
		if err != nil {
			t.Fatalf("after the other one was ready: %v", err)
		}
		again()
	})
	if _, err := os.Stat(filepath.Join(dir, lockFile)); err != nil {
		t.Error(err)
	}
}

// Unfinished content with a journal goes from process to process, whether they
// were closed or killed.
func TestSpoolIsInherited(t *testing.T) {
	dir := t.TempDir()
	put := func(spool string, names ...string) {
		t.Helper()
		for _, name := range names {
			if err := os.WriteFile(filepath.Join(spool, name), []byte(name), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	killed := filepath.Join(dir, spoolFolder, "1-KILLED")
	if err := os.MkdirAll(killed, 0o700); err != nil {
		t.Fatal(err)
	}
	put(killed, "lock", "a.part", "a.part.journal", "b.part", "c.part.journal")
	for _, more := range []string{"d.part", "e.part", "f.part"} {
		s, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		put(s.Blobs().SpoolDir(), more)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	found, err := filepath.Glob(filepath.Join(dir, spoolFolder, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	at := s.Blobs().SpoolDir()
	want := []string{filepath.Join(at, "a.part"), filepath.Join(at, "a.part.journal"), filepath.Join(at, "lock")}
	if !slices.Equal(found, want) {
		t.Errorf("files %q, want %q", found, want)
	}
	spools, err := os.ReadDir(filepath.Join(dir, spoolFolder))
	if err != nil || len(spools) != 1 {
		t.Errorf("spools %v, %v", spools, err)
	}
}
